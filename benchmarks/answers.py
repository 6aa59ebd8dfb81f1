"""Reading an answer as a client gets it, and whether it is the one the upstream gave."""

import json
from typing import Any, NamedTuple

from benchmarks.bodies import BURST_EVENTS, STAMP, TEXT

HEAD_END = b"\r\n\r\n"
CHUNKED_END = b"0\r\n\r\n"
_WORDS = "".join(f" {word}" for word in (TEXT.split() * 3)[: BURST_EVENTS - 2])


class Head(NamedTuple):
    """An answer's head. *length* of the body in bytes; None: it is chunked. *size*: of the head itself, in bytes."""

    status: int
    length: int | None
    closes: bool
    size: int


def read_head(data: bytes) -> Head | None:
    """The head at the start of *data*; None while it is not whole. Raises ValueError where framing is missing."""
    end = data.find(HEAD_END)
    if end < 0:
        return None
    text = data[: end + 2].lower()
    closes = b"\r\nconnection: close\r\n" in text
    status, size = int(data[9:12]), end + len(HEAD_END)
    place = text.find(b"\r\ncontent-length:")
    if place >= 0:
        length = int(text[place + 17 : text.find(b"\r\n", place + 17)])
        return Head(status, length, closes, size)
    if b"chunked" not in text:
        raise ValueError("neither a length nor chunks")
    return Head(status, None, closes, size)


def without_chunks(raw: bytes) -> bytes:
    """The body that *raw*, complete and without trailers, carries. Raises ValueError for what is no chunked body."""
    pieces: list[bytes] = []
    place = 0
    while True:
        line = raw.index(b"\r\n", place)
        size = int(raw[place:line], 16)
        if not size:
            return b"".join(pieces)
        place = line + 2 + size + 2
        pieces.append(raw[line + 2 : place - 2])


def is_completion(raw: bytes) -> bool:
    """Whether *raw*, with its chunks if it has any, is the small completion, however it is written."""
    try:
        said: Any = json.loads(raw if raw.startswith(b"{") else without_chunks(raw))
        return bool(
            said["choices"][0]["message"]["content"] == TEXT and said["usage"]["total_tokens"] == 99
        )
    except (ValueError, LookupError, TypeError):
        return False


def is_burst(raw: bytes) -> bool:
    """Whether *raw*, a chunked body, is the streamed answer with all its events."""
    # First what costs least: a proxy that changes nothing, or only where chunks begin, is told by counting.
    if raw.count(b'"index":0') == BURST_EVENTS and raw.endswith(b"[DONE]\n\n\r\n0\r\n\r\n"):
        return True
    try:
        body = without_chunks(raw)
    except ValueError:
        return False
    if body.count(b'"index":0') == BURST_EVENTS and body.endswith(b"data: [DONE]\n\n"):
        return True
    return _says_the_words(body)


def _says_the_words(body: bytes) -> bool:
    lines = [line[5:].strip() for line in body.splitlines() if line.startswith(b"data:")]
    if not lines or lines.pop() != b"[DONE]":
        return False
    try:
        chunks = [json.loads(line) for line in lines]
        deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
        return "".join(delta.get("content") or "" for delta in deltas) == _WORDS
    except (ValueError, LookupError, TypeError, AttributeError):
        return False


def is_trickle(raw: bytes, events: int) -> bool:
    """Whether *raw*, a chunked body, holds exactly *events* stamped events and the end."""
    try:
        body = without_chunks(raw)
    except ValueError:
        return False
    return body.count(STAMP) == events and b"data: [DONE]" in body[-64:]
