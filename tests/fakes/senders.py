"""An upstream in memory: keeps the contract of `app.upstreams.client` without a socket."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from typing_extensions import override

from app.domain.errors import GatewayError
from app.protocol.headers import HeaderList
from app.upstreams.client import BodySink, UpstreamRequest

Piece = bytes | Exception | None  # None: silence


@dataclass
class FakeResponse:
    """Gives *pieces* one by one, then the clean end. An exception among them is the failure, None is silence.

    Read, silence lasts until the patience is over, and *on_silence* is told that patience, so that a fake clock can
    move. Poured, one piece comes per turn of the loop, and silence lasts until `go_on`.
    """

    status: int = 200
    headers: HeaderList = field(default_factory=lambda: [(b"content-type", b"application/json")])
    pieces: Iterable[Piece] = ()
    on_silence: Callable[[float], None] = lambda seconds: None
    is_closed: bool = False
    is_released: bool = False
    is_paused: bool = False
    is_silent: bool = False  # poured, and waiting for `go_on`
    times_paused: int = 0

    def __post_init__(self) -> None:
        self._left = deque(self.pieces)
        self._sink: BodySink | None = None
        self._next: asyncio.Handle | None = None  # the turn in which the next piece is handed over

    @property
    def is_over(self) -> bool:
        """True once whoever asked has given it back, in either way."""
        return self.is_closed or self.is_released

    def whole(self) -> bytes | None:
        """None: it has to be waited for."""
        return None

    async def read(self, patience_seconds: float) -> bytes | None:
        await asyncio.sleep(0)
        if self.is_over:
            raise AssertionError("read after the response was given back")
        if self._sink is not None:
            raise AssertionError("read after pour")
        if not self._left:
            return b""
        piece = self._left.popleft()
        if isinstance(piece, Exception):
            raise piece
        if piece is None:
            self.on_silence(patience_seconds)
        return piece

    def pour(self, sink: BodySink) -> None:
        if self.is_over or self._sink is not None:
            raise AssertionError("poured twice, or after the response was given back")
        if any(
            isinstance(one, Exception) and not isinstance(one, GatewayError) for one in self._left
        ):
            raise AssertionError("a poured response fails by a GatewayError")
        self._sink = sink
        self._schedule()

    def pause(self) -> None:
        self.is_paused = True
        self.times_paused += 1
        self._unschedule()

    def resume(self) -> None:
        self.is_paused = False
        self._schedule()

    def go_on(self) -> None:
        """Silence ends: what stands behind the None comes."""
        self.is_silent = False
        self._schedule()

    def come(self, *pieces: Piece) -> None:
        """These are next to come; silence ends."""
        self._left.extend(pieces)
        self.go_on()

    def release(self) -> None:
        self.is_released = True
        self._stop()

    async def aclose(self) -> None:
        if not self.is_released:
            self.is_closed = True
        self._stop()

    def _schedule(self) -> None:
        if self._next is None and self._sink and not (self.is_paused or self.is_silent):
            self._next = asyncio.get_running_loop().call_soon(self._hand_over, self._sink)

    def _unschedule(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _stop(self) -> None:
        self._unschedule()
        self._sink = None

    def _hand_over(self, sink: BodySink) -> None:
        self._next = None
        if not self._left:
            self._stop()
            sink.end(None)
            return
        match self._left.popleft():
            case None:
                self.is_silent = True
            case GatewayError() as failure:
                self._stop()
                sink.end(failure)
            case bytes() as piece:
                sink.take(piece)
                self._schedule()  # unless the sink has paused it, or given it back


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
        request.leaves()
        await asyncio.sleep(0)
        step = self._script.popleft()
        if isinstance(step, Exception):
            raise step
        self.given.append(step)
        return step

    def bodies(self) -> list[bytes]:
        """The bodies sent, none of which is an `Upload`."""
        found = [request.body for request in self.requests]
        return [body for body in found if isinstance(body, bytes)]

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
        request.leaves()
        self.was_asked.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        raise AssertionError("unreachable")
