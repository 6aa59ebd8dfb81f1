"""An answer that comes through httpx2's pool: read, or poured by one task that the response owns."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import httpcore2

from app.domain.errors import GatewayError
from app.protocol.headers import HeaderList
from app.upstreams.client import BodySink
from app.upstreams.deadlines import Deadlines
from app.upstreams.guarded_sockets import WatchedStream, stopped
from app.upstreams.httpx_errors import typed_errors

# What may still come of a released answer. Past it, a new connection is cheaper.
_DRAINED_BYTES = 64 * 1024
_DRAINED_SECONDS = 1.0

Tasks = set["asyncio.Task[None]"]


class HttpxResponse:
    """Implements `client.UpstreamResponse`. *tasks*: where its task stands while it runs, for who stops everything."""

    def __init__(
        self,
        name: str,
        response: httpcore2.Response,
        deadlines: Deadlines | None,
        tasks: Tasks,
    ) -> None:
        self.status: int = response.status
        self.headers: HeaderList = [(key.lower(), value) for key, value in response.headers]
        self._name = name
        self._response = response
        self._deadlines = deadlines
        self._tasks = tasks
        self._pieces = response.aiter_stream()
        self._pending: asyncio.Task[bytes] | None = None
        self._reader: asyncio.Task[None] | None = None
        self._sink: BodySink = _Void(self._give_up)
        self._flows = asyncio.Event()
        self._flows.set()
        self._is_over = False  # for whoever asked
        self._is_closed = False

    def whole(self) -> bytes | None:
        """See `client.UpstreamResponse.whole`: the pool gives a body only when it is asked to wait."""
        return None

    async def read(self, patience_seconds: float) -> bytes | None:
        """See `client.UpstreamResponse.read`. The pending read outlives a None, so that no byte is lost to a timer."""
        deadlines = self._deadlines
        left = _left_seconds(deadlines)
        if self._pending is None:
            self._pending = asyncio.ensure_future(_next(self._pieces))
        patience = max(min(patience_seconds, left), 0)
        done, _ = await asyncio.wait({self._pending}, timeout=patience)
        if deadlines is not None and (left <= 0 or (not done and left <= patience_seconds)):
            raise deadlines.total_passed()
        if not done:
            return None
        with typed_errors(self._name):
            return await self._piece()

    def pour(self, sink: BodySink) -> None:
        """See `client.UpstreamResponse.pour`."""
        self._sink = sink
        pending = self._pending
        if pending is not None and pending.done() and not pending.exception() and pending.result():
            self._pending = None
            sink.take(pending.result())
        self._start()

    def pause(self) -> None:
        """See `client.UpstreamResponse.pause`."""
        self._flows.clear()

    def resume(self) -> None:
        """See `client.UpstreamResponse.resume`."""
        self._flows.set()

    def release(self) -> None:
        """See `client.UpstreamResponse.release`."""
        if self._is_over:
            return
        self._is_over = True
        self._sink = _Void(self._give_up)
        self._flows.set()
        limit = asyncio.get_running_loop().call_later(_DRAINED_SECONDS, self._give_up)
        self._start().add_done_callback(lambda _: limit.cancel())

    async def aclose(self) -> None:
        """See `client.UpstreamResponse.aclose`."""
        if self._is_over:
            return
        self._is_over = True
        self._sink = _Void(self._give_up)
        if self._reader is not None:
            await stopped(self._reader)
        await self._close()

    def _start(self) -> "asyncio.Task[None]":
        if self._reader is None:
            self._reader = asyncio.ensure_future(self._run())
            self._tasks.add(self._reader)
            self._reader.add_done_callback(self._tasks.discard)
        return self._reader

    def _give_up(self) -> None:
        if self._reader is not None:
            self._reader.cancel()

    async def _run(self) -> None:
        """The rest of the body goes to whoever is the sink; then the connection is free, or closed."""
        failure: GatewayError | None = None
        deadlines = self._deadlines
        try:
            async with asyncio.timeout_at(deadlines.total_at if deadlines else None):
                await self._hand_on()
        except TimeoutError:
            failure = deadlines.total_passed() if deadlines else None
        except GatewayError as error:
            failure = error
        finally:
            await self._close()
        self._sink.end(failure)

    async def _hand_on(self) -> None:
        with typed_errors(self._name):
            while True:
                await self._flows.wait()
                piece = await self._piece()
                if not piece:
                    return
                self._sink.take(piece)

    async def _piece(self) -> bytes:
        if self._pending is None:
            return await _next(self._pieces)
        pending, self._pending = self._pending, None
        return await pending

    async def _close(self) -> None:
        """The response is given back to the pool, which closes its connection unless it was read to its end."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._pending is not None:
            await stopped(self._pending)
        with suppress(GatewayError), typed_errors(self._name):
            if _has_surplus(self._response):
                await self._response.extensions["network_stream"].aclose()
            await self._response.aclose()


class _Void:
    """Takes what comes of a released answer, until it is too much."""

    def __init__(self, give_up: Callable[[], None]) -> None:
        self._give_up = give_up
        self._left_bytes = _DRAINED_BYTES

    def take(self, piece: bytes) -> None:
        self._left_bytes -= len(piece)
        if self._left_bytes < 0:
            self._give_up()

    def end(self, failure: GatewayError | None) -> None:
        """Nobody's news."""


def _has_surplus(response: httpcore2.Response) -> bool:
    """True when more came than the answer: the pool would take it for the next one's (reliability R15)."""
    stream = response.extensions["network_stream"]
    if not isinstance(stream, WatchedStream) or stream.is_http2:
        return False
    # httpcore2 shows its parser to nobody
    parser = response.stream._stream._connection._h11_state  # type: ignore[union-attr]
    return bool(parser.trailing_data[0]) or stream.may_hold_more


def _left_seconds(deadlines: Deadlines | None) -> float:
    if deadlines is None:
        return float("inf")
    return deadlines.total_at - asyncio.get_running_loop().time()


async def _next(pieces: AsyncIterator[bytes]) -> bytes:
    async for piece in pieces:
        if piece:
            return piece
    return b""
