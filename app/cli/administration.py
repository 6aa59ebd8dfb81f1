"""The commands on the admin API, put together. Imported when one of them is typed, or asked for by `--help`."""

import typer
from typer.core import TyperCommand, TyperGroup

from app.cli.audit_commands import audit
from app.cli.key_commands import keys
from app.cli.report_commands import reports
from app.cli.team_commands import teams


def make_commands() -> dict[str, TyperCommand | TyperGroup]:
    """Each command by its name, as the command line takes it."""
    group = typer.Typer(add_completion=False, rich_markup_mode="rich")
    group.add_typer(keys, name="keys")
    group.add_typer(teams, name="teams")
    group.add_typer(reports)
    group.add_typer(audit, name="audit")
    made = typer.main.get_command(group)
    return getattr(made, "commands", {})
