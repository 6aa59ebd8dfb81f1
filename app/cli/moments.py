"""Moments and durations as a person types and reads them. All times are UTC; inside, seconds since 1970."""

import re
from datetime import UTC, datetime
from typing import Final

import typer

_UNIT_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION: Final = re.compile(r"([0-9]{1,9})([smhdw])")
_STEPS: Final = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
FORMS: Final = "2026-12-31, 2026-12-31T18:00:00Z"


def now_seconds() -> float:
    """The wall clock."""
    return datetime.now(UTC).timestamp()


def read_duration(text: str, option: str) -> int:
    """The seconds that *text* says: `90`, `30s`, `5m`, `12h`, `7d` or `2w`. Raises typer.BadParameter."""
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return int(text)
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter(
            f"{text!r} is no duration; write 30m, 12h or 7d", param_hint=option
        )
    return int(match[1]) * _UNIT_SECONDS[match[2]]


def read_past(text: str, option: str, now: float) -> float:
    """The moment that *text* says: a date, a time, or how long ago, such as `7d`. Raises typer.BadParameter."""
    match = _DURATION.fullmatch(text.strip())
    if match is not None:
        return now - int(match[1]) * _UNIT_SECONDS[match[2]]
    return _read_date(text, option, "or how long ago: 12h, 7d")


def read_future(text: str, option: str, now: float) -> float:
    """The moment that *text* says: a date, a time, or how far ahead, such as `30d`. Raises typer.BadParameter."""
    match = _DURATION.fullmatch(text.strip())
    if match is not None:
        return now + int(match[1]) * _UNIT_SECONDS[match[2]]
    return _read_date(text, option, "or how long from now: 12h, 30d")


def _read_date(text: str, option: str, else_write: str) -> float:
    try:
        read = datetime.fromisoformat(text.strip())
        zoned = read if read.tzinfo else read.replace(tzinfo=UTC)
        return zoned.timestamp()
    except (ValueError, OverflowError):
        message = f"{text!r} is no time; write {FORMS}, {else_write}"
        raise typer.BadParameter(message, param_hint=option) from None


def iso(seconds: float) -> str:
    """*seconds* as the admin API takes it: RFC 3339 in UTC, to the second."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(value: object) -> float | None:
    """A time of the admin API in seconds since 1970; None for none, and for what is no time."""
    if isinstance(value, int | float):
        return float(value)
    try:
        read = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


def shown(value: object, now: float) -> str:
    """A time of the admin API for a person: `2026-11-22 11:40 (3 min ago)`; "" for none."""
    seconds = moment(value)
    if seconds is None:
        return ""
    return f"{absolute(seconds)} ({relative(seconds - now)})"


def absolute(seconds: float) -> str:
    """*seconds* to the minute, UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


def relative(ahead_seconds: float) -> str:
    """How far off, in the largest unit that fits: `in 2 h`, `3 d ago`, `now`."""
    whole = round(abs(ahead_seconds))
    for name, length in _STEPS:
        if whole >= length:
            words = f"{round(whole / length):,} {name}"
            return f"in {words}" if ahead_seconds > 0 else f"{words} ago"
    return "now"
