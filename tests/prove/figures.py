"""What was measured, what was promised, and whether they agree: a table that may be published as it stands."""

import sys
from collections.abc import Sequence
from typing import NamedTuple


class Figure(NamedTuple):
    """One row. *promised* "": told, and nothing was promised of it."""

    name: str
    measured: str
    promised: str = ""
    holds: bool = True


def equal(name: str, measured: int, promised: int) -> Figure:
    """A figure that must be exactly so."""
    return Figure(name, f"{measured:,}", f"{promised:,}", measured == promised)


def at_most(name: str, measured: float, promised: float, unit: str) -> Figure:
    """A figure that has a bound."""
    return Figure(name, f"{measured:.2f} {unit}", f"≤ {promised:g} {unit}", measured <= promised)


def told(name: str, measured: int | str) -> Figure:
    """A figure that goes with the others."""
    return Figure(name, measured if isinstance(measured, str) else f"{measured:,}")


def all_hold(figures: Sequence[Figure]) -> bool:
    """Whether every promise was kept."""
    return all(figure.holds for figure in figures)


def broken(figures: Sequence[Figure]) -> list[Figure]:
    """Those that were not."""
    return [figure for figure in figures if not figure.holds]


def say(line: str) -> None:
    """*line* on standard output, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def show(title: str, figures: Sequence[Figure]) -> None:
    """One table on standard output."""
    say(f"\n{title}")
    wide = max(len(figure.name) for figure in figures)
    for figure in figures:
        verdict = ("holds" if figure.holds else "BROKEN") if figure.promised else ""
        row = f"  {figure.name:<{wide}}  {figure.measured:>14}  {figure.promised:>12}  {verdict}"
        say(row.rstrip())
