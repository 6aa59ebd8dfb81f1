"""
Amounts of money, exactly as a person wrote them: 2.50 is two dollars and a half, not the binary number nearest to it.

YAML and JSON are read with WrittenNumber for fractions, so that nothing is rounded between the file and the ledger.
"""

import re
from decimal import Context, Decimal, Inexact
from functools import partial
from math import isfinite
from typing import Annotated, Self

from pydantic import BeforeValidator

_NUMBER = re.compile(r"[+-]?([0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)([eE][+-]?[0-9]{1,3})?")
_EXACT = Context(prec=40, traps=[Inexact])

NANO_PLACES = 9  # decimals of a dollar that a nano-dollar has
PICO_PLACES = 12
_PER_MILLION = 6  # of these, a price for a million gives so many to the one

# A budget of all that fits into 64 bits of nano-dollars, and prices that cannot fill them in one exchange.
_LARGEST_BUDGET = 1_000_000_000
_LARGEST_PRICE = 1_000_000


class WrittenNumber(float):
    """A number that still knows its digits."""

    text: str

    def __new__(cls, text: str, value: float | None = None) -> Self:
        """*value*: what *text* means where float() would not read it, as `1_000.5` or `.inf` in YAML."""
        number = super().__new__(cls, text if value is None else value)
        number.text = text
        return number


def nano_dollars(dollars: Decimal) -> int:
    """*dollars*, a Budget, in nano-dollars."""
    return int(dollars.scaleb(NANO_PLACES))


def pico_dollars(dollars: Decimal) -> int:
    """*dollars*, a Price for one, in pico-dollars."""
    return int(dollars.scaleb(PICO_PLACES))


def pico_dollars_each(dollars_per_million: Decimal) -> int:
    """*dollars_per_million*, a PricePerMillion, in pico-dollars for one."""
    return int(dollars_per_million.scaleb(PICO_PLACES - _PER_MILLION))


def _dollars(value: object, *, places: int, most: int, unit: str, may_be_zero: bool) -> Decimal:
    """*value* with exactly *places* decimals; a ValueError, with what would be right, if that would change it."""
    amount = _written(value)
    if amount < 0 or (amount == 0 and not may_be_zero):
        raise ValueError("must be at least 0" if may_be_zero else "must be more than 0")
    if amount > most:
        raise ValueError(f"must be at most {most}")
    try:
        return amount.quantize(Decimal((0, (1,), -places)), context=_EXACT)
    except Inexact:
        raise ValueError(f"must have at most {places} decimals; it is counted in {unit}") from None


def _written(value: object) -> Decimal:
    if isinstance(value, float) and not isfinite(value):
        raise ValueError("needs a number that is not infinite")
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("needs a number")
    if isinstance(value, int):
        return Decimal(value)
    text = value.text if isinstance(value, WrittenNumber) else str(value).strip()
    if not _NUMBER.fullmatch(text):
        raise ValueError("needs a number")
    return Decimal(text)


Budget = Annotated[
    Decimal,
    BeforeValidator(
        partial(
            _dollars,
            places=NANO_PLACES,
            most=_LARGEST_BUDGET,
            unit="nano-dollars",
            may_be_zero=False,
        )
    ),
]
Price = Annotated[
    Decimal,
    BeforeValidator(
        partial(
            _dollars,
            places=PICO_PLACES,
            most=_LARGEST_PRICE,
            unit="pico-dollars",
            may_be_zero=True,
        )
    ),
]
PricePerMillion = Annotated[
    Decimal,
    BeforeValidator(
        partial(
            _dollars,
            places=PICO_PLACES - _PER_MILLION,
            most=_LARGEST_PRICE,
            unit="pico-dollars for each",
            may_be_zero=True,
        )
    ),
]
