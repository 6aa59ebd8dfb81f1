"""What an HTTP/1.1 answer looks like on the wire: heads and chunks, without I/O."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

LAST_CHUNK = b"0\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def head(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    """Status line and headers, with the blank line behind them."""
    lines = [f"HTTP/1.1 {status} {_reason(status)}", *(f"{n}: {v}" for n, v in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def chunk(data: bytes) -> bytes:
    """One chunk; nothing for no data, since an empty chunk would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def has_body(status: int) -> bool:
    """Whether an answer of this status may carry a body at all."""
    return status >= 200 and status not in (204, 304)


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Simulated"
