"""A websocket over a transport in memory, and its other side as the frames it sends and sees."""

import asyncio
from typing import Any

from typing_extensions import override
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from app.wire.messages import Message
from app.wire.outbox import Outbox, Outgoing
from app.wire.web_socket import WebSocket
from tests.wire.parts import FakeTransport

MASK = b"\x01\x02\x03\x04"


class SocketTransport(FakeTransport):
    """*has_ended*: our end was closed for writing. A full one is made so by `fill`, and `drain` empties it."""

    def __init__(self) -> None:
        super().__init__()
        self.has_ended = False
        self.is_over = False
        self.socket: WebSocket | None = None

    @override
    def writelines(self, pieces: Any) -> None:
        self.write(b"".join(pieces))

    @override
    def is_closing(self) -> bool:
        return self.is_over

    @override
    def can_write_eof(self) -> bool:
        return True

    @override
    def write_eof(self) -> None:
        self.has_ended = True

    @override
    def abort(self) -> None:
        if self.is_over:
            return
        self.is_over = self.is_aborted = True
        if self.socket is not None:
            asyncio.get_running_loop().call_soon(self.socket.connection_lost, None)

    def fill(self, unsent_bytes: int = 100_000) -> None:
        assert self.socket is not None
        self.unsent_bytes = unsent_bytes
        self.socket.pause_writing()

    def drain(self) -> None:
        assert self.socket is not None
        self.unsent_bytes = 0
        self.socket.resume_writing()


class Far:
    """The other side of *socket*, which is the server's unless *is_client*."""

    def __init__(self, *, is_client: bool = False, on_lost: Any = None) -> None:
        self.transport = SocketTransport()
        self.masks = not is_client
        self.socket = WebSocket(
            Outgoing(self.transport, Outbox()), is_client=is_client, on_lost=on_lost
        )
        self.transport.socket = self.socket

    def says(self, *frames: bytes) -> None:
        """*frames* arrive in one read."""
        self.socket.data_received(b"".join(frames))

    def frame(self, opcode: Opcode, payload: bytes, *, fin: bool = True) -> bytes:
        return Frame(opcode, payload, fin).serialize(mask=self.masks)

    def text(self, payload: bytes, *, fin: bool = True) -> bytes:
        return self.frame(Opcode.TEXT, payload, fin=fin)

    def binary(self, payload: bytes, *, fin: bool = True) -> bytes:
        return self.frame(Opcode.BINARY, payload, fin=fin)

    def more(self, payload: bytes, *, fin: bool = True) -> bytes:
        return self.frame(Opcode.CONT, payload, fin=fin)

    def ping(self, payload: bytes = b"") -> bytes:
        return self.frame(Opcode.PING, payload)

    def pong(self) -> bytes:
        return self.frame(Opcode.PONG, b"")

    def close(self, code: int | None = 1000, reason: bytes = b"") -> bytes:
        payload = b"" if code is None else code.to_bytes(2, "big") + reason
        return self.frame(Opcode.CLOSE, payload)

    async def seen(self) -> list[tuple[str, bytes]]:
        """The frames that came from *socket*, by opcode and payload."""
        await asyncio.sleep(0)
        reader = StreamReader()
        reader.feed_data(b"".join(self.transport.written))
        frames = []
        while reader.buffer:
            parsing = Frame.parse(reader.read_exact, mask=not self.masks)
            try:
                next(parsing)
            except StopIteration as parsed:
                frames.append((parsed.value.opcode.name, bytes(parsed.value.data)))
            else:
                raise AssertionError("half a frame")
        return frames

    async def waiting(self) -> list[Message]:
        """The messages that can be taken without another byte."""
        messages: list[Message] = []
        while True:
            taking = asyncio.ensure_future(self.socket.receive())
            await asyncio.sleep(0)
            if not taking.done():
                taking.cancel()
                await asyncio.wait((taking,))
                return messages
            if taking.exception() is not None:
                return messages
            messages.append(taking.result())
