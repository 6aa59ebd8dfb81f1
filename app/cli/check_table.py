"""What `check` prints: a table for people."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.domain.configuration import Configuration
from app.main.checking import UpstreamReport, unpriced_targets

# What belongs together, a line each, by the ids of docs/upstreams.md, so that they can be looked up and overridden. A
# first word that all of a line share stands once.
_LINES = (
    ("chat.create", "chat.stored"),
    ("models.list", "models.get", "models.delete"),
    ("audio.speech", "audio.transcriptions"),
    ("files", "files.content"),
    ("fine_tuning", "fine_tuning.more", "fine_tune_categories"),
    ("datasets", "external_models"),
    ("embeddings", "families"),
)


def abilities(report: UpstreamReport) -> list[str]:
    """What an upstream can do: its capabilities, a line for those that belong together, and one for the classes of its
    own routes."""
    lines = [
        _line([name for name in names if name in report.capabilities], _word(names))
        for names in _LINES
    ]
    native = f"native: {', '.join(report.native)}" if report.native else ""
    return [line for line in (*lines, native) if line]


def _word(names: Sequence[str]) -> str:
    """The first word of all *names*, with its dot; empty where they do not share one."""
    words = {"".join(name.partition(".")[:2]) for name in names}
    return words.pop() if len(words) == 1 else ""


def _line(found: Sequence[str], word: str) -> str:
    listed = ", ".join(name.removeprefix(word) for name in found)
    return f"{word[:-1]}: {listed}" if found and word else listed


def show_check(configuration: Configuration, reports: Sequence[UpstreamReport]) -> None:
    """The table of `mindgate check`, then what is accepted and not yet enforced."""
    table = Table(
        title=f"Configuration: {configuration.source}", title_justify="left", show_lines=True
    )
    for column in ("upstream", "dialect", "can", "models", "result"):
        table.add_column(column, overflow="fold")
    for report in reports:
        result = Text(report.fault or f"ok  {report.detail}", "red" if report.fault else "green")
        table.add_row(
            report.name,
            report.dialect,
            "\n".join(abilities(report)),
            str(report.models) if report.models else "",
            result,
        )
    console = Console(highlight=False)
    console.print(table)
    if unpriced := unpriced_targets(configuration):
        console.print(
            f"Without a price, so no budget in USD holds there: {', '.join(unpriced)}", markup=False
        )
    if configuration.not_enforced:
        console.print(
            f"Accepted but not yet enforced by this version: {', '.join(configuration.not_enforced)}",
            markup=False,
        )
