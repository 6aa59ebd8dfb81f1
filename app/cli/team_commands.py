"""`mindgate teams`: limits over several keys at once (architecture 5)."""

from typing import Annotated

import typer

from app.cli import moments, output, tables
from app.cli.admin_client import AdminClient, path_of, read
from app.cli.admin_options import (
    Access,
    ClearOption,
    JsonOption,
    LimitFields,
    SharedFields,
    body_of,
    changes_of,
)
from app.cli.admin_session import administer
from app.cli.key_tables import team_card, team_columns
from app.cli.option_groups import expanded

teams = typer.Typer(help="Teams: limits over all keys of a team.", no_args_is_help=True)

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The team's id or name.")]


@teams.command()
@expanded
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is called.")],
    shared: SharedFields,
    limits: LimitFields,
    access: Access,
    as_json: JsonOption = False,
) -> None:
    """Make a team; then `mindgate keys create NAME --team TEAM`."""
    body = {"name": name, **body_of(shared, limits, now=moments.now_seconds())}

    async def work(client: AdminClient) -> None:
        _show(await client.text("POST", "/teams", body=body), as_json=as_json)

    administer(access, work, writes=True)


@teams.command("list")
@expanded
def list_teams(access: Access, as_json: JsonOption = False) -> None:
    """All teams."""

    async def work(client: AdminClient) -> None:
        found = await client.listing("/teams")
        if as_json:
            output.show_json(found)
            return
        nothing = "There is no team yet: mindgate teams create NAME"
        columns = team_columns(moments.now_seconds())
        tables.show_rows(
            columns, found["data"], nothing=nothing, dimmed=lambda row: bool(row.get("deleted_at"))
        )

    administer(access, work)


@teams.command()
@expanded
def show(team_id: IdArgument, access: Access, as_json: JsonOption = False) -> None:
    """One team."""

    async def work(client: AdminClient) -> None:
        _show(await client.text("GET", path_of("/teams", team_id)), as_json=as_json)

    administer(access, work)


@teams.command()
@expanded
def change(
    team_id: IdArgument,
    shared: SharedFields,
    limits: LimitFields,
    access: Access,
    name: Annotated[str | None, typer.Option("--name", help="What it is called.")] = None,
    clear: ClearOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change the fields that are given, and no others."""
    body = changes_of(shared, limits, name=name, clear=clear)

    async def work(client: AdminClient) -> None:
        _show(await client.text("PATCH", path_of("/teams", team_id), body=body), as_json=as_json)

    administer(access, work, writes=True)


@teams.command()
@expanded
def delete(team_id: IdArgument, access: Access, as_json: JsonOption = False) -> None:
    """Delete a team: its keys open nothing any more. Its records stay."""

    async def work(client: AdminClient) -> None:
        _show(await client.text("DELETE", path_of("/teams", team_id)), as_json=as_json)

    administer(access, work, writes=True)


def _show(text: str, *, as_json: bool) -> None:
    if as_json:
        output.show_json(text)
        return
    tables.show_card(team_card(read(text), moments.now_seconds()))
