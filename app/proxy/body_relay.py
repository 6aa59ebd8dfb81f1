"""
A body that nobody here reads: from the upstream's socket, or from whoever makes it, to the client's as it comes.

Memory is flat whatever its length: while the client is slow nothing is read (reliability R4), and no task stands in
between. The last bytes are held back until the exchange is booked (reliability J5), and a body that fails midway is cut
short, never ended as if it were whole (contract L10).
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable

from app.domain.errors import GatewayError, UpstreamMalformed
from app.domain.exchange import Exchange
from app.protocol.headers import HeaderList
from app.proxy.attempts import Answer
from app.proxy.live_stream import CallLater, Timer
from app.proxy.reply import Reply
from app.upstreams.bodies import Opener

_TAIL_BYTES = (
    512  # of a body whose length is told; without one, the framing's own end is what is held back
)
_UNBOUNDED = 1 << 62


class BodyRelay:
    """Passes bodies on. *now*: the monotonic clock that *call_later* goes by; by default that is the loop's own."""

    def __init__(self, now: Callable[[], float], call_later: CallLater | None = None) -> None:
        self._now = now
        self._call_later = call_later

    async def relay(
        self,
        answer: Answer,
        exchange: Exchange,
        reply: Reply,
        *,
        status: int,
        fields: HeaderList,
        length: int | None,
    ) -> None:
        """The body of *answer* has reached the client behind a head of *status* and *fields*, and *answer* is closed.

        *length*: what the client is told, in bytes; None where nobody knows, or where the body was packed after all.
        To HEAD no byte of it is read. Raises UpstreamTimeout (first_byte, idle, total), UpstreamDisconnected and
        UpstreamMalformed: where bytes had left, all that is left to do is `Reply.failure`, which cuts.
        """
        try:
            opener = Opener(answer.coding, limit=_UNBOUNDED, name=answer.upstream.name)
            if opener.is_packed:
                length = None
            body = _Body(reply, status, fields, length)
            if reply.client.method == "HEAD":
                exchange.upstream_first_at = self._now()
            else:
                await _Poured(answer, exchange, body, opener, self._now, self._call_later).run()
            await body.end()
        except BaseException:
            await answer.response.aclose()
            raise
        if reply.client.method == "HEAD":
            await answer.response.aclose()  # the rest may be any number of gigabytes
        else:
            answer.response.release()

    async def relay_pieces(
        self,
        pieces: AsyncIterator[bytes],
        exchange: Exchange,
        reply: Reply,
        *,
        status: int,
        fields: HeaderList,
        length: int | None,
    ) -> None:
        """The same for a body that is made here; *pieces* are closed, and see to their own deadlines.

        Raises what they raise. Nothing is asked of them while the client is slow.
        """
        try:
            body, client = _Body(reply, status, fields, length), reply.client
            async for piece in pieces:
                if exchange.upstream_first_at is None:
                    exchange.upstream_first_at = self._now()
                body.add(piece)
                if client.is_full:
                    taken = asyncio.Event()
                    client.when_room(taken.set)
                    await taken.wait()
            await body.end()
        finally:
            if isinstance(pieces, AsyncGenerator):
                await pieces.aclose()


class _Body:
    """What goes to the client: all but the last bytes at once. Nothing goes before the first piece, so that a failure
    until then has a status of its own (contract F8)."""

    __slots__ = (
        "_fields",
        "_has_begun",
        "_held",
        "_left",
        "_length",
        "_reply",
        "_status",
        "client",
    )

    def __init__(self, reply: Reply, status: int, fields: HeaderList, length: int | None) -> None:
        self._reply = reply
        self.client = reply.client
        self._status, self._fields, self._length = status, fields, length
        self._left = length  # to come before it is whole
        self._held = b""
        self._has_begun = False

    def add(self, piece: bytes) -> None:
        """*piece* is next. Raises UpstreamMalformed for more than was promised."""
        left = self._left
        if left is not None:
            self._left = left = left - len(piece)
            if left < 0:
                raise UpstreamMalformed("The upstream sent more than the length that it told.")
            if left < _TAIL_BYTES:
                piece = self._all_but_the_tail(piece, left)
        if piece:
            self._begin()
            self._reply.piece(piece)

    def _all_but_the_tail(self, piece: bytes, left: int) -> bytes:
        piece = self._held + piece
        at = max(len(piece) - (_TAIL_BYTES - left), 0)
        self._held = piece[at:]
        return piece[:at]

    async def end(self) -> None:
        """The body is whole. Raises UpstreamMalformed for less than was promised."""
        if self._left and self.client.method != "HEAD":
            raise UpstreamMalformed("The upstream sent less than the length that it told.")
        self._begin()
        await self._reply.end_of_body(self._held)

    def _begin(self) -> None:
        if not self._has_begun:
            self._has_begun = True
            self._reply.begin(self._status, self._fields, self._length)


class _Poured:
    """Keeps the contract of `app.upstreams.client.BodySink` for one answer."""

    __slots__ = (
        "_body",
        "_call_later",
        "_client",
        "_deadlines",
        "_exchange",
        "_failure",
        "_has_begun",
        "_heard_at",
        "_is_over",
        "_is_paused",
        "_now",
        "_opener",
        "_over",
        "_response",
        "_timer",
    )

    def __init__(
        self,
        answer: Answer,
        exchange: Exchange,
        body: _Body,
        opener: Opener,
        now: Callable[[], float],
        call_later: CallLater | None,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._response = answer.response
        self._deadlines = answer.deadlines
        self._exchange = exchange
        self._body = body
        self._client = body.client
        self._opener = opener
        self._now = now
        self._call_later = call_later or loop.call_later
        self._over: asyncio.Future[None] = loop.create_future()
        self._is_over = self._is_paused = self._has_begun = False
        self._failure: GatewayError | None = None
        self._heard_at = now()
        self._timer: Timer | None = None

    async def run(self) -> None:
        """Returns when all of the body has been written, but for its tail. Raises the failure that ended it."""
        self._wait()
        try:
            self._response.pour(self)
            if not self._is_over:
                await self._over
        finally:
            self._is_over = True
            self._stop_waiting()
        if self._failure is not None:
            raise self._failure

    def take(self, piece: bytes) -> None:
        """See `BodySink.take`."""
        if self._is_over:
            return
        self._heard_at = now = self._now()
        if not self._has_begun:
            self._has_begun = True
            self._exchange.upstream_first_at = now
        try:
            self._body.add(self._opener.open(piece) if self._opener.is_packed else piece)
        except GatewayError as error:
            self._end_here(error)
            return
        if self._client.is_full:
            self._pause()

    def end(self, failure: GatewayError | None) -> None:
        """See `BodySink.end`."""
        if not self._is_over:
            self._end_here(failure)

    def _pause(self) -> None:
        if not self._is_paused and not self._is_over:
            self._is_paused = True
            self._stop_waiting()  # it is the client that is silent
            self._response.pause()
            self._client.when_room(self._go_on)

    def _go_on(self) -> None:
        if not self._is_over:
            self._is_paused = False
            self._heard_at = self._now()
            self._wait()
            self._response.resume()

    def _end_here(self, failure: GatewayError | None) -> None:
        self._is_over = True
        self._failure = failure
        if not self._over.done():
            self._over.set_result(None)

    # --- silence ------------------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        """The timer is set for what is due; it looks again then, for most of it will have moved on."""
        delay = max(self._deadline_at() - self._now(), 0.0)
        self._timer = self._call_later(delay, self._look)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        if self._is_over:
            return
        if self._now() < self._deadline_at():
            self._wait()
            return
        limits = self._deadlines
        self._end_here(limits.idle_passed() if self._has_begun else limits.first_byte_passed())

    def _deadline_at(self) -> float:
        if self._has_begun:
            return self._heard_at + self._deadlines.idle_seconds
        return self._deadlines.first_byte_at
