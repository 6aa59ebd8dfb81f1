"""Money arrives as it was written, to the last nano-dollar or pico-dollar, or not at all."""

import json
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as run
from hypothesis import strategies as st

from app.domain.errors import ConfigurationError
from app.domain.prices import Price
from tests.config.settings_from import KEY, LOCAL, load

NANO = 10**9
PICO = 10**12
MILLION = 10**6
EACH_IN_ONE_FOLDER = run(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def budget_file(written: str) -> str:
    return LOCAL + f"keys: [{{name: a, key: {KEY}, budget_usd: {written}}}]"


def price_file(field: str, written: str) -> str:
    return LOCAL + f"prices: {{local/x: {{{field}: {written}}}}}"


def amounts(places: int, most: int, least: int = 0) -> st.SearchStrategy[Decimal]:
    """Every number of dollars with at most *places* decimals; up to *most*."""
    unit = Decimal((0, (1,), -places))
    return st.integers(least, most * 10**places).map(lambda units: units * unit)


@EACH_IN_ONE_FOLDER
@given(dollars=amounts(9, 10**9, least=1))
def test_every_budget_of_nine_decimals_is_itself_in_nano_dollars(folder, dollars):
    written = f"{dollars:f}"
    forms = [
        load(folder, budget_file(written)),
        load(folder, budget_file(f"'{written}'")),
        load(
            folder,
            LOCAL,
            environment={
                "MINDGATE_KEYS": f'[{{"name": "a", "key": "{KEY}", "budget_usd": {written}}}]'
            },
        ),
    ]

    assert [Fraction(dollars)] * 3 == [
        Fraction(form.keys[0].limits.budget_nano or 0, NANO) for form in forms
    ]


FIELDS = [
    pytest.param("input_usd_per_million", "input", 6, MILLION, id="input"),
    pytest.param("output_usd_per_million", "output", 6, MILLION, id="output"),
    pytest.param("cached_input_usd_per_million", "cached_input", 6, MILLION, id="cached input"),
    pytest.param("usd_per_request", "request", 12, 1, id="request"),
    pytest.param("usd_per_audio_second", "audio_second", 12, 1, id="audio"),
    pytest.param("usd_per_million_characters", "character", 6, MILLION, id="characters"),
]


@pytest.mark.parametrize(("field", "unit", "places", "of"), FIELDS)
@EACH_IN_ONE_FOLDER
@given(chosen=st.data())
def test_every_price_is_itself_in_pico_dollars(folder, field, unit, places, of, chosen):
    dollars = chosen.draw(amounts(places, MILLION))
    price = load(folder, price_file(field, f"{dollars:f}")).prices["local/x"]

    assert Fraction(dollars) == Fraction(getattr(price, unit) * of, PICO)


@pytest.mark.parametrize(("field", "unit", "places", "of"), FIELDS)
def test_a_price_that_a_pico_dollar_cannot_hold_is_refused(folder, field, unit, places, of):
    with pytest.raises(ConfigurationError) as caught:
        load(folder, price_file(field, f"0.{'0' * places}1"))

    each = " for each" if of == MILLION else ""
    assert (
        f"mindgate.yaml: prices.local/x.{field}: must have at most {places} decimals;"
        f" it is counted in pico-dollars{each}"
    ) == str(caught.value).replace(f"{folder}/", "")


def test_a_price_says_what_a_token_costs(folder):
    text = price_file("input_usd_per_million", "2.50, output_usd_per_million: 10")

    assert {"local/x": Price(input=2_500_000, output=10_000_000)} == load(folder, text).prices


def test_cached_input_that_is_free_is_not_cached_input_that_is_left_out(folder):
    text = price_file("input_usd_per_million", "1, cached_input_usd_per_million: 0")

    assert 0 == load(folder, text).prices["local/x"].cached_input


@pytest.mark.parametrize(
    ("written", "nano"),
    [
        pytest.param("25", 25 * NANO, id="whole dollars"),
        pytest.param("0.10", NANO // 10, id="ten cents"),
        pytest.param("'0.10'", NANO // 10, id="as text"),
        pytest.param("1_000.50", 1_000_500_000_000, id="with a thousands' underscore"),
        pytest.param("2.5e+1", 25 * NANO, id="with an exponent"),
        pytest.param("1e-9", 1, id="one nano-dollar"),
        pytest.param("0.5000000000000000", NANO // 2, id="zeros at the end are no decimals"),
        pytest.param("123456789.123456789", 123_456_789_123_456_789, id="more than a float holds"),
        pytest.param("1000000000", 10**18, id="the largest"),
    ],
)
def test_a_budget_is_written_as_a_person_likes(folder, written, nano):
    assert nano == load(folder, budget_file(written)).keys[0].limits.budget_nano


TOO_FINE = "must have at most 9 decimals; it is counted in nano-dollars"
INFINITE = "needs a number that is not infinite"


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        pytest.param("0", "must be more than 0", id="nothing"),
        pytest.param("-1", "must be more than 0", id="less than nothing"),
        pytest.param("0.0000000001", TOO_FINE, id="a tenth of a nano-dollar"),
        pytest.param("0.10000000000000001", TOO_FINE, id="what a float would round away"),
        pytest.param("1e-999", TOO_FINE, id="next to nothing"),
        pytest.param("1000000000.000000001", "must be at most 1000000000", id="too much"),
        pytest.param("1.0e+999", INFINITE, id="more than there is"),
        pytest.param("'1e999'", "must be at most 1000000000", id="more than there is, as text"),
        pytest.param(".inf", INFINITE, id="infinite"),
        pytest.param(".nan", INFINITE, id="no number"),
        pytest.param("1:30.5", "needs a number", id="a time, to YAML a number"),
        pytest.param("true", "needs a number", id="true"),
        pytest.param("25 USD", "needs a number", id="with a unit"),
        pytest.param("$25", "needs a number", id="with a sign"),
        pytest.param("'2,50'", "needs a number", id="with a comma"),
        pytest.param("٢", "needs a number", id="in other digits"),
        pytest.param("[25]", "needs a number", id="a list"),
    ],
)
def test_what_is_no_budget_says_what_would_be(folder, written, fault):
    with pytest.raises(ConfigurationError) as caught:
        load(folder, budget_file(written))

    assert f"mindgate.yaml: keys[0].budget_usd: {fault}" == str(caught.value).replace(
        f"{folder}/", ""
    )


@pytest.mark.parametrize(
    "written", ["1e-9", "1000000000", "0.1", "NaN", "Infinity", "1e400", "true", "null", '"1"']
)
def test_json_of_the_environment_means_what_yaml_means(folder, written):
    def outcome(text: str, environment: dict[str, str]) -> Any:
        try:
            return load(folder, text, environment=environment).keys[0].limits.budget_nano
        except ConfigurationError as error:
            return str(error).rpartition(": ")[2]

    key = {"name": "a", "key": KEY, "budget_usd": "BUDGET"}
    variables = {"MINDGATE_KEYS": json.dumps([key]).replace('"BUDGET"', written)}
    yaml = {"NaN": ".nan", "Infinity": ".inf", "1e400": "1.0e+400"}.get(written, written)

    assert outcome(budget_file(yaml), {}) == outcome(LOCAL, variables)
