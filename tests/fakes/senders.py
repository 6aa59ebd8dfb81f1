"""An upstream in memory: keeps the contract of `app.upstreams.client` without a socket."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from typing_extensions import override

from app.protocol.headers import HeaderList
from app.upstreams.client import UpstreamRequest

Piece = bytes | Exception | None  # None: silence until the patience is over


@dataclass
class FakeResponse:
    """Gives *pieces* one by one, then the clean end. An exception among them is raised, None is silence.

    *on_silence* is told the patience that passed, so that a fake clock can move.
    """

    status: int = 200
    headers: HeaderList = field(default_factory=lambda: [(b"content-type", b"application/json")])
    pieces: Iterable[Piece] = ()
    on_silence: Callable[[float], None] = lambda seconds: None
    is_closed: bool = False

    def __post_init__(self) -> None:
        self._left = deque(self.pieces)

    async def read(self, patience_seconds: float) -> bytes | None:
        await asyncio.sleep(0)
        if self.is_closed:
            raise AssertionError("read after aclose")
        if not self._left:
            return b""
        piece = self._left.popleft()
        if isinstance(piece, Exception):
            raise piece
        if piece is None:
            self.on_silence(patience_seconds)
        return piece

    async def aclose(self) -> None:
        self.is_closed = True


def answer(
    body: bytes, status: int = 200, content_type: bytes = b"application/json"
) -> FakeResponse:
    """A whole answer in one piece."""
    return FakeResponse(status, [(b"content-type", content_type)], [body] if body else [])


class FakeSender:
    """Answers requests in order with *script*; an exception is raised instead. *requests*: what was sent."""

    def __init__(self, *script: FakeResponse | Exception) -> None:
        self.requests: list[UpstreamRequest] = []
        self.given: list[FakeResponse] = []
        self.is_closed = False
        self._script = deque(script)

    async def send(self, request: UpstreamRequest) -> FakeResponse:
        self.requests.append(request)
        await asyncio.sleep(0)
        step = self._script.popleft()
        if isinstance(step, Exception):
            raise step
        self.given.append(step)
        return step

    async def aclose(self) -> None:
        self.is_closed = True


class HangingSender(FakeSender):
    """Never answers; *was_cancelled* once whoever waited gave up."""

    def __init__(self) -> None:
        super().__init__()
        self.was_asked = asyncio.Event()
        self.was_cancelled = False

    @override
    async def send(self, request: UpstreamRequest) -> FakeResponse:
        self.requests.append(request)
        self.was_asked.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        raise AssertionError("unreachable")
