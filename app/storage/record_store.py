"""
The ledger in the database: records, and the sums over them.

Law: a sum is changed in the transaction that inserts its records, and by those alone that were not there yet, so the
same records may come any number of times (reliability J7). Records go after a while (Q6); sums stay.
"""

from collections.abc import Sequence
from operator import attrgetter

from sqlalchemy import delete, select

from app.domain.ledger import UsageRecord
from app.domain.limits import PeriodStarts, ScopeKind, Spending
from app.storage.database import Database
from app.storage.postgres_batches import add_to_postgres
from app.storage.record_rows import record_of_row
from app.storage.schema import records as records_table
from app.storage.spans import Span
from app.storage.sqlite_batches import add_to_sqlite
from app.storage.steady_connection import SteadyConnection
from app.storage.storable import is_possible, storable
from app.storage.storage_errors import Unstorable
from app.storage.sum_queries import (
    GroupName,
    SumOrder,
    spending_queries,
    spendings,
    sums_query,
)
from app.storage.sums import SumRow

_record = records_table.c
_id_of = attrgetter("id")


class RecordStore:
    """Every method raises LedgerUnavailable when the database cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, records: Sequence[UsageRecord]) -> int:
        """All of *records* are in the ledger, each once, and in the sums, each once; how many were new.

        A text that the database cannot hold is kept without the characters that are wrong, and an amount that no
        exchange can have as the largest or least that one can: a record is never lost to what somebody wrote into it,
        and never holds up the others.
        """
        unique = {record.id: record for record in reversed(records)}
        rows = [row if is_possible(row) else storable(row) for row in unique.values()]
        rows.sort(key=_id_of)
        try:
            return await self._add(rows)
        except Unstorable:
            return await self._add([storable(row) for row in rows])

    async def _add(self, rows: Sequence[UsageRecord]) -> int:
        if not rows:
            return 0
        async with self._database.writing() as connection:
            driver = await connection.driver()
            if isinstance(driver, SteadyConnection):
                return await driver.run(lambda opened: add_to_sqlite(opened, rows))
            return await add_to_postgres(connection, rows)

    async def record(self, record_id: str) -> UsageRecord | None:
        """None: there is none of that id, or no longer."""
        async with self._database.reading() as connection:
            found = await connection.execute(select(records_table).where(_record.id == record_id))
            row = found.one_or_none()
        return None if row is None else record_of_row(row)

    async def records(  # noqa: PLR0913 one for each filter of the admin API
        self,
        *,
        after: str | None = None,
        limit: int,
        key_id: str | None = None,
        team_id: str | None = None,
        model: str | None = None,
        upstream: str | None = None,
        outcome: str | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
    ) -> list[UsageRecord]:
        """The newest first; *after*: the id of the last one of the page before. *model*: as the client wrote it."""
        wanted = {
            _record.key_id: key_id,
            _record.team_id: team_id,
            _record.model: model,
            _record.upstream: upstream,
            _record.outcome: outcome,
        }
        query = select(records_table).where(
            *(column == value for column, value in wanted.items() if value is not None)
        )
        if after is not None:
            query = query.where(_record.id < after)
        if since_ms is not None:
            query = query.where(_record.at_ms >= since_ms)
        if until_ms is not None:
            query = query.where(_record.at_ms < until_ms)
        async with self._database.reading() as connection:
            found = await connection.execute(query.order_by(_record.id.desc()).limit(limit))
            return [record_of_row(row) for row in found]

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
        """One row for each combination of *group_by*'s values that occurs; without groups one row, or none.

        *spans*: from `spans.spans`. *model*: the label that sums are kept by. *order*: by the groups' values ascending,
        or by the amount descending and then by them; so it is the same each time. *after*: that many rows are left out.
        Raises ValueError where a span is too large for a grouping by hour or day.
        """
        if not spans:
            return []
        query = sums_query(
            spans,
            group_by,
            {"key": key_id, "team": team_id, "model": model, "upstream": upstream},
            order,
        )
        async with self._database.reading() as connection:
            found = (await connection.execute(query.limit(limit).offset(after))).all()
        many = len(group_by)
        return [SumRow(tuple(row[:many]), *map(int, row[many:])) for row in found]

    async def spending(self, starts: PeriodStarts) -> dict[tuple[ScopeKind, str], Spending]:
        """What each key and each team has spent; none that has never spent anything."""
        recent, older = spending_queries(starts)
        async with self._database.reading() as connection:
            return spendings(
                (await connection.execute(recent)).all(), (await connection.execute(older)).all()
            )

    async def delete_before(self, cutoff_ms: int, *, at_most: int) -> int:
        """Of the *at_most* records with the oldest ids, those from before *cutoff_ms* are gone; how many they were.

        Ids begin with the time, so nothing else has to be looked at, and the writer is held for milliseconds (Q6).
        Sums stay.
        """
        oldest = select(_record.id, _record.at_ms).order_by(_record.id).limit(at_most)
        async with self._database.writing() as connection:
            found = await connection.execute(oldest)
            ids = [row.id for row in found if row.at_ms < cutoff_ms]
            if ids:
                await connection.execute(delete(records_table).where(_record.id.in_(ids)))
        return len(ids)
