"""
What a scope has spent and reserved, in one unit: for the running day, week and month, and in all, at once.

Only the sums since ever move with a request. For each period, what those sums were when it began is kept: what lies
in the period is the difference, so a new one costs nothing until somebody asks. The same is kept for the period that
ran before it, in case that runs again.
"""

from collections.abc import Iterator, Sequence
from typing import Final, Literal

from app.domain.limits import Period

Which = Literal["running", "last", "other"]
"""Of a day, week or month: it runs; it is the one that ran before; or neither. All time runs."""

_PLACE: Final[dict[Period, int]] = {"day": 0, "week": 1, "month": 2, "total": 3}
_NOTHING: Final = (0, 0, 0, 0)


class Tally:
    """*spent*: settled. *held*: that, and what is reserved. A request of the running periods moves these two alone.

    The `_before`: how much of each lies outside of the running day, week, month; of what is counted in all, nothing.
    The `_earlier`: how much of that lies outside of the last ones, too.
    """

    __slots__ = (
        "held",
        "held_before",
        "held_earlier",
        "spent",
        "spent_before",
        "spent_earlier",
    )

    def __init__(self) -> None:
        self.held = 0
        self.spent = 0
        self.held_before: Sequence[int] = _NOTHING
        self.held_earlier: Sequence[int] = _NOTHING
        self.spent_before: Sequence[int] = _NOTHING
        self.spent_earlier: Sequence[int] = _NOTHING

    def held_in(self, period: Period) -> int:
        """Spent or reserved in the running *period*."""
        return self.held - self.held_before[_PLACE[period]]

    def spent_in(self, period: Period) -> int:
        """Settled in the running *period*."""
        return self.spent - self.spent_before[_PLACE[period]]

    def settle_elsewhere(self, reserved: int, spent: int, which: Sequence[Which]) -> None:
        """A reservation came to *spent* that was made in other periods: it counts in those alone (J10)."""
        change = spent - reserved
        self.held += change
        self.spent += spent
        self.held_before = _raised(self.held_before, change, which, ("last", "other"))
        self.held_earlier = _raised(self.held_earlier, change, which, ("other",))
        self.spent_before = _raised(self.spent_before, spent, which, ("last", "other"))
        self.spent_earlier = _raised(self.spent_earlier, spent, which, ("other",))

    def turn(self, which: Sequence[Which]) -> None:
        """Periods run of which *which* tells whether they did before: with what was in them where they are the last
        ones, with nothing where they are others. What ran until now is the last one."""
        held = _turned(self.held, self.held_before, self.held_earlier, which)
        spent = _turned(self.spent, self.spent_before, self.spent_earlier, which)
        self.held_before, self.held_earlier = zip(*held, strict=True)
        self.spent_before, self.spent_earlier = zip(*spent, strict=True)

    def load(self, day: int, week: int, month: int, total: int) -> None:
        """So much was spent, and nothing is known of any periods but the running ones; what is reserved stays so."""
        reserved = self.held - self.spent
        self.spent = total
        self.held = total + reserved
        self.spent_before = self.held_before = (total - day, total - week, total - month, 0)
        self.spent_earlier = self.held_earlier = self.spent_before


def _raised(
    before: Sequence[int], amount: int, which: Sequence[Which], where: Sequence[Which]
) -> Sequence[int]:
    return tuple(
        old + amount if one in where else old for old, one in zip(before, which, strict=True)
    )


def _turned(
    now: int, before: Sequence[int], earlier: Sequence[int], which: Sequence[Which]
) -> Iterator[tuple[int, int]]:
    """For each period, what lies outside of it, and outside of it and the last one."""
    for one, outside, outside_both in zip(which, before, earlier, strict=True):
        if one == "running":
            yield outside, outside_both
        elif one == "last":  # the two change places, each with what is in it
            yield now - (outside - outside_both), outside_both
        else:
            yield now, outside
