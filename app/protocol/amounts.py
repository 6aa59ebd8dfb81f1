"""Money and moments as JSON has them: exact digits, ISO 8601 in UTC."""

from datetime import UTC, datetime

import msgspec

_NANO_DECIMALS = 9


def decimal_number(value: int, decimals: int) -> msgspec.Raw:
    """*value* / 10^*decimals* as a JSON number with every digit that counts and no rounding."""
    whole, fraction = divmod(abs(value), 10**decimals)
    text = f"{whole}.{fraction:0{decimals}d}".rstrip("0").rstrip(".")
    return msgspec.Raw(f"{'-' if value < 0 else ''}{text}".encode())


def usd(nano: int) -> msgspec.Raw:
    """Nano-dollars as dollars."""
    return decimal_number(nano, _NANO_DECIMALS)


def utc(milliseconds: int) -> str:
    """Milliseconds since 1970 as a time of ISO 8601 in UTC."""
    seconds, rest = divmod(milliseconds, 1000)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 1000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
