"""
What a scope has spent and reserved, in one unit: for the running day, week and month, and in all, at once.

Only the sums since ever move with a request. For each period, what those sums were when it began is kept: what lies
in the period is the difference, so a new one costs nothing until somebody asks.
"""

from collections.abc import Sequence

from app.domain.limits import Period, PeriodStarts

_PLACE: dict[Period, int] = {"day": 0, "week": 1, "month": 2, "total": 3}
_NOTHING = (0, 0, 0, 0)


class Tally:
    """*spent*: settled. *held*: that, and what is reserved. A request of the running periods moves these two alone.

    The `_before`: how much of each is older than the day, the week, the month; of what is counted in all, nothing.
    """

    __slots__ = ("held", "held_before", "spent", "spent_before")

    def __init__(self) -> None:
        self.held = 0
        self.spent = 0
        self.held_before: Sequence[int] = _NOTHING
        self.spent_before: Sequence[int] = _NOTHING

    def held_in(self, period: Period) -> int:
        """Spent or reserved in the running *period*."""
        return self.held - self.held_before[_PLACE[period]]

    def spent_in(self, period: Period) -> int:
        """Settled in the running *period*."""
        return self.spent - self.spent_before[_PLACE[period]]

    def settle_older(
        self, reserved: int, spent: int, then: PeriodStarts, now: PeriodStarts
    ) -> None:
        """A reservation made in the periods of *then* came to *spent*: it counts in those that still run (J10)."""
        self.held += spent - reserved
        self.spent += spent
        has_ended = [one != other for one, other in zip(then, now, strict=True)] + [False]
        self.held_before = _raised(self.held_before, has_ended, spent - reserved)
        self.spent_before = _raised(self.spent_before, has_ended, spent)

    def turn(self, then: PeriodStarts, now: PeriodStarts) -> None:
        """The periods of *now* run; where they are not those of *then*, they begin with nothing in them."""
        held, spent = list(self.held_before), list(self.spent_before)
        for place, (old, new) in enumerate(zip(then, now, strict=True)):
            if old != new:
                held[place] = self.held
                spent[place] = self.spent
        self.held_before, self.spent_before = tuple(held), tuple(spent)

    def load(self, day: int, week: int, month: int, total: int) -> None:
        """So much was spent; what is reserved stays so."""
        reserved = self.held - self.spent
        self.spent = total
        self.held = total + reserved
        self.spent_before = self.held_before = (total - day, total - week, total - month, 0)


def _raised(before: Sequence[int], has_ended: Sequence[bool], amount: int) -> Sequence[int]:
    return tuple(
        old + amount if ended else old for old, ended in zip(before, has_ended, strict=True)
    )
