"""
Whose the objects are that clients made at upstreams, in the database (reliability S16).

Law: claims count in the order of the journal, and each of them once however often it comes: the first of a name that is
free makes it somebody's, whatever others claim later, until it is gone. What comes again is told by its time: it is not
later than the deletion that followed it.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    String,
    Update,
    and_,
    bindparam,
    func,
    or_,
    select,
    text,
    update,
)

from app.domain.stored_objects import Claim, ObjectKind, may_be_object_id
from app.storage.database import Database
from app.storage.engine import Connection
from app.storage.schema import objects
from app.storage.steady_connection import SteadyConnection

_object = objects.c
_IDS_AT_ONCE = 500  # of one query
_LARGEST = 2**62
_TEXTS = {
    "id": "exchange_id",
    "upstream": "upstream",
    "kind": "kind",
    "key_id": "key_id",
    "team_id": "team_id",
}
_LONGEST = {name: getattr(objects.c[column].type, "length", 0) for name, column in _TEXTS.items()}

_CLAIM = select(
    _object.exchange_id,
    _object.upstream,
    _object.kind,
    _object.object_id,
    _object.key_id,
    _object.team_id,
    _object.made_at_ms,
).where(_object.gone_at_ms.is_(None))
_LIVE_MODELS = and_(_object.kind == "model", _object.gone_at_ms.is_(None))


def _end() -> Update:
    """As `Claim.releases` has it."""
    key_id: BindParameter[str] = bindparam("of_key", type_=String)
    team_id: BindParameter[str] = bindparam("of_team", type_=String)
    at_ms: BindParameter[int] = bindparam("at_ms", type_=BigInteger)
    may_release = or_(
        and_(key_id == "", team_id == ""),
        and_(_object.team_id != "", _object.team_id == team_id),
        and_(_object.team_id == "", _object.key_id != "", _object.key_id == key_id),
    )
    return (
        update(objects)
        .where(
            _object.kind == bindparam("of_kind"),
            _object.object_id == bindparam("of_id"),
            _object.upstream == bindparam("of_upstream"),
            _object.gone_at_ms.is_(None),
            _object.made_at_ms <= at_ms,
            may_release,
        )
        .values(gone_at_ms=at_ms)
    )


# As text: SQLAlchemy's own forms of it would load the dialect of the database that is not used.
_MAKE = text(
    "INSERT INTO objects (kind, object_id, upstream, key_id, team_id, made_at_ms, exchange_id)"
    " VALUES (:kind, :object_id, :upstream, :key_id, :team_id, :made_at_ms, :exchange_id)"
    " ON CONFLICT (kind, object_id, upstream) DO UPDATE SET key_id = excluded.key_id,"
    " team_id = excluded.team_id, made_at_ms = excluded.made_at_ms, gone_at_ms = NULL,"
    " exchange_id = excluded.exchange_id"
    " WHERE objects.gone_at_ms <= excluded.made_at_ms"  # not true of a row that is not gone
)
_END = _end()


class ObjectStore:
    """Every method raises LedgerUnavailable when the database cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, claims: Sequence[Claim]) -> None:
        """*claims* count, in their order; those that counted before change nothing.

        One that no row can hold is left out, so that it does not hold up the others: its object is nobody's.
        """
        possible = [claim for claim in claims if _is_possible(claim)]
        if not possible:
            return
        async with self._database.writing() as connection:
            for is_gone, some in _runs(possible):
                if is_gone:
                    await connection.execute(_END, [_ending(claim) for claim in some])
                else:
                    await connection.execute(_MAKE, [_row(claim) for claim in some])

    async def find(self, kind: ObjectKind, ids: Sequence[str]) -> list[Claim]:
        """Whose the objects of *ids* are, at whatever upstream; no row for one that is nobody's."""
        found: list[Claim] = []
        async with self._database.reading() as connection:
            for at in range(0, len(ids), _IDS_AT_ONCE):
                found += await _found(connection, kind, ids[at : at + _IDS_AT_ONCE])
        return found

    async def models(self) -> list[Claim]:
        """Whose every fine-tuned model is."""
        async with self._database.reading() as connection:
            return [_claim(row) for row in await connection.execute(_CLAIM.where(_LIVE_MODELS))]

    async def has_any(self, upstream: str, kind: ObjectKind) -> bool:
        """True when somebody has an object of *kind* there."""
        there = _CLAIM.where(_object.kind == kind, _object.upstream == upstream).limit(1)
        async with self._database.reading() as connection:
            return (await connection.execute(there)).first() is not None

    async def models_mark(self) -> tuple[int, int]:
        """Another one when `models` says something else: how many there are, and the sum of when they were made."""
        query = select(func.count(), func.sum(_object.made_at_ms)).where(_LIVE_MODELS)
        async with self._database.reading() as connection:
            count, total = (await connection.execute(query)).one()
        return int(count), int(total or 0)


async def _found(connection: Connection, kind: ObjectKind, ids: Sequence[str]) -> Iterable[Claim]:
    driver = await connection.driver()
    if isinstance(driver, SteadyConnection):  # one way there and back: a third of the time
        query = _sqlite_query(len(ids))
        return map(_claim, await driver.run(lambda it: it.execute(query, (kind, *ids)).fetchall()))
    wanted = _CLAIM.where(_object.kind == kind, _object.object_id.in_(ids))
    return map(_claim, await connection.execute(wanted))


@cache
def _sqlite_query(count: int) -> str:
    columns = ", ".join(column.name for column in _CLAIM.selected_columns)
    marks = ", ".join("?" * count)
    return (
        f"SELECT {columns} FROM objects "  # noqa: S608 names and marks
        f"WHERE kind = ? AND object_id IN ({marks}) AND gone_at_ms IS NULL"
    )


def _runs(claims: Sequence[Claim]) -> Iterator[tuple[bool, list[Claim]]]:
    """What is made and what is gone, some at a time; those of one name in their order.

    Names are in order too: two gateways that change the same rows then wait for each other, and neither for ever.
    """
    by_name = sorted(claims, key=attrgetter("kind", "object_id", "upstream"))
    for is_gone, some in groupby(by_name, key=attrgetter("is_gone")):
        yield is_gone, list(some)


def _is_possible(claim: Claim) -> bool:
    return (
        may_be_object_id(claim.object_id)
        and 0 <= claim.at_ms <= _LARGEST
        and all(_fits(getattr(claim, name), longest) for name, longest in _LONGEST.items())
    )


def _fits(text: str, longest: int) -> bool:
    return len(text) <= longest and (not text or text.isprintable())


def _row(claim: Claim) -> dict[str, object]:
    return {
        "kind": claim.kind,
        "object_id": claim.object_id,
        "upstream": claim.upstream,
        "key_id": claim.key_id,
        "team_id": claim.team_id,
        "made_at_ms": claim.at_ms,
        "exchange_id": claim.id,
    }


def _ending(claim: Claim) -> dict[str, object]:
    return {
        "of_kind": claim.kind,
        "of_id": claim.object_id,
        "of_upstream": claim.upstream,
        "of_key": claim.key_id,
        "of_team": claim.team_id,
        "at_ms": claim.at_ms,
    }


def _claim(row: Sequence[Any]) -> Claim:
    return Claim(*row)
