"""What a reply says about the limits a minute is what the counters say (contract C5)."""

import pytest

from app.domain.limits import LOOK, NO_LIMITS, Ask, Limits, Spent
from app.limits.durations import header_duration, milliseconds, spoken_duration
from tests.limits.gate import Gate, principal_of


@pytest.mark.parametrize(
    ("duration_ms", "in_header", "in_message"),
    [
        (0, "0s", "0s"),
        (1, "1ms", "1ms"),
        (120, "120ms", "120ms"),
        (1000, "1s", "1s"),
        (1234, "1.234s", "1.234s"),
        (8640, "8.64s", "8.64s"),
        (59_999, "59.999s", "59.999s"),
        (60_000, "1m0s", "60s"),
        (86_400, "1m26.4s", "86.4s"),
        (360_000, "6m0s", "360s"),
        (7_205_050, "2h0m5.05s", "7205.05s"),
    ],
)
def test_durations_are_written_as_openai_writes_them(duration_ms, in_header, in_message):
    assert (in_header, in_message) == (header_duration(duration_ms), spoken_duration(duration_ms))


def test_a_wait_is_rounded_up():
    assert [0, 1, 1, 2] == [milliseconds(ns) for ns in (0, 1, 1_000_000, 1_000_001)]


def lines(*values: str) -> bytes:
    """Two lots of limit, remaining and reset; "" leaves a lot out."""
    names = [
        f"x-ratelimit-{part}-{what}"
        for what in ("requests", "tokens")
        for part in ("limit", "remaining", "reset")
    ]
    pairs = zip(names, values, strict=True)
    return "".join(f"{name}: {value}\r\n" for name, value in pairs if value).encode()


@pytest.mark.parametrize(
    ("key", "team", "expected"),
    [
        pytest.param(
            Limits(rpm=10, tpm=600),
            NO_LIMITS,
            lines("10", "9", "6s", "600", "500", "10s"),
            id="a key's own two limits",
        ),
        pytest.param(
            Limits(rpm=10), NO_LIMITS, lines("10", "9", "6s", "", "", ""), id="requests alone"
        ),
        pytest.param(
            Limits(tpm=600), NO_LIMITS, lines("", "", "", "600", "500", "10s"), id="tokens alone"
        ),
        pytest.param(
            NO_LIMITS,
            Limits(rpm=500),
            lines("500", "499", "120ms", "", "", ""),
            id="the team's, where the key has none",
        ),
        pytest.param(
            Limits(rpm=10, tpm=6000),
            Limits(rpm=5, tpm=60000),
            lines("5", "4", "12s", "6000", "5900", "1s"),
            id="of each the tighter one",
        ),
        pytest.param(
            Limits(tpm=100), NO_LIMITS, lines("", "", "", "100", "0", "1m0s"), id="nothing left"
        ),
    ],
)
async def test_headers_say_what_is_left(key, team, expected):
    gate = Gate()
    headers = (await gate.admit(principal_of(key, team), Ask(1, 100))).headers

    assert headers is not None
    assert expected == headers.lines
    assert (b"-requests" in expected, b"-tokens" in expected) == (headers.requests, headers.tokens)


async def test_no_limit_a_minute_says_nothing():
    gate = Gate()
    principal = principal_of(Limits(concurrency=1, budget_nano=5), NO_LIMITS)

    assert (await gate.admit(principal)).headers is None


async def test_headers_agree_with_the_standings():
    gate = Gate()
    principal = principal_of(Limits(rpm=7, tpm=1000))
    for _ in range(5):
        gate.settle(await gate.admit(principal, Ask(1, 90)), Spent(1, 33, 0))
        gate.advance(0.77)

    headers = (await gate.admit(principal, LOOK)).headers

    assert headers is not None
    for what, limit in ((b"requests", "rpm"), (b"tokens", "tpm")):
        standing = gate.standing(principal, limit)
        remaining = b"x-ratelimit-remaining-%b: %d\r\n" % (what, standing.allowed - standing.used)
        assert remaining in headers.lines
        assert standing.reset_at is not None
        reset = header_duration(round((standing.reset_at - gate.wall()) * 1000)).encode()
        assert b"x-ratelimit-reset-%b: %b\r\n" % (what, reset) in headers.lines


async def test_the_whole_remaining_can_be_taken_at_once():
    gate = Gate()
    principal = principal_of(Limits(tpm=1000))
    await gate.admit(principal, Ask(1, 777))
    gate.advance(1.7)
    standing = gate.standing(principal, "tpm")
    remaining = standing.allowed - standing.used

    assert await gate.refusal(principal, Ask(1, remaining + 1)) is not None
    assert None is await gate.refusal(principal, Ask(1, remaining))
