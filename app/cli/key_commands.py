"""`mindgate keys`: virtual keys, made, seen and taken away (architecture 5)."""

from typing import Annotated

import typer

from app.cli import moments, output, tables
from app.cli.admin_client import AdminClient, Row, path_of, read
from app.cli.admin_options import (
    Access,
    ClearOption,
    JsonOption,
    KeyFields,
    LimitFields,
    SharedFields,
    body_of,
    changes_of,
)
from app.cli.admin_session import administer
from app.cli.key_tables import is_over, key_card, key_columns
from app.cli.option_groups import expanded

keys = typer.Typer(
    help="Virtual keys: who may use the gateway, and how much.", no_args_is_help=True
)

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The key's id, from `keys list`.")]


@keys.command()
@expanded
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is called.")],
    key: KeyFields,
    shared: SharedFields,
    limits: LimitFields,
    access: Access,
    as_json: JsonOption = False,
) -> None:
    """Make a key. It is printed this once, alone on standard output."""
    body = {"name": name, **body_of(key, shared, limits, now=moments.now_seconds())}

    async def work(client: AdminClient) -> None:
        _show_new(await client.text("POST", "/keys", body=body), as_json=as_json)

    administer(access, work, writes=True)


@keys.command("list")
@expanded
def list_keys(
    access: Access,
    team: Annotated[str | None, typer.Option("--team", help="Of this team alone.")] = None,
    as_json: JsonOption = False,
) -> None:
    """All keys, revoked ones too."""

    async def work(client: AdminClient) -> None:
        found = await client.listing("/keys", {"team": team} if team else None)
        if as_json:
            output.show_json(found)
            return
        now = moments.now_seconds()
        nothing = "There is no key yet: mindgate keys create NAME"
        tables.show_rows(key_columns(now), found["data"], nothing=nothing, dimmed=is_over)

    administer(access, work)


@keys.command()
@expanded
def show(key_id: IdArgument, access: Access, as_json: JsonOption = False) -> None:
    """One key, without the secret, which nobody has."""

    async def work(client: AdminClient) -> None:
        _show_key(await client.text("GET", path_of("/keys", key_id)), as_json=as_json)

    administer(access, work)


@keys.command()
@expanded
def change(  # noqa: PLR0913 groups of options
    key_id: IdArgument,
    key: KeyFields,
    shared: SharedFields,
    limits: LimitFields,
    access: Access,
    name: Annotated[str | None, typer.Option("--name", help="What it is called.")] = None,
    clear: ClearOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change the fields that are given, and no others."""
    body = changes_of(key, shared, limits, name=name, clear=clear)

    async def work(client: AdminClient) -> None:
        _show_key(await client.text("PATCH", path_of("/keys", key_id), body=body), as_json=as_json)

    administer(access, work, writes=True)


@keys.command()
@expanded
def revoke(key_id: IdArgument, access: Access, as_json: JsonOption = False) -> None:
    """Take a key away, within a second on this gateway. Its row and its records stay."""

    async def work(client: AdminClient) -> None:
        _show_key(await client.text("DELETE", path_of("/keys", key_id)), as_json=as_json)

    administer(access, work, writes=True)


@keys.command()
@expanded
def rotate(
    key_id: IdArgument,
    access: Access,
    grace_seconds: Annotated[
        str | None,
        typer.Option(
            "--grace-seconds", metavar="TIME", help="How long the old one is still good: 3600, 24h."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a new secret for a key. It is printed this once, alone on standard output."""
    body: Row = {}
    if grace_seconds is not None:
        body["grace_seconds"] = moments.read_duration(grace_seconds, "--grace-seconds")

    async def work(client: AdminClient) -> None:
        _show_new(
            await client.text("POST", f"{path_of('/keys', key_id)}/rotate", body=body),
            as_json=as_json,
        )

    administer(access, work, writes=True)


def _show_new(text: str, *, as_json: bool) -> None:
    if as_json:
        output.show_json(text)
        return
    key = read(text)
    advice = f"Key `{key['name']}` ({key['id']}). It is shown this once; whoever has it may use it."
    output.show_secret(key["key"], advice)


def _show_key(text: str, *, as_json: bool) -> None:
    if as_json:
        output.show_json(text)
        return
    tables.show_card(key_card(read(text), moments.now_seconds()))
