"""
One stream, from the upstream's socket to the client's: no task in between, nothing gathered (laws 2 and 7).

What the upstream sends is handed to `take`, repaired where it needs it and written, in one call. While the client is
slow nothing is read (reliability R4). One timer for each stream does what silence asks for: it keeps the client company
(contract J7, J8, J10) and knows when the upstream has been silent for too long (reliability R5).
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from app.domain.configuration import StreamOptions
from app.domain.errors import GatewayError, UpstreamDisconnected
from app.protocol.chat_stream import ChatStream
from app.protocol.sse import KEEP_ALIVE
from app.proxy.attempts import Answer
from app.proxy.reply import Reply
from app.upstreams.bodies import Opener


class Timer(Protocol):
    """What `call_later` hands back."""

    def cancel(self) -> None:
        """It does not call."""
        ...


CallLater = Callable[[float, Callable[[], None]], Timer]


class LiveStream:
    """Keeps the contract of `app.upstreams.client.BodySink` for one answer. *now* is the monotonic clock that
    *call_later*, the loop's, goes by."""

    __slots__ = (
        "_call_later",
        "_client",
        "_deadlines",
        "_failure",
        "_has_begun",
        "_heard_at",
        "_is_over",
        "_is_paused",
        "_last",
        "_now",
        "_opener",
        "_options",
        "_over",
        "_reply",
        "_response",
        "_stream",
        "_timer",
    )

    def __init__(
        self,
        answer: Answer,
        stream: ChatStream,
        reply: Reply,
        *,
        options: StreamOptions,
        opener: Opener,
        now: Callable[[], float],
        call_later: CallLater | None = None,
    ) -> None:
        self._response = answer.response
        self._deadlines = answer.deadlines
        self._stream = stream
        self._reply = reply
        self._client = reply.client
        self._options = options
        self._opener = opener
        self._now = now
        self._call_later = call_later
        self._over: asyncio.Future[None] | None = None  # while somebody waits for the end
        self._is_over = False
        self._failure: GatewayError | None = None
        self._last = b""
        self._timer: Timer | None = None
        self._is_paused = False
        self._has_begun = False  # True from the first event on: then the idle deadline counts
        self._heard_at = now()

    async def run(self, first: bytes) -> bytes:
        """*first* and all that follows it has been written when this returns, but for the frames that it returns: the
        last of a stream that is complete, to leave in one write with the end. The stream says how it ended.

        Raises UpstreamTimeout (first_byte, idle, total) and UpstreamMalformed for a body that cannot be read.
        """
        self._relay(self._stream.feed(first) if first else self._stream.finish(clean=True))
        if self._is_over:
            return self._last
        self._over = asyncio.get_running_loop().create_future()
        self._wait()
        try:
            self._response.pour(self)
            if self._client.is_full:
                self._pause()
            if not self._is_over:
                await self._over
        finally:
            self._is_over = True
            self._stop_waiting()
        if self._failure is not None:
            raise self._failure
        return self._last

    def take(self, piece: bytes) -> None:
        """See `BodySink.take`."""
        if self._is_over:
            return
        self._heard_at = self._now()
        if self._opener.is_packed:
            try:
                piece = self._opener.open(piece)
            except GatewayError as error:
                self._fail(error)
                return
        frames = self._stream.feed(piece)
        if frames and not self._stream.ended:  # as nearly always
            self._reply.events(frames)
            self._has_begun = True
        else:
            self._relay(frames)
        if self._client.is_full:
            self._pause()

    def end(self, failure: GatewayError | None) -> None:
        """See `BodySink.end`. The end of the body is for the stream to judge (upstreams S10)."""
        if self._is_over:
            return
        if failure is None or isinstance(failure, UpstreamDisconnected):
            self._relay(self._stream.finish(clean=failure is None))
        else:
            self._fail(failure)

    def _relay(self, frames: bytes) -> None:
        stream = self._stream
        if stream.ended:
            if stream.fault is None:
                self._last = frames
            elif frames:
                self._reply.events(frames)
            self._end_here()
        elif frames:
            self._reply.events(frames)
            self._has_begun = True
        elif stream.heard:
            self._has_begun = True

    def _pause(self) -> None:
        if not self._is_paused and not self._is_over:
            self._is_paused = True
            self._stop_waiting()  # nobody is silent, and more for the client would only pile up
            self._response.pause()
            self._client.when_room(self._go_on)

    def _go_on(self) -> None:
        if not self._is_over:
            self._is_paused = False
            self._heard_at = self._now()
            self._wait()
            self._response.resume()

    def _fail(self, error: GatewayError) -> None:
        self._failure = error
        self._end_here()

    def _end_here(self) -> None:
        self._is_over = True
        if self._over is not None and not self._over.done():
            self._over.set_result(None)

    # --- silence ------------------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        """The timer is set for whatever is due first; it looks again then, for most of it will have moved on."""
        due_at = min(self._heartbeat_at(), self._noop_at(), self._deadline_at())
        delay = max(due_at - self._now(), 0.0)
        call_later = self._call_later or asyncio.get_running_loop().call_later
        self._timer = call_later(delay, self._look)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        now = self._now()
        if self._is_over:
            return
        if now >= self._deadline_at():
            passed = (
                self._deadlines.idle_passed
                if self._has_begun
                else self._deadlines.first_byte_passed
            )
            self._fail(passed())
            return
        if now >= self._noop_at():
            self._reply.events(self._stream.noop() or KEEP_ALIVE)
        elif now >= self._heartbeat_at():
            self._reply.comment(KEEP_ALIVE)
        self._wait()

    def _deadline_at(self) -> float:
        if self._has_begun:
            return self._heard_at + self._deadlines.idle_seconds
        return self._deadlines.first_byte_at

    def _heartbeat_at(self) -> float:
        return self._reply.last_sent_at + self._options.heartbeat_seconds

    def _noop_at(self) -> float:
        """Before the head no no-op goes out, so none is waited for."""
        if not self._reply.has_begun:
            return float("inf")
        return self._reply.last_event_at + self._options.noop_seconds
