"""What an upstream says about tokens: whole, partial or nothing (contract E4, I10; upstreams S4)."""

from typing import Final

import msgspec

from app.domain.usage import Usage
from app.protocol.lossless import UNREADABLE


class _Details(msgspec.Struct, gc=False):
    cached_tokens: int | None = None


class WholeCounts(msgspec.Struct, gc=False):
    """A `usage` as nearly every upstream writes it; any other is not readable as one."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: _Details | None = None

    def usage(self) -> Usage | None:
        """The tokens, for accounting; None when they are below nought."""
        prompt, completion = self.prompt_tokens, self.completion_tokens
        if prompt < 0 or completion < 0:
            return None
        details = self.prompt_tokens_details
        cached = (details.cached_tokens or 0) if details is not None else 0
        return Usage(prompt, completion, min(cached, prompt) if cached > 0 else 0)


class _Counts(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int


class _AllCounts(_Counts):
    total_tokens: int


class _Cached(msgspec.Struct):
    prompt_tokens_details: _Details | None = None


_WHOLE_COUNTS: Final = msgspec.json.Decoder(WholeCounts)
_COUNTS: Final = msgspec.json.Decoder(_Counts)
_ALL_COUNTS: Final = msgspec.json.Decoder(_AllCounts)
_CACHED: Final = msgspec.json.Decoder(_Cached)


def read_usage(value: bytes | msgspec.Raw | None) -> Usage | None:
    """The tokens of a `usage` member, for accounting; None when it lacks input or output.

    A missing total does not matter here; a client only ever sees a whole one (is_whole).
    """
    if value is None:
        return None
    try:
        return _WHOLE_COUNTS.decode(value).usage()
    except UNREADABLE:
        return _partial_usage(value)


def read_counts(value: bytes | msgspec.Raw) -> tuple[Usage | None, bool]:
    """What `read_usage` and `is_whole` say of it, in one decode of nearly every usage."""
    try:
        return _WHOLE_COUNTS.decode(value).usage(), True
    except UNREADABLE:
        return _partial_usage(value), is_whole(value)


def is_whole(value: bytes | msgspec.Raw) -> bool:
    """Whether a client may see it: all three counts are there, as integers (contract E4)."""
    try:
        _ALL_COUNTS.decode(value)
    except UNREADABLE:
        return False
    return True


def _partial_usage(value: bytes | msgspec.Raw) -> Usage | None:
    """The same where the total is missing or the details are odd."""
    try:
        counts = _COUNTS.decode(value)
    except UNREADABLE:
        return None
    cached = _Details(_cached_tokens(value))
    return WholeCounts(counts.prompt_tokens, counts.completion_tokens, 0, cached).usage()


def _cached_tokens(value: bytes | msgspec.Raw) -> int:
    try:
        details = _CACHED.decode(value).prompt_tokens_details
    except UNREADABLE:
        return 0
    return (details.cached_tokens or 0) if details is not None else 0
