"""The nearest record that a database can keep and sums can take, for one that neither could."""

from typing import Any

from msgspec.structs import asdict, replace

from app.domain.ledger import UsageRecord
from app.storage.schema import records

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_LARGEST = 2**48  # so that tens of thousands of them still add up to 64 bits

_LENGTHS = {column.name: getattr(column.type, "length", None) for column in records.columns}


def is_possible(record: UsageRecord) -> bool:
    """False: an amount is negative, or so large that sums of it would leave 64 bits, which SQLite does silently."""
    return (
        0 <= record.input_tokens <= _LARGEST
        and 0 <= record.cached_input_tokens <= _LARGEST
        and 0 <= record.output_tokens <= _LARGEST
        and 0 <= record.cost_nano <= _LARGEST
    )


def storable(record: UsageRecord) -> UsageRecord:
    """*record* with NUL and half surrogate pairs replaced, texts as long as their columns, numbers bounded."""
    return replace(record, **{name: _value(name, value) for name, value in asdict(record).items()})


def _value(name: str, value: Any) -> object:
    if isinstance(value, str):
        kept = (_REPLACEMENT if _is_wrong(character) else character for character in value)
        return "".join(kept)[: _LENGTHS.get(name)]
    if isinstance(value, int) and not isinstance(value, bool):
        return max(0, min(_LARGEST, value))
    return value


def _is_wrong(character: str) -> bool:
    return character == "\0" or "\ud800" <= character <= "\udfff"
