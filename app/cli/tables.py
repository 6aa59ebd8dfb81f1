"""
Tables that a person likes to read, and the bar of work that takes long.

What others named goes through `Text`, so nothing in it is markup or an order to the terminal. Piped, there is no
colour, and no column gives way to the width.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from app.cli.admin_client import Row
from app.cli.text import plain

_PIPED_WIDTH = 240  # nobody's screen: `grep` wants a row on one line
_MOST_DIGITS = 12  # of a price
_GAP = 3  # between two columns of rich's SIMPLE box
_LEAST_COST = 0.0001


@dataclass(frozen=True, slots=True)
class Column:
    """*cell*: what stands there for a row. *right*: a number. *rank*: the greatest goes first where all are too
    wide, and one that is empty throughout is left out; nought stays."""

    title: str
    cell: Callable[[Row], str | Text]
    right: bool = False
    rank: int = 0
    total: Callable[[], str] | None = None


def screen() -> Console:
    """Standard output as rich knows it."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = max(console.width, _PIPED_WIDTH)
    return console


def show_rows(
    columns: Sequence[Column],
    rows: Sequence[Row],
    *,
    nothing: str,
    console: Console | None = None,
    dimmed: Callable[[Row], bool] = lambda row: False,
) -> None:
    """*rows* as a table, without the columns that the screen has no room for; *nothing* where there are none."""
    console = console or screen()
    if not rows:
        console.print(nothing)
        return
    drawn = [_Drawn(column, [_text(column.cell(row)) for row in rows]) for column in columns]
    shown, left_out = _fitting(drawn, console.width)
    styles = ["dim" if dimmed(row) else None for row in rows]
    console.print(_table(shown, styles))
    if left_out:
        console.print(f"No room for: {', '.join(left_out)}. --json has all.", style="dim")


class _Drawn:
    """A column with all its cells, each drawn once: there may be ten thousand rows."""

    def __init__(self, column: Column, cells: list[Text]) -> None:
        self.column = column
        self.cells = cells
        self.footer = column.total() if column.total else ""
        ends = (len(column.title), len(self.footer))
        self.width = max(*ends, *(cell.cell_len for cell in cells))


def _fitting(columns: Sequence[_Drawn], width: int) -> tuple[list[_Drawn], list[str]]:
    """Those that *width* has room for, and the titles of the others."""
    shown = [one for one in columns if not one.column.rank or any(one.cells)]
    left_out: list[str] = []
    while sum(one.width + _GAP for one in shown) - _GAP > width:
        least = max(shown, key=lambda one: one.column.rank)
        if not least.column.rank:
            break
        shown.remove(least)
        left_out.insert(0, least.column.title)
    return shown, left_out


def _table(columns: Sequence[_Drawn], styles: Sequence[str | None]) -> Table:
    table = Table(
        box=box.SIMPLE,
        show_edge=False,
        pad_edge=False,
        show_footer=any(one.footer for one in columns),
        footer_style="bold",
    )
    for one in columns:
        justify: Literal["left", "right"] = "right" if one.column.right else "left"
        table.add_column(one.column.title, justify=justify, overflow="fold", footer=one.footer)
    for at, style in enumerate(styles):
        table.add_row(*(one.cells[at] for one in columns), style=style)
    return table


def show_card(pairs: Sequence[tuple[str, str | Text]], console: Console | None = None) -> None:
    """One thing: a name and a value on each line, without those that are empty."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs:
        if value:
            grid.add_row(name, _text(value))
    (console or screen()).print(grid)


def _text(value: str | Text) -> Text:
    return value if isinstance(value, Text) else Text(plain(value))


def number(value: object) -> str:
    """A count with thousands separators; "" for none."""
    if value is None or value == "":
        return ""
    return f"{value:,}" if isinstance(value, int | float | Decimal) else str(value)


def usd(value: object) -> str:
    """US dollars: cents, and as many digits more as a smaller sum needs; "" for none."""
    if not isinstance(value, int | float | Decimal):
        return "" if value is None else str(value)
    text = f"{value:,.{_MOST_DIGITS}f}".rstrip("0")
    whole, _, digits = text.partition(".")
    return f"${whole}.{digits:0<2}" if not whole.startswith("-") else f"-${whole[1:]}.{digits:0<2}"


def cost(value: object) -> str:
    """US dollars of a table, rounded, so that they stand below each other; what is less than that shows as less."""
    if not isinstance(value, int | float | Decimal):
        return ""
    if 0 < value < _LEAST_COST:
        return f"<${_LEAST_COST}"
    return f"${value:,.4f}" if value >= 0 else f"-${-value:,.4f}"


def names(value: Any) -> str:
    """A list of names, or an object of labels, on one line."""
    if isinstance(value, dict):
        return ", ".join(f"{name}={text}" for name, text in value.items())
    return ", ".join(str(one) for one in value or ())


@contextmanager
def long_work(
    title: str, total: int | None = None, *, is_counted: bool = True
) -> Iterator[Callable[[int], None]]:
    """A bar on standard error while it goes on, if that is a terminal; call what is given with how much was done.

    *total* None: nobody knows. *is_counted* False: how much is done is not known either.
    """
    console = Console(stderr=True)
    counting = (MofNCompleteColumn(),) if is_counted else ()
    columns = (TextColumn("{task.description}"), BarColumn(), *counting, TimeElapsedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done: bar.advance(task, done)
