"""
An upstream's answer on its way to the client: bytes onward, nothing gathered, nothing tried again (laws 2 and 7).

Four cases, by what was asked for and what came: a stream for a stream, an answer for an answer, and each
turned into the other (contract H13, H14). A stream that goes on is poured: `live_stream`.
"""

from collections.abc import Callable
from typing import Final

from app.domain.configuration import StreamOptions
from app.domain.errors import (
    GatewayError,
    UpstreamAnswered,
    UpstreamDisconnected,
    UpstreamMalformed,
)
from app.domain.exchange import Exchange
from app.protocol.answer_rules import AnswerUnusable
from app.protocol.chat_answer import Answer as WholeAnswer
from app.protocol.chat_answer import (
    WholeOutput,
    output_characters,
    plain_answer,
    read_answer,
    read_closely,
)
from app.protocol.chat_fold import ChatFold
from app.protocol.chat_stream import (
    ChatStream,
    FaultReason,
    Identity,
    is_event_stream,
    stream_of_answer,
)
from app.protocol.headers import response_headers
from app.protocol.requests import ChatRequest
from app.protocol.sse import KEEP_ALIVE
from app.proxy.attempts import Answer
from app.proxy.live_stream import LiveStream
from app.proxy.off_loop import LARGE_BYTES, off_loop
from app.proxy.reply import Reply
from app.proxy.source import Source
from app.upstreams.bodies import Opener, too_large
from app.upstreams.minds_thoughts import is_not_ready
from app.upstreams.no_answer import no_answer

_JSON: Final = b"application/json"
_NOT_READY_SECONDS: Final = 10.0  # upstreams M-A6


class ChatRelay:
    """Relays chat completions. *now*: the loop's monotonic clock; *wall_seconds*: for a `created` that we make up."""

    def __init__(
        self,
        options: StreamOptions,
        *,
        now: Callable[[], float],
        wall_seconds: Callable[[], float],
    ) -> None:
        self._options = options
        self._now = now
        self._wall_seconds = wall_seconds

    async def relay(
        self, answer: Answer, chat: ChatRequest, exchange: Exchange, reply: Reply
    ) -> None:
        """*answer* reaches the client and is closed. Raises the typed error of whatever came in between."""
        reply.relayed = response_headers(answer.response.headers)
        try:
            if chat.stream:
                await self._stream(answer, chat, exchange, reply)
            else:
                await self._whole(answer, exchange, reply)
        except BaseException:
            await answer.response.aclose()
            raise
        answer.response.release()

    async def _whole(self, answer: Answer, exchange: Exchange, reply: Reply) -> None:
        is_plain = answer.content_type == _JSON and not answer.coding
        body = answer.response.whole() if is_plain else None
        if body is None:
            found = await self._waited_for(answer, exchange)
        else:
            plain = _read_plainly(answer, body)
            found = plain or await self._read_closely(answer, exchange, body)
        exchange.upstream_first_at = self._now()
        if answer.upstream.entry.not_ready == "error":
            _refuse_unready(found.body)
        exchange.usage = found.usage
        if found.usage is None:
            exchange.output = WholeOutput(output_characters(found.body))
        await reply.whole(found.body)

    async def _waited_for(self, answer: Answer, exchange: Exchange) -> WholeAnswer:
        """An answer that comes in pieces, or as a stream."""
        source = Source(answer, self._now, limit=answer.upstream.entry.max_json_bytes)
        first = await source.wait()
        if is_event_stream(answer.content_type.decode("latin-1"), first):
            return await self._folded(answer, exchange, source, first)
        return await self._read(answer, exchange, await source.rest(first))

    async def _folded(
        self, answer: Answer, exchange: Exchange, source: Source, first: bytes
    ) -> WholeAnswer:
        """A stream that nobody asked for, as one answer; it ends where a stream would (contract H14, H4)."""
        fold = ChatFold(
            rules=answer.upstream.rules,
            identity=self._identity(exchange),
            max_event_bytes=self._options.max_event_bytes,
        )
        piece, is_clean = first, True
        exchange.output = fold.progress
        try:
            while piece:
                fold.feed(piece)
                piece = b"" if fold.ended else await source.wait()
        except UpstreamDisconnected:
            is_clean = False
        try:
            return fold.finish(clean=is_clean)
        except AnswerUnusable as unusable:
            raise _unusable(answer, exchange, unusable.reason, unusable.data) from None

    async def _stream(
        self, answer: Answer, chat: ChatRequest, exchange: Exchange, reply: Reply
    ) -> None:
        stream = ChatStream(
            rules=answer.upstream.rules,
            include_usage=chat.include_usage,
            identity=self._identity(exchange),
            max_event_bytes=self._options.max_event_bytes,
        )
        exchange.output = stream.progress
        body = None if answer.coding else answer.response.whole()
        try:
            if body and is_event_stream(answer.content_type.decode("latin-1"), body):
                last = self._all_here(stream, exchange, reply, body)
            else:
                source = Source(answer, self._now, limit=None)
                first = body or await self._next(source, stream, reply)
                exchange.upstream_first_at = self._now()
                if not is_event_stream(answer.content_type.decode("latin-1"), first):
                    body = await self._gathered(answer, source, stream, reply, first)
                    await self._answer_as_events(answer, chat, exchange, reply, body, stream.id)
                    return
                last = await self._live(answer, stream, reply, source.opener).run(first)
        finally:
            exchange.dropped_events = stream.dropped_events
        if stream.fault is not None:
            raise _unusable(answer, exchange, stream.fault.reason, stream.fault.data)
        await reply.end_of_stream(last)

    def _all_here(self, stream: ChatStream, exchange: Exchange, reply: Reply, body: bytes) -> bytes:
        """A stream that came in one read, its end included: nothing to wait for. As `LiveStream.run`."""
        exchange.upstream_first_at = self._now()
        frames = stream.feed(body)
        if not stream.ended:
            frames += stream.finish(clean=True)
        if stream.fault is None:
            return frames
        if frames:
            reply.events(frames)
        return b""

    def _live(self, answer: Answer, stream: ChatStream, reply: Reply, opener: Opener) -> LiveStream:
        return LiveStream(
            answer, stream, reply, options=self._options, opener=opener, now=self._now
        )

    async def _gathered(
        self, answer: Answer, source: Source, stream: ChatStream, reply: Reply, first: bytes
    ) -> bytes:
        """*first* and what follows it, where an answer came in place of a stream: bounded as one (reliability R4),
        and the client kept company meanwhile (contract J7).
        """
        source.first_event_seen()
        pieces, left = [first], answer.upstream.entry.max_json_bytes - len(first)
        while left >= 0 and (piece := await self._next(source, stream, reply)):
            pieces.append(piece)
            left -= len(piece)
        if left < 0:
            raise too_large(answer.upstream.name, answer.upstream.entry.max_json_bytes)
        return b"".join(pieces)

    async def _next(self, source: Source, stream: ChatStream, reply: Reply) -> bytes:
        """The upstream's next bytes; while it is silent the client hears that the line is alive
        (contract J7, J8, J10).
        """
        while True:
            heartbeat_at = reply.last_sent_at + self._options.heartbeat_seconds
            noop_at = reply.last_event_at + self._options.noop_seconds
            # Before the head no no-op goes out, so none is waited for.
            due_at = min(heartbeat_at, noop_at) if reply.has_begun else heartbeat_at
            piece = await source.next(due_at - self._now())
            if piece is not None:
                return piece
            now = self._now()
            if now >= noop_at and reply.has_begun:
                reply.events(stream.noop())
            elif now >= heartbeat_at:
                reply.comment(KEEP_ALIVE)

    async def _answer_as_events(
        self,
        answer: Answer,
        chat: ChatRequest,
        exchange: Exchange,
        reply: Reply,
        body: bytes,
        said_id: str | None,
    ) -> None:
        """JSON in reply to `stream: true` (contract H13; measured: every SDK would show an empty answer)."""
        found = await self._read(answer, exchange, body)
        exchange.usage = found.usage
        if found.usage is None:
            exchange.output = WholeOutput(output_characters(found.body))
        identity = self._identity(exchange)
        for frames in stream_of_answer(
            found.body, include_usage=chat.include_usage, identity=identity, said_id=said_id
        ):
            reply.events(frames)
        await reply.end_of_stream()

    async def _read(self, answer: Answer, exchange: Exchange, body: bytes) -> WholeAnswer:
        plain = _read_plainly(answer, body)
        return plain or await self._read_closely(answer, exchange, body)

    async def _read_closely(self, answer: Answer, exchange: Exchange, body: bytes) -> WholeAnswer:
        limit = answer.upstream.entry.max_json_bytes
        if len(body) > limit:
            raise too_large(answer.upstream.name, limit)
        rules, identity = answer.upstream.rules, self._identity(exchange)
        read = read_closely if len(body) <= LARGE_BYTES else read_answer
        try:
            return await off_loop(len(body), read, body, rules=rules, identity=identity)
        except AnswerUnusable as unusable:
            raise _unusable(answer, exchange, unusable.reason, unusable.data) from None

    def _identity(self, exchange: Exchange) -> Identity:
        """What a chunk or answer gets where the upstream gave nothing."""
        return Identity(
            f"chatcmpl-{exchange.request_id}",
            int(self._wall_seconds()),
            exchange.model_requested,
        )


def _read_plainly(answer: Answer, body: bytes) -> WholeAnswer | None:
    """The answer in *body* if it is small and surely needs no repair."""
    if len(body) > LARGE_BYTES or answer.upstream.rules.answer_filter is not None:
        return None
    return plain_answer(body) if len(body) <= answer.upstream.entry.max_json_bytes else None


def _unusable(answer: Answer, exchange: Exchange, reason: FaultReason, told: bytes) -> GatewayError:
    """The typed error of an answer that is none: what the upstream *told*, or how it broke
    (upstreams S7, E-C9, E-C10).
    """
    name = answer.upstream.name
    if reason is FaultReason.ERROR_EVENT:
        return no_answer(answer.upstream, told, exchange.model_requested)
    if reason is FaultReason.DISCONNECTED:
        return UpstreamDisconnected(
            f"Upstream '{name}' ended its stream before the answer was complete."
        )
    return UpstreamMalformed(f"Upstream '{name}' sent an answer that is not a chat completion.")


def _refuse_unready(body: bytes) -> None:
    """Raises for a Mind that still loads its data, where the entry wants an error for it (upstreams M-A6)."""
    if is_not_ready(body):
        raise UpstreamAnswered(
            "The Mind is not ready yet. Please try again later.",
            status=503,
            type="server_error",
            code="mind_not_ready",
            retry_after_seconds=_NOT_READY_SECONDS,
        )
