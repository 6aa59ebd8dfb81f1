"""
Opens a websocket on a connection of its own, as a client: the request goes out, and the answer decides.

101 makes the connection a `WebSocket`; any other status is an answer to hand out, with as much of its body as anybody
reads. What came behind the head with 101 is the websocket's already.
"""

import asyncio
import socket
from collections.abc import Sequence
from typing import NamedTuple

from typing_extensions import override

from app.wire.connecting import Dialled
from app.wire.errors import ClosedBeforeUse, CutBeforeHead, HeadTooLarge, Malformed, WireError
from app.wire.handshake import ClientHandshake, status_of
from app.wire.outbox import Outbox, Outgoing
from app.wire.reading import ReadingLimits, ResponseReader
from app.wire.requests import Fields, RequestHead, opening
from app.wire.web_socket import WebSocket

_HIGH_WATER_BYTES = 64 * 1024
_LOW_WATER_BYTES = 16 * 1024
_MOST_BODY_BYTES = 64 * 1024
_OPENING = b"HTTP/1."
_HEAD_END = b"\r\n\r\n"
_SWITCHING, _LOWEST_FINAL = 101, 200
# The kernel asks an idle upstream whether it is still there: a minute until a dead one is noticed, and no ping that it
# would have to understand.
_ALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}


class Refusal(NamedTuple):
    """Another answer than 101. *body*: its first 64 KB at most, and what of it came in time."""

    status: int
    fields: Fields
    body: bytes


class SocketOpening(Dialled):
    """A connection on which a websocket is being opened: dial it, then `open`."""

    __slots__ = (
        "_body",
        "_came",
        "_decided",
        "_failure",
        "_handshake",
        "_limits",
        "_outbox",
        "_reader",
        "_result",
        "is_open",
        "transport",
    )

    def __init__(self, outbox: Outbox, limits: ReadingLimits) -> None:
        self._outbox = outbox
        self._limits = limits
        self._handshake: ClientHandshake | None = None
        self._came = b""  # of the head
        self._reader: ResponseReader | None = None  # once it is known that 101 will not come
        self._body = b""
        self._decided: asyncio.Future[None] | None = None
        self._result: WebSocket | Refusal | None = None
        self._failure: WireError | None = None
        self.is_open = False

    async def open(
        self, head: RequestHead, subprotocols: Sequence[str], answer_at: float
    ) -> WebSocket | Refusal:
        """The websocket, or why there is none; only the former leaves the connection open.

        *answer_at*: by then, on the loop's clock. Raises WireError, and TimeoutError when no head came by then.
        """
        if not self.is_open:
            raise ClosedBeforeUse
        self._handshake = ClientHandshake(subprotocols)
        is_kept = False
        try:
            self.transport.write(opening(head, self._handshake.fields, b""))
            await self._answer(answer_at)
            if self._failure is not None:
                raise self._failure
            if self._result is None:
                raise TimeoutError
            is_kept = isinstance(self._result, WebSocket)
            return self._result
        finally:
            if self._reader is not None:
                self._reader.close()
            if not is_kept:
                self.transport.abort()  # nothing happens where it is gone

    @override
    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            self.transport.abort()

    # --- called by the event loop -------------------------------------------------------------------------------------

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # uvloop's is one, and is not derived from it
        self.transport.set_write_buffer_limits(_HIGH_WATER_BYTES, _LOW_WATER_BYTES)
        _ask_whether_alive(transport.get_extra_info("socket"))
        self.is_open = True

    @override
    def data_received(self, data: bytes) -> None:
        if self._handshake is None or self._is_known:
            self.close()  # nobody asked for it
            return
        try:
            if self._reader is not None:
                self._feed(self._reader, data)
            else:
                self._read_head(self._came + data)
        except WireError as failure:
            self._failure = failure
        self._decide()

    @override
    def eof_received(self) -> bool:
        return False

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if self._reader is not None:
            self._refused(self._reader)
        elif not self._is_known:
            self._failure = CutBeforeHead(is_stale=False)
        self._decide()

    # ------------------------------------------------------------------------------------------------------------------

    @property
    def _is_known(self) -> bool:
        return self._result is not None or self._failure is not None

    async def _answer(self, answer_at: float) -> None:
        self._decided = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout_at(answer_at):
                await self._decided
        except TimeoutError:
            if self._reader is not None:
                self._refused(self._reader)  # its body is late, and counts for less
        finally:
            self._decided = None

    def _decide(self) -> None:
        if self._is_known and self._decided is not None and not self._decided.done():
            self._decided.set_result(None)

    def _read_head(self, came: bytes) -> None:
        """Raises Malformed."""
        self._came = came
        if not came.startswith(_OPENING[: len(came)]):
            raise Malformed("not HTTP/1.1")
        end = came.find(_HEAD_END) + len(_HEAD_END)
        while end >= len(_HEAD_END):
            status = status_of(came)
            if status >= _LOWEST_FINAL:
                self._reader = ResponseReader(self._limits)
                self._feed(self._reader, came)
                return
            if status == _SWITCHING:
                self._switch(came[:end], came[end:])
                return
            self._came = came = came[end:]  # an interim answer
            end = came.find(_HEAD_END) + len(_HEAD_END)
        if len(self._came) > self._limits.head_bytes:
            raise HeadTooLarge

    def _switch(self, head: bytes, rest: bytes) -> None:
        """Raises Malformed."""
        if len(head) > self._limits.head_bytes:
            raise HeadTooLarge
        if self._handshake is None:
            return
        self._handshake.check(head)
        self._came = b""
        out = Outgoing(self.transport, self._outbox)
        made = WebSocket(out, is_client=True, subprotocol=self._handshake.subprotocol)
        self.transport.set_protocol(made)
        self._result = made
        if rest:
            made.data_received(rest)

    def _feed(self, reader: ResponseReader, data: bytes) -> None:
        """Raises Malformed."""
        piece = reader.feed(data)
        self._came = b""
        self._body += piece[: _MOST_BODY_BYTES - len(self._body)]
        if reader.failure is not None and not reader.status:
            raise reader.failure
        if reader.is_over or len(self._body) == _MOST_BODY_BYTES:
            self._refused(reader)

    def _refused(self, reader: ResponseReader) -> None:
        if reader.status and not self._is_known:
            self._result = Refusal(reader.status, reader.fields, self._body)


def _ask_whether_alive(sock: socket.socket | None) -> None:
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _ALIVE.items():
        option = getattr(socket, name, None)
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
