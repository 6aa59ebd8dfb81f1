"""What a dialect answers, before it becomes bytes: plain bodies, events, and refusals as values."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from app.simulators.session import Session

Json = dict[str, Any]
Kind = Literal["chunk", "finish", "usage", "done", "extra"]
JSON_TYPE = "application/json"
STREAM_TYPE = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event, or the one body of a plain reply.

    *text* is the data verbatim where *payload* is None; *name* is the `event:` line, *tokens*
    what this piece adds to the tokens given out.
    """

    payload: Json | list[Any] | None = None
    text: str = ""
    name: str = ""
    kind: Kind = "chunk"
    tokens: int = 0

    def data(self) -> str:
        """What stands behind `data:`."""
        return self.text if self.payload is None else compact(self.payload)


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer: *events* make a stream, *pieces* bytes, else *body* is all there is.

    *length* is that of all *pieces*, None for a chunked body. *session* makes a websocket of the
    connection; the rest of the reply then counts for nothing but its headers.

    *model* is the name asked for and *prompt_tokens* what it cost to ask; both serve the count
    of X5 only. Events and pieces may be lazy: they are walked once.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = JSON_TYPE
    body: Event = Event()
    events: Iterable[Event] | None = None
    model: str = ""
    prompt_tokens: int = 0
    pieces: Iterable[bytes] | None = None
    length: int | None = None
    session: Session | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """An error before it takes a dialect's shape. *loc* names the faulty member of a body."""

    status: int
    message: str
    code: str
    loc: tuple[str | int, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()


class RefusalError(Exception):
    """The request is refused; the dialect gives *problem* its shape."""

    def __init__(self, problem: Problem) -> None:
        """Carry *problem* to where it is written."""
        super().__init__(problem.message)
        self.problem = problem


DONE = Event(text="[DONE]", kind="done")


def json_reply(payload: Json | list[Any], status: int = 200, **more: Any) -> Reply:
    """A plain JSON reply."""
    return Reply(status=status, body=Event(payload=payload), **more)


def compact(payload: Json | list[Any]) -> str:
    """Compact JSON in the order of its keys, the same bytes each time (X3).

    Text stays as it is, U+2028 too, except where a lone surrogate has no UTF-8.
    """
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(payload, separators=(",", ":"))
    return text
