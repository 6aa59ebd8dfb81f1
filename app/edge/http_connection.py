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

from app.domain.errors import ClientError
from app.edge import patience
from app.edge.asgi_side import AsgiSide
from app.edge.client_request import ClientRequest
from app.edge.head_rules import request_timed_out
from app.edge.intake import Intake
from app.edge.read_ahead import HEAD_END, ReadAhead
from app.edge.refusal_replies import answer_fault, refusal_reply
from app.edge.request_reader import RequestReader
from app.edge.socket_options import bound_kernel
from app.edge.socket_side import end_socket, open_socket
from app.edge.surroundings import Surroundings
from app.edge.wire_side import Answered
from app.wire.departures import reset_on_close
from app.wire.outbox import Outgoing
from app.wire.web_socket import WebSocket

_NEVER: Final = float("inf")

Direct = Callable[[ClientRequest], Awaitable[None] | None]  # None: it wants ASGI


class HttpConnection(asyncio.Protocol):
    """Made by uvicorn for each connection. *due_at* and *write_due_at*: when to call `expire`, at the latest."""

    __slots__ = (
        "_ahead",
        "_app",
        "_current",
        "_direct",
        "_intake",
        "_is_head_timed",
        "_is_over",
        "_loop",
        "_on_room",
        "_peers",
        "_queue",
        "_reader",
        "_refusal",
        "_socket",
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
        self._ahead = ReadAhead()
        self._on_room: Callable[[], None] | None = None
        self._socket: WebSocket | None = None  # which the transport calls instead of this
        self.is_full = False
        self.address = ""
        self.due_at = self.write_due_at = _NEVER
        self._unsent_bytes = 0
        self._is_head_timed = True

    # --- the transport's calls -----------------------------------------------------------------------------------

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment] # a TCP one
        self.transport.set_write_buffer_limits(patience.HIGH_WATER_BYTES, patience.LOW_WATER_BYTES)
        self.out = Outgoing(self.transport, self.surroundings.outbox)
        self._intake = Intake(self.transport, self._loop, self.cut)
        bound_kernel(transport)
        self._peers = (transport.get_extra_info("peername"), transport.get_extra_info("sockname"))
        peer = self._peers[0]
        self.address = peer[0] if isinstance(peer, tuple) else ""
        self.connections.add(self)
        self.due_at = self.surroundings.now() + patience.HEADER_SECONDS

    @override
    def data_received(self, data: bytes) -> None:
        if self._is_over:
            return
        unread = self._reader.request
        if unread is not None and unread.fills(len(data)):
            self._feed(data)
        elif (
            self._ahead.held
            or self._reader.offer is not None
            or data.count(HEAD_END) + len(self._queue) > patience.MOST_AHEAD
        ):
            self._ahead.add(data)  # a read full of small requests: one by one, as there is room
            self._feed_ahead()
        else:
            self._feed(data)

    @override
    def eof_received(self) -> None:
        """The client has said all it wants to say: it counts as gone (R12). The transport closes behind this."""
        if self._current is not None:
            self.cut()
        self._leave()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        self.out.drop()
        self._is_over = True
        self._on_room = None
        self._reader.close()
        self._intake.close()
        self.connections.discard(self)

    @override
    def pause_writing(self) -> None:
        self.is_full = True
        self._unsent_bytes = self.transport.get_write_buffer_size()
        self.write_due_at = self.surroundings.now() + patience.WRITE_STALL_SECONDS

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
        if self._socket is not None:
            self.due_at = now + patience.PING_SECONDS
            self._socket.keep_alive()
            return
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
        """Reading is paused while the client is ahead of us, by requests or by a body that nobody has asked for."""
        unread = None if self._is_over else self._reader.request
        is_flooded = unread is not None and unread.is_flooded
        is_ahead = is_flooded or len(self._ahead) > patience.MOST_HELD_BYTES
        self._intake.hold(is_ahead)

    def await_body(self) -> None:
        """See `Wire.await_body`."""
        self.due_at = self.surroundings.now() + patience.BODY_IDLE_SECONDS
        self.mind_reading()

    def finished(self, request: Answered) -> None:
        """See `Wire.finished`: the next one's turn."""
        self._current = None
        if request.is_offer:
            self._reader.offer = None
        if not request.keep_alive or self.is_stopping or self.surroundings.is_draining:
            self._end(is_read=request.is_whole)
        elif self._queue:
            self._take(self._queue.popleft())
            self._feed_ahead()
        elif self._refusal is not None:
            self._say_refusal(self._refusal)
        else:
            self._is_head_timed = not self._reader.is_between
            seconds = patience.HEADER_SECONDS if self._is_head_timed else patience.IDLE_SECONDS
            self.due_at = self.surroundings.now() + seconds
            if self._ahead.held:
                self._feed_ahead()

    def cut(self) -> None:
        """See `Wire.cut`."""
        self._leave()
        self._is_over = True
        self.out.drop()
        self.transport.abort()

    def cut_short(self, *, is_framed: bool) -> None:
        """See `Wire.cut_short`."""
        self._current = None
        if not is_framed:  # a body that only the end delimits would look whole
            reset_on_close(self.transport)
        self._end(is_read=True)

    def give_over(self, subprotocol: str) -> WebSocket:
        """See `Wire.give_over`. This connection stays among the server's until the websocket's end."""
        is_gone = self._current is None or self.transport.is_closing()
        self._intake.hold(False)
        on_lost = None if is_gone else self._lose_socket
        self._socket = open_socket(self.out, subprotocol, on_lost, self.is_full)
        if not is_gone:
            self._reader.close()
            self._socket.data_received(self._ahead.rest())
        self.due_at, self.write_due_at = self.surroundings.now() + patience.PING_SECONDS, _NEVER
        return self._socket

    # --- reading -------------------------------------------------------------------------------------------------

    def _feed(self, data: bytes) -> None:
        reader = self._reader
        try:
            reader.feed(data)
        except ClientError as error:
            self._refuse(error)
            return
        if reader.behind:
            self._ahead.put_back(reader.behind)
            reader.behind = b""
        if not reader.is_between:
            self._time_rest()

    def _time_rest(self) -> None:
        """A head or a body is still to be completed."""
        if self._reader.request is not None:
            self.await_body()
        elif self._current is None and not self._is_head_timed:
            self._is_head_timed = True  # bytes never extend it
            self.due_at = self.surroundings.now() + patience.HEADER_SECONDS

    def _feed_ahead(self) -> None:
        ahead, reader = self._ahead, self._reader
        while ahead.held and reader.offer is None and not self._is_over:
            if len(self._queue) >= patience.MOST_AHEAD:
                break
            self._feed(ahead.piece())
        self.mind_reading()

    def _refuse(self, error: ClientError) -> None:
        """Nothing can be read behind this. Told to who waits for the rest, or as the connection's last reply."""
        self._is_over = True
        self._ahead.drop()
        if self._reader.request is not None:
            self._reader.request.break_body(error)
        elif self._current is None:
            self._say_refusal(error)
        else:
            self._refusal = error

    def _say_refusal(self, error: ClientError) -> None:
        self.out.write(refusal_reply(error, self.surroundings.date_line))
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
        request.task = asyncio.Task(self._serve(request), loop=self._loop, name="exchange")
        self._tasks.add(request.task)

    async def _serve(self, request: ClientRequest) -> None:
        """The one task of *request*, cancelled when its client leaves."""
        try:
            answer = None if self._direct is None else self._direct(request)
            if answer is None:
                side = AsgiSide(request, self._peers, self._state)
                answer = self._app(side.scope, side.receive, side.send)
            await answer
        except asyncio.CancelledError:
            if not request.is_gone and self._socket is None:  # the server does not wait any longer
                self.cut()
            raise
        except Exception as error:  # noqa: BLE001 the last one who can: the client is answered, the fault shown
            self._loop.call_exception_handler(
                {"message": "an exchange ended with an exception", "exception": error}
            )
        finally:
            self._tasks.discard(request.task)
            if self._socket is not None:
                end_socket(self._socket, self.is_stopping or self.surroundings.is_draining)
            if not request.is_finished and not request.is_gone:
                answer_fault(request)

    # --- ending --------------------------------------------------------------------------------------------------

    def _leave(self) -> None:
        """The client has gone. The task is cancelled one turn later, so that it has begun, and is settled (law 1)."""
        self._queue.clear()
        self._ahead.drop()
        request, self._current = self._current, None
        if request is not None:
            request.leave()
            if request.task is not None:
                self._loop.call_soon(request.task.cancel)

    def _lose_socket(self) -> None:
        """The websocket's transport is gone. Who serves it is told by the websocket, and not cancelled."""
        if self._current is not None:
            self._current.leave()
        self.due_at = _NEVER
        self.connections.discard(self)

    def _end(self, *, is_read: bool) -> None:
        """The last reply is on its way. A client that still sends would lose it to a reset, so its bytes are read."""
        self._is_over = True
        self._queue.clear()
        self._ahead.drop()
        if is_read or self.is_stopping or not self.transport.can_write_eof():
            self._close()
            return
        self.due_at = self.surroundings.now() + patience.LINGER_SECONDS
        self.mind_reading()
        self.out.flush()
        self.transport.write_eof()

    def _close(self) -> None:
        """What was written may still leave, for a while."""
        self._is_over = True
        self.due_at = self.surroundings.now() + patience.WRITE_STALL_SECONDS
        self.out.flush()
        self.transport.close()

    def _expire_write(self, now: float) -> None:
        """From high water to low within the time, or as much of a large answer; else the client is cut (R3)."""
        unsent = self.transport.get_write_buffer_size()
        if unsent > self._unsent_bytes - (patience.HIGH_WATER_BYTES - patience.LOW_WATER_BYTES):
            self.cut()
        else:
            self._unsent_bytes = unsent
            self.write_due_at = now + patience.WRITE_STALL_SECONDS
