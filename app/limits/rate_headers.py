"""
The `x-ratelimit-*` headers of a reply (contract C5): what the caller may still take this minute.
"""

from typing import Final

from app.domain.limits import RateHeaders
from app.limits.counters import MS_NS, Rate, Verdict
from app.limits.durations import header_duration

_SECOND_NS: Final = 999_000_000  # above it, a millisecond more would be a second


def rate_headers(verdict: Verdict) -> RateHeaders | None:
    """The lines that say how *verdict* left the limits; None where there is no limit a minute."""
    requests, tokens = verdict.requests, verdict.tokens
    if requests is None and tokens is None:
        return None
    lines = b""
    # Literals, here where they are used: compiled code then formats by itself, at a fifth of the price.
    if requests is not None:
        lines = (
            b"x-ratelimit-limit-requests: %d\r\n"
            b"x-ratelimit-remaining-requests: %d\r\n"
            b"x-ratelimit-reset-requests: %b\r\n"
        ) % (requests.allowed, requests.remaining, _reset(requests))
    if tokens is not None:
        lines += (
            b"x-ratelimit-limit-tokens: %d\r\n"
            b"x-ratelimit-remaining-tokens: %d\r\n"
            b"x-ratelimit-reset-tokens: %b\r\n"
        ) % (tokens.allowed, tokens.remaining, _reset(tokens))
    return RateHeaders(lines, requests is not None, tokens is not None)


def rate_header_pairs(verdict: Verdict) -> tuple[tuple[bytes, bytes], ...]:
    """The same as names and values, for an error's reply."""
    headers = rate_headers(verdict)
    if headers is None:
        return ()
    pairs = (line.partition(b": ") for line in headers.lines.splitlines())
    return tuple((name, value) for name, _, value in pairs)


def _reset(rate: Rate) -> bytes:
    """Worked out here where the key is far from its limit, as most are: every reply pays for each call."""
    allowed, level = rate.allowed, rate.level
    if 0 < level < allowed * _SECOND_NS:
        return b"%dms" % -(-level // (allowed * MS_NS))
    return header_duration(rate.reset_ms).encode("ascii")
