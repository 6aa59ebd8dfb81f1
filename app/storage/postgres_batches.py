"""
How a batch of records gets into the ledger and its sums on Postgres, where others may add the same ones meanwhile.

Each column is one array, so that there is one statement for a batch of any size, with as many parameters as columns.
"""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from sqlalchemy import BigInteger, Column, Table

from app.domain.ledger import UsageRecord
from app.storage.engine import Connection
from app.storage.record_rows import row_of_record
from app.storage.schema import records, usage_sums
from app.storage.sums import sum_rows

_Row = TypeVar("_Row")

_ROWS_AT_ONCE = 100  # encoded on the loop, in half a millisecond


def _insert(table: Table) -> str:
    columns = list(table.columns)
    arrays = ", ".join(f"${at}::{_type(column)}[]" for at, column in enumerate(columns, 1))
    names = ", ".join(column.name for column in columns)
    return f"INSERT INTO {table.name} ({names}) SELECT * FROM unnest({arrays})"  # noqa: S608 the schema's own names


def _type(column: Column[object]) -> str:
    return "bigint" if isinstance(column.type, BigInteger) else "text"


def _add_sums() -> str:
    key = ", ".join(column.name for column in usage_sums.primary_key.columns)
    added = ", ".join(
        f"{column.name} = usage_sums.{column.name} + excluded.{column.name}"
        for column in usage_sums.columns
        if not column.primary_key
    )
    return f"{_insert(usage_sums)} ON CONFLICT ({key}) DO UPDATE SET {added}"


_INSERT_RECORDS = f"{_insert(records)} ON CONFLICT (id) DO NOTHING RETURNING id"
_ADD_SUMS = _add_sums()


async def add_to_postgres(connection: Connection, rows: Sequence[UsageRecord]) -> int:
    """Those of *rows* that were not there are, and are in the sums; how many. No id may be in *rows* twice.

    *rows* come in the order of their ids, so that two who add the same ones wait for each other, and neither for ever.
    """
    inserted: set[str] = set()
    for part in _parts(rows):
        found = await connection.exec_driver_sql(
            _INSERT_RECORDS, _arrays([row_of_record(row) for row in part])
        )
        inserted.update(found.scalars())
    for sums in _parts(sum_rows(row for row in rows if row.id in inserted)):
        await connection.exec_driver_sql(_ADD_SUMS, _arrays(sums))
    return len(inserted)


def _parts(rows: Sequence[_Row]) -> Iterator[Sequence[_Row]]:
    return (rows[at : at + _ROWS_AT_ONCE] for at in range(0, len(rows), _ROWS_AT_ONCE))


def _arrays(rows: Sequence[Sequence[object]]) -> tuple[list[object], ...]:
    return tuple(list(values) for values in zip(*rows, strict=True))
