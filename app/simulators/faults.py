"""
What happens on the socket (X20, X22, X23): an answer as a plan of steps, without I/O.

A step is a pause, bytes, silence until the peer leaves, an end (FIN) or a reset (RST). A plan
that runs out is a reply that ended well. `connection` performs plans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from app.simulators import http_writer
from app.simulators.control import Script
from app.simulators.replies import Reply
from app.simulators.streams import Piece, compressed, pieces_of

FILLER_BYTES = 200 * 1024


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Send:
    """Write these bytes in one go; the counts are of what they hold.

    *at_once*: right behind the bytes before, so that a peer that leaves at `[DONE]` has still
    been sent the whole reply.
    """

    data: bytes
    events: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """Say nothing until the peer leaves."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the connection in order: FIN."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Break the connection: RST."""


Step = Pause | Send | Hold | HangUp | Reset
_BREAKS: tuple[tuple[str, Step], ...] = (("reset", Reset()), ("cut", HangUp()), ("stall", Hold()))
_WRONG_LENGTH = {5: 10, 6: -10}  # garbage 5: Content-Length too long, 6: too short


def plan(reply: Reply, script: Script) -> Iterator[Step]:
    """The steps that send *reply* as *script* wants it."""
    for step in opening(script):
        yield step
        if isinstance(step, Reset | Hold | HangUp):
            return
    garbage = script.number("garbage")
    if garbage == 3:
        yield Send(http_writer.head(103, ()) * 20)
    if reply.pieces is not None and reply.length is not None:
        steps = _measured(reply, script, reply.length)
    else:
        steps = _stream(reply, script) if _is_chunked(reply, garbage) else _plain(reply, script)
    if "burst" in script:
        steps = _in_one_write(steps)
    yield from _byte_by_byte(steps) if "bytes" in script else steps


def opening(script: Script) -> Iterator[Step]:
    """What happens before the head of a reply; an end among it is the end."""
    if "refuse" in script:
        yield Reset()
        return
    if "half" in script:
        yield Hold()
        return
    yield from _pause(script, "head")
    at_once = _break_after(script, 0)
    if at_once is not None:
        yield at_once
        return
    if script.number("garbage") == 1:
        yield Send(b"this is no status line\r\n\r\n")
        yield HangUp()


def _is_chunked(reply: Reply, garbage: int | None) -> bool:
    if reply.pieces is not None and reply.length is None:
        return True
    return (reply.events is not None and garbage not in _WRONG_LENGTH) or garbage in (2, 7)


def _stream(reply: Reply, script: Script) -> Iterator[Step]:
    garbage = script.number("garbage")
    pieces = _pieces(reply, script)
    framing: tuple[tuple[str, str], ...] = (("transfer-encoding", "chunked"),)
    if garbage == 7:
        whole = list(pieces)
        pieces = iter(whole)
        framing += (("content-length", str(sum(len(piece.data) for piece in whole))),)
    yield Send(_head(reply, script, framing))
    if garbage == 2:
        yield Send(b"zz\r\n")
        yield HangUp()
        return
    yield from _pause(script, "ttft")
    yield from _events(reply, script, pieces, http_writer.chunk, _end_of_stream(script))


def _measured(reply: Reply, script: Script, length: int) -> Iterator[Step]:
    """Bytes with a length, piece by piece: a download of any size costs the same memory."""
    surplus = _WRONG_LENGTH.get(script.number("garbage") or 0, 0)
    yield Send(_head(reply, script, (("content-length", str(max(0, length + surplus))),)))
    yield from _pause(script, "ttft")
    yield from _events(reply, script, _pieces(reply, script), bytes, _measured_end(script, surplus))


def _measured_end(script: Script, surplus: int) -> Step | None:
    """None for a body that ended well."""
    broken = next((step for word, step in _BREAKS if word in script), None)
    return HangUp() if broken is None and ("eof" in script or surplus) else broken


def _events(
    reply: Reply,
    script: Script,
    pieces: Iterable[Piece],
    frame: Callable[[bytes], bytes],
    end: Step | None,
) -> Iterator[Step]:
    sent, prompt_tokens = 0, reply.prompt_tokens
    last_event = script.number("eof")
    for place, piece in enumerate(pieces):
        if last_event is not None and sent >= last_event:
            break
        if place:
            yield from _pause(script, "gap")
        yield Send(frame(piece.data), piece.events, prompt_tokens, piece.tokens)
        sent, prompt_tokens = sent + piece.events, 0
        broken = _break_after(script, sent)
        if broken is not None:
            yield broken
            return
    if end is not None:
        yield end


def _end_of_stream(script: Script) -> Step:
    """The last chunk, unless a break was asked for behind more events than there were."""
    for word, step in _BREAKS:
        if word in script:
            return step
    return Hold() if "open" in script else Send(http_writer.LAST_CHUNK, at_once=True)


def _plain(reply: Reply, script: Script) -> Iterator[Step]:
    """A reply with a length; a break after one event or more comes after half of the body."""
    pieces = list(_pieces(reply, script))
    body = b"".join(piece.data for piece in pieces)
    tokens = sum(piece.tokens for piece in pieces)
    if "eof" in script:
        body = body[: len(body) // 2]
    surplus = _WRONG_LENGTH.get(script.number("garbage") or 0, 0)
    length = str(max(0, len(body) + surplus))
    framing = (("content-length", length),) if http_writer.has_body(reply.status) else ()
    broken = _plain_break(script)
    if broken is not None:
        body = body[: len(body) // 2]
    head = _head(reply, script, framing)
    if not http_writer.has_body(reply.status):
        body = b""
    if "ttft" in script:
        yield Send(head)
        yield from _pause(script, "ttft")
        head = b""
    events = sum(piece.events for piece in pieces) if reply.events is not None else 0
    yield Send(head + body, events, reply.prompt_tokens, tokens)
    if broken is not None:
        yield broken
    elif surplus or reply.status < 200:
        yield HangUp()


def _plain_break(script: Script) -> Step | None:
    if "truncjson" in script:
        return HangUp()
    return next((step for word, step in _BREAKS if word in script), None)


def _pieces(reply: Reply, script: Script) -> Iterator[Piece]:
    if reply.pieces is not None:
        return (Piece(data, 1) for data in reply.pieces)
    if reply.events is not None:
        return pieces_of(reply.events, script)
    data = reply.body.data().encode("utf-8")
    if "gzip" in script and data:
        data = compressed(data)
    return iter((Piece(data, 0, reply.body.tokens),))


def _head(reply: Reply, script: Script, framing: tuple[tuple[str, str], ...]) -> bytes:
    headers = [("content-type", reply.content_type), *reply.headers]
    if "gzip" in script:
        headers.append(("content-encoding", "gzip"))
    if script.number("garbage") == 4:
        headers.append(("x-filler", "x" * FILLER_BYTES))
    return http_writer.head(reply.status, [*headers, *framing])


def _pause(script: Script, word: str) -> Iterator[Step]:
    seconds = script.seconds(word)
    if seconds:
        yield Pause(seconds)


def _break_after(script: Script, sent: int) -> Step | None:
    for word, step in _BREAKS:
        number = script.number(word)
        if number is not None and sent >= number:
            return step
    return None


def _in_one_write(steps: Iterator[Step]) -> Iterator[Step]:
    """What stands between two steps of another kind, in one write."""
    held: Send | None = None
    for step in steps:
        if isinstance(step, Send):
            held = step if held is None else _joined(held, step)
            continue
        if held is not None:
            yield held
            held = None
        yield step
    if held is not None:
        yield held


def _joined(one: Send, other: Send) -> Send:
    return Send(
        one.data + other.data,
        one.events + other.events,
        one.prompt_tokens + other.prompt_tokens,
        one.completion_tokens + other.completion_tokens,
    )


def _byte_by_byte(steps: Iterator[Step]) -> Iterator[Step]:
    """Each byte in a write of its own; what a step holds counts as sent with its last byte."""
    for step in steps:
        if not isinstance(step, Send):
            yield step
            continue
        for place in range(len(step.data) - 1):
            yield Send(step.data[place : place + 1])
        yield Send(step.data[-1:], step.events, step.prompt_tokens, step.completion_tokens)
