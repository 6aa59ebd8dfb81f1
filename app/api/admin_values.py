"""Money, moments and texts of the admin API: how they are written, what is taken, and what they are inside."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Annotated, Any

import msgspec
from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from app.domain.limits import NANO
from app.protocol.amounts import decimal_number, usd, utc

MAX_BUDGET_USD = 1_000_000_000
MAX_COUNT = 2**53 - 1  # larger integers are not exact in every client's JSON

_DECIMALS = 9
_LAST_PLACE = Decimal(1).scaleb(-_DECIMALS)
_SIGNIFICANT_DIGITS = 30  # more than any amount within bounds has
_MONEY_WANTED = (
    "expected US dollars as a number above 0, at most {most}, with at most {decimals} decimals"
)
_MOMENT_WANTED = "expected a date (2026-01-31) or a time of ISO 8601 in UTC (2026-01-31T12:00:00Z), from 1970 to 9998"
_NO_LATER = 253_370_764_800  # the year 9999: what is rounded up from it is no date any more
_PICO_OF_A_TOKEN = 6  # pico-dollars a token, written as dollars a million tokens
_PICO = 12
_MICRO = 6

encoder = msgspec.json.Encoder()


# --- out ------------------------------------------------------------------------------------------------------------


def encoded(value: Mapping[str, Any]) -> bytes:
    """*value* as JSON."""
    return encoder.encode(value)


def usd_or_null(nano: int | None) -> msgspec.Raw | None:
    """As `usd`; null for no budget."""
    return None if nano is None else usd(nano)


def usd_per_million(pico: int) -> msgspec.Raw:
    """Pico-dollars for one as dollars for a million."""
    return decimal_number(pico, _PICO_OF_A_TOKEN)


def usd_each(pico: int) -> msgspec.Raw:
    """Pico-dollars as dollars."""
    return decimal_number(pico, _PICO)


def seconds(microseconds: int) -> msgspec.Raw:
    """Microseconds as seconds."""
    return decimal_number(microseconds, _MICRO)


def utc_seconds(since_1970: float | None) -> str | None:
    """Seconds since 1970 as a time of ISO 8601 in UTC; null for never."""
    return None if since_1970 is None else utc(round(since_1970 * 1000))


# --- in -------------------------------------------------------------------------------------------------------------


def _nano(value: object) -> int:
    """Dollars, written as a JSON number, in nano-dollars. It never becomes a float on the way."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise PydanticCustomError("money_type", "expected a number of US dollars")
    exact = Context(prec=_SIGNIFICANT_DIGITS, traps=[Inexact, InvalidOperation])
    try:
        amount = exact.quantize(Decimal(value), _LAST_PLACE)
    except (Inexact, InvalidOperation):
        raise _out_of_range() from None
    if not 0 < amount <= MAX_BUDGET_USD:
        raise _out_of_range()
    return int(amount * NANO)


def _out_of_range() -> PydanticCustomError:
    words = {"most": MAX_BUDGET_USD, "decimals": _DECIMALS}
    return PydanticCustomError("money_range", _MONEY_WANTED, words)


def _moment(value: object) -> float:
    """Seconds since 1970. A time without a zone is one of UTC."""
    if not isinstance(value, str):
        raise PydanticCustomError("moment_type", _MOMENT_WANTED)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise PydanticCustomError("moment", _MOMENT_WANTED) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since_1970 = moment.timestamp()
    if not 0 <= since_1970 < _NO_LATER:
        raise PydanticCustomError("moment", _MOMENT_WANTED)
    return since_1970


Nano = Annotated[
    int,
    BeforeValidator(_nano),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": MAX_BUDGET_USD}),
]
Moment = Annotated[
    float, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})
]
Count = Annotated[int, Field(ge=1, le=MAX_COUNT)]
# What a person can read: no control characters (a NUL is nothing that a database keeps), no blanks around it.
_READABLE = r"^[^\x00-\x20\x7f]([^\x00-\x1f\x7f]*[^\x00-\x20\x7f])?$"
Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=_READABLE)]
ModelPattern = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=_READABLE)]
LabelName = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=_READABLE)]
LabelText = Annotated[str, StringConstraints(max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")]
