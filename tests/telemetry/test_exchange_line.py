"""One line per exchange: these fields and no others, on one line, without content (reliability S20)."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.exchange import Exchange
from app.domain.outcome import Outcome
from app.domain.principal import Principal
from app.domain.usage import Usage
from app.telemetry.exchange_line import exchange_line, json_line
from tests.fakes.exchanges import exchange_with

FIELDS = [
    *("request_id", "client_request_id", "key", "endpoint", "model", "upstream", "upstream_model"),
    *("upstream_status", "upstream_request_id", "upstream_timing", "stream", "attempts", "dropped"),
    *("status", "outcome", "phase", "error", "detail", "input_tokens", "output_tokens"),
    *("usage_source", "cost_usd"),
    *("bytes_out", "dropped_events", "duration_seconds", "ttft_seconds"),
]
TIME = "2026-11-22T06:22:16.478Z"


def full() -> Exchange:
    """An exchange in which something was written everywhere."""
    exchange = Exchange("req_1", "POST", "chat.create", 1.0)
    for name in Exchange.__dataclass_fields__:
        old = getattr(exchange, name)
        new = {str: f"x-{name}", bool: True, int: 7}.get(type(old))
        if new is not None and name not in ("request_id", "method", "endpoint"):
            setattr(exchange, name, new)
    exchange.caller, exchange.usage_source = Principal("ci"), "estimated"
    exchange.cost_nano = 2_500_000
    exchange.dropped, exchange.usage = ("store", "n"), Usage(3, 5)
    exchange.outcome, exchange.first_byte_at = Outcome.COMPLETE, 1.5
    return exchange


def test_the_fields_are_this_list_in_this_order():
    assert FIELDS == list(exchange_line(full(), now=3.0))


def test_each_field_says_what_the_exchange_holds():
    assert exchange_line(full(), now=3.25) == {
        "request_id": "req_1",
        "client_request_id": "x-client_request_id",
        "key": "ci",
        "endpoint": "chat.create",
        "model": "x-model_requested",
        "upstream": "x-upstream",
        "upstream_model": "x-model",
        "upstream_status": 7,
        "upstream_request_id": "x-upstream_request_id",
        "upstream_timing": "x-upstream_timing",
        "stream": True,
        "attempts": 7,
        "dropped": "store,n",
        "status": 7,
        "outcome": "complete",
        "phase": "x-phase",
        "error": "x-error_code",
        "detail": "x-error_detail",
        "input_tokens": 3,
        "output_tokens": 5,
        "usage_source": "estimated",
        "cost_usd": 0.0025,
        "bytes_out": 7,
        "dropped_events": 7,
        "duration_seconds": 2.25,
        "ttft_seconds": 0.5,
    }


def test_what_says_nothing_is_left_out():
    line = exchange_line(exchange_with("req_1", "GET", "models.list", 1.0, status=200), now=3.0)

    assert ["request_id", "endpoint", "upstream", "status", "outcome", "duration_seconds"] == list(
        line
    )


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("usage", Usage(0, 0), "input_tokens"),
        ("first_byte_at", 1.0, "ttft_seconds"),
        ("dropped", (), "dropped"),
        ("stream", False, "stream"),
    ],
)
def test_a_zero_says_nothing(name, value, field):
    exchange = full()
    setattr(exchange, name, value)

    assert field not in exchange_line(exchange, now=3.0)


def test_json_is_the_same_fields_and_what_every_line_ends_with():
    exchange = full()
    line = json_line(exchange, 3.0, TIME)

    assert list(json.loads(line).items()) == [
        *exchange_line(exchange, 3.0).items(),
        ("event", "exchange"),
        ("level", "info"),
        ("timestamp", TIME),
    ]
    assert line.endswith("}\n")


@settings(deadline=None)
@given(start=st.floats(0, 1e6), seconds=st.floats(0, 1e4))
def test_a_duration_is_given_to_the_microsecond(start, seconds):
    line = exchange_line(Exchange("req_1", "GET", "models.list", start), now=start + seconds)
    shown = line.get("duration_seconds", 0)

    assert abs(shown - ((start + seconds) - start)) <= 0.51e-6
    assert shown == round(shown, 6)


@settings(deadline=None)
@given(st.text(), st.integers(0, 10**30), st.lists(st.sampled_from(["store", "n"])))
def test_whatever_others_send_the_line_is_one_line_of_json(text, number, dropped):
    exchange = full()
    for name in ("client_request_id", "model_requested", "model", "error_code", "error_detail"):
        setattr(exchange, name, text)
    exchange.usage, exchange.dropped = Usage(number, number), tuple(dropped)

    line = json_line(exchange, 3.0, TIME)

    assert len(line.splitlines()) == 1
    assert json.loads(line)["request_id"] == "req_1"
    assert json.loads(line).get("input_tokens", 0) == number
