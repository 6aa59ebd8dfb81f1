"""How long an exchange may wait (contract G6, F48; reliability R5, R27)."""

import pytest

from app.domain.configuration import Timeouts
from app.upstreams.deadlines import Deadlines, deadlines

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
    ("error", "phase", "words"),
    [
        (Deadlines.first_byte_passed, "first_byte", "did not answer within 0.01 seconds"),
        (Deadlines.idle_passed, "idle", "sent nothing within 12 seconds"),
        (Deadlines.total_passed, "total", "did not complete its answer within 0.02 seconds"),
    ],
)
def test_each_deadline_has_its_own_words(error, phase, words):
    found = error(Deadlines("up", 0.01, 0.01, 12, 0.02, 0.02))

    assert (504, phase) == (found.status, found.phase)
    assert found.message == f"Upstream 'up' {words}."
