"""Bytes that are downloaded (X6): whole or by `Range`, kept ones or as many as `mib=n` says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from app.simulators.control import Script
from app.simulators.dialect import Call
from app.simulators.replies import Problem, RefusalError, Reply

PIECE_BYTES = 64 * 1024
BINARY_TYPE = "application/octet-stream"
_PATTERN = bytes(range(256)) * (PIECE_BYTES // 256)
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True, slots=True)
class Content:
    """So many bytes, and how to come by those from one place to another (PIECE_BYTES at most)."""

    length: int
    read: Callable[[int, int], bytes]

    def pieces(self, start: int, stop: int) -> Iterator[bytes]:
        """Those bytes, a piece at a time."""
        for place in range(start, stop, PIECE_BYTES):
            yield self.read(place, min(place + PIECE_BYTES, stop))


def content_of(kept: bytes) -> Content:
    """Bytes that are there."""
    return Content(len(kept), lambda start, stop: kept[start:stop])


def made_up(script: Script) -> Content | None:
    """As many MiB as `mib` says: 0, 1 … 255, over and over. None when it was not said."""
    size = script.number("mib")
    return None if size is None else Content(size * 1024 * 1024, _pattern)


def download(call: Call, content: Content) -> Reply:
    """The content as a reply: 200, 206 to a range, 416 to one that cannot be."""
    asked = call.request.header("range")
    start, stop = (0, content.length) if asked is None else _bounds(asked, content.length)
    headers: tuple[tuple[str, str], ...] = (("accept-ranges", "bytes"),)
    if asked is not None:
        headers += (("content-range", f"bytes {start}-{stop - 1}/{content.length}"),)
    return Reply(
        status=200 if asked is None else 206,
        headers=headers,
        content_type=BINARY_TYPE,
        pieces=content.pieces(start, stop),
        length=stop - start,
    )


def _pattern(start: int, stop: int) -> bytes:
    shift = start % 256
    return (_PATTERN + _PATTERN[:256])[shift : shift + stop - start]


def _bounds(asked: str, length: int) -> tuple[int, int]:
    match = _RANGE.fullmatch(asked)
    first, last = match.groups() if match else ("", "")
    if first:
        start, stop = int(first), min(int(last) + 1, length) if last else length
    else:
        start, stop = max(0, length - int(last or 0)), length
    if start >= stop:
        headers = (("content-range", f"bytes */{length}"),)
        raise RefusalError(Problem(416, "No such range.", "range_not_satisfiable", headers=headers))
    return start, stop
