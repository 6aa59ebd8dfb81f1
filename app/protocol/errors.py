"""
The one renderer: an error of `app.domain.errors` as the bytes a client reads.

Nobody else writes the envelope `{"error": {"message", "type", "param", "code"}}` (contract F1); as a body and as
the last event of a stream it holds the same four keys.
"""

import math

import msgspec

from app.domain.errors import GatewayError, MethodNotAllowed, UpstreamAnswered

Headers = list[tuple[bytes, bytes]]

# Contract C13: some SDKs would sleep a longer wait inside the call.
LONGEST_SILENT_WAIT_SECONDS = 60
_NO_MESSAGE = "The request failed, and no reason was given."
_encoder = msgspec.json.Encoder()


def error_body(error: GatewayError) -> bytes:
    """The envelope with all four keys and a message; an upstream's own bytes where they are one (contract F1, F3)."""
    if isinstance(error, UpstreamAnswered) and error.body is not None:
        return error.body
    envelope = {
        "message": _encodable(error.message) or _NO_MESSAGE,
        "type": _encodable(error.type),
        "param": _encodable_or_null(error.param),
        "code": _encodable_or_null(error.code),
    }
    return _encoder.encode({"error": envelope})


def error_event(error: GatewayError) -> bytes:
    """The last event of a stream that failed: one line of data, no name, no `[DONE]` behind it (contract J1)."""
    # In JSON a line break stands only between tokens; there it would cut the event in two.
    body = error_body(error).replace(b"\r", b" ").replace(b"\n", b" ")
    return b"data: " + body + b"\n\n"


def error_headers(error: GatewayError) -> Headers:
    """Content type, and where they apply `allow`, the wait, and `x-should-retry: false` (contract C7, C12, C13, G1)."""
    headers: Headers = [(b"content-type", b"application/json")]
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", ", ".join(error.allow).encode("ascii")))
    wait = _wait_seconds(error.retry_after_seconds)
    if wait is not None:
        # Rounded to a nanosecond first: 0.139 * 1000 is a little more than 139.
        milliseconds = math.ceil(round(wait * 1000, 6))
        headers.append((b"retry-after", str(math.ceil(wait)).encode()))
        headers.append((b"retry-after-ms", str(milliseconds).encode()))
    if error.should_retry is False or (wait is not None and wait > LONGEST_SILENT_WAIT_SECONDS):
        headers.append((b"x-should-retry", b"false"))
    return headers


def _wait_seconds(seconds: float | None) -> float | None:
    """Never 0: on a 0 some SDKs try again at once, three times in 0.02 s (contract C12)."""
    if seconds is None or not math.isfinite(seconds):
        return None
    return seconds if seconds > 0 else 1.0


def _encodable(text: str) -> str:
    """A name that a client sent may hold half a character, which UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _encodable_or_null(text: str | None) -> str | None:
    return None if text is None else _encodable(text)
