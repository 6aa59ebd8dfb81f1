"""What `check` prints: a table for people."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.domain.configuration import Configuration
from app.main.checking import UpstreamReport, unpriced_targets


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
            ", ".join(report.capabilities),
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
