"""
A request's body as it comes, to the one who takes it piece by piece.

Little of it is held: while more than a quarter of a megabyte waits, the client's socket is not read (reliability R4).
A piece is what one read of the socket brought, or one large chunk of it, which is not copied here.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from app.domain.errors import ClientError
from app.edge.head_rules import body_too_large

_MOST_WAITING_BYTES = 256 * 1024
_FEW_WAITING_BYTES = 128 * 1024  # reading goes on from here
_LARGE_BYTES = 16 * 1024  # on average: such pieces are not put together


class BodyStream:
    """An asynchronous iterator. *is_flooded*: nothing more should be read. *is_awaited*: it is the client's turn.

    *mind* is called when *is_flooded* has changed back, *ask* before it is waited for the client.
    """

    __slots__ = (
        "_ask",
        "_failure",
        "_left_bytes",
        "_mind",
        "_most_bytes",
        "_pieces",
        "_waiter",
        "_waiting_bytes",
        "is_flooded",
        "is_gone",
        "is_whole",
    )

    def __init__(self, most_bytes: int, mind: Callable[[], None], ask: Callable[[], None]) -> None:
        self._most_bytes = self._left_bytes = most_bytes
        self._mind = mind
        self._ask = ask
        self._pieces: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._waiter: asyncio.Future[None] | None = None
        self._failure: ClientError | None = None
        self.is_flooded = self.is_whole = self.is_gone = False

    @property
    def is_awaited(self) -> bool:
        """True while nothing but the client is waited for."""
        return self._waiter is not None

    def add(self, pieces: list[bytes]) -> int:
        """*pieces* have come, which are so many bytes; the list may be used again. Too much is the end: whoever takes
        the pieces meets RequestTooLarge (F33)."""
        size = sum(map(len, pieces))
        if self._failure is not None or self.is_gone or not size:
            return size
        self._left_bytes -= size
        if self._left_bytes < 0:
            self.fail(body_too_large(self._most_bytes))
            return size
        if size >= _LARGE_BYTES * len(pieces):
            self._pieces.extend(pieces)
        else:
            self._pieces.append(b"".join(pieces))
        self._waiting_bytes += size
        if self._waiting_bytes > _MOST_WAITING_BYTES:
            self.is_flooded = True
        if self._waiter is not None:
            self._wake()
        return size

    def end(self) -> None:
        """All of it has come."""
        self.is_whole = True
        self._wake()

    def fail(self, error: ClientError) -> None:
        """The rest will never come: who takes the pieces meets *error*, before those that wait."""
        self._failure = self._failure or error
        self.is_flooded = True
        self._forget()
        self._wake()

    def leave(self) -> None:
        """The client has gone: who waits is about to be cancelled."""
        self.is_gone = True
        self._forget()

    def __aiter__(self) -> "BodyStream":
        return self

    async def __anext__(self) -> bytes:
        """The next piece. Raises the ClientError that the body ended with."""
        while not self._pieces:
            if self._failure is not None:
                raise self._failure
            if self.is_whole and not self.is_gone:
                raise StopAsyncIteration
            await self._news()
        piece = self._pieces.popleft()
        self._waiting_bytes -= len(piece)
        if self.is_flooded and self._waiting_bytes <= _FEW_WAITING_BYTES:
            self.is_flooded = False
            self._mind()
        return piece

    async def _news(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            if not self.is_gone:
                self._ask()
            await self._waiter
        finally:
            self._waiter = None

    def _forget(self) -> None:
        self._pieces.clear()
        self._waiting_bytes = 0

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done() and not self.is_gone:
            waiter.set_result(None)
