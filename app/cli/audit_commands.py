"""`mindgate audit`: who changed which key or team, and whether that record is whole (reliability S26)."""

import json
from decimal import Decimal
from typing import Annotated, Any

import typer

from app.cli import moments, output, presentation, tables
from app.cli.admin_client import AdminClient, Row, read
from app.cli.admin_options import Access, JsonOption
from app.cli.admin_session import administer
from app.cli.option_groups import expanded
from app.cli.tables import Column
from app.cli.text import one_line
from app.domain.limits import NANO

audit = typer.Typer(help="The audit log: every change to keys and teams.", no_args_is_help=True)


@audit.command("list")
@expanded
def list_changes(
    access: Access,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="The most to print; else all.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Every change, in its order."""

    async def work(client: AdminClient) -> None:
        found = await client.listing("/audit", at_most=limit)
        if as_json:
            output.show_json(found)
            return
        columns = _columns(moments.now_seconds())
        tables.show_rows(columns, found["data"], nothing="Nothing was changed yet.")

    administer(access, work)


@audit.command()
@expanded
def verify(access: Access, as_json: JsonOption = False) -> None:
    """Go through the whole log; exit 1 where it was altered."""

    async def work(client: AdminClient) -> None:
        with tables.long_work("audit log", is_counted=False):
            text = await client.text("GET", "/audit/verify")
        verdict = read(text)
        if as_json:
            output.show_json(text)
        elif verdict["ok"]:
            presentation.show([f"The audit log is whole: {verdict['rows']:,} changes."])
        if not verdict["ok"]:
            place = f"at change {verdict['first_bad_id']}: {verdict['reason']}"
            presentation.refuse(one_line(f"the audit log is not whole, {place}"))
            raise typer.Exit(1)

    administer(access, work)


def _columns(now: float) -> list[Column]:
    return [
        Column("id", lambda row: str(row["id"]), right=True),
        Column("when", lambda row: moments.shown(row.get("created_at"), now), rank=1),
        Column("who", lambda row: str(row.get("actor") or "")),
        Column("from", lambda row: str(row.get("address") or ""), rank=3),
        Column("did", lambda row: str(row.get("action") or "")),
        Column("to", lambda row: str(row.get("target") or "")),
        Column("change", changed, rank=2),
    ]


def changed(row: Row) -> str:
    """What is different after: `rpm 60 → 600`; for what is new, gone or taken over from the configuration, its name."""
    before, after = row.get("before"), row.get("after")
    if not isinstance(before, dict) or not isinstance(after, dict):
        only = after if isinstance(after, dict) else before
        return str(only.get("name", "")) if isinstance(only, dict) else ""
    if isinstance(after.get("keys"), list):
        return _adopted(after)
    was, became = _shown(before), _shown(after)
    return ", ".join(
        f"{name} {was.get(name, '-')} → {became.get(name, '-')}"
        for name in dict.fromkeys([*was, *became])
        if was.get(name) != became.get(name)
    )


def _adopted(after: Row) -> str:
    """What a start took over from the configuration: `keys ci, ops; teams research`."""
    named = {
        kind: ", ".join(str(one.get("name", "")) for one in found if isinstance(one, dict))
        for kind, found in after.items()
        if isinstance(found, list)
    }
    return "; ".join(f"{kind} {names}" for kind, names in named.items() if names)


def _shown(fields: Row) -> dict[str, str]:
    """Each field as the admin API and a person call it; limits stand beside the others, not in them."""
    limits = fields.get("limits")
    flat = {**fields, **limits} if isinstance(limits, dict) else fields
    return dict(_field(name, value) for name, value in flat.items() if name != "limits")


def _field(name: str, value: Any) -> tuple[str, str]:
    if name == "budget_nano":
        name, value = "budget_usd", None if value is None else tables.usd(Decimal(value) / NANO)
    if value is None or value in ([], {}):
        return name, "-"
    if name.endswith(("_at", "_until")) and isinstance(value, int | Decimal):
        return name, moments.absolute(float(value))
    return name, value if isinstance(value, str) else json.dumps(
        value, ensure_ascii=False, default=str
    )
