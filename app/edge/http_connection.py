"""
One client's connection: its requests are answered in order, and nobody may hold it for ever.

A task serves one request at a time; what the client sends ahead waits, up to eight requests (reliability F9, S2).
When the client leaves, half-closing included, the running task is cancelled at once and the waiting requests are
dropped (law 5, R12). Deadlines are two points in time on each connection that the server looks at once a second, not
timers (R1 to R3).
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

import uvicorn
from typing_extensions import override
from uvicorn.server import ServerState

from app.domain.errors import ClientError, InternalError
from app.edge.asgi_side import AsgiSide
from app.edge.client_request import STATUS_LINES, ClientRequest
from app.edge.head_rules import request_timed_out
from app.edge.request_ids import new_request_id
from app.edge.request_reader import RequestReader
from app.edge.socket_options import bound_kernel
from app.edge.surroundings import Surroundings
from app.protocol.errors import error_body, error_headers
from app.wire.outbox import Outgoing
from app.wire.requests import field_lines

HEADER_SECONDS: Final = 10.0  # R1: for a whole head, from its first byte
IDLE_SECONDS: Final = 75.0  # R1: between two requests
BODY_IDLE_SECONDS: Final = 30.0  # R2: between two pieces of a body
WRITE_STALL_SECONDS: Final = 30.0  # R3: from high water to low
LINGER_SECONDS: Final = 2.0  # for a client to read a reply while it still sends
MOST_AHEAD: Final = 8
MOST_HELD_BYTES: Final = 64 * 1024  # of requests beyond those
HIGH_WATER_BYTES: Final = 64 * 1024
LOW_WATER_BYTES: Final = 16 * 1024
_NEVER = float("inf")

Direct = Callable[[ClientRequest], Awaitable[None] | None]  # None: it wants ASGI
_HEAD_END = b"\r\n\r\n"


class HttpConnection(asyncio.Protocol):
    """Made by uvicorn for each connection. *due_at* and *write_due_at*: when to call `expire`, at the latest."""

    __slots__ = (
        "_app",
        "_current",
        "_direct",
        "_held",
        "_held_at",
        "_is_head_timed",
        "_is_over",
        "_is_paused",
        "_loop",
        "_on_room",
        "_peers",
        "_queue",
        "_reader",
        "_refusal",
        "_state",
        "_tasks",
        "_unsent_bytes",
        "address",
        "connections",
        "due_at",
        "is_full",
        "is_stopping",
        "out",
        "surroundings",
        "transport",
        "write_due_at",
    )

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        surroundings: Surroundings,
    ) -> None:
        self._app = config.loaded_app
        # An application may answer without ASGI's scope and messages, which most requests have no use for.
        self._direct: Direct | None = getattr(self._app, "answer", None)
        self._loop = _loop or asyncio.get_running_loop()
        self._state = app_state
        self.surroundings = surroundings
        self.connections: set[Any] = server_state.connections
        self._tasks = server_state.tasks  # uvicorn awaits them when it stops
        self._reader = RequestReader(self, self._take)
        self._current: ClientRequest | None = None
        self._queue: deque[ClientRequest] = deque()
        self._refusal: ClientError | None = None  # the last reply, when its turn comes
        self._is_over = False  # nothing is read any more
        self.is_stopping = False
        self._is_paused = False
        self._held, self._held_at = b"", 0  # read, and not looked at yet
        self._on_room: Callable[[], None] | None = None
        self.is_full = False
        self.address = ""
        self.due_at = self.write_due_at = _NEVER
        self._unsent_bytes = 0
        self._is_head_timed = True

    # --- the transport's calls -----------------------------------------------------------------------------------

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment] # a TCP one
        self.transport.set_write_buffer_limits(HIGH_WATER_BYTES, LOW_WATER_BYTES)
        self.out = Outgoing(self.transport, self.surroundings.outbox)
        bound_kernel(transport)
        self._peers = (transport.get_extra_info("peername"), transport.get_extra_info("sockname"))
        peer = self._peers[0]
        self.address = peer[0] if isinstance(peer, tuple) else ""
        self.connections.add(self)
        self.due_at = self.surroundings.now() + HEADER_SECONDS

    @override
    def data_received(self, data: bytes) -> None:
        if self._is_over:
            return
        unread = self._reader.request
        if unread is not None and unread.missing_bytes >= len(data):
            self._feed(data)  # nothing but its body
        elif self._held or data.count(_HEAD_END) + len(self._queue) > MOST_AHEAD:
            self._hold(data)
        else:
            self._feed(data)

    @override
    def eof_received(self) -> None:
        """The client has said all it wants to say: it counts as gone (R12). The transport closes behind this."""
        is_cut = self._current is not None
        self._leave()
        if is_cut:
            self.out.drop()
            self.transport.abort()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        self.out.drop()
        self._is_over = True
        self._on_room = None
        self._reader.close()
        self.connections.discard(self)

    @override
    def pause_writing(self) -> None:
        self.is_full = True
        self._unsent_bytes = self.transport.get_write_buffer_size()
        self.write_due_at = self.surroundings.now() + WRITE_STALL_SECONDS

    @override
    def resume_writing(self) -> None:
        self.is_full = False
        self.write_due_at = _NEVER
        callback, self._on_room = self._on_room, None
        if callback is not None and self._current is not None:
            callback()

    # --- the server's calls --------------------------------------------------------------------------------------

    def shutdown(self) -> None:
        """No further request is taken; what runs may end."""
        self.is_stopping = True
        if self._current is None:
            self._close()

    def expire(self, now: float) -> None:
        """A deadline has passed: the client is told so or cut, or the deadline is set anew."""
        if self.write_due_at <= now:
            self._expire_write(now)
            return
        self.due_at = _NEVER
        if self._current is not None:
            self._current.is_late()
        elif self.is_full:
            self.due_at = self.write_due_at  # which knows whether the client takes anything
        elif self._is_over:
            self.cut()
        elif self._reader.is_between:
            self._close()
        else:
            self._refuse(request_timed_out())

    # --- a request's calls ---------------------------------------------------------------------------------------

    def when_room(self, callback: Callable[[], None]) -> None:
        """See `ClientConnection.when_room`."""
        if self.is_full:
            self._on_room = callback
        else:
            callback()

    def mind_reading(self) -> None:
        """Reading is paused while the client is ahead of us, by requests or by a body that nobody has asked for.

        Not before it must: while nothing is read, nobody sees the client leave.
        """
        unread = None if self._is_over else self._reader.request
        held_bytes = len(self._held) - self._held_at
        is_ahead = held_bytes > MOST_HELD_BYTES or (unread is not None and unread.is_flooded)
        if is_ahead == self._is_paused or self.transport.is_closing():
            return
        self._is_paused = is_ahead
        if is_ahead:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def finished(self, request: ClientRequest) -> None:
        """See `Wire.finished`: the next one's turn."""
        self._current = None
        if not request.keep_alive or self.is_stopping or self.surroundings.is_draining:
            self._end(is_read=request.is_whole)
        elif self._queue:
            self._take(self._queue.popleft())
            self._feed_held()
        elif self._refusal is not None:
            self._say_refusal(self._refusal)
        else:
            self._is_head_timed = not self._reader.is_between
            seconds = HEADER_SECONDS if self._is_head_timed else IDLE_SECONDS
            self.due_at = self.surroundings.now() + seconds
            if self._held:
                self._feed_held()

    def cut(self) -> None:
        """See `Wire.cut`."""
        self._leave()
        self._is_over = True
        self.out.drop()
        self.transport.abort()

    # --- reading -------------------------------------------------------------------------------------------------

    def _feed(self, data: bytes) -> None:
        reader = self._reader
        try:
            reader.feed(data)
        except ClientError as error:
            self._refuse(error)
            return
        if not reader.is_between:
            self._time_rest()

    def _time_rest(self) -> None:
        """A head or a body is still to be completed."""
        if self._reader.request is not None:
            self.due_at = self.surroundings.now() + BODY_IDLE_SECONDS
            self.mind_reading()
        elif self._current is None and not self._is_head_timed:
            self._is_head_timed = True  # bytes never extend it
            self.due_at = self.surroundings.now() + HEADER_SECONDS

    def _hold(self, data: bytes) -> None:
        """A read full of small requests: they are looked at one by one, as there is room in the line."""
        self._held, self._held_at = self._held[self._held_at :] + data, 0
        self._feed_held()

    def _feed_held(self) -> None:
        while self._held and len(self._queue) < MOST_AHEAD and not self._is_over:
            found = self._held.find(_HEAD_END, self._held_at)
            end = found + len(_HEAD_END) if found >= 0 else len(self._held)
            piece, self._held_at = self._held[self._held_at : end], end
            if end == len(self._held):
                self._held, self._held_at = b"", 0
            self._feed(piece)
        self.mind_reading()

    def _refuse(self, error: ClientError) -> None:
        """Nothing can be read behind this. Told to who waits for the rest, or as the connection's last reply."""
        self._is_over = True
        self._held = b""
        if self._reader.request is not None:
            self._reader.request.break_body(error)
        elif self._current is None:
            self._say_refusal(error)
        else:
            self._refusal = error

    def _say_refusal(self, error: ClientError) -> None:
        body = error_body(error)
        fields = [
            *error_headers(error),
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", new_request_id().encode()),
            (b"connection", b"close"),
        ]
        head = STATUS_LINES[error.status] + self.surroundings.date_line + field_lines(fields)
        self.out.write(b"%b\r\n%b" % (head, body))
        self._end(is_read=False)

    # --- serving -------------------------------------------------------------------------------------------------

    def _take(self, request: ClientRequest) -> None:
        if self._current is not None:
            self._queue.append(request)
            return
        self._current = request
        self.due_at = _NEVER
        self._is_head_timed = False
        # Kept, and awaited, by uvicorn's server; it ends within the request's own deadlines.
        # Made here, for uvloop's `create_task` takes a quarter longer with a name.
        task = asyncio.Task(self._serve(request), loop=self._loop, name="exchange")
        request.task = task
        self._tasks.add(task)

    async def _serve(self, request: ClientRequest) -> None:
        """The one task of *request*, cancelled when its client leaves."""
        try:
            answer = None if self._direct is None else self._direct(request)
            if answer is None:
                side = AsgiSide(request, self._peers, self._state)
                answer = self._app(side.scope, side.receive, side.send)
            await answer
        except asyncio.CancelledError:
            if not request.is_gone:  # the server does not wait any longer
                self.cut()
            raise
        except Exception as error:  # noqa: BLE001 the last one who can: the client is answered, the fault shown
            self._loop.call_exception_handler(
                {"message": "an exchange ended with an exception", "exception": error}
            )
        finally:
            self._tasks.discard(request.task)
            if not request.is_finished and not request.is_gone:
                self._finish_for(request)

    def _finish_for(self, request: ClientRequest) -> None:
        """*request* was left without a complete reply: an error, or a cut when a part of it has left (J3)."""
        if request.head_sent:
            self.cut()
            return
        error = InternalError()
        body = error_body(error)
        request.start(error.status, field_lines(error_headers(error)), len(body))
        request.write(body)
        request.finish()

    # --- ending --------------------------------------------------------------------------------------------------

    def _leave(self) -> None:
        """The client has gone. The task is cancelled one turn later, so that it has begun, and is settled (law 1)."""
        self._queue.clear()
        self._held = b""
        request, self._current = self._current, None
        if request is not None:
            request.leave()
            if request.task is not None:
                self._loop.call_soon(request.task.cancel)

    def _end(self, *, is_read: bool) -> None:
        """The last reply is on its way. A client that still sends would lose it to a reset, so its bytes are read."""
        self._is_over = True
        self._queue.clear()
        self._held = b""
        if is_read or self.is_stopping or not self.transport.can_write_eof():
            self._close()
            return
        self.due_at = self.surroundings.now() + LINGER_SECONDS
        self.mind_reading()
        self.out.flush()
        self.transport.write_eof()

    def _close(self) -> None:
        """What was written may still leave, for a while."""
        self._is_over = True
        self.due_at = self.surroundings.now() + WRITE_STALL_SECONDS
        self.out.flush()
        self.transport.close()

    def _expire_write(self, now: float) -> None:
        """From high water to low within the time, or as much of a large answer; else the client is cut (R3)."""
        unsent = self.transport.get_write_buffer_size()
        if unsent > self._unsent_bytes - (HIGH_WATER_BYTES - LOW_WATER_BYTES):
            self.cut()
        else:
            self._unsent_bytes = unsent
            self.write_due_at = now + WRITE_STALL_SECONDS
