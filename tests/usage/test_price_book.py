"""Prices by name (reliability J12)."""

import pytest

from app.domain.prices import Price
from app.usage.price_book import PriceBook

CHEAP, DEAR, ANY = Price(input=1), Price(input=2), Price(input=3)


@pytest.mark.parametrize(
    ("upstream", "model", "expected"),
    [
        pytest.param("sun", "sun-1", DEAR, id="an exact name wins over a pattern before it"),
        pytest.param("sun", "sun-2", CHEAP, id="of the patterns the first that fits"),
        pytest.param("moon", "sun-2", ANY, id="a pattern may leave the upstream open"),
        pytest.param("moon", "tide", None, id="nobody has said"),
        pytest.param("SUN", "dawn", None, id="case counts"),
        pytest.param("sun", "sun-1" + "x" * 9000, CHEAP, id="a name of any length"),
    ],
)
def test_a_deployment_s_price_is_found_by_name(upstream, model, expected):
    book = PriceBook({"sun/*": CHEAP, "sun/sun-1": DEAR, "*/sun-*": ANY})

    assert expected == book.price(upstream, model)
    assert expected == book.price(upstream, model)


def test_what_is_remembered_of_clients_names_is_bounded():
    book = PriceBook({"sun/*": CHEAP})

    for number in range(5000):
        book.price("sun", f"m{number}")
    book.price("sun", "x" * 10_000)

    assert len(book._found) <= 1024
    assert ("sun", "x" * 10_000, "") not in book._found


def test_the_rows_are_the_operator_s_in_their_order():
    prices = {"b/*": CHEAP, "a/1": DEAR}

    assert (("b/*", CHEAP), ("a/1", DEAR)) == PriceBook(prices).rows()
