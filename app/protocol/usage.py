"""What an upstream says about tokens: whole, partial or nothing (contract E4, I10; upstreams S4)."""

import msgspec

from app.domain.usage import Usage
from app.protocol.lossless import UNREADABLE


class _Counts(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int


class _WholeCounts(_Counts):
    total_tokens: int


class _Details(msgspec.Struct):
    cached_tokens: int = 0


class _Cached(msgspec.Struct):
    prompt_tokens_details: _Details | None = None


_COUNTS = msgspec.json.Decoder(_Counts)
_WHOLE = msgspec.json.Decoder(_WholeCounts)
_CACHED = msgspec.json.Decoder(_Cached)


def read_usage(value: bytes | msgspec.Raw | None) -> Usage | None:
    """The tokens of a `usage` member, for accounting; None when it lacks input or output.

    A missing total does not matter here; a client only ever sees a whole one (is_whole).
    """
    if value is None:
        return None
    try:
        counts = _COUNTS.decode(value)
    except UNREADABLE:
        return None
    if counts.prompt_tokens < 0 or counts.completion_tokens < 0:
        return None
    cached = min(_cached_tokens(value), counts.prompt_tokens)
    return Usage(counts.prompt_tokens, counts.completion_tokens, cached)


def is_whole(value: bytes | msgspec.Raw) -> bool:
    """Whether a client may see it: all three counts are there, as integers (contract E4)."""
    try:
        _WHOLE.decode(value)
    except UNREADABLE:
        return False
    return True


def _cached_tokens(value: bytes | msgspec.Raw) -> int:
    try:
        details = _CACHED.decode(value).prompt_tokens_details
    except UNREADABLE:
        return 0
    return max(0, details.cached_tokens) if details is not None else 0
