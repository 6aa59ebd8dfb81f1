"""How long an exchange may wait (contract G6, F48; reliability R5, R27)."""

import asyncio

import pytest

from app.domain.configuration import Timeouts
from app.domain.errors import UpstreamTimeout
from app.proxy.deadlines import Deadlines, deadlines

STARTED_AT = 100.0
READ, TOTAL = b"x-stainless-read-timeout", b"x-stainless-timeout"


def of(headers: dict[bytes, bytes], **timeouts) -> Deadlines:
    return deadlines("up", Timeouts(**timeouts), list(headers.items()), STARTED_AT)


@pytest.mark.parametrize(
    ("headers", "timeouts", "first_byte"),
    [
        pytest.param({}, {}, 300, id="a client that states nothing"),
        pytest.param({READ: b"600"}, {}, 598, id="G6: stated patience, less two seconds"),
        pytest.param({READ: b"60"}, {}, 58, id="G6: less than ours"),
        pytest.param({READ: b"10.5"}, {}, 8.5, id="G6: a part of a second"),
        pytest.param({READ: b"3"}, {}, 1.5, id="G6: at least half of it"),
        pytest.param({READ: b"0.5"}, {}, 0.25, id="G6: at least half of very little"),
        pytest.param({READ: b"4"}, {}, 2, id="G6: where both rules meet"),
        pytest.param({READ: b"9999"}, {}, 1800, id="G6: at most the total"),
        pytest.param({READ: b"600"}, {"total_seconds": 500}, 500, id="G6: at most another total"),
        pytest.param({TOTAL: b"60"}, {}, 58, id="G6: the other header"),
        pytest.param({TOTAL: b"60", READ: b"30"}, {}, 28, id="G6: the read timeout first"),
        pytest.param({TOTAL: b"60", READ: b"x"}, {}, 58, id="G6: unless it is unreadable"),
        pytest.param(
            {READ: b"600"},
            {"first_byte_seconds": 7, "first_byte_is_fixed": True},
            7,
            id="G6: what the operator wrote down holds",
        ),
        *(
            pytest.param({READ: value}, {}, 300, id=f"{value!r} says nothing")
            for value in (b"", b"NOT_GIVEN", b"0", b"-5", b"nan", b"inf", b"-inf", b"1e999", b"\xff")
        ),
    ],
)  # fmt: skip
def test_until_when_the_first_byte_may_come(headers, timeouts, first_byte):
    found = of(headers, **timeouts)

    assert first_byte == found.first_byte_seconds
    assert found.first_byte_at == STARTED_AT + first_byte


def test_the_other_two_are_the_upstream_s_whatever_the_client_says():
    found = of({READ: b"5"}, idle_seconds=7, total_seconds=70)

    assert (7, 70, STARTED_AT + 70) == (found.idle_seconds, found.total_seconds, found.total_at)


@pytest.mark.parametrize(
    ("enter", "phase", "words"),
    [
        (Deadlines.until_first_event, "first_byte", "did not answer within 0.01 seconds"),
        (Deadlines.until_done, "total", "did not complete its answer within 0.02 seconds"),
    ],
)
async def test_a_deadline_that_passes_says_which_and_cancels_what_ran(enter, phase, words):
    now = asyncio.get_running_loop().time()
    limits = Deadlines("up", 0.01, now + 0.01, 1, 0.02, now + 0.02)

    with pytest.raises(UpstreamTimeout, match=words) as caught:
        async with enter(limits):
            await asyncio.Event().wait()

    assert (504, phase) == (caught.value.status, caught.value.phase)


async def test_somebody_else_s_timeout_is_not_taken_for_the_upstream_s():
    now = asyncio.get_running_loop().time()
    limits = Deadlines("up", 60, now + 60, 60, 60, now + 60)

    for enter in (limits.until_first_event, limits.until_done):
        with pytest.raises(TimeoutError):
            async with enter():
                raise TimeoutError


def test_a_silent_stream_says_how_long():
    error = of({}, idle_seconds=12).idle_passed()

    assert ("idle", "Upstream 'up' sent nothing within 12 seconds.") == (error.phase, error.message)
