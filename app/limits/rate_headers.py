"""
The `x-ratelimit-*` headers of a reply (contract C5): what the caller may still take this minute.
"""

from app.domain.limits import RateHeaders
from app.limits.counters import Rate, Verdict
from app.limits.durations import header_duration

_SECOND_MS = 1000


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
    reset_ms = rate.reset_ms
    if 0 < reset_ms < _SECOND_MS:  # a key that is far from its limit, as most are
        return rate.allowed, rate.remaining, b"%dms" % reset_ms
    return rate.allowed, rate.remaining, header_duration(reset_ms).encode("ascii")


def _template(what: bytes) -> bytes:
    names = (b"limit-%b: %%d", b"remaining-%b: %%d", b"reset-%b: %%b")
    return b"".join(b"x-ratelimit-" + name % what + b"\r\n" for name in names)


_REQUEST_LINES = _template(b"requests")
_TOKEN_LINES = _template(b"tokens")
_ALL_LINES = _REQUEST_LINES + _TOKEN_LINES
