"""
One request's answer, from the moment the request goes out: its head is awaited, its body read or poured.

A response outlives its exchange: once the answer is whole its connection serves others, and what nobody read yet
waits here.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from app.wire.errors import WireError
from app.wire.requests import Fields

_MOST_WAITING_BYTES: Final = 64 * 1024  # of body that nobody took; then its connection is not read


class Source(Protocol):
    """The connection that a response comes from."""

    def pause(self) -> None:
        """Nothing more is read."""
        ...

    def resume(self) -> None:
        """Reading goes on."""
        ...

    def linger(self) -> None:
        """What still comes of the response is dropped."""
        ...

    def close(self) -> None:
        """The connection is ended at once."""
        ...


def _ignore(_: object) -> None:
    """Takes what nobody wants any more."""


class Response:
    """The answer to one request. *status* and *fields* are there once `head_came` was set, or *failure* is.

    *take* is handed each read's bytes of the body by the connection; the reader of the response calls the rest.
    *source*: None once the response is over.
    """

    __slots__ = (
        "_end",
        "_pieces",
        "_waiter",
        "_waiting_bytes",
        "failure",
        "fields",
        "head_came",
        "source",
        "status",
        "take",
    )

    def __init__(self, source: Source, head_came: asyncio.Future[None]) -> None:
        self.head_came = head_came
        self.source: Source | None = source
        self.status = 0
        self.fields: Fields = []
        self.failure: WireError | None = None
        self.take: Callable[[bytes], None] = self._keep
        self._end: Callable[[WireError | None], None] | None = None
        self._pieces: list[bytes] = []
        self._waiting_bytes = 0
        self._waiter: asyncio.Future[None] | None = None

    # --- for its reader -----------------------------------------------------------------------------------------------

    def whole(self) -> bytes | None:
        """The whole body, when the response has ended well and none of it was read; None otherwise."""
        if self.source is not None or self.failure is not None:
            return None
        pieces, self._pieces = self._pieces, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def read(self, patience_seconds: float) -> bytes | None:
        """The next bytes of the body; b"" at its end; None when *patience_seconds* passed without any.

        Raises the WireError that the response ended with.
        """
        if not self._pieces and self.source is not None and patience_seconds > 0:
            await self._news(patience_seconds)
        if self._pieces:
            return self._taken()
        if self.source is not None:
            return None
        if self.failure is not None:
            raise self.failure
        return b""

    def pour(self, take: Callable[[bytes], None], end: Callable[[WireError | None], None]) -> None:
        """From now on *take* is handed each read's bytes, and *end* the response's end, once.

        What is here already is handed over before this returns.
        """
        self._end = end
        if self.source is not None:
            self.take = take
        if self._pieces:
            take(self._taken())
        if self.source is None and self._end is not None:
            self._end = None
            end(self.failure)

    def pause(self) -> None:
        """Nothing more is read of it until `resume`."""
        if self.source is not None:
            self.source.pause()

    def resume(self) -> None:
        """Reading goes on."""
        if self.source is not None:
            self.source.resume()

    def release(self) -> None:
        """Nobody reads on: the connection may drop the rest and serve again. Nothing is handed out any more."""
        source, self.source = self.source, None
        self._end = None
        self._pieces.clear()
        if source is not None:
            self.take = _ignore
            source.linger()

    def close(self) -> None:
        """Nobody reads on: an unfinished response ends its connection. Nothing is handed out any more."""
        source, self.source = self.source, None
        self._end = None
        self._pieces.clear()
        if source is not None:
            self.take = _ignore
            source.close()

    # --- for its connection -------------------------------------------------------------------------------------------

    def answered(self, status: int, fields: Fields) -> None:
        """The head is there."""
        self.status = status
        self.fields = fields
        if not self.head_came.done():
            self.head_came.set_result(None)

    def ended(self, failure: WireError | None) -> None:
        """Nothing more comes; *failure* is None when the response is whole."""
        self.source = None
        self.failure = failure
        self.take = _ignore  # else it would refer to itself, and wait for the garbage collector
        if not self.head_came.done():
            self.head_came.set_result(None)
        if self._waiter is not None:
            self._wake(self._waiter)
        if self._end is not None:
            end, self._end = self._end, None
            end(failure)

    # ------------------------------------------------------------------------------------------------------------------

    def _keep(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._waiting_bytes += len(piece)
        if self._waiting_bytes > _MOST_WAITING_BYTES:
            self.pause()
        if self._waiter is not None:
            self._wake(self._waiter)

    def _taken(self) -> bytes:
        pieces = self._pieces
        piece = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._waiting_bytes = 0
        self.resume()
        return piece

    async def _news(self, patience_seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._waiter = waiter = loop.create_future()
        timer = loop.call_later(patience_seconds, self._wake, waiter)
        try:
            await waiter
        finally:
            self._waiter = None
            timer.cancel()

    @staticmethod
    def _wake(waiter: asyncio.Future[None]) -> None:
        if not waiter.done():
            waiter.set_result(None)
