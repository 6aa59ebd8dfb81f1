"""
`POST /v1/audio/speech` (contract O1 to O6; upstreams 7.1, P4).

An upstream that speaks OpenAI's form gets the bytes received, and its answer is passed on. OpenMind's services get a
body of their own, and what they answer goes out as what it is: streamed as it comes, unpacked from JSON, behind a WAV
header, or as events.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import NamedTuple

from app.domain.configuration import Timeouts
from app.domain.errors import GatewayError, UpstreamMalformed, unknown_model
from app.domain.routes import Deployment
from app.protocol.headers import response_headers
from app.protocol.sound_types import HEAD_BYTES, container_of
from app.protocol.speech import DONE, SpeechRequest, SpeechWish, deltas, read_speech, wish_of
from app.protocol.sse import KEEP_ALIVE
from app.proxy.attempts import Answer
from app.proxy.call import Call
from app.proxy.off_loop import off_loop
from app.proxy.reply import Reply
from app.proxy.sound_billing import NO_TOKENS, Asked
from app.proxy.sound_steps import SoundSteps, first_reached
from app.proxy.source import Source
from app.upstreams.no_answer import no_answer
from app.upstreams.relayed_request import Relayed
from app.upstreams.speech_requests import (
    STREAM_PATH,
    SoundFormat,
    SpeechRoutes,
    SpeechTarget,
    encoded_sound,
    opening,
    sound_format,
    speech_body,
    speech_target,
    whole_sound,
)
from app.upstreams.upstream import Upstream

CAPABILITY = "audio.speech"
_PATH = "/audio/speech"
_JSON = b"application/json"
_FIRST_BYTE_SECONDS = 60.0  # upstreams 5.4
_ABSENT = (404, 405)


@dataclass(frozen=True, slots=True)
class _Plan:
    """How one deployment would be asked. *target*, *wish*, *format*: None where it speaks OpenAI's own form."""

    upstream: Upstream
    deployment: Deployment
    model: str
    body: bytes
    dropped: tuple[str, ...] = ()
    target: SpeechTarget | None = None
    wish: SpeechWish | None = None
    format: SoundFormat | None = None


class _Spoken(NamedTuple):
    """An answer, and the path at which it was given."""

    answer: Answer
    path: str


class _Sound(NamedTuple):
    """What goes to the client. *length*: in bytes, None where nobody knows."""

    content_type: bytes
    pieces: AsyncGenerator[bytes, None]
    length: int | None


class SpeechDesk:
    """Serves speech."""

    def __init__(self, steps: SoundSteps) -> None:
        self._steps = steps
        self._routes = SpeechRoutes()

    async def serve(self, call: Call) -> None:
        """The client has its speech. Raises the typed error of whatever came in between."""
        body = await call.client.read_body()
        request = await off_loop(len(body), read_speech, body)
        route = await self._steps.access.route(call, request.model)
        plans = [self._plan(one, request) for one in route.deployments]
        asked = [Asked(plan.upstream.name, plan.model) for plan in plans]
        await self._steps.billing.admit(
            call.principal, call.exchange, asked, characters=request.characters
        )
        plan, spoken = await first_reached(plans, lambda plan: self._ask(call, plan))
        await self._pass_on(call, plan, spoken)

    def _plan(self, deployment: Deployment, request: SpeechRequest) -> _Plan:
        """Raises InvalidRequest for what this deployment cannot do, ModelNotFound for a model that does not speak."""
        upstream = self._steps.upstreams[deployment.upstream]
        if upstream.capabilities[CAPABILITY] != "map":
            return _Plan(upstream, deployment, deployment.model, request.renamed(deployment.model))
        options = upstream.entry.speech
        target = speech_target(deployment.model, options)
        if target is None:
            raise unknown_model(request.model)
        wish = wish_of(request)
        wanted = sound_format(wish.format)
        body, dropped = speech_body(target, wish, options)
        return _Plan(upstream, deployment, target.model, body, dropped, target, wish, wanted)

    # --- asking -------------------------------------------------------------------------------------------------------

    async def _ask(self, call: Call, plan: _Plan) -> tuple[_Plan, _Spoken]:
        exchange = call.exchange
        exchange.upstream, exchange.model = plan.upstream.name, plan.model
        exchange.label, exchange.dropped = plan.deployment.label, plan.dropped
        exchange.stream = plan.wish is not None and plan.wish.as_events
        if plan.target is None:
            return plan, await self._send(call, plan, _PATH)
        paths = self._routes.paths(
            plan.upstream.name, plan.target.engine, plan.upstream.entry.speech
        )
        if len(paths) == 1:
            return plan, await self._send(call, plan, paths[0])
        return plan, await self._send_to_either(call, plan, *paths)

    async def _send_to_either(self, call: Call, plan: _Plan, first: str, second: str) -> _Spoken:
        """The second path is asked where there is no first, and that is remembered if there is a second (A1)."""
        exchange = call.exchange
        try:
            return await self._send(call, plan, first)
        except GatewayError:
            if exchange.upstream_status not in _ABSENT:
                raise
        exchange.upstream_status = 0
        try:
            return await self._send(call, plan, second)
        finally:
            if exchange.upstream_status not in (0, *_ABSENT):
                self._routes.stream_is_missing(plan.upstream.name)

    async def _send(self, call: Call, plan: _Plan, path: str) -> _Spoken:
        query = call.client.query if plan.target is None else ""
        relayed = Relayed("POST", path, query, plan.body, _JSON)
        timeouts = _patience(plan.upstream.timeouts)
        return _Spoken(await self._steps.send(call, plan.upstream, relayed, timeouts), path)

    # --- answering ----------------------------------------------------------------------------------------------------

    async def _pass_on(self, call: Call, plan: _Plan, spoken: _Spoken) -> None:
        answer, exchange, reply = spoken.answer, call.exchange, call.reply
        if plan.format is None:
            await self._steps.pass_on(call, answer)
            return
        reply.relayed = response_headers(answer.response.headers)
        try:
            sound = await self._sound(answer, spoken.path, plan, plan.format, call)
            if exchange.stream:
                await self._as_events(sound.pieces, reply)
            else:
                await self._steps.relay.relay_pieces(
                    sound.pieces,
                    exchange,
                    reply,
                    status=200,
                    fields=[(b"content-type", sound.content_type)],
                    length=sound.length,
                )
        except BaseException:
            await answer.response.aclose()
            raise
        answer.response.release()

    async def _sound(
        self, answer: Answer, path: str, plan: _Plan, wanted: SoundFormat, call: Call
    ) -> _Sound:
        """What *answer* holds, known by its first bytes. Raises the typed error of an answer that holds none."""
        says_json = b"json" in answer.content_type.lower()
        is_bounded = says_json or path != STREAM_PATH
        limit = plan.upstream.entry.max_json_bytes if is_bounded else None
        source = Source(answer, self._steps.now, limit=limit)
        first = await self._first(source, call)
        call.exchange.upstream_first_at = self._steps.now()
        if says_json or (is_bounded and first.lstrip().startswith(b"{")):
            content_type, audio = await self._unpacked(source, first, plan, wanted, call)
            call.exchange.usage = NO_TOKENS
            return _Sound(content_type, _one(audio), len(audio))
        if not first:
            raise _no_sound(plan.upstream)
        container = container_of(first, samples_are_due=wanted.is_bare)
        content_type, head = opening(container, wanted)
        call.exchange.usage = NO_TOKENS
        return _Sound(content_type, self._rest(source, head + first, call), None)

    async def _first(self, source: Source, call: Call) -> bytes:
        """Enough of the answer to tell what it is; less where there is no more."""
        first = b""
        while len(first) < HEAD_BYTES:
            piece = await self._next(source, call)
            if not piece:
                break
            first += piece
        return first

    async def _unpacked(
        self, source: Source, first: bytes, plan: _Plan, wanted: SoundFormat, call: Call
    ) -> tuple[bytes, bytes]:
        """The sound in a JSON answer and its type (upstreams A6)."""
        body = await source.rest(first)
        found = await off_loop(len(body), encoded_sound, body)
        if found is None or plan.target is None:
            raise no_answer(plan.upstream, body, call.exchange.model_requested)
        container = container_of(found.audio, samples_are_due=wanted.is_bare)
        engine = plan.target.engine
        # Another rate takes a microsecond a sample: never on the loop (reliability R24).
        return await asyncio.to_thread(whole_sound, found, container, wanted, engine)

    async def _rest(self, source: Source, first: bytes, call: Call) -> AsyncGenerator[bytes, None]:
        yield first
        while piece := await self._next(source, call):
            yield piece

    async def _next(self, source: Source, call: Call) -> bytes:
        """The upstream's next bytes; b"" at the end. A client that waits for events hears meanwhile that the line is
        alive (contract J7)."""
        while True:
            patience = self._steps.heartbeat_seconds if call.exchange.stream else float("inf")
            piece = await source.next(patience)
            if piece is not None:
                source.first_event_seen()
                return piece
            if call.exchange.stream and self._is_silent(call.reply):
                call.reply.comment(KEEP_ALIVE)

    def _is_silent(self, reply: Reply) -> bool:
        return self._steps.now() - reply.last_sent_at >= self._steps.heartbeat_seconds

    async def _as_events(self, pieces: AsyncGenerator[bytes, None], reply: Reply) -> None:
        """The sound as events, one for each piece (contract O6, upstreams A7)."""
        client = reply.client
        async with aclosing(pieces):
            async for piece in pieces:
                for event in deltas(piece):
                    reply.events(event)
                if client.is_full:
                    taken = asyncio.Event()
                    client.when_room(taken.set)
                    await taken.wait()
        await reply.end_of_stream(DONE)


def _patience(timeouts: Timeouts) -> Timeouts:
    """Speech begins sooner than a chat does, but where the operator says otherwise."""
    if timeouts.first_byte_is_fixed or timeouts.first_byte_seconds < _FIRST_BYTE_SECONDS:
        return timeouts
    return replace(timeouts, first_byte_seconds=_FIRST_BYTE_SECONDS)


async def _one(piece: bytes) -> AsyncGenerator[bytes, None]:
    yield piece


def _no_sound(upstream: Upstream) -> GatewayError:
    return UpstreamMalformed(f"Upstream '{upstream.name}' sent an empty answer.")
