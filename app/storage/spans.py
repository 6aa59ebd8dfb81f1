"""
A period of time, put together from the largest whole grains that fit: months, days, hours, all in UTC.

Sums are kept for each grain, so a year is twelve look-ups and not 8,760 (reliability Q6).
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, NamedTuple

Grain = Literal["hour", "day", "month"]

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


class Span(NamedTuple):
    """Whole grains, from *start_ms* up to *end_ms*, which is no longer part of it."""

    grain: Grain
    start_ms: int
    end_ms: int


def spans(since_ms: int, until_ms: int, largest: Grain = "month") -> list[Span]:
    """Every hour from *since_ms* up to *until_ms* exactly once, in the order of time; both ends are rounded down to the
    hour, so an *until_ms* of now leaves the hour that runs out: give the next one to include it.

    *largest*: no span has a larger grain. Who groups by hour asks for "hour", by day for "day".
    """
    since, until = since_ms - since_ms % HOUR_MS, until_ms - until_ms % HOUR_MS
    return list(_cover(since, until, _FINER[largest])) if since < until else []


_FINER: dict[Grain, tuple[Grain, ...]] = {  # from the largest allowed on
    "month": ("month", "day", "hour"),
    "day": ("day", "hour"),
    "hour": ("hour",),
}


def _cover(since: int, until: int, grains: tuple[Grain, ...]) -> list[Span]:
    grain, finer = grains[0], grains[1:]
    first = grain_start(since, grain)
    if first != since:
        first = next_start(first, grain)
    last = grain_start(until, grain)
    if first >= last:
        return _cover(since, until, finer) if finer and since < until else []
    before = _cover(since, first, finer) if since < first else []
    after = _cover(last, until, finer) if last < until else []
    return [*before, Span(grain, first, last), *after]


def grain_start(at_ms: int, grain: Grain) -> int:
    """When the hour, day or month began that *at_ms* lies in."""
    if grain == "hour":
        return at_ms - at_ms % HOUR_MS
    day = at_ms - at_ms % DAY_MS
    return day if grain == "day" else _month_start(day)


def next_start(start_ms: int, grain: Grain) -> int:
    """When the hour, day or month ends that began at *start_ms*."""
    if grain == "hour":
        return start_ms + HOUR_MS
    if grain == "day":
        return start_ms + DAY_MS
    return _month_start(
        start_ms + 31 * DAY_MS
    )  # from a first day on, 31 days end in the next month


@lru_cache(maxsize=64)
def _month_start(day_ms: int) -> int:
    day = datetime.fromtimestamp(day_ms / 1000, UTC)
    return day_ms - (day.day - 1) * DAY_MS
