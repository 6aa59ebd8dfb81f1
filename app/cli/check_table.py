"""What `check` prints: a table for people."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.domain.configuration import Configuration
from app.main.checking import UpstreamReport, unpriced_targets

# In the order of the matrix; a capability without a dot of its group's is shown by its own name.
_GROUPS = {
    "chat": ("chat.create", "chat.stored"),
    "models": ("models.list", "models.get", "models.delete"),
    "text": ("embeddings",),
    "audio": ("audio.speech", "audio.transcriptions"),
    "files": ("files", "files.content"),
    "tuning": ("fine_tuning", "fine_tuning.more", "fine_tune_categories"),
    "data": ("datasets", "external_models"),
    "more": ("families",),
}


def abilities(report: UpstreamReport) -> list[str]:
    """What an upstream can do: a line for each group of capabilities that it has any of, and one for the classes of its
    own routes."""
    lines = []
    for group, names in _GROUPS.items():
        found = [name.removeprefix(f"{group}.") for name in names if name in report.capabilities]
        if found:
            lines.append(f"{group}: {', '.join(found)}")
    return [*lines, *([f"native: {', '.join(report.native)}"] if report.native else [])]


def show_check(configuration: Configuration, reports: Sequence[UpstreamReport]) -> None:
    """The table of `mindgate check`, then what is accepted and not yet enforced."""
    table = Table(title=f"Configuration: {configuration.source}", title_justify="left")
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
