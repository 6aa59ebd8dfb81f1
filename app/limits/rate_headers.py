"""
The `x-ratelimit-*` headers of a reply (contract C5): what the caller may still take this minute.
"""

from app.domain.limits import RateHeaders
from app.limits.counters import MINUTE_NS, Rate, Verdict
from app.limits.durations import header_duration

_MS_NS, _SECOND_NS = 1_000_000, 999_000_000  # above it, a millisecond more would be a second


def rate_headers(verdict: Verdict) -> RateHeaders | None:
    """The lines that say how *verdict* left the limits; None where there is no limit a minute."""
    requests, tokens = verdict.requests, verdict.tokens
    if requests is None:
        if tokens is None:
            return None
        lines = _TOKEN_LINES % _values(tokens)
    elif tokens is None:
        lines = _REQUEST_LINES % _values(requests)
    else:
        lines = _ALL_LINES % (_values(requests) + _values(tokens))
    return RateHeaders(lines, requests is not None, tokens is not None)


def rate_header_pairs(verdict: Verdict) -> tuple[tuple[bytes, bytes], ...]:
    """The same as names and values, for an error's reply."""
    headers = rate_headers(verdict)
    if headers is None:
        return ()
    pairs = (line.partition(b": ") for line in headers.lines.splitlines())
    return tuple((name, value) for name, _, value in pairs)


def _values(rate: Rate) -> tuple[int, int, bytes]:
    """Worked out here where the key is far from its limit, as most are: every reply pays for each call."""
    allowed, level = rate.allowed, rate.level
    if 0 < level < allowed * _SECOND_NS:
        return allowed, allowed + -level // MINUTE_NS, b"%dms" % -(-level // (allowed * _MS_NS))
    return allowed, rate.remaining, header_duration(rate.reset_ms).encode("ascii")


def _template(what: bytes) -> bytes:
    names = (b"limit-%b: %%d", b"remaining-%b: %%d", b"reset-%b: %%b")
    return b"".join(b"x-ratelimit-" + name % what + b"\r\n" for name in names)


_REQUEST_LINES = _template(b"requests")
_TOKEN_LINES = _template(b"tokens")
_ALL_LINES = _REQUEST_LINES + _TOKEN_LINES
