"""
How a batch of records gets into the ledger and its sums on SQLite, where nobody else writes.

All of it is one call on the connection's thread: a hop there and back costs as much as ten records. A statement inserts
up to 256 rows, so it gives back Python's lock, and waits for it behind whatever the loop is busy with, once. A driver's
`executemany` does so for every row, and takes two thirds longer; JSON that SQLite takes apart, four times as long.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain
from typing import TypeVar

from app.domain.ledger import UsageRecord
from app.storage.record_rows import row_of_record
from app.storage.schema import records, usage_sums
from app.storage.sums import sum_rows

_Row = TypeVar("_Row")

# Powers of two: a batch of any size is a few statements out of nine, which the driver keeps prepared.
_CHUNKS = (256, 128, 64, 32, 16, 8, 4, 2, 1)

_RECORD_COLUMNS = tuple(column.name for column in records.columns)
_SUM_COLUMNS = tuple(column.name for column in usage_sums.columns)
_SUM_KEY = tuple(column.name for column in usage_sums.primary_key.columns)


def add_to_sqlite(connection: sqlite3.Connection, rows: Sequence[UsageRecord]) -> int:
    """Those of *rows* that were not there are, and are in the sums; how many. No id may be in *rows* twice.

    Which ones were there is asked only if there were any, as after a kill.
    """
    new: list[UsageRecord] = []
    for chunk in _chunks(rows):
        try:
            _insert(connection, chunk)
            new += chunk
        except sqlite3.IntegrityError:  # some were there; SQLite has undone this statement alone
            missing = _missing(connection, chunk)
            for part in _chunks(missing):
                _insert(connection, part)
            new += missing
    for sums in _chunks(sum_rows(new)):
        connection.execute(_add_sums(len(sums)), tuple(chain.from_iterable(sums)))
    return len(new)


def _insert(connection: sqlite3.Connection, rows: Sequence[UsageRecord]) -> None:
    values = tuple(chain.from_iterable(map(row_of_record, rows)))
    connection.execute(_insert_records(len(rows)), values)


def _missing(connection: sqlite3.Connection, rows: Sequence[UsageRecord]) -> list[UsageRecord]:
    found = connection.execute(_known_records(len(rows)), [row.id for row in rows])
    known = {name for (name,) in found}
    return [row for row in rows if row.id not in known]


def _chunks(rows: Sequence[_Row]) -> Iterator[Sequence[_Row]]:
    at = 0
    for size in _CHUNKS:
        while len(rows) - at >= size:
            yield rows[at : at + size]
            at += size


@cache
def _insert_records(count: int) -> str:
    columns, values = ", ".join(_RECORD_COLUMNS), _values(count, len(_RECORD_COLUMNS))
    return f"INSERT INTO records ({columns}) VALUES {values}"  # noqa: S608 names and marks


@cache
def _add_sums(count: int) -> str:
    columns, values = ", ".join(_SUM_COLUMNS), _values(count, len(_SUM_COLUMNS))
    added = ", ".join(
        f"{name} = usage_sums.{name} + excluded.{name}"
        for name in _SUM_COLUMNS
        if name not in _SUM_KEY
    )
    return (
        f"INSERT INTO usage_sums ({columns}) VALUES {values} "  # noqa: S608 names and marks
        f"ON CONFLICT ({', '.join(_SUM_KEY)}) DO UPDATE SET {added}"
    )


@cache
def _known_records(count: int) -> str:
    return f"SELECT id FROM records WHERE id IN {_values(1, count)}"  # noqa: S608 marks


def _values(rows: int, columns: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return ", ".join([row] * rows)
