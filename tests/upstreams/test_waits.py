"""How long an upstream asks to be left alone (contract C12)."""

import pytest

from app.upstreams.waits import LONGEST_WAIT_SECONDS, retry_after_seconds

NOW_SECONDS = 1_747_577_755.0  # Sun, 18 May 2025 14:15:55 GMT
IN_A_MINUTE = "Sun, 18 May 2025 14:16:55 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({}, None, id="it does not say"),
        pytest.param({"retry-after": "7"}, 7, id="seconds"),
        pytest.param({"retry-after": " 7 "}, 7, id="blanks around"),
        pytest.param({"retry-after": "0.5"}, 0.5, id="part of a second"),
        pytest.param({"retry-after-ms": "250"}, 0.25, id="milliseconds"),
        pytest.param({"retry-after": "7", "retry-after-ms": "250"}, 0.25, id="milliseconds win"),
        pytest.param(
            {"retry-after": "7", "retry-after-ms": "soon"}, 7, id="unreadable ones do not"
        ),
        pytest.param({"retry-after": "7", "retry-after-ms": "0"}, 7, id="nor does a 0"),
        pytest.param({"Retry-After": "7"}, 7, id="a name in capitals"),
        pytest.param({"retry-after": IN_A_MINUTE}, 60, id="a date"),
        pytest.param(
            {"retry-after": "Sun, 18 May 2025 14:15:55 GMT"}, None, id="a date that is now"
        ),
        pytest.param(
            {"retry-after": "Wed, 07 Aug 2024 10:50:31 GMT"}, None, id="a date that is past"
        ),
        pytest.param(
            {"retry-after": "Sun, 18 May 2025 14:16:55 -0000"}, 60, id="a date without a zone"
        ),
        pytest.param({"retry-after": "Sun, 99 May 2025 14:16:55 GMT"}, None, id="no date"),
        pytest.param(
            {"retry-after": "Fri, 01 Jan 2100 00:00:00 GMT"}, LONGEST_WAIT_SECONDS, id="a far date"
        ),
        pytest.param({"retry-after": "999999999"}, LONGEST_WAIT_SECONDS, id="a day at most"),
        pytest.param({"retry-after": "9" * 500}, None, id="a number nobody can read"),
        pytest.param({"retry-after": "0"}, None, id="never 0"),
        pytest.param({"retry-after": "-5"}, None, id="never negative"),
        pytest.param({"retry-after": "nan"}, None, id="no number"),
        pytest.param({"retry-after": "1e3"}, None, id="no number of HTTP"),
        pytest.param({"retry-after": "١٢"}, None, id="digits of another script"),
        pytest.param({"retry-after": ""}, None, id="an empty value"),
    ],
)
def test_a_wait_is_read_from_the_headers(headers, seconds):
    assert retry_after_seconds(headers, NOW_SECONDS) == seconds
    assert retry_after_seconds(list(headers.items()), NOW_SECONDS) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({"date": "Sun, 18 May 2025 14:16:25 GMT"}, 30, id="the reply's own clock"),
        pytest.param({}, None, id="without one a date says nothing"),
        pytest.param({"date": "today"}, None, id="nor with an unreadable one"),
    ],
)
def test_a_date_is_read_against_the_replys_own_when_no_clock_is_given(headers, seconds):
    assert retry_after_seconds({"retry-after": IN_A_MINUTE} | headers) == seconds
