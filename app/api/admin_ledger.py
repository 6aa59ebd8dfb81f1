"""`/admin/v1/usage` and `/admin/v1/records`: what was used, in sums and one by one."""

from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response, StreamingResponse

from app.api.admin_csv import csv_lines
from app.api.admin_pages import Names, answered, page_of
from app.api.admin_parts import AdminParts
from app.api.admin_queries import MAX_PAGE, RecordsQuery, UsageQuery
from app.api.admin_replies import RecordPage, UsagePage
from app.api.admin_values import seconds
from app.domain.errors import ObjectNotFound
from app.domain.ledger import UsageRecord
from app.protocol.amounts import usd, utc
from app.storage.sums import SumRow
from app.usage.reports import UsageQuery as SumQuery
from app.usage.reports import UsageReport

_CSV: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}}}
}
# What is grouped by → the columns that tell it.
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "key": ("key", "key_id"),
    "team": ("team", "team_id"),
    "model": ("model",),
    "upstream": ("upstream",),
    "hour": ("hour",),
    "day": ("day",),
}
_AMOUNTS = (
    "requests",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "unpriced_requests",
    "estimated_requests",
)


def add_ledger(router: APIRouter, parts: AdminParts) -> None:
    """*router* shows the ledger."""

    @router.get("/usage", response_model=UsagePage, responses=_CSV)
    async def show_usage(query: Annotated[UsageQuery, Query()]) -> Response:
        """Sum what was used, by key, team, model, upstream, hour or day. Times are rounded down to the hour."""
        await parts.flush()
        names, asked = Names(parts), await _asked(query, parts)
        report = await parts.reports.usage(asked)
        if query.format == "csv":
            lines = _csv_pages(parts, asked, report)
            return StreamingResponse(lines, media_type="text/csv; charset=utf-8")
        shown = [await _shown_sum(asked, row, names) for row in report.rows]
        return answered(
            {
                "object": "list",
                "data": shown,
                "has_more": report.has_more,
                "last_id": str(asked.after + len(shown)) if shown else None,
            }
        )

    @router.get("/records", response_model=RecordPage)
    async def list_records(query: Annotated[RecordsQuery, Query()]) -> Response:
        """List single exchanges, the newest first. Nothing of them is content."""
        await parts.flush()
        names = Names(parts)
        rows = await parts.records.records(
            after=query.after,
            limit=query.limit + 1,
            outcome=None if query.outcome is None else query.outcome.value,
            **await _filters(query, parts),
        )

        async def show(record: UsageRecord) -> Mapping[str, Any]:
            return await _shown_record(record, names)

        return await page_of(rows, query.limit, lambda record: record.id, show)


async def _filters(query: UsageQuery | RecordsQuery, parts: AdminParts) -> dict[str, Any]:
    """What both reports are asked with. A team may be named; one that is unknown fits nothing."""
    return {
        "since_ms": None if query.since is None else round(query.since * 1000),
        "until_ms": None if query.until is None else round(query.until * 1000),
        "key_id": query.key,
        "team_id": await _team_id(query.team, parts),
        "model": query.model,
        "upstream": query.upstream,
    }


async def _team_id(id_or_name: str | None, parts: AdminParts) -> str | None:
    if id_or_name is None:
        return None
    try:
        return (await parts.teams.get(id_or_name)).id
    except ObjectNotFound:
        return id_or_name  # the ledger may remember what is gone


async def _asked(query: UsageQuery, parts: AdminParts) -> SumQuery:
    size = MAX_PAGE if query.format == "csv" else query.limit
    return SumQuery(
        tuple(query.group_by),
        after=query.after or 0,
        limit=size,
        **await _filters(query, parts),
    )


async def _csv_pages(
    parts: AdminParts, asked: SumQuery, report: UsageReport
) -> AsyncIterator[bytes]:
    """All rows, those of *report* first; never more than a page of them in memory."""
    names = Names(parts)
    # The period stays that of the first page, even when an hour ends meanwhile.
    asked = asked._replace(since_ms=report.since_ms, until_ms=report.until_ms)
    columns = [column for name in asked.group_by for column in _COLUMNS[name]]
    yield csv_lines([(*columns, *_AMOUNTS)])
    while True:
        shown = [await _shown_sum(asked, row, names) for row in report.rows]
        yield csv_lines([list(row.values()) for row in shown])
        if not report.has_more:
            return
        asked = asked._replace(after=asked.after + len(report.rows))
        report = await parts.reports.usage(asked)


async def _shown_sum(asked: SumQuery, row: SumRow, names: Names) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, value in zip(asked.group_by, row.values, strict=True):
        shown.update(zip(_COLUMNS[name], await _cells(name, value, names), strict=True))
    return {
        **shown,
        "requests": row.requests,
        "input_tokens": row.input_tokens,
        "output_tokens": row.output_tokens,
        "cost_usd": usd(row.cost_nano),
        "unpriced_requests": row.unpriced_requests,
        "estimated_requests": row.estimated_requests,
    }


async def _cells(name: str, value: str | int, names: Names) -> tuple[str | None, ...]:
    """What stands in the columns of one group."""
    if isinstance(value, int):
        return (utc(value) if name == "hour" else utc(value)[:10],)
    match name:
        case "key":
            return await names.key(value), value or None
        case "team":
            return await names.team(value), value or None
        case _:
            return (value or None,)


async def _shown_record(record: UsageRecord, names: Names) -> Mapping[str, Any]:
    return {
        "object": "record",
        "id": record.id,
        "created_at": utc(record.at_ms),
        "key": await names.key(record.key_id),
        "key_id": record.key_id or None,
        "team": await names.team(record.team_id),
        "team_id": record.team_id or None,
        "model": record.model,
        "upstream": record.upstream or None,
        "upstream_model": record.upstream_model or None,
        "endpoint": record.endpoint,
        "stream": bool(record.stream),
        "status": record.status,
        "outcome": record.outcome,
        "error_code": record.error_code or None,
        "attempts": record.attempts,
        "input_tokens": record.input_tokens,
        "cached_input_tokens": record.cached_input_tokens,
        "output_tokens": record.output_tokens,
        "usage_source": record.usage_source or None,
        "cost_usd": usd(record.cost_nano),
        "priced": bool(record.priced),
        "duration_seconds": seconds(record.duration_us),
        "ttft_seconds": None if record.ttft_us is None else seconds(record.ttft_us),
        "recovered": bool(record.recovered),
    }
