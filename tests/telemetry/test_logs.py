"""Every line takes one way out, in the style that was asked for (reliability S20)."""

import io
import json
from typing import Any

import pytest
from typing_extensions import override

from app.domain.exchange import Exchange
from app.domain.outcome import Outcome
from app.domain.usage import Usage
from app.telemetry.logs import make_log
from tests.fakes.clock import Clock
from tests.fakes.exchanges import exchange_with

AT = 1_795_328_536.478  # 2026-11-22T06:22:16.478Z


def exchange(**fields) -> Exchange:
    usual: dict[str, Any] = {
        "upstream": "up",
        "status": 200,
        "outcome": Outcome.COMPLETE,
        "usage": Usage(3, 5),
    }
    return exchange_with("req_1", "POST", "chat.create", 1.0, **usual | fields)


class Terminal(io.StringIO):
    """A stream at which a person looks."""

    @override
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    "field",
    [
        *("client_request_id", "model_requested", "model", "upstream_request_id"),
        *("upstream_timing", "error_code", "error_detail"),
    ],
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
        make_log(style, out).exchange(exchange(**{field: text}), now=3.0)

    rows = out.getvalue().splitlines()
    assert len(rows) == 2
    assert not {"\x1b", "\x00", "\u202e"} & set(out.getvalue())
    assert all(len(row) < 3000 for row in rows)
    out.getvalue().encode()


def test_a_line_of_json_has_its_event_level_and_time():
    out = io.StringIO()
    log = make_log("json", out, wall_seconds=Clock(AT))

    log.warning("it happened", upstream="up")
    log.exchange(exchange(), now=3.0)

    ends = [list(json.loads(line).items())[-3:] for line in out.getvalue().splitlines()]
    time = ("timestamp", "2026-11-22T06:22:16.478Z")
    assert ends == [
        [("event", "it happened"), ("level", "warning"), time],
        [("event", "exchange"), ("level", "info"), time],
    ]


def test_an_error_has_its_traceback():
    out = io.StringIO()
    log = make_log("json", out)
    try:
        raise LookupError("whatever")
    except LookupError:
        log.exception("internal error", request_id="req_1")

    line = json.loads(out.getvalue())
    assert ("internal error", "error", "req_1") == (
        line["event"],
        line["level"],
        line["request_id"],
    )
    assert "test_logs.py" in line["exception"]
    assert line["exception"].endswith("LookupError: whatever")


@pytest.mark.parametrize(
    ("steps", "shown"),
    [
        pytest.param([0.0], ["16.478"], id="the same moment"),
        pytest.param([0.0004], ["16.478"], id="the same millisecond"),
        pytest.param([0.001], ["16.479"], id="the next"),
        pytest.param([0.522], ["17.000"], id="a whole second"),
        pytest.param([60.0], ["16.478"], id="a minute"),
        pytest.param([-1.0], ["15.478"], id="a clock that was set back"),
        pytest.param([-0.0005, 0.0005], ["16.477", "16.478"], id="by less than a millisecond"),
    ],
)
def test_a_line_s_time_is_its_own(steps, shown):
    out, clock = io.StringIO(), Clock(AT + 0.0002)
    log = make_log("json", out, wall_seconds=clock)
    log.warning("before")
    for step in steps:
        clock.advance(step)
        log.warning("now")

    times = [json.loads(line)["timestamp"] for line in out.getvalue().splitlines()]
    assert shown == [time[17:-1] for time in times[1:]]
    assert {len("2026-11-22T06:22:16.478Z")} == set(map(len, times))


@pytest.mark.parametrize(
    ("style", "stream", "is_json"),
    [
        pytest.param("auto", io.StringIO, True, id="nobody looks"),
        pytest.param("auto", Terminal, False, id="somebody looks"),
        pytest.param("json", Terminal, True, id="json all the same"),
        pytest.param("console", io.StringIO, False, id="console all the same"),
    ],
)
def test_the_style_is_the_one_that_was_asked_for(style, stream, is_json):
    out = stream()
    log = make_log(style, out)

    log.warning("x")
    log.exchange(exchange(), now=3.0)

    assert [is_json, is_json] == [line.startswith("{") for line in out.getvalue().splitlines()]


def test_a_line_for_a_person_holds_the_fields_too():
    out = io.StringIO()

    make_log("console", out).exchange(exchange(), now=3.0)

    assert all(
        part in out.getvalue() for part in ("exchange", "request_id=req_1", "outcome=complete")
    )


@pytest.mark.parametrize("style", ["json", "console"])
def test_lines_of_every_kind_keep_their_order_on_the_thread(style):
    out = io.StringIO()
    with make_log(style, out) as log:
        for number in range(300):
            log.exchange(exchange(client_request_id=f"n-{3 * number}-"), now=3.0)
            log.warning("w", n=f"n-{3 * number + 1}-")
            log.exchange(exchange(client_request_id=f"n-{3 * number + 2}-"), now=3.0)
        log.flush()
        flushed = out.getvalue()

    found = [line.split("n-")[1].split("-")[0] for line in flushed.splitlines()]
    assert [str(number) for number in range(900)] == found
    assert log.dropped_lines == 0


def test_lines_are_all_there_when_the_log_is_closed_by_an_error():
    out = io.StringIO()

    def serve() -> None:
        with make_log("json", out) as log:
            log.exchange(exchange(), now=3.0)
            raise LookupError

    with pytest.raises(LookupError):
        serve()

    assert len(out.getvalue().splitlines()) == 1


class Broken(io.StringIO):
    """A stream whose reader left, until it is back."""

    is_broken = True

    @override
    def write(self, text: str) -> int:
        if self.is_broken:
            raise BrokenPipeError
        return super().write(text)


def test_dropped_lines_are_said_when_lines_pass_again():
    out = Broken()
    with make_log("json", out) as log:
        log.warning("lost")
        log.flush()
        out.is_broken = False
        log.warning("kept")

    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [("log lines dropped", 1), ("kept", None)] == [
        (line["event"], line.get("lines")) for line in lines
    ]
    assert log.dropped_lines == 1
