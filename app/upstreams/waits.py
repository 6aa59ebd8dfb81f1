"""How long an upstream asks to be left alone: the headers of its refusal, read into seconds (contract C12)."""

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

HeaderSource = Mapping[str, str] | Iterable[tuple[str, str]]

# Nobody waits longer inside a call; some clients keep the figure in 32 bits.
LONGEST_WAIT_SECONDS = 86_400.0
_NUMBER = re.compile(r"\d{1,15}(?:\.\d{1,15})?", re.ASCII)


def retry_after_seconds(headers: HeaderSource, now_seconds: float | None = None) -> float | None:
    """Seconds the upstream asks us to wait, a day at most; None when it does not say. Never 0, never negative.

    The millisecond header wins over the seconds header. A date is read against *now_seconds*, else against the
    reply's own `date`, which no difference between two clocks can spoil. Raises nothing: an unreadable value counts
    as absent. Source: contract C12.
    """
    found = lower_case(headers)
    now = now_seconds if now_seconds is not None else _timestamp(found.get("date"))
    waits = (
        _number(found.get("retry-after-ms"), 1000),
        _number(found.get("retry-after"), 1),
        _until(_timestamp(found.get("retry-after")), now),
    )
    wait = next((wait for wait in waits if wait is not None and wait > 0), None)
    return None if wait is None else min(wait, LONGEST_WAIT_SECONDS)


def lower_case(headers: HeaderSource) -> dict[str, str]:
    """*headers* by lower-case name; of several with one name, the last."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return {name.lower(): value for name, value in pairs}


def _number(text: str | None, parts_of_a_second: int) -> float | None:
    if text is None or not _NUMBER.fullmatch(text.strip()):
        return None
    return float(text) / parts_of_a_second


def _until(then: float | None, now: float | None) -> float | None:
    return None if then is None or now is None else math.ceil(then - now)


def _timestamp(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
