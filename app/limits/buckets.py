"""
A limit per minute as a bucket that leaks: the generic cell rate algorithm, in integers.

A whole minute's worth may come at once; after that, *limit* a minute. The level counts in 60-billionths of a request
or token, so a nanosecond frees exactly *limit* of them: no fractions, no drift (reliability R21: monotonic time only).
"""

from app.limits.counters import MINUTE_MS, MS_NS, Rate


class Bucket:
    """*level*: what is used, of *full*. *emptied_ns*: when it was last seen empty; at first that is its beginning, and
    what was claimed before took nothing out of it."""

    __slots__ = ("at_ns", "emptied_ns", "full", "level", "limit")

    def __init__(self, limit: int, now_ns: int) -> None:
        self.limit = limit
        self.full = limit * MINUTE_MS * MS_NS
        self.level = 0
        self.at_ns = now_ns
        self.emptied_ns = now_ns

    def leak(self, now_ns: int) -> int:
        """The level at *now_ns*; a time that is past counts as the last one seen."""
        elapsed_ns = now_ns - self.at_ns
        if elapsed_ns > 0:
            self.at_ns = now_ns
            level = self.level - elapsed_ns * self.limit
            if level > 0:
                self.level = level
            else:
                self.level = 0
                self.emptied_ns = now_ns
        return self.level

    def change(self, limit: int, now_ns: int) -> None:
        """What is used stays used, as far as `level_under` says."""
        self.level = self.level_under(limit, now_ns)
        self.limit = limit
        self.full = limit * MINUTE_MS * MS_NS

    def level_under(self, limit: int, now_ns: int) -> int:
        """The level at *now_ns* if *limit* held from then on.

        A lower limit makes nobody wait longer than he had to, or than a minute: else a limit of a million lowered to
        ten would shut for months. Nor is a debt forgiven by a change.
        """
        level = self.leak(now_ns)
        if limit == self.limit:
            return level
        as_long = level * limit // self.limit if self.limit else 0
        return min(level, max(limit * MINUTE_MS * MS_NS, as_long))

    def correct(self, difference: int, claimed_ns: int, now_ns: int) -> None:
        """A claim of *claimed_ns* came to *difference* more than it took, or less where that is negative.

        What it took too much is given back only if the bucket was not empty since: else it has leaked out, and what
        is in it now belongs to others.
        """
        level = self.leak(now_ns) + difference * MINUTE_MS * MS_NS
        if difference > 0 or self.emptied_ns <= claimed_ns:
            self.level = level if level > 0 else 0

    def rate(self) -> Rate:
        """How it stood when it last leaked."""
        return Rate(self.limit, self.level)
