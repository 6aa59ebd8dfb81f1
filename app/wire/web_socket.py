"""
One websocket, ours to either side: RFC 6455 by `websockets`, without I/O of its own, over the event loop's transport.

No task and no timer of its own while it is open and its other side takes what it is sent: a hundred idle ones cost
their buffers. Bounded is what waits in each direction (reliability R4), how long the other side may take nothing (R3)
and how long a closing handshake may take. Compression is never agreed on.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from typing_extensions import override
from websockets.frames import CONT, DATA_OPCODES, TEXT, Close, CloseCode, Frame
from websockets.protocol import Protocol, Side, State

from app.wire.close_frames import fitting, is_utf8, sendable
from app.wire.departures import give_up, has_left
from app.wire.handshake import SILENT
from app.wire.messages import Message, SocketClosed
from app.wire.outbox import Outgoing

MOST_MESSAGE_BYTES: Final = 16 * 1024 * 1024  # upstreams N13
CLOSE_SECONDS: Final = 2.0  # for the other side to answer a close
WRITE_STALL_SECONDS: Final = 30.0  # reliability R3
_MOST_WAITING_BYTES = 64 * 1024  # of messages that nobody took; then nothing more is read
_MOST_WAITING = 32
_FEW_WAITING_BYTES = 16 * 1024  # reading goes on from here
_FEW_WAITING = 8
_SLICE_BYTES = 8 * 1024  # of a read, between two looks at what waits: a message may be six bytes
_MOST_FRAMES = 128  # are read in one turn of the event loop
_PROGRESS_BYTES = 48 * 1024  # what a slow reader has to take within the time
_NO_STATUS, _CUT = 1005, 1006
_OUR_END = Close(CloseCode.NORMAL_CLOSURE, "")


class WebSocket(asyncio.Protocol):
    """*subprotocol*: the one agreed on, "" where there is none.

    Fragments are joined, pings answered and pongs dropped here. A message above 16 MiB closes it with 1009, a text that
    is no UTF-8 with 1007, whatever is no websocket with 1002; `receive` then raises that code.
    """

    __slots__ = (
        "_fate",
        "_gone",
        "_held",
        "_is_full",
        "_is_lost",
        "_is_paused",
        "_is_text",
        "_loop",
        "_on_lost",
        "_out",
        "_parts",
        "_pong",
        "_protocol",
        "_receiver",
        "_senders",
        "_timer",
        "_transport",
        "_unsent_bytes",
        "_waiting",
        "_waiting_bytes",
        "_was_heard",
        "subprotocol",
    )

    def __init__(
        self,
        out: Outgoing,
        *,
        is_client: bool,
        subprotocol: str = "",
        on_lost: Callable[[], None] | None = None,
    ) -> None:
        """The opening handshake is done, and from now on *out*'s transport calls this; it is *is_client*'s or the
        server's end. *on_lost* is called once the transport is gone."""
        self._loop = asyncio.get_running_loop()
        self._out = out
        self._transport = out.transport
        self._on_lost = on_lost
        side = Side.CLIENT if is_client else Side.SERVER
        self._protocol = Protocol(
            side, state=State.OPEN, max_size=MOST_MESSAGE_BYTES, logger=SILENT
        )
        self.subprotocol = subprotocol
        self._fate: SocketClosed | None = None  # what both ends are told from then on
        self._is_lost = False
        self._gone: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None  # while it closes, or its other side is slow
        # in
        self._waiting: deque[Message] = deque()
        self._waiting_bytes = 0
        self._receiver: asyncio.Future[None] | None = None
        self._parts: bytearray | None = None  # of a message in fragments
        self._is_text = False
        self._held = b""  # read, and not looked at yet
        self._is_paused = False
        self._was_heard = True
        # out
        self._is_full = False
        self._unsent_bytes = 0
        self._senders: list[asyncio.Future[None]] = []
        self._pong = b""

    # --- for whoever uses it ------------------------------------------------------------------------------------------

    async def receive(self) -> Message:
        """The next message. Raises SocketClosed, once all that came before it was taken. One at a time may wait."""
        while not self._waiting:
            if self._fate is not None:
                raise SocketClosed(*self._fate.args)
            self._receiver = self._loop.create_future()
            try:
                await self._receiver
            finally:
                self._receiver = None
        message = self._waiting.popleft()
        self._waiting_bytes -= len(message.payload)
        if self._is_paused and self._has_room:
            self._go_on()
        return message

    async def send(self, message: Message) -> None:
        """*message* is on its way; waits while the other side is slow. Cancelled before that, it is not sent.
        Raises SocketClosed."""
        while self._is_full and self._fate is None:
            await self._room()
        if self._fate is not None:
            raise SocketClosed(*self._fate.args)
        if message.is_text:
            self._protocol.send_text(message.payload)
        else:
            self._protocol.send_binary(message.payload)
        self._write(self._protocol.data_to_send())

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """The closing handshake is done, or was cut short after two seconds. What came and was not taken is dropped.

        Sent are *code* and what fits of *reason*; 1005 goes out as a close without a code, another one that none may
        send (1006, 1015) as 1011. A second call sends nothing, and waits for the same end.
        """
        self.begin_close(code, reason)
        if self._is_lost:
            return
        if self._gone is None:
            self._gone = self._loop.create_future()
        await asyncio.wait((self._gone,))

    def end(self) -> None:
        """Nothing is sent any more: our close is on its way. What still comes is received as before, until the other
        side's own close or for two seconds (upstreams A12)."""
        if self._fate is None and self._protocol.state is State.OPEN:
            self._protocol.send_close(_OUR_END.code)
            self._write(self._protocol.data_to_send())
            self._set_timer(self._loop.call_later(CLOSE_SECONDS, give_up, self._transport))

    def begin_close(self, code: int, reason: str = "") -> None:
        """As `close`, without a wait: the connection ends by itself."""
        if self._fate is not None:
            return
        self._settle(SocketClosed(code, reason))
        self._waiting.clear()
        self._waiting_bytes = 0
        self._parts = None
        if code == _NO_STATUS:
            self._protocol.send_close()
        else:
            self._protocol.send_close(sendable(code), fitting(reason))
        self._write(self._protocol.data_to_send())
        self._go_on()

    @property
    def has_left(self) -> bool:
        """True once the other side's end has come, even where nobody has read as far (law 5)."""
        return self._is_lost or has_left(self._transport)

    def abort(self) -> None:
        """Closed at once."""
        self._settle(SocketClosed(_CUT))
        self._out.drop()
        self._transport.abort()

    def keep_alive(self) -> None:
        """Its other side is asked for a sign of life; one that gave none since the last call is given up.

        Call it every 20 to 30 seconds. One that we do not read, or that takes its time with what it is sent, counts
        as alive: other bounds hold there.
        """
        if self._fate is not None:
            return
        if not (self._was_heard or self._is_paused or self._is_full):
            self.abort()
            return
        self._was_heard = False
        if not self._is_full:
            self._protocol.send_ping(b"")
            self._write(self._protocol.data_to_send())

    # --- called by the event loop -------------------------------------------------------------------------------------

    @override
    def data_received(self, data: bytes) -> None:
        self._was_heard = True
        if self._held:
            self._held += data
        else:
            self._feed(data)

    @override
    def eof_received(self) -> bool:
        self._hear_rest()
        return False  # the transport sends what is written, and closes

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._hear_rest()
        self._is_lost = True
        self._out.drop()
        self._protocol.parser.close()  # its frame refers to it: no garbage collector has to find that
        self._set_timer(None)
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)
        on_lost, self._on_lost = self._on_lost, None
        if on_lost is not None:
            on_lost()

    @override
    def pause_writing(self) -> None:
        self._is_full = True
        if self._fate is None:
            self._unsent_bytes = self._transport.get_write_buffer_size()
            self._set_timer(self._loop.call_later(WRITE_STALL_SECONDS, self._look_at_stall))

    @override
    def resume_writing(self) -> None:
        self._is_full = False
        if self._fate is None:
            self._set_timer(None)
            if self._pong:
                pong, self._pong = self._pong, b""
                self._write([pong])
        self._wake_senders()

    # --- reading ------------------------------------------------------------------------------------------------------

    @property
    def _has_room(self) -> bool:
        return len(self._waiting) <= _FEW_WAITING and self._waiting_bytes <= _FEW_WAITING_BYTES

    @property
    def _is_ahead(self) -> bool:
        """The other side sends more than is taken."""
        if self._fate is not None:
            return False
        return len(self._waiting) >= _MOST_WAITING or self._waiting_bytes > _MOST_WAITING_BYTES

    def _feed(self, data: bytes) -> None:
        """*data* is read, as far as there is room for what it holds and other turns may wait; the rest is held."""
        frames = 0
        for start in range(0, len(data), _SLICE_BYTES):
            if self._is_ahead or frames > _MOST_FRAMES:
                self._held = data[start:]
                break
            frames += self._read(data[start : start + _SLICE_BYTES])
        self._mind_reading()
        if self._held and not self._is_ahead:
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        """What was held is read, and then what comes."""
        held, self._held = self._held, b""
        self._feed(held)

    def _mind_reading(self) -> None:
        is_paused = bool(self._held) or self._is_ahead
        if is_paused == self._is_paused or self._transport.is_closing():
            return
        self._is_paused = is_paused
        if is_paused:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _hear_rest(self) -> None:
        """Nothing comes any more."""
        held, self._held = self._held, b""
        if held:
            self._read(held)  # one read at most
        self._settle(SocketClosed(_CUT))

    def _read(self, piece: bytes) -> int:
        """How many frames *piece* completed."""
        protocol = self._protocol
        protocol.receive_data(piece)
        frames = protocol.events_received()
        for frame in frames:
            if self._fate is None and isinstance(frame, Frame) and frame.opcode in DATA_OPCODES:
                self._take(frame)
        self._answer(protocol.data_to_send())
        return len(frames)

    def _answer(self, writes: list[bytes]) -> None:
        """*writes*: pongs; and behind them, at the connection's end, a close."""
        protocol = self._protocol
        if protocol.state is State.OPEN:
            if self._is_full and writes:
                self._pong = writes[-1]  # RFC 6455, 5.5.3: the last ping's is enough
            elif writes:
                self._write(writes)
            return
        if protocol.close_rcvd is None and protocol.close_sent == _OUR_END:
            return  # behind `end` the other side may go on
        close = protocol.close_rcvd or protocol.close_sent or Close(_CUT, "")
        self._settle(SocketClosed(int(close.code), close.reason))
        self._write(writes)

    def _take(self, frame: Frame) -> None:
        """*frame* of a message; the last one makes it whole."""
        if frame.opcode is not CONT:
            self._is_text = frame.opcode is TEXT
        if self._parts is not None:
            self._parts += frame.data
        elif not frame.fin:
            self._parts = bytearray(frame.data)
        if not frame.fin:
            return
        payload = bytes(frame.data if self._parts is None else self._parts)
        self._parts = None
        if self._is_text and not is_utf8(payload):
            self._protocol.fail(CloseCode.INVALID_DATA, "a text that is no UTF-8")
            self._settle(SocketClosed(CloseCode.INVALID_DATA, "a text that is no UTF-8"))
            return
        self._waiting.append(Message(payload, self._is_text))
        self._waiting_bytes += len(payload)
        self._wake_receiver()

    # --- writing ------------------------------------------------------------------------------------------------------

    def _write(self, pieces: list[bytes]) -> None:
        """*pieces* are on their way. b"", the last one, is our end of the connection."""
        try:
            for piece in pieces:
                if piece:
                    self._out.write(piece)
                elif self._transport.can_write_eof():
                    self._out.flush()
                    self._transport.write_eof()
        except (RuntimeError, OSError):  # so uvloop says that the socket is gone
            self._out.drop()

    async def _room(self) -> None:
        waiter = self._loop.create_future()
        self._senders.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self._senders:
                self._senders.remove(waiter)

    def _look_at_stall(self) -> None:
        unsent = self._transport.get_write_buffer_size()
        if unsent > self._unsent_bytes - _PROGRESS_BYTES:
            self.abort()
            return
        self._unsent_bytes = unsent
        self._set_timer(self._loop.call_later(WRITE_STALL_SECONDS, self._look_at_stall))

    # --- ending -------------------------------------------------------------------------------------------------------

    def _settle(self, fate: SocketClosed) -> None:
        """From now on both ends are told *fate*; the connection ends within two seconds."""
        if self._fate is not None:
            return
        self._fate = fate
        self._pong = b""
        self._set_timer(self._loop.call_later(CLOSE_SECONDS, give_up, self._transport))
        self._wake_receiver()
        self._wake_senders()

    def _set_timer(self, timer: asyncio.TimerHandle | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = timer

    def _wake_receiver(self) -> None:
        if self._receiver is not None and not self._receiver.done():
            self._receiver.set_result(None)

    def _wake_senders(self) -> None:
        senders, self._senders = self._senders, []
        for waiter in senders:
            if not waiter.done():
                waiter.set_result(None)
