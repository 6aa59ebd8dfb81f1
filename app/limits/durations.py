"""
Waits as OpenAI writes them: `120ms` and `6m0s` in headers (contract C5), `120ms` and `1.234s` in messages (F36).
"""

_SECOND_MS = 1000
_MINUTE_MS = 60 * _SECOND_MS
_HOUR_MS = 60 * _MINUTE_MS


def milliseconds(nanoseconds: int) -> int:
    """Rounded up: who waits so long has waited long enough."""
    return -(-nanoseconds // 1_000_000)


def header_duration(duration_ms: int) -> str:
    """`0s`, `120ms`, `1.5s`, `6m0s`, `2h0m0s`."""
    if duration_ms < _MINUTE_MS:
        return spoken_duration(duration_ms)
    minutes, rest_ms = divmod(duration_ms, _MINUTE_MS)
    seconds = _seconds(rest_ms)
    if duration_ms < _HOUR_MS:
        return f"{minutes}m{seconds}"
    return f"{minutes // 60}h{minutes % 60}m{seconds}"


def spoken_duration(duration_ms: int) -> str:
    """`120ms`, `1.5s`, `72s`: never minutes, for clients look for seconds in a message (contract P16)."""
    if 0 < duration_ms < _SECOND_MS:
        return f"{duration_ms}ms"
    return _seconds(duration_ms)


def _seconds(duration_ms: int) -> str:
    return f"{duration_ms / 1000:.10g}s"
