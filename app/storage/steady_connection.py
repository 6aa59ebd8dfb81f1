"""
A connection to SQLite, on a thread of its own, that no cancellation leaves in the middle of a statement.

aiosqlite alone gives up waiting when its caller is cancelled, while the thread goes on: SQLAlchemy would then open the
next connection beside a writer that still runs, and two writers are what reliability Q2 forbids.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any, Self, TypeVar

import aiosqlite
from typing_extensions import override

_Result = TypeVar("_Result")

_ROWS_AT_ONCE = 64
_ASK_AGAIN_SECONDS = 0.05


class SteadyConnection(aiosqlite.Connection):
    """*longest_seconds*: a statement that takes longer is interrupted (reliability S17); None waits for ever."""

    def __init__(
        self, connector: Callable[[], sqlite3.Connection], longest_seconds: float | None
    ) -> None:
        super().__init__(connector, _ROWS_AT_ONCE)
        self._thread.daemon = True  # a hanging disk does not keep the process
        self._longest_seconds = longest_seconds
        self._end: asyncio.Future[Any] | None = None  # of the thread

    @classmethod
    async def opened(
        cls, connector: Callable[[], sqlite3.Connection], longest_seconds: float | None
    ) -> Self:
        """Connected. Where that fails or is cancelled, nothing of it is left when this returns."""
        connection = cls(connector, longest_seconds)
        try:
            await connection
        except BaseException:
            if connection._end is not None:
                await connection._end
            raise
        return connection

    @override
    def stop(self) -> "asyncio.Future[Any] | None":
        self._end = super().stop()
        return self._end

    async def run(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """What *work* gives, on the connection's thread: many statements for one way there and back."""
        outcome: _Result = await self._execute(lambda: work(self._conn))
        return outcome

    @override
    async def rollback(self) -> None:
        """Nothing is open. Where nothing was, as behind each commit, the thread is not asked."""
        if self.in_transaction:
            await super().rollback()

    @override
    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """As the parent's. A statement whose caller was cancelled, or that takes too long, is interrupted; its end is
        always waited for."""
        if not self._running or self._connection is None:
            raise ValueError("Connection closed")
        loop = asyncio.get_running_loop()
        outcome = loop.create_future()
        self._tx.put_nowait((outcome, partial(fn, *args, **kwargs)))
        bound = None
        if self._longest_seconds is not None:
            bound = loop.call_later(self._longest_seconds, self._interrupt)
        try:
            return await asyncio.shield(outcome)
        except asyncio.CancelledError:
            await self._stopped(outcome)
            raise
        finally:
            if bound is not None:
                bound.cancel()

    async def _stopped(self, outcome: "asyncio.Future[Any]") -> None:
        while not outcome.done():
            self._interrupt()  # again and again: it does nothing to a statement that has not begun
            try:
                await asyncio.wait([outcome], timeout=_ASK_AGAIN_SECONDS)
            except asyncio.CancelledError:
                continue  # the first one is raised when the thread is done
        outcome.exception()

    def _interrupt(self) -> None:
        if self._connection is not None:
            self._connection.interrupt()
