"""One line per exchange: these fields and no others, on one line, without content (reliability S20)."""

import io
import json

import pytest

from app.domain.exchange import Exchange
from app.domain.outcome import Outcome
from app.domain.usage import Usage
from app.telemetry.logs import exchange_line, make_log

FIELDS = {
    *("request_id", "client_request_id", "key", "endpoint", "model", "upstream", "upstream_model"),
    *("upstream_status", "upstream_request_id", "upstream_timing", "stream", "attempts", "dropped"),
    *("status", "outcome", "phase", "error", "detail", "input_tokens", "output_tokens"),
    *("bytes_out", "dropped_events", "duration_seconds", "ttft_seconds"),
}


def full() -> Exchange:
    """An exchange in which something was written everywhere."""
    exchange = Exchange("req_1", "POST", "chat.create", 1.0)
    for name in Exchange.__dataclass_fields__:
        old = getattr(exchange, name)
        new = {str: f"x-{name}", bool: True, int: 7}.get(type(old))
        if new is not None and name not in ("request_id", "method", "endpoint"):
            setattr(exchange, name, new)
    exchange.dropped, exchange.usage = ("store",), Usage(3, 5)
    exchange.outcome, exchange.first_byte_at = Outcome.COMPLETE, 1.5
    return exchange


def test_the_fields_are_this_list():
    assert FIELDS == set(exchange_line(full(), now=3.0))


def test_what_says_nothing_is_left_out():
    line = exchange_line(Exchange("req_1", "GET", "models.list", 1.0, status=200), now=3.0)

    assert {"request_id", "endpoint", "upstream", "status", "outcome", "duration_seconds"} == set(
        line
    )


@pytest.mark.parametrize(
    "field",
    ["client_request_id", "model_requested", "model", "upstream_request_id", "error_detail"],
)
@pytest.mark.parametrize(
    "text",
    [
        pytest.param('x\n{"event":"forged"}', id="a line end"),
        pytest.param("x\r\nforged", id="CR LF"),
        pytest.param("\x1b[31mred\x1b[0m", id="colours"),
        pytest.param("x\x00y", id="NUL"),
        pytest.param("x\u2028y", id="U+2028"),
        pytest.param("\u202eabc", id="a change of direction"),
        pytest.param("a\ud83d", id="half a character"),
        pytest.param("x" * 100_000, id="very long"),
    ],
)
def test_a_text_of_others_forges_no_line(field, text):
    out = io.StringIO()
    for style in ("json", "console"):
        exchange = full()
        setattr(exchange, field, text)
        make_log(style, out).info("exchange", **exchange_line(exchange, now=3.0))

    rows = out.getvalue().splitlines()
    assert len(rows) == 2
    assert not {"\x1b", "\x00", "\u202e"} & set(out.getvalue())
    assert all(len(row) < 3000 for row in rows)
    out.getvalue().encode()


def test_json_is_a_line_with_level_and_time():
    out = io.StringIO()

    make_log("json", out).warning("it happened", upstream="up")

    line = json.loads(out.getvalue())
    assert ("it happened", "warning", "up") == (line["event"], line["level"], line["upstream"])
    assert line["timestamp"].endswith("Z")


def test_auto_is_json_when_nobody_looks():
    out = io.StringIO()

    make_log("auto", out).info("x")

    assert json.loads(out.getvalue())["event"] == "x"


def test_debug_is_not_written():
    out = io.StringIO()

    make_log("json", out).debug("x")

    assert out.getvalue() == ""
