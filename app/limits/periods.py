"""
The periods that budgets count over: days, weeks from Monday and months, all in UTC, so no clock change moves them.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from app.domain.limits import Period, PeriodStarts

_DAY_MS = 86_400_000
_DAYS_TO_MONDAY = 3  # 1 January 1970 was a Thursday
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# A clock set back by so much across midnight does not bring the old day back (reliability R21).
_TOLERATED_STEP_MS = 2 * 3_600_000


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
    """Says which periods it is, working them out once a day."""

    def __init__(self, wall_seconds: Callable[[], float]) -> None:
        self._wall_seconds = wall_seconds
        self._from_ms = 0
        self._until_ms = 0
        self._starts = PeriodStarts(0, 0, 0)

    def starts(self) -> PeriodStarts:
        """The periods of now: the same object until one of them ends."""
        wall_ms = self._wall_seconds() * 1000
        if not self._from_ms <= wall_ms < self._until_ms:
            self._turn(int(wall_ms))
        return self._starts

    def _turn(self, wall_ms: int) -> None:
        self._starts = starts = period_starts(wall_ms)
        self._from_ms = starts.day_ms - _TOLERATED_STEP_MS
        self._until_ms = starts.day_ms + _DAY_MS
