"""What a run found: every window, and the figures that come of them."""

from statistics import median

import msgspec

from benchmarks.plan import Window
from benchmarks.works import BOUNDS, OF_THE_TREE, WORKS, Bound, FigureName, value_of

# Shares of a core. The load side's: beyond it, rate and latency are the load side's own. The gateway's, used by others:
# beyond it, latencies are not the gateway's alone.
SATURATED = 0.92
DISTURBED = 0.05


class Machine(msgspec.Struct):
    """Where and when a run was."""

    date: str
    processor: str
    cores: int
    system: str
    python: str
    command: str
    load_cores: int = 1


class Results(msgspec.Struct):
    """*windows*: by work, then by row. *values*: figures that are no window's, likewise. *versions* of the rows.
    *missing*: the reason, of each row that is not there."""

    machine: Machine
    windows: dict[str, dict[str, list[Window]]] = msgspec.field(default_factory=dict)
    values: dict[str, dict[str, dict[str, float]]] = msgspec.field(default_factory=dict)
    versions: dict[str, str] = msgspec.field(default_factory=dict)
    missing: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def rows(self) -> list[str]:
        """The rows that were measured, in their order."""
        seen = [row for part in (self.windows, self.values) for one in part.values() for row in one]
        known = ["direct", *self.versions]
        order = [row for row in known if row in seen] + [row for row in seen if row not in known]
        return list(dict.fromkeys(order))

    def add(self, work: str, row: str, window: Window) -> None:
        """One more window."""
        self.windows.setdefault(work, {}).setdefault(row, []).append(window)

    def put(self, work: str, row: str, figure: FigureName, value: float) -> None:
        """A figure that is no window's. The least of several stays: others' noise can only add."""
        figures = self.values.setdefault(work, {}).setdefault(row, {})
        figures[figure] = min(value, figures.get(figure, value))

    def get(self, work: str, row: str, figure: FigureName) -> float | None:
        """The figure, over all windows; None where it was not measured, or nothing was done."""
        known = self.values.get(work, {}).get(row, {}).get(figure)
        if known is not None:
            return known
        windows = self.windows.get(work, {}).get(row, [])
        if figure == "errors":
            return sum(value_of(figure, window) for window in windows) if windows else None
        quiet = [one for one in windows if not is_disturbed(one)] or windows
        values = [
            value_of(figure, window)
            for window in quiet
            if window.done and (window.resident_before or figure not in OF_THE_TREE)
        ]
        return _combined(work, figure, values) if values else None

    def marks(self, work: str, row: str) -> str:
        """`L` where the load side was saturated, `D` where others used the gateway's core, in each of its windows."""
        windows = self.windows.get(work, {}).get(row, [])
        full = SATURATED * min(2, self.machine.load_cores)
        marks = "L" if windows and all(one.load_share > full for one in windows) else ""
        return marks + ("D" if windows and all(is_disturbed(one) for one in windows) else "")


def is_disturbed(window: Window) -> bool:
    """Whether others used the gateway's core meanwhile."""
    return window.foreign_share > DISTURBED


def _combined(work: str, figure: FigureName, values: list[float]) -> float:
    ways = {(one.name, column.name): column.combine for one in WORKS for column in one.figures}
    return min(values) if ways.get((work, figure)) == "least" else median(values)


class Verdict(msgspec.Struct):
    """How a bound was met. *limit*: the most the figure might be in this run; None, as *value* where unknown: it could
    not be told."""

    bound: Bound
    value: float | None
    limit: float | None

    @property
    def holds(self) -> bool | None:
        """None where it could not be told."""
        if self.value is None or self.limit is None:
            return None
        return self.value <= self.limit


def verdicts(results: Results, row: str = "mindgate") -> list[Verdict]:
    """Each bound, as *row* met it."""
    found = []
    for bound in BOUNDS:
        value = results.get(bound.work, row, bound.figure)
        limit: float | None = bound.most
        if bound.against:
            floor = results.get(bound.against_work or bound.work, bound.against, bound.figure)
            added = None if floor is None else floor + bound.most
            limit = added if bound.is_added else None if floor is None else floor * bound.most
        found.append(Verdict(bound, value, limit))
    return found
