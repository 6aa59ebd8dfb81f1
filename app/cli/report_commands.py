"""`mindgate usage`, `records`, `limits`, `prices`: what was used, what is left, what it costs (architecture 5)."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

from app.api.admin_replies import RecordRow, UsageRow
from app.cli import moments, output, report_tables, tables
from app.cli.admin_client import AdminClient, Query
from app.cli.admin_options import Access, JsonOption, Window
from app.cli.admin_session import administer
from app.cli.option_groups import expanded

reports = typer.Typer()
_NEWEST = 50  # what a person looks at without being asked


class Format(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


class Group(StrEnum):
    """What usage may be summed by."""

    KEY = "key"
    TEAM = "team"
    MODEL = "model"
    UPSTREAM = "upstream"
    HOUR = "hour"
    DAY = "day"


class Scope(StrEnum):
    """Whose limits."""

    KEY = "key"
    TEAM = "team"


FormatOption = Annotated[Format, typer.Option("--format", help="How to print it.")]


@reports.command()
@expanded
def usage(
    window: Window,
    access: Access,
    group_by: Annotated[
        list[Group] | None,
        typer.Option("--group-by", help="Sum by this; repeat for more. Without it: all in one."),
    ] = None,
    form: FormatOption = Format.TABLE,
    as_json: JsonOption = False,
) -> None:
    """Requests, tokens and cost, summed; of the last 30 days without --since."""
    query = window.query(moments.now_seconds())
    groups = [str(group) for group in group_by or ()]
    if groups:
        query["group_by"] = ",".join(groups)
    form = Format.JSON if as_json else form

    async def work(client: AdminClient) -> None:
        if form is Format.CSV:
            await _print_csv(client, "/usage", query, _sum_fields(groups))
            return
        found = await client.listing("/usage", query)
        if form is Format.JSON:
            output.show_json(found)
            return
        nothing = "Nothing was used in this time."
        tables.show_rows(
            report_tables.usage_columns(found["data"], groups), found["data"], nothing=nothing
        )

    administer(access, work)


@reports.command()
@expanded
def records(
    window: Window,
    access: Access,
    outcome: Annotated[
        str | None, typer.Option("--outcome", help="With this outcome alone, such as complete.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", min=1, help=f"The most to print; else {_NEWEST} as a table, or all of them."
        ),
    ] = None,
    form: FormatOption = Format.TABLE,
    as_json: JsonOption = False,
) -> None:
    """Single exchanges, the newest first; no content."""
    query = window.query(moments.now_seconds())
    if outcome is not None:
        query["outcome"] = outcome
    form = Format.JSON if as_json else form

    async def work(client: AdminClient) -> None:
        if form is Format.CSV:
            await _print_csv(client, "/records", query, list(RecordRow.model_fields), at_most=limit)
            return
        most = _NEWEST if form is Format.TABLE and limit is None else limit
        found = await client.listing("/records", query, at_most=most)
        if form is Format.JSON:
            output.show_json(found)
            return
        columns = report_tables.record_columns(moments.now_seconds())
        tables.show_rows(columns, found["data"], nothing="There is no record of this.")

    administer(access, work)


@reports.command()
@expanded
def limits(
    access: Access,
    scope: Annotated[Scope, typer.Option("--scope", help="Of keys or of teams.")] = Scope.KEY,
    as_json: JsonOption = False,
) -> None:
    """What is left of each limit now. Only a running gateway knows: with --url."""

    async def work(client: AdminClient) -> None:
        found = await client.listing("/limits", {"scope": str(scope)})
        if as_json:
            output.show_json(found)
            return
        flat = report_tables.standings(found["data"])
        columns = report_tables.limit_columns(str(scope), moments.now_seconds())
        tables.show_rows(columns, flat, nothing=f"No {scope} has a limit.")

    if access.url is None:
        raise typer.BadParameter(
            "only a running gateway knows what is left; say where it is", param_hint="--url"
        )
    administer(access, work)


@reports.command()
@expanded
def prices(access: Access, as_json: JsonOption = False) -> None:
    """The price of each model, as the configuration has it."""

    async def work(client: AdminClient) -> None:
        found = await client.listing("/prices")
        if as_json:
            output.show_json(found)
            return
        nothing = "No model has a price: the section `prices` of the file gives them."
        tables.show_rows(report_tables.price_columns(found["data"]), found["data"], nothing=nothing)

    administer(access, work)


async def _print_csv(
    client: AdminClient,
    path: str,
    query: Query,
    columns: Sequence[str],
    *,
    at_most: int | None = None,
) -> None:
    """Page by page, so that a year does not have to fit into memory."""
    head = True
    with tables.long_work("rows", at_most) as advance:
        async for page in client.pages(path, query, at_most=at_most):
            output.show_csv(page["data"], columns=columns, head=head)
            head = False
            advance(len(page["data"]))


def _sum_fields(groups: Sequence[str]) -> list[str]:
    """What a row of usage holds: what it was grouped by, then the sums, which every row has."""
    known = UsageRow.model_fields
    grouped = [name for group in groups for name in (group, f"{group}_id") if name in known]
    return grouped + [name for name, field in known.items() if field.is_required()]
