"""
What was used over a period, by key, team, model, upstream, hour or day: questions of the admin API, put to the ledger.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from app.storage.spans import HOUR_MS, Grain, Span, spans
from app.storage.sum_queries import GroupName, SumOrder
from app.storage.sums import SumRow

_DEFAULT_PERIOD_MS = 30 * 24 * HOUR_MS


class UsageQuery(NamedTuple):
    """*since_ms* None: 30 days before the end; *until_ms* None: now, with the hour that runs. The first is rounded down
    to its hour, the second up. Of *key_id* to *upstream* None takes all; *model* is a label as sums have it.

    *after*: so many rows are left out; *limit* None: all of the others.
    """

    group_by: tuple[GroupName, ...] = ()
    since_ms: int | None = None
    until_ms: int | None = None
    key_id: str | None = None
    team_id: str | None = None
    model: str | None = None
    upstream: str | None = None
    order: SumOrder = "group"
    after: int = 0
    limit: int | None = None


class UsageReport(NamedTuple):
    """*rows* over the whole hours from *since_ms* up to *until_ms*; *has_more*: behind *limit* there are others."""

    since_ms: int
    until_ms: int
    rows: list[SumRow]
    has_more: bool


class SumStore(Protocol):
    """Where sums are kept; `app.storage.record_store`."""

    async def sums(  # noqa: PLR0913 one for each filter of the admin API
        self,
        spans: Sequence[Span],
        group_by: Sequence[GroupName] = (),
        *,
        key_id: str | None = None,
        team_id: str | None = None,
        model: str | None = None,
        upstream: str | None = None,
        order: SumOrder = "group",
        after: int = 0,
        limit: int | None = None,
    ) -> list[SumRow]:
        """As `RecordStore.sums`."""
        ...


class Reports:
    """Answers from the sums, so that a year takes no longer than a month (reliability Q6)."""

    def __init__(self, store: SumStore, wall_seconds: Callable[[], float]) -> None:
        self._store = store
        self._wall_seconds = wall_seconds

    async def usage(self, query: UsageQuery) -> UsageReport:
        """What *query* asks for; no rows where its period is empty. Raises LedgerUnavailable."""
        until_ms = query.until_ms
        if until_ms is None:
            until_ms = int(self._wall_seconds() * 1000)
        until_ms += -until_ms % HOUR_MS
        since_ms = until_ms - _DEFAULT_PERIOD_MS if query.since_ms is None else query.since_ms
        since_ms -= since_ms % HOUR_MS
        rows = await self._store.sums(
            spans(since_ms, until_ms, _largest_grain(query.group_by)),
            query.group_by,
            key_id=query.key_id,
            team_id=query.team_id,
            model=query.model,
            upstream=query.upstream,
            order=query.order,
            after=query.after,
            limit=None if query.limit is None else query.limit + 1,
        )
        has_more = query.limit is not None and len(rows) > query.limit
        return UsageReport(since_ms, until_ms, rows[: query.limit], has_more)


def _largest_grain(group_by: tuple[GroupName, ...]) -> Grain:
    if "hour" in group_by:
        return "hour"
    return "day" if "day" in group_by else "month"
