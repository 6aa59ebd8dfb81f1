"""Lines that stand in replies, rendered once: the first one of each, and those of chunks."""

from http import HTTPStatus
from typing import Final


def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode("ascii")


STATUS_LINES: Final = {status: _status_line(status) for status in (101, *range(200, 600))}
LAST_CHUNK: Final = b"0\r\n\r\n"
# Before a chunk of so many bytes; most events are smaller.
SIZE_LINES: Final = tuple(b"%x\r\n" % size for size in range(1024))
