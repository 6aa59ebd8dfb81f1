"""
How a record stands in its table, there and back.

Columns are what queries look by and the amounts; all else is one JSON array, `details`. A column costs a record an
eighth of a microsecond: with one for each field, inserting it takes half as long again.
"""

from collections.abc import Sequence
from operator import itemgetter

import msgspec
from msgspec.structs import astuple

from app.domain.ledger import UsageRecord
from app.storage.schema import records

RecordRow = tuple[object, ...]

_FIELDS = UsageRecord.__struct_fields__
_COLUMNS = tuple(column.name for column in records.columns if column.name != "details")
# In the order of the record. A later version adds at the end: what an older row lacks takes the record's default.
DETAILS = tuple(name for name in _FIELDS if name not in _COLUMNS)

_columns_of = itemgetter(*map(_FIELDS.index, _COLUMNS))
_details_of = itemgetter(*map(_FIELDS.index, DETAILS))
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[object]).decode


def row_of_record(record: UsageRecord) -> RecordRow:
    """Its columns in the order of the table. Raises UnicodeEncodeError for half a surrogate pair in the details."""
    fields = astuple(record)
    return (*_columns_of(fields), _encode(_details_of(fields)).decode())


def record_of_row(row: Sequence[object]) -> UsageRecord:
    """The record of one row of `records`, its columns in the order of the table."""
    fields = dict(zip(_COLUMNS, row[:-1], strict=True))
    details: str = row[-1]  # type: ignore[assignment]  # the column is a text
    fields.update(zip(DETAILS, _decode(details), strict=False))
    return UsageRecord(**fields)  # type: ignore[arg-type]  # written from a record
