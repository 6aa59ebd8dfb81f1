"""A run as tables: on a terminal, and as Markdown for docs/performance.md, there as ratios to nginx."""

from collections.abc import Iterator

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.results import Results, Verdict, verdicts
from benchmarks.works import (
    BOUNDS,
    ERRORS,
    GROWN,
    IDLE,
    IMPORT,
    READY,
    SECONDS,
    WORKS,
    Bound,
    Figure,
    FigureName,
)

FLOOR = "nginx"
UNKNOWN = "–"
# Where more is better or where nginx says nothing, no ratio is shown.
_WITHOUT_RATIO: frozenset[FigureName] = frozenset(
    {"errors", "grown_mb", "import_ratio", "ready_s", "idle_mb"}
)
_FURTHER = (
    ("start", "start", (IMPORT, READY, IDLE)),
    ("upload", "500 MB upload", (SECONDS, GROWN)),
    ("sockets", "100 idle websocket relays", (GROWN,)),
)
_TITLES = {work.name: work.title for work in WORKS} | {name: title for name, title, _ in _FURTHER}
_SHOWN = {work.name: work.shown for work in WORKS}
_COLUMNS = {column.name: column for work in WORKS for column in work.figures} | {
    column.name: column for _, _, columns in _FURTHER for column in columns
}


def number(value: float | None, digits: int) -> str:
    """*value* as a person reads it; None as a dash."""
    return UNKNOWN if value is None else f"{value:,.{digits}f}"


def ratio(value: float | None, floor: float | None) -> str:
    """How many times *floor* it is; "" where that cannot be said."""
    if value is None or not floor or value / floor < 0:
        return ""
    times = value / floor
    if times < 0.1:
        return f"{times:.1g}×"
    return f"{times:.2f}×" if times < 1 else f"{times:.1f}×" if times < 100 else f"{times:,.0f}×"


def sections(results: Results) -> Iterator[tuple[str, str, tuple[Figure, ...]]]:
    """Name, title and columns of each work that was measured."""
    for work in WORKS:
        if work.name in results.windows:
            yield work.name, work.title, work.figures
    for name, title, columns in _FURTHER:
        if name in results.values:
            yield name, title, columns


def cell(results: Results, work: str, row: str, figure: Figure) -> str:
    """The figure, and how many times nginx's it is."""
    value = results.get(work, row, figure.name)
    text = number(value, figure.digits)
    if row == FLOOR or figure.name in _WITHOUT_RATIO:
        return text
    times = ratio(value, results.get(work, FLOOR, figure.name))
    return f"{text} ({times})" if times else text


def show(results: Results, console: Console) -> None:
    """The whole run, for a person at a terminal."""
    for name, title, columns in sections(results):
        table = Table(title=title, title_justify="left", box=box.SIMPLE, pad_edge=False)
        table.add_column("", min_width=14)
        for column in columns:
            table.add_column(column.title, justify="right")
        for row in results.rows:
            if row in results.windows.get(name, {}) or row in results.values.get(name, {}):
                cells = [cell(results, name, row, column) for column in columns]
                table.add_row(f"{row} {results.marks(name, row)}".strip(), *cells)
        console.print(table)
    console.print("(×): times nginx. L: the load side was saturated. D: others used the core.")
    for row, reason in results.missing.items():
        console.print(f"{row} is missing: {reason}", markup=False)
    _show_verdicts(results, console)


def _show_verdicts(results: Results, console: Console) -> None:
    table = Table(title="bounds", title_justify="left", box=box.SIMPLE, pad_edge=False)
    for title in ("work", "bound", "measured", "holds"):
        table.add_column(title)
    judged = [verdict for verdict in verdicts(results) if verdict.holds is not None]
    for verdict in judged:
        table.add_row(*verdict_cells(verdict))
    console.print(table)
    if untold := len(BOUNDS) - len(judged):
        console.print(f"{untold} of {len(BOUNDS)} bounds were not measured in this run.")


def verdict_cells(verdict: Verdict) -> tuple[str, str, str, str]:
    """Work, bound, what was measured, and whether it holds."""
    bound = verdict.bound
    holds = "yes" if verdict.holds else "NO"
    return _TITLES[bound.work], bound_words(bound), _measured(verdict), holds


def bound_words(bound: Bound) -> str:
    """A bound as the issue words it."""
    title = _COLUMNS[bound.figure].title
    if bound.is_added:
        return f"{title}: at most {bound.most:g} {bound.unit} more than {bound.against}"
    if bound.against_work:
        return f"{title}: at most {bound.most:g}× {_TITLES[bound.against_work]}"
    if bound.against and bound.most < 1:
        return f"{title}: at least {1 / bound.most:,.0f}× less than {bound.against}"
    if bound.against:
        return f"{title}: at most {bound.most:.3g}× {bound.against}"
    return f"{title}: at most {bound.most:g} {bound.unit}".rstrip()


def _measured(verdict: Verdict) -> str:
    value, bound = verdict.value, verdict.bound
    if value is None or verdict.limit is None:
        return UNKNOWN
    if not bound.against:
        return f"{number(value, _COLUMNS[bound.figure].digits)} {bound.unit}".rstrip()
    if bound.is_added:
        return f"{value - (verdict.limit - bound.most):.2f} {bound.unit} more"
    floor = verdict.limit / bound.most
    return f"{floor / value:,.0f}× less" if bound.most < 1 else f"{value / floor:.2f}×"


# --- Markdown -------------------------------------------------------------------------------------------------------


def markdown(results: Results) -> str:
    """The run as ratios to nginx, and the bounds: what docs/performance.md holds between its marks."""
    return "\n".join([*_ratios(results), "", *_bounds(results), "", *_origin(results)]) + "\n"


def _ratios(results: Results) -> Iterator[str]:
    others = [row for row in results.rows if row not in (FLOOR, "direct")]
    yield _line(["work", "figure", FLOOR, *others])
    yield _line(["---", "---", *(["--:"] * (len(others) + 1))])
    for name, title, columns in sections(results):
        shown = [column for column in columns if _is_worth_a_line(results, name, column)]
        for place, column in enumerate(shown):
            floor = results.get(name, FLOOR, column.name)
            cells = [_ratio_or_value(results, name, row, column) for row in others]
            first = title if place == 0 else ""
            yield _line([first, column.title, number(floor, column.digits), *cells])


def _is_worth_a_line(results: Results, work: str, column: Figure) -> bool:
    values = [results.get(work, row, column.name) for row in results.rows if row != "direct"]
    if column is ERRORS:
        return any(values)
    return column in _SHOWN.get(work, (column,)) and any(value is not None for value in values)


def _ratio_or_value(results: Results, work: str, row: str, column: Figure) -> str:
    value, floor = (results.get(work, one, column.name) for one in (row, FLOOR))
    times = "" if column.name in _WITHOUT_RATIO else ratio(value, floor)
    return times or number(value, column.digits)


def _bounds(results: Results) -> Iterator[str]:
    yield _line(["work", "bound", "measured", "holds"])
    yield _line(["---"] * 4)
    for verdict in verdicts(results):
        if verdict.holds is not None:
            yield _line(verdict_cells(verdict))


def _origin(results: Results) -> Iterator[str]:
    machine = results.machine
    versions = ", ".join(f"{row} {known}".strip() for row, known in results.versions.items())
    command = f"python -m benchmarks {machine.command}".strip()
    yield f"{machine.date}, {machine.processor}, {machine.cores} cores, {machine.system},"
    yield f"Python {machine.python}. {versions}. `{command}`"
    for row, reason in results.missing.items():
        yield f"Missing: {row}: {reason}"


def _line(cells: "list[str] | tuple[str, ...]") -> str:
    return f"| {' | '.join(cells)} |"
