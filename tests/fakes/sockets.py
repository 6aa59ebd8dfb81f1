"""Two websockets in memory, each the other's other side. `tests/wire/test_socket_pairs.py` holds them to the real ones'
promises."""

import asyncio

from typing_extensions import override

from app.wire.messages import Message, SocketClosed
from app.wire.web_socket import WebSocket


class FakeSocket(WebSocket):
    """*sent*: every message that went out by this side. Its other side is `socket_pair`'s second."""

    def __init__(self, subprotocol: str = "") -> None:
        # Not the real one's state: there is no transport.
        self.subprotocol = subprotocol
        self.sent: list[Message] = []
        self.closed_with: SocketClosed | None = None
        self.is_left = False  # by its other side, which nobody has read yet
        self._far: FakeSocket = self
        self._came: asyncio.Queue[Message | SocketClosed] = asyncio.Queue()
        self._may_send = asyncio.Event()
        self._may_send.set()

    def join(self, far: "FakeSocket") -> None:
        """*far* is the other side."""
        self._far = far

    @override
    async def receive(self) -> Message:
        if self.closed_with is None or not self._came.empty():
            came = await self._came.get()
            if isinstance(came, Message):
                return came
        raise SocketClosed(*self.closed_with.args if self.closed_with else (1006,))

    @override
    async def send(self, message: Message) -> None:
        await self._may_send.wait()
        if self.closed_with is not None:
            raise SocketClosed(*self.closed_with.args)
        self.sent.append(message)
        self._far._came.put_nowait(message)

    @property
    @override
    def has_left(self) -> bool:
        return self.is_left

    @override
    def begin_close(self, code: int, reason: str = "") -> None:
        self._end(code, reason)

    @override
    async def close(self, code: int = 1000, reason: str = "") -> None:
        self._end(code, reason)

    @override
    def abort(self) -> None:
        self._end(1006, "")

    def stall(self) -> None:
        """What is sent on this side waits: the other one reads nothing."""
        self._may_send.clear()

    def go_on(self) -> None:
        """The other side reads again."""
        self._may_send.set()

    def _end(self, code: int, reason: str) -> None:
        for side in (self, self._far):
            if side.closed_with is None:
                side.closed_with = SocketClosed(code, reason)
                side._came.put_nowait(side.closed_with)
                side._may_send.set()


def socket_pair(subprotocol: str = "") -> tuple[FakeSocket, FakeSocket]:
    """Two sides of one open websocket."""
    near, far = FakeSocket(subprotocol), FakeSocket(subprotocol)
    near.join(far)
    far.join(near)
    return near, far
