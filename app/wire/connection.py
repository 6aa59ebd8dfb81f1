"""
One connection to an upstream: one exchange at a time, and nothing that its peer sends reaches another exchange.

It is idle, busy with an exchange, or lingers (an answer nobody reads any more comes to its end). It goes back to its
keeper only when the answer ended cleanly, the request went out whole, and both sides agreed to keep it (reliability
R14, R15); in every other case it is closed.
"""

import asyncio
import os
import socket
from typing import Final, Protocol

from typing_extensions import override

from app.wire.connecting import Dialled
from app.wire.departures import reset_on_close
from app.wire.errors import (
    CutBeforeHead,
    CutBody,
    HeadLate,
    Late,
    Malformed,
    TotalLate,
    WireError,
    WriteStuck,
)
from app.wire.outbox import Outbox, Outgoing
from app.wire.reading import ReadingLimits, ResponseReader
from app.wire.requests import Origin
from app.wire.responses import Response

NEVER: Final = float("inf")
_LINGER_SECONDS: Final = 1.0
_LINGER_BYTES: Final = 64 * 1024


class Keeper(Protocol):
    """Whoever keeps a connection between its exchanges."""

    def on_free(self, connection: "Connection") -> None:
        """*connection* may serve again."""
        ...

    def on_closed(self, connection: "Connection") -> None:
        """*connection* will not serve any more."""
        ...

    def on_lost(self, connection: "Connection") -> None:
        """The socket of *connection* is gone."""
        ...

    def on_due(self, at: float) -> None:
        """A connection's *due* is *at*."""
        ...


class Connection(Dialled):
    """*due*: when `expire` must be called, on the loop's clock. *has_served*: an exchange on it ended cleanly.

    *is_idle*: set by its keeper between two exchanges. *request_is_whole*: set by whoever has written the request.
    *may_write*: the transport's buffer is not full. *failure*: what the other side did before it was asked anything.
    *kept_seconds*: how long the other side says that it keeps this connection when it is idle.
    """

    __slots__ = (
        "_answer",
        "_head_at",
        "_is_paused",
        "_keeper",
        "_limits",
        "_linger_bytes_left",
        "_outbox",
        "_reader",
        "_stuck_at",
        "_total_at",
        "_writable",
        "_write_seconds",
        "born_at",
        "due",
        "failure",
        "has_served",
        "is_idle",
        "is_open",
        "kept_seconds",
        "loop",
        "may_write",
        "origin",
        "out",
        "request_is_whole",
        "transport",
    )

    def __init__(
        self,
        origin: Origin,
        keeper: Keeper,
        outbox: Outbox,
        limits: ReadingLimits,
        write_seconds: float,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self._keeper = keeper
        self._outbox = outbox
        self._limits = limits
        self._reader: ResponseReader
        self._answer: Response | None = None
        self._write_seconds = write_seconds
        self._writable: asyncio.Future[None] | None = None
        self._head_at = self._total_at = self._stuck_at = NEVER
        self._linger_bytes_left = 0
        self._is_paused = False
        self.out: Outgoing
        self.origin = origin
        self.born_at = self.loop.time()
        self.due = NEVER
        self.failure: Malformed | None = None
        self.has_served = False
        self.is_idle = False
        self.is_open = False
        self.kept_seconds = NEVER
        self.may_write = True
        self.request_is_whole = False

    # --- the exchange -------------------------------------------------------------------------------------------------

    def begin(self, method: str, head_at: float, total_at: float) -> Response:
        """A new exchange: the request is written next. Its answer is late when its head is not whole at *head_at*, or
        it is not at *total_at*; it is on the caller to note *due*."""
        self._reader.expect(method)
        self._answer = response = Response(self, self.loop.create_future())
        self._head_at = head_at
        self._total_at = total_at
        self.due = head_at if head_at < total_at else total_at
        self.is_idle = False
        self.request_is_whole = False
        return response

    async def writable(self) -> None:
        """Waits until the transport takes more, or the connection is closed."""
        if not self.may_write and self.is_open:
            self._writable = self.loop.create_future()
            try:
                await self._writable
            finally:
                self._writable = None

    def linger(self) -> None:
        """See `responses.Source.linger`: within bounds of bytes and time (reliability R14)."""
        if self._answer is None or not (self._reader.may_persist and self.request_is_whole):
            self.close()
            return
        self._answer.take = self._drop
        self._linger_bytes_left = _LINGER_BYTES
        self._total_at = min(self._total_at, self.loop.time() + _LINGER_SECONDS)
        self._watch()
        self.resume()

    def pause(self) -> None:
        """See `responses.Source.pause`."""
        if not self._is_paused:
            self._is_paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        """See `responses.Source.resume`."""
        if self._is_paused:
            self._is_paused = False
            self.transport.resume_reading()

    @override
    def close(self) -> None:
        """The connection is ended at once; an answer under way has been given up by its reader. In the midst of a
        request by a reset: an end would stand behind megabytes that the kernel holds, if the other side is slow."""
        self._answer = None
        self.due = NEVER
        if self.is_open:
            self.is_open = False
            self.out.drop()
            if not self.request_is_whole:
                reset_on_close(self.transport)
            self.transport.abort()
            if self._writable is not None and not self._writable.done():
                self._writable.set_result(None)
            self._keeper.on_closed(self)

    def cut(self) -> None:
        """The connection is over, and an answer under way with it."""
        self._fail(CutBody() if self._reader.status else self._cut_before_head())

    def expire(self, now: float) -> None:
        """What was to happen until *due* did not."""
        if self._answer is None:
            self.close()
        else:
            self._fail(self._lateness(now))

    # --- called by the event loop -------------------------------------------------------------------------------------

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # uvloop's is one, and is not derived from it
        self.out = Outgoing(self.transport, self._outbox)
        self._reader = ResponseReader(self._limits)
        self.is_open = True

    @override
    def data_received(self, data: bytes) -> None:
        response = self._answer
        if response is None:
            self.failure = Malformed("bytes that nobody asked for")
            self.close()
            return
        reader = self._reader
        piece = reader.feed(data)
        if reader.status and not response.status:
            self._head_at = NEVER
            self._stuck_at = NEVER
            self.due = self._total_at
            response.answered(reader.status, reader.fields)
        if piece:
            response.take(piece)
        if reader.is_over and self._answer is not None:
            self._over()

    @override
    def eof_received(self) -> bool:
        if self._answer is not None and self._reader.eof():
            self._over()
        self.cut()
        return False

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._reader.status and self.origin.scheme == "http":
            self._hear_last_words()
        self.cut()
        self._reader.close()
        self._keeper.on_lost(self)

    @override
    def pause_writing(self) -> None:
        self.may_write = False
        if self._answer is not None and not self._reader.status:
            self._stuck_at = self.loop.time() + self._write_seconds
            self._watch()

    @override
    def resume_writing(self) -> None:
        self.may_write = True
        self._stuck_at = NEVER
        if self._answer is not None:
            self._watch()
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    # ------------------------------------------------------------------------------------------------------------------

    def _hear_last_words(self) -> None:
        """An answer that came before the end of the request, with the connection's: a write that failed first has kept
        it from being read. Behind TLS, nobody can get at it."""
        sock = self.transport.get_extra_info("socket")
        if sock is None:
            return
        try:
            with socket.socket(fileno=os.dup(sock.fileno())) as last:
                came = last.recv(_LINGER_BYTES, socket.MSG_DONTWAIT)
        except OSError:
            return
        if came:
            self.data_received(came)

    def _over(self) -> None:
        reader, response = self._reader, self._answer
        self._answer = None
        if (
            reader.may_persist
            and self.request_is_whole
            and self.is_open
            and not self.transport.get_write_buffer_size()
        ):
            self.has_served = True
            self.kept_seconds = reader.kept_seconds
            if self._is_paused:
                self.resume()
            self._keeper.on_free(self)
        else:
            self.close()
        if response is not None:
            response.ended(reader.failure)

    def _drop(self, piece: bytes) -> None:
        self._linger_bytes_left -= len(piece)
        if self._linger_bytes_left < 0:
            self.close()

    def _watch(self) -> None:
        self.due = due = min(self._head_at, self._total_at, self._stuck_at)
        if due < NEVER:
            self._keeper.on_due(due)

    def _fail(self, failure: WireError) -> None:
        response = self._answer
        self.close()
        if response is not None:
            response.ended(failure)

    def _cut_before_head(self) -> CutBeforeHead:
        return CutBeforeHead(is_stale=self.has_served and not self._reader.head_bytes)

    def _lateness(self, now: float) -> Late:
        if self._stuck_at <= now:
            return WriteStuck()
        return HeadLate() if self._head_at <= now else TotalLate()
