"""
Keys, teams and the audit log in the database.

One change is one transaction: it takes the row of `changes` first, so changes stand in one order; every row it touches
carries its number, and exactly one audit row with that number tells of it (reliability S11, S26).
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Select,
    Table,
    and_,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from app.domain.errors import LedgerUnavailable
from app.domain.keys import Actor, Team
from app.storage import schema
from app.storage.audit_rows import LONGEST_ADDRESS, NO_HEAD, AuditRow, LogEnd, head_part
from app.storage.database import Database
from app.storage.engine import Connection
from app.storage.key_rows import (
    KeySnapshot,
    StoredKey,
    StoredTeam,
    TableRow,
    as_json,
    key_columns,
    key_of_row,
    team_columns,
    team_of_row,
)

_Query = Select[*tuple[Any, ...]]

_keys, _teams, _changes, _audit = schema.keys, schema.teams, schema.changes, schema.audit
_VERSION = select(_changes.c.version)
_NEXT_VERSION = (
    update(_changes)
    .values(version=_changes.c.version + 1)
    .returning(_changes.c.version, _changes.c.head)
)
_ALTERED = (
    "The ledger's database cannot be used: the row of its table `changes` is missing or altered. Put the database "
    "back from a copy."
)


class Change:
    """One change under way: nobody else changes keys or teams until it ends. *version* is its number."""

    def __init__(self, connection: Connection, version: int, head: str) -> None:
        self.version = version
        self.head = head  # of the audit log, before this change
        self.told: tuple[str, str, str, str] | None = None
        self._connection = connection

    async def key(self, key_id: str) -> StoredKey | None:
        """The key of that id; None where there is none."""
        return _first_key(await self._rows(select(_keys).where(_keys.c.id == key_id)))

    async def key_named(self, name: str) -> StoredKey | None:
        """The key of that name that is not revoked."""
        is_live = and_(_keys.c.name == name, _keys.c.revoked_at_ms.is_(None))
        return _first_key(await self._rows(select(_keys).where(is_live)))

    async def put_key(self, key: StoredKey) -> StoredKey:
        """Writes *key*, new or changed; as it now stands."""
        stored = replace(key, version=self.version)
        await self._put(_keys, key.key.id, key_columns(stored))
        return stored

    async def team(self, id_or_name: str) -> StoredTeam | None:
        """The team of that id, deleted or not, else the living one of that name."""
        return _first_team(await self._rows(_team_query(id_or_name)))

    async def team_named(self, name: str) -> StoredTeam | None:
        """The team of that name that is not deleted."""
        return _first_team(await self._rows(select(_teams).where(_is_living_team(name))))

    async def put_team(self, team: Team) -> StoredTeam:
        """Writes *team*, new or changed; as it now stands."""
        stored = StoredTeam(team, self.version)
        await self._put(_teams, team.id, team_columns(stored))
        return stored

    async def live_keys(
        self, team_id: str, *, source: Literal["admin", "file"] | None = None
    ) -> int:
        """How many keys of the team are not revoked. *source*: of those made there alone."""
        counted = select(func.count()).where(
            _keys.c.team_id == team_id, _keys.c.revoked_at_ms.is_(None)
        )
        if source is not None:
            counted = counted.where(_keys.c.source == source)
        return int((await self._connection.execute(counted)).scalar_one())

    def audit(
        self,
        action: str,
        target: str,
        before: Mapping[str, object] | None,
        after: Mapping[str, object] | None,
    ) -> None:
        """What the audit log says of this change; said exactly once. No secret and no digest may stand in it."""
        if self.told is not None:
            raise RuntimeError("a change has one audit row")
        self.told = action, target, as_json(before), as_json(after)

    async def _rows(self, query: _Query) -> list[TableRow]:
        return list((await self._connection.execute(query)).all())

    async def _put(self, table: Table, row_id: str, columns: dict[str, object]) -> None:
        changed = await self._connection.execute(
            update(table).where(table.c.id == row_id).values(columns)
        )
        if changed.rowcount == 0:
            await self._connection.execute(insert(table).values(id=row_id, **columns))


class KeyStore:
    """Reads and changes keys and teams. *seal* gives the hash of an audit row, as hexadecimal.

    Everything raises LedgerUnavailable while the database cannot be used.
    """

    def __init__(self, database: Database, seal: Callable[[bytes], str]) -> None:
        self._database = database
        self._seal = seal

    @asynccontextmanager
    async def changing(self, actor: Actor, at_ms: int) -> AsyncIterator[Change]:
        """One change by *actor*: all of it, and its audit row, or nothing when the block raises."""
        async with self._database.writing() as connection:
            end = _log_end((await connection.execute(_NEXT_VERSION)).one_or_none())
            change = Change(connection, end.version, end.head)
            yield change
            if change.told is None:
                raise RuntimeError("a change without an audit row")
            await self._add_audit_row(connection, change, actor, at_ms)

    async def version(self) -> int:
        """The number of changes so far."""
        return (await self.log_end()).version

    async def log_end(self) -> LogEnd:
        """Where the audit log must end at this moment."""
        query = select(_changes.c.version, _changes.c.head)
        async with self._database.reading() as connection:
            return _log_end((await connection.execute(query)).one_or_none())

    async def load(self, *, since_version: int = -1) -> KeySnapshot:
        """Keys and teams that changed after *since_version*; -1: all of them."""
        async with self._database.reading() as connection:
            # First the version: what is committed meanwhile is at worst loaded again the next time.
            version = _number((await connection.execute(_VERSION)).scalar_one_or_none())
            keys = await connection.execute(select(_keys).where(_keys.c.version > since_version))
            teams = await connection.execute(select(_teams).where(_teams.c.version > since_version))
            return KeySnapshot(
                version, [key_of_row(row) for row in keys], [team_of_row(row) for row in teams]
            )

    async def key(self, key_id: str) -> StoredKey | None:
        """The key of that id; None where there is none."""
        return _first_key(await self._rows(select(_keys).where(_keys.c.id == key_id)))

    async def keys(
        self, *, after: str | None, limit: int, team_id: str | None = None
    ) -> list[StoredKey]:
        """At most *limit* keys, revoked ones too, by id from the one after *after*; of one team, or all."""
        query = select(_keys).order_by(_keys.c.id).limit(limit)
        if after is not None:
            query = query.where(_keys.c.id > after)
        if team_id is not None:
            query = query.where(_keys.c.team_id == team_id)
        return [key_of_row(row) for row in await self._rows(query)]

    async def team(self, id_or_name: str) -> StoredTeam | None:
        """The team of that id, deleted or not, else the living one of that name."""
        return _first_team(await self._rows(_team_query(id_or_name)))

    async def teams(self, *, after: str | None, limit: int) -> list[StoredTeam]:
        """At most *limit* teams that are not deleted, by id from the one after *after*."""
        query = select(_teams).where(_teams.c.deleted_at_ms.is_(None))
        if after is not None:
            query = query.where(_teams.c.id > after)
        return [
            team_of_row(row) for row in await self._rows(query.order_by(_teams.c.id).limit(limit))
        ]

    async def audit_rows(self, *, after_seq: int, limit: int) -> list[AuditRow]:
        """At most *limit* rows of the audit log in their order, from the one after *after_seq*."""
        query = select(_audit).where(_audit.c.seq > after_seq).order_by(_audit.c.seq).limit(limit)
        return [AuditRow(*row) for row in await self._rows(query)]

    async def pepper_check(self) -> str:
        """As `pepper_check` below."""
        return await pepper_check(self._database)

    async def set_pepper_check(self, check: str, *, instead_of: str) -> None:
        """Sets it, unless another process did so meanwhile. The first time an empty audit log gets its head, too; not
        where there are keys or teams already, whose log was emptied."""
        values = {"pepper_check": check}
        async with self._database.writing() as connection:
            if instead_of == "" and await _is_untouched(connection):
                values["head"] = self._seal(head_part(0, "", NO_HEAD))
            await connection.execute(
                update(_changes).where(_changes.c.pepper_check == instead_of).values(values)
            )

    async def _rows(self, query: _Query) -> list[TableRow]:
        async with self._database.reading() as connection:
            return list((await connection.execute(query)).all())

    async def _add_audit_row(
        self, connection: Connection, change: Change, actor: Actor, at_ms: int
    ) -> None:
        last = select(_audit.c.hash).order_by(_audit.c.seq.desc()).limit(1)
        previous = (await connection.execute(last)).scalar_one_or_none() or ""
        address = actor.address[:LONGEST_ADDRESS]
        told = change.told or ("", "", "", "")
        row = AuditRow(change.version, at_ms, actor.name, address, *told, previous, "")
        row = replace(row, hash=self._seal(row.sealed_part()))
        columns = {column.name: getattr(row, column.name) for column in _audit.columns}
        await connection.execute(insert(_audit).values(columns))
        head = self._seal(head_part(row.seq, row.hash, change.head))
        await connection.execute(update(_changes).values(head=head))


def _log_end(row: TableRow | None) -> LogEnd:
    if row is None or not isinstance(row[1], str):
        raise LedgerUnavailable(_ALTERED)
    return LogEnd(_number(row[0]), row[1])


def _number(found: object) -> int:
    """A SQLite column holds whatever was written to it, a text too."""
    if not isinstance(found, int):
        raise LedgerUnavailable(_ALTERED)
    return found


async def _is_untouched(connection: Connection) -> bool:
    found = select(_VERSION.scalar_subquery() == 0, exists(_keys.select()), exists(_teams.select()))
    is_new, has_keys, has_teams = (await connection.execute(found)).one()
    return bool(is_new and not has_keys and not has_teams)


def _is_living_team(name: str) -> ColumnElement[bool]:
    return and_(_teams.c.name == name, _teams.c.deleted_at_ms.is_(None))


def _team_query(id_or_name: str) -> _Query:
    is_wanted = or_(_teams.c.id == id_or_name, _is_living_team(id_or_name))
    return select(_teams).where(is_wanted).order_by((_teams.c.id == id_or_name).desc()).limit(1)


def _first_key(rows: list[TableRow]) -> StoredKey | None:
    return key_of_row(rows[0]) if rows else None


def _first_team(rows: list[TableRow]) -> StoredTeam | None:
    return team_of_row(rows[0]) if rows else None


async def pepper_check(database: Database) -> str:
    """What tells the pepper that *database* was last opened with; "" before the first time. Raises
    LedgerUnavailable."""
    async with database.reading() as connection:
        found = (await connection.execute(select(_changes.c.pepper_check))).scalar_one_or_none()
    if not isinstance(found, str):
        raise LedgerUnavailable(_ALTERED)
    return found
