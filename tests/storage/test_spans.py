"""A period from the largest grains that fit (reliability Q6)."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.storage.spans import HOUR_MS, Grain, Span, grain_start, spans

LARGEST: dict[Grain, set[Grain]] = {
    "month": {"month", "day", "hour"},
    "day": {"day", "hour"},
    "hour": {"hour"},
}
MOMENTS = st.integers(min_value=0, max_value=4_102_444_800_000)  # to 2100
LENGTHS = st.integers(min_value=-HOUR_MS, max_value=400 * 24 * HOUR_MS)


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@given(since_ms=MOMENTS, length_ms=LENGTHS, largest=st.sampled_from(["hour", "day", "month"]))
def test_every_hour_of_a_period_is_covered_exactly_once(since_ms, length_ms, largest):
    found = spans(since_ms, since_ms + length_ms, largest)

    until_ms = since_ms + length_ms
    at, end = since_ms - since_ms % HOUR_MS, until_ms - until_ms % HOUR_MS
    for span in found:
        assert at == span.start_ms
        assert span.start_ms < span.end_ms
        assert span.start_ms == grain_start(span.start_ms, span.grain)
        assert span.end_ms == grain_start(span.end_ms, span.grain)
        at = span.end_ms
    assert max(at, end) == (end if found else at)
    assert bool(found) == (since_ms - since_ms % HOUR_MS < end)
    assert {span.grain for span in found} <= LARGEST[largest]
    assert len(found) <= 5


@given(at_ms=MOMENTS)
def test_a_grain_begins_where_the_calendar_says(at_ms):
    moment = datetime.fromtimestamp(at_ms // 1000, UTC)

    hour = moment.replace(minute=0, second=0)
    assert hour.timestamp() * 1000 == grain_start(at_ms, "hour")
    assert hour.replace(hour=0).timestamp() * 1000 == grain_start(at_ms, "day")
    assert hour.replace(hour=0, day=1).timestamp() * 1000 == grain_start(at_ms, "month")


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        pytest.param("2026-01-01T00:00", "2027-01-01T00:00", ["month"], id="a year is months"),
        pytest.param("2026-03-02T00:00", "2026-03-09T00:00", ["day"], id="a week is days"),
        pytest.param("2026-03-02T05:10", "2026-03-02T09:59", ["hour"], id="a morning is hours"),
        pytest.param("2026-03-02T05:00", "2026-03-02T05:59", [], id="less than an hour is nothing"),
        pytest.param("2026-03-02T05:00", "2026-03-02T04:00", [], id="backwards is nothing"),
        pytest.param(
            "2026-01-30T22:00", "2026-03-02T03:00", ["hour", "day", "month", "day", "hour"],
            id="both ends are put together from smaller grains",
        ),
    ],
)  # fmt: skip
def test_a_period_takes_the_largest_grains(since, until, expected):
    assert expected == [span.grain for span in spans(ms(since), ms(until))]


def test_a_leap_day_belongs_to_february():
    found = spans(ms("2028-02-01T00:00"), ms("2028-03-01T00:00"))

    assert [Span("month", ms("2028-02-01T00:00"), ms("2028-03-01T00:00"))] == found
