"""
The periods that budgets count over: days, weeks from Monday and months, all in UTC, so no clock change moves them.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from app.domain.limits import Period, PeriodStarts

_DAY_MS: Final = 86_400_000
_DAYS_TO_MONDAY: Final = 3  # 1 January 1970 was a Thursday
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def period_starts(wall_ms: int) -> PeriodStarts:
    """When the day, the week and the month began that *wall_ms* lies in."""
    days = wall_ms // _DAY_MS
    day_of_month = (_EPOCH + timedelta(days=days)).day
    return PeriodStarts(
        day_ms=days * _DAY_MS,
        week_ms=(days - (days + _DAYS_TO_MONDAY) % 7) * _DAY_MS,
        month_ms=(days - day_of_month + 1) * _DAY_MS,
    )


def next_start_ms(period: Period, starts: PeriodStarts) -> int | None:
    """When *period* begins anew; None: never."""
    match period:
        case "day":
            return starts.day_ms + _DAY_MS
        case "week":
            return starts.week_ms + 7 * _DAY_MS
        case "month":  # 31 days on is in the next month, whatever this one has
            return period_starts(starts.month_ms + 31 * _DAY_MS).month_ms
        case "total":
            return None


class Calendar:
    """Says which periods a moment lies in, working them out once a day. It knows the last two days that were asked
    for: around midnight requests come of both."""

    def __init__(self, wall_seconds: Callable[[], float]) -> None:
        self._wall_seconds = wall_seconds
        self._starts = self._other = period_starts(0)
        self._from_ms, self._until_ms = 0, _DAY_MS

    def starts(self, at_ms: int | None = None) -> PeriodStarts:
        """The periods of *at_ms*, milliseconds since 1970, or of now: for each day the same object."""
        wall_ms = int(self._wall_seconds() * 1000) if at_ms is None else at_ms
        if not self._from_ms <= wall_ms < self._until_ms:
            self._turn(wall_ms)
        return self._starts

    def _turn(self, wall_ms: int) -> None:
        self._starts, self._other = self._other, self._starts
        if not self._starts.day_ms <= wall_ms < self._starts.day_ms + _DAY_MS:
            self._starts = period_starts(wall_ms)
        self._from_ms = self._starts.day_ms
        self._until_ms = self._from_ms + _DAY_MS
