"""
One request of a client and the way to answer it: keeps the contract of `app.proxy.client_connection`.

The body is collected while the task runs that serves it, bounded on the bytes that arrive, whatever a length says
(contract D8). The reply is framed here: its head leaves with the first piece, in one write.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from io import BytesIO
from typing import Final

from app.domain.errors import ClientError, InvalidRequest
from app.edge.body_stream import BodyStream
from app.edge.head_rules import Target, body_too_large, check_coding, request_timed_out
from app.edge.status_lines import LAST_CHUNK, SIZE_LINES, STATUS_LINES
from app.edge.wire_side import Wire
from app.protocol.headers import HeaderList
from app.wire.handshake import BadHandshake, acceptance, chosen_subprotocol
from app.wire.web_socket import WebSocket

UNSEARCHED_BYTES: Final = 16 * 1024
UNWANTED_BYTES: Final = 64 * 1024  # of a body are kept before anyone has asked for it
_LARGE_BYTES: Final = 64 * 1024  # from here on another write costs less than another copy
_CHUNKED: Final = b"transfer-encoding: chunked\r\n\r\n"
_CLOSE: Final = b"connection: close\r\n"
_KEEP_ALIVE: Final = b"connection: keep-alive\r\n"  # HTTP/1.0 has to be told
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_BODYLESS: Final = (204, 304)


class ClientRequest:
    """One request. *extra_fields*: lines that stand on its reply, whatever it is (CORS).

    *is_offer*: nothing is read behind it before it was answered, for it may become a websocket.
    *is_whole*: its body has come. *keep_alive*: the connection outlives its reply. *size*: bytes of body so far.
    """

    __slots__ = (
        "_body",
        "_failure",
        "_fields",
        "_gathered",
        "_is_asked",
        "_is_chunked",
        "_is_writing",
        "_left",
        "_length",
        "_out",
        "_status",
        "_stream",
        "_waiter",
        "_wire",
        "address",
        "extra_fields",
        "head_sent",
        "headers",
        "is_finished",
        "is_gone",
        "is_offer",
        "is_whole",
        "keep_alive",
        "max_body_bytes",
        "method",
        "named",
        "path",
        "query",
        "size",
        "target",
        "task",
        "version",
    )

    def __init__(
        self,
        wire: Wire,
        method: str,
        target: Target,
        headers: HeaderList,
        named: Mapping[bytes, bytes],
        version: str,
        keep_alive: bool,
    ) -> None:
        self._wire = wire
        self._out = wire.out
        self.address = wire.address
        self.method = method
        self.target = target
        self.path = target.path
        self.query = target.query
        self.headers = headers
        self.named = named
        self.version = version
        self.keep_alive = keep_alive
        self.extra_fields = b""
        self.max_body_bytes = 1024 * 1024  # the control plane's; the data plane sets its own
        self.task: asyncio.Task[None] | None = None
        self.is_gone = self.is_finished = self.is_offer = self.head_sent = False
        # the body
        self.is_whole = self._is_asked = False
        self.size = 0
        self._body = b""  # in one piece, as nearly every body comes
        self._gathered: BytesIO | None = None  # in more
        self._failure: ClientError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._stream: BodyStream | None = None  # where it is taken piece by piece
        # the reply
        self._is_writing = self._is_chunked = False
        self._left: int | None = None

    # --- for whoever serves it -----------------------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """See `ClientConnection.is_full`."""
        return self._wire.is_full

    def whole_body(self) -> bytes | None:
        """See `ClientConnection.whole_body`."""
        if (
            not self.is_whole
            or self.size > self.max_body_bytes
            or self._failure is not None
            or self.is_gone
            or b"content-encoding" in self.named
        ):
            return None
        return self._taken()

    async def read_body(self) -> bytes:
        """See `ClientConnection.read_body`. Raises the 408 of contract F32, and InvalidRequest for broken framing, too.

        Call it once. When the client has left, this waits for the cancellation that is on its way.
        """
        if b"content-encoding" in self.named:
            check_coding(self.named[b"content-encoding"])
        if not self.is_whole or self.size > self.max_body_bytes or self._failure or self.is_gone:
            await self._rest()
        return self._taken()

    @property
    def body_bytes(self) -> int | None:
        """See `ClientConnection.body_bytes`."""
        if b"transfer-encoding" in self.named:
            return None
        return int(self.named.get(b"content-length", b"0"))

    def body_pieces(self, most_bytes: int) -> AsyncIterator[bytes]:
        """See `ClientConnection.body_pieces`. What the head shows to be wrong is raised here; the rest, and what
        `read_body` adds, by the iterator."""
        check_coding(self.named.get(b"content-encoding", b""))
        if self.size > most_bytes or (self.body_bytes or 0) > most_bytes:
            raise body_too_large(most_bytes)
        self._stream = stream = BodyStream(most_bytes, self._wire.mind_reading, self._ask)
        if self.size:
            stream.add([self._taken()])
        if self._failure is not None:
            stream.fail(self._failure)
        if self.is_gone:
            stream.leave()
        elif self.is_whole:
            stream.end()
        else:
            self._wire.mind_reading()
        return stream

    def accept_socket(self, fields: bytes) -> WebSocket:
        """See `ClientConnection.accept_socket`."""
        if self.head_sent:
            raise RuntimeError("a reply has one head")
        if not self.is_offer:
            raise InvalidRequest(
                "This is a websocket: open it with a GET that asks for the upgrade."
            )
        try:
            lines = acceptance(self.headers)
        except BadHandshake as error:
            raise InvalidRequest(f"The websocket's handshake is not valid: {error}.") from None
        self.head_sent = self.is_finished = True
        start = STATUS_LINES[101] + self._wire.surroundings.date_line
        self._out.write(start + fields + lines)
        return self._wire.give_over(chosen_subprotocol(fields))

    def start(self, status: int, fields: bytes, length: int | None) -> None:
        """See `ClientConnection.start`."""
        if self.head_sent:
            raise RuntimeError("a reply has one head")
        self._status, self._fields, self._length = status, fields, length
        has_body = self.method != "HEAD" and status not in _BODYLESS
        self._is_writing = has_body and not self.is_gone
        self._is_chunked = length is None and self.version != "1.0" and status not in _BODYLESS
        self._left = length if has_body else None
        if has_body and length is None and not self._is_chunked:
            self.keep_alive = False  # only the connection's end tells where it ends

    def write(self, piece: bytes) -> None:
        """See `ClientConnection.write`."""
        if not self._is_writing or not piece:
            return
        if len(piece) > _LARGE_BYTES:
            self._write_large(piece)
        elif self.head_sent:
            self._out.write(self._framed(piece))
        else:
            self._out.write(self._take_head() + self._framed(piece))

    def finish(self, piece: bytes = b"") -> None:
        """See `ClientConnection.finish`. *piece* is the body's last, and leaves in one write with the end."""
        if self.is_gone or self.is_finished:
            return
        if len(piece) > _LARGE_BYTES:
            self.write(piece)
            piece = b""
        self.is_finished = True
        end = b"" if self.head_sent else self._take_head()
        if self._is_writing:
            self._is_writing = False
            if self._is_chunked and piece:
                end = b"%b%x\r\n%b\r\n0\r\n\r\n" % (end, len(piece), piece)  # one copy
            elif self._is_chunked:
                end += LAST_CHUNK
            else:
                end += self._framed(piece)
        if end:
            self._out.write(end)
        if self._left:  # the head promised another length
            self._wire.cut()
        else:
            self._wire.finished(self)

    def cut(self) -> None:
        """See `ClientConnection.cut`. What was written still leaves; who serves it is not cancelled."""
        if self.is_gone or self.is_finished:
            return
        self.is_finished = True
        self._is_writing = False
        self._wire.cut_short(is_framed=self._is_chunked or self._left is not None)

    def interrupt(self) -> None:
        """See `ClientConnection.interrupt`."""
        if self.task is not None:
            self.task.cancel()

    def when_room(self, callback: Callable[[], None]) -> None:
        """See `ClientConnection.when_room`."""
        if not self.is_gone:
            self._wire.when_room(callback)

    # --- for its connection --------------------------------------------------------------------------------------

    @property
    def is_flooded(self) -> bool:
        """True while nobody has asked for the body and enough of it is here, or when there is too much of it."""
        if self.is_whole:
            return False
        if self._stream is not None:
            return self._stream.is_flooded
        return self.size > (self.max_body_bytes if self._is_asked else UNWANTED_BYTES)

    def add(self, pieces: list[bytes], *, is_last: bool) -> None:
        """*pieces* of the body have come, perhaps none; *is_last*: and with them all of it."""
        if self._stream is not None:
            self.size += self._stream.add(pieces)
        elif pieces:
            piece = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            self.size += len(piece)
            if self.size <= UNWANTED_BYTES or not self._is_too_much():
                self._keep(piece)
        if is_last:
            self.is_whole = True
            if self._stream is not None:
                self._stream.end()
            elif self._waiter is not None:
                self._wake()

    def fills(self, read_bytes: int) -> bool:
        """True when a read of so many bytes holds nothing but its body; or, where only its chunks show that, can hold
        little else: the end of a large body is not looked for twice."""
        if b"transfer-encoding" in self.named:
            return read_bytes > UNSEARCHED_BYTES
        return int(self.named.get(b"content-length", b"0")) - self.size >= read_bytes

    def break_body(self, error: ClientError) -> None:
        """The rest of the body will never come: who asks for it meets *error*."""
        self._failure = self._failure or error
        if self._stream is not None:
            self._stream.fail(error)
        self._wake()

    def is_late(self) -> None:
        """The client has been silent for too long: told to who waits for its body (reliability R2)."""
        stream = self._stream
        if self._waiter is not None or (stream is not None and stream.is_awaited):
            self.break_body(request_timed_out())

    def leave(self) -> None:
        """The client has gone: what is written goes nowhere, and the task is cancelled (law 5)."""
        self.is_gone = True
        self._is_writing = False
        self._forget_body()
        if self._stream is not None:
            self._stream.leave()

    # --- the body ------------------------------------------------------------------------------------------------

    async def _rest(self) -> None:
        """Raises RequestTooLarge at once for a length that is too much by what it says (F33)."""
        length = self.named.get(b"content-length", b"0")
        if int(length) > self.max_body_bytes or self.size > self.max_body_bytes:
            raise body_too_large(self.max_body_bytes)
        self._ask()
        if self._failure is None or self.is_gone:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
            self._waiter = None
        if self._failure is not None:
            raise self._failure

    def _ask(self) -> None:
        """The client is to send the body, and in time."""
        if not (self._is_asked or self.size or self.is_whole or self.is_gone):
            expects = self.named.get(b"expect", b"").lower() == b"100-continue"
            if expects and self.version != "1.0" and not self.head_sent:
                self._out.write(_CONTINUE)
        self._is_asked = True
        self._wire.await_body()

    def _keep(self, piece: bytes) -> None:
        # Put together as it comes: at its end, 10 MB would stop the loop for 10 ms.
        if self._gathered is not None:
            self._gathered.write(piece)
        elif self._body:
            self._gathered = BytesIO()
            self._gathered.write(self._body)
            self._gathered.write(piece)
            self._body = b""
        else:
            self._body = piece

    def _taken(self) -> bytes:
        body, gathered = self._body, self._gathered
        self._body, self._gathered = b"", None
        return body if gathered is None else gathered.getvalue()

    def _forget_body(self) -> None:
        self._body, self._gathered = b"", None

    def _is_too_much(self) -> bool:
        if self._is_asked and self.size > self.max_body_bytes:
            self._forget_body()
            self.break_body(body_too_large(self.max_body_bytes))
        return self._failure is not None

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done() and not self.is_gone:
            waiter.set_result(None)

    # --- the reply -----------------------------------------------------------------------------------------------

    def _framed(self, piece: bytes) -> bytes:
        if self._is_chunked:
            size = len(piece)
            line = SIZE_LINES[size] if size < len(SIZE_LINES) else b"%x\r\n" % size
            return b"%b%b\r\n" % (line, piece)
        if self._left is not None:
            self._left -= len(piece)
        return piece

    def _write_large(self, piece: bytes) -> None:
        """Without a copy of *piece*."""
        head = b"" if self.head_sent else self._take_head()
        if self._is_chunked:
            self._out.write_large((b"%b%x\r\n" % (head, len(piece)), piece, b"\r\n"))
            return
        if self._left is not None:
            self._left -= len(piece)
        self._out.write_large((head, piece))

    def _take_head(self) -> bytes:
        """The head's bytes. Whether the connection stays is decided now: it does not when a body is still to come,
        for nobody will read it."""
        self.head_sent = True
        wire, surroundings = self._wire, self._wire.surroundings
        connection = b""
        if not self.keep_alive or not self.is_whole or surroundings.is_draining or wire.is_stopping:
            self.keep_alive = False
            connection = _CLOSE
        elif self.version == "1.0":
            connection = _KEEP_ALIVE
        if self._status in _BODYLESS:
            framing = b"\r\n"
        elif self._is_chunked:
            framing = _CHUNKED
        elif self._length is None:
            framing = b"\r\n"
        else:
            framing = b"content-length: %d\r\n\r\n" % self._length
        start = STATUS_LINES[self._status] + surroundings.date_line
        return b"".join((start, self._fields, self.extra_fields, connection, framing))
