"""How the events of a stream are spelled in bytes (X26, `gzip` of X28), piece by piece."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from app.simulators.control import Script
from app.simulators.replies import Event

BYTE_ORDER_MARK = "\ufeff"
_GZIP_WINDOW = 31  # zlib writes a gzip head with time 0: the same bytes each time


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that leave in one write, with the events and tokens in them."""

    data: bytes
    events: int = 0
    tokens: int = 0


def pieces_of(events: Iterable[Event], script: Script) -> Iterator[Piece]:
    """The pieces of a stream, one event each."""
    pieces = _spelled(events, script)
    return _compressed(pieces) if "gzip" in script else pieces


def compressed(data: bytes) -> bytes:
    """*data* as one gzip body."""
    squeeze = zlib.compressobj(wbits=_GZIP_WINDOW)
    return squeeze.compress(data) + squeeze.flush()


def _spelled(events: Iterable[Event], script: Script) -> Iterator[Piece]:
    end = _line_end(script)
    held: Piece | None = None  # `noblank` changes the last event, so each waits for the next
    for place, event in enumerate(events):
        if held is not None:
            yield held
        text = _event_text(event, script, end)
        if "noise" in script:
            lines = (": comment", "", f"id: {place}", "retry: 10", "", "event: noise", "", text)
            text = end.join(lines)
        if place == 0 and "bom" in script:
            text = BYTE_ORDER_MARK + text
        piece = Piece(text.encode("utf-8"), 1, event.tokens)
        held = piece if "noblank" in script else None
        if held is None:
            yield piece
    if held is not None:
        yield Piece(held.data[: -len(end)], held.events, held.tokens)


def _line_end(script: Script) -> str:
    if "crlf" in script:
        return "\r\n"
    return "\r" if "cr" in script else "\n"


def _event_text(event: Event, script: Script, end: str) -> str:
    field = "data:" if "nospace" in script else "data: "
    lines = [f"event: {event.name}"] if event.name else []
    if "multiline" in script and event.payload is not None:
        # newlines only between tokens: the joined lines are the same JSON
        text = json.dumps(event.payload, indent=0)
        lines += [field + line for line in text.split("\n")]
    else:
        lines.append(field + event.data())
    return end.join(lines) + end + end


def _compressed(pieces: Iterator[Piece]) -> Iterator[Piece]:
    squeeze = zlib.compressobj(wbits=_GZIP_WINDOW)
    for piece in pieces:
        data = squeeze.compress(piece.data) + squeeze.flush(zlib.Z_SYNC_FLUSH)
        yield Piece(data, piece.events, piece.tokens)
    yield Piece(squeeze.flush())
