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


@dataclass(eq=False, slots=True)
class SeenRequest:
    """One exchange. Instants are seconds of the monotonic clock.

    *left_at* is None unless the peer closed before the reply had ended; *finished_at* is None
    until the reply ended as planned, a planned fault included.
    """

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    connection: int
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
            "body": base64.b64encode(self.body).decode("ascii"),
            "connection": self.connection,
            "events_sent": self.events_sent,
            "arrived_at": self.arrived_at,
            "left_at": self.left_at,
            "finished_at": self.finished_at,
        }


class SeenRequests:
    """The exchanges in order of arrival, as a list that can be waited on; the newest 10,000."""

    def __init__(self) -> None:
        """Begin empty."""
        self._requests: deque[SeenRequest] = deque(maxlen=KEPT_REQUESTS)
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

    def arrived(self, request: Request, connection: int) -> SeenRequest:
        """Keep a request that has come in whole."""
        seen = SeenRequest(
            request.method, request.target, list(request.headers), request.body, connection
        )
        self._requests.append(seen)
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
