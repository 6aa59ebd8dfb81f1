"""What arrived and what was given out (X5): the witnesses that tests question."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, overload

from app.simulators.http_reader import Request

KEPT_REQUESTS = 10_000  # a simulator that runs for days must not grow without end
KEPT_BODY_BYTES = 256 * 1024 * 1024  # of all of them together
SHOWN_BODY_BYTES = 1024 * 1024  # of a longer body, the witness route tells size and hash alone


@dataclass(eq=False, slots=True)
class SeenSocket:
    """What went over a websocket. *close_code* is the peer's: None while open, 1006 when cut."""

    messages_in: int = 0
    messages_out: int = 0
    bytes_in: int = 0
    close_code: int | None = None
    close_reason: str = ""

    def as_json(self) -> dict[str, Any]:
        """The member `socket` of a row of GET /_sim/requests."""
        return {
            "messages_in": self.messages_in,
            "messages_out": self.messages_out,
            "bytes_in": self.bytes_in,
            "close_code": self.close_code,
            "close_reason": self.close_reason,
        }


@dataclass(eq=False, slots=True)
class SeenRequest:
    """One exchange. Instants are seconds of the monotonic clock.

    *left_at* is None unless the peer closed before the reply had ended; *finished_at* is None
    until the reply ended as planned, a planned fault included. *is_whole* is False when the peer
    left before its body was in; *size* and *sha256* are of what came. Of a form above 1 MiB *body*
    is empty.
    """

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    connection: int
    size: int = 0
    sha256: str = ""
    is_whole: bool = True
    socket: SeenSocket | None = None
    arrived_at: float = field(default_factory=time.monotonic)
    events_sent: int = 0
    left_at: float | None = None
    finished_at: float | None = None

    def header(self, name: str) -> str | None:
        """The first value of the header *name*, without regard to case; None when absent."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    def json(self) -> Any:
        """The body as JSON. Raises ValueError when it is none."""
        return json.loads(self.body)

    def as_json(self) -> dict[str, Any]:
        """The row of GET /_sim/requests."""
        return {
            "method": self.method,
            "target": self.target,
            "headers": [list(pair) for pair in self.headers],
            "body": self._shown_body(),
            "size": self.size,
            "sha256": self.sha256,
            "is_whole": self.is_whole,
            "socket": None if self.socket is None else self.socket.as_json(),
            "connection": self.connection,
            "events_sent": self.events_sent,
            "arrived_at": self.arrived_at,
            "left_at": self.left_at,
            "finished_at": self.finished_at,
        }

    def _shown_body(self) -> str | None:
        """In base64; None when it was too long to show."""
        shown = self.size <= SHOWN_BODY_BYTES
        return base64.b64encode(self.body).decode("ascii") if shown else None


class SeenRequests:
    """The exchanges in order of arrival, as a list that can be waited on; the newest of them."""

    def __init__(self) -> None:
        """Begin empty."""
        self._requests: deque[SeenRequest] = deque()
        self._kept_bytes = 0  # of their bodies
        self._waiting: list[asyncio.Future[None]] = []
        self._given: dict[str, dict[str, int]] = {}

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._requests)

    def __iter__(self) -> Iterator[SeenRequest]:
        """Oldest first, over a copy: arrivals do not disturb the loop."""
        return iter(list(self._requests))

    @overload
    def __getitem__(self, index: int) -> SeenRequest: ...
    @overload
    def __getitem__(self, index: slice) -> list[SeenRequest]: ...
    def __getitem__(self, index: int | slice) -> SeenRequest | list[SeenRequest]:
        """As of a list."""
        return list(self._requests)[index] if isinstance(index, slice) else self._requests[index]

    @property
    def last(self) -> SeenRequest:
        """The newest. Raises IndexError when nothing arrived."""
        return self._requests[-1]

    def clear(self) -> None:
        """Forget the exchanges; the tokens given out stay counted."""
        self._requests.clear()
        self._kept_bytes = 0

    def arrived(self, request: Request, connection: int) -> SeenRequest:
        """Keep a request that has come in, or what came of one whose peer left."""
        seen = SeenRequest(
            request.method,
            request.target,
            list(request.headers),
            request.body,
            connection,
            request.size,
            request.sha256,
            request.is_whole,
        )
        self._requests.append(seen)
        self._kept_bytes += len(seen.body)
        while len(self._requests) > KEPT_REQUESTS or self._kept_bytes > KEPT_BODY_BYTES:
            self._kept_bytes -= len(self._requests.popleft().body)
        self.changed()
        return seen

    def changed(self) -> None:
        """Wake whoever waits, to look again."""
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
        self._waiting.clear()

    async def wait_for(
        self, predicate: Callable[[SeenRequest], object], timeout_seconds: float
    ) -> SeenRequest:
        """The first exchange that satisfies *predicate*, now or later. Raises TimeoutError."""
        async with asyncio.timeout(timeout_seconds):
            while True:
                for seen in self:
                    if predicate(seen):
                        return seen
                waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._waiting.append(waiting)
                await waiting

    def given_out(self, model: str, prompt_tokens: int, completion_tokens: int) -> None:
        """Count tokens that have left for the peer."""
        row = self._given.setdefault(model, {"prompt_tokens": 0, "completion_tokens": 0})
        row["prompt_tokens"] += prompt_tokens
        row["completion_tokens"] += completion_tokens

    def usage(self) -> dict[str, dict[str, int]]:
        """Tokens given out per model name as it was asked for; of a cut answer, what was sent."""
        return {model: dict(row) for model, row in self._given.items()}

    def clear_usage(self) -> None:
        """Begin counting tokens anew."""
        self._given.clear()
