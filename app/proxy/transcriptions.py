"""
`POST /v1/audio/transcriptions` (contract O7, O8; upstreams 7.2, A8 to A14, P4).

The form is read whole, within OpenAI's own bound: whose model it names decides who is asked, what it may cost and
whether this key may have it. An upstream that speaks OpenAI's form gets it as it came; OpenMind's engines get its sound
over a websocket.
"""

import re
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from app.domain.errors import InvalidRequest, unknown_model
from app.domain.exchange import Exchange
from app.domain.routes import Deployment
from app.protocol.headers import HeaderList
from app.protocol.multipart import Part, boundary_of, read_form
from app.protocol.sse import KEEP_ALIVE
from app.protocol.transcripts import (
    Transcript,
    TranscriptionRequest,
    body_of,
    delta_event,
    done_event,
    model_in,
    read_transcription,
    with_model,
)
from app.protocol.wav import NotWav, Sound, raw_sound, read_wav
from app.proxy.call import Call
from app.proxy.off_loop import off_loop
from app.proxy.recogniser import EngineSocket, Recogniser
from app.proxy.reply import Reply
from app.proxy.sound_billing import NO_TOKENS, Asked
from app.proxy.sound_steps import SoundSteps, first_reached
from app.upstreams.recognition import Engine, Recognition, engine_language, engine_of, engine_query
from app.upstreams.relayed_request import Relayed
from app.upstreams.socket_addresses import socket_address, socket_base
from app.upstreams.upstream import Upstream

CAPABILITY = "audio.transcriptions"
MOST_FORM_BYTES = 25 * 1024 * 1024  # as OpenAI's
_PATH = "/audio/transcriptions"
_RAW_TYPE = re.compile(r"audio/pcm\s*(?:;\s*rate=([0-9]{1,6})\s*)?", re.IGNORECASE)
_RAW_RATE = 24_000  # of what OpenAI calls audio/pcm
_NOTED_MS = 10_000  # of sound, between two notes of how far it has come (J4)


class Dialing(Protocol):
    """Opens websockets as attempts of an exchange: `app.proxy.dialing`."""

    async def dial(
        self,
        upstream: Upstream,
        url: str,
        fields: HeaderList,
        exchange: Exchange,
        *,
        capability: str,
    ) -> EngineSocket:
        """An open socket. Raises the typed refusal."""


@dataclass(frozen=True, slots=True)
class _Form:
    """A form as it came. *content_type*: of the request, with its boundary."""

    body: bytes
    content_type: bytes
    boundary: bytes
    parts: list[Part]
    model: str


class _Heard(NamedTuple):
    """What the engines of OpenMind would be sent."""

    request: TranscriptionRequest
    sound: Sound


@dataclass(frozen=True, slots=True)
class _Plan:
    """How one deployment would be asked. *engine* None: it speaks OpenAI's own form."""

    upstream: Upstream
    deployment: Deployment
    engine: Engine | None


class TranscriptionDesk:
    """Serves transcripts. *most_bytes*: of a form that the operator takes; never more than MOST_FORM_BYTES."""

    def __init__(
        self, steps: SoundSteps, dialing: Dialing, recogniser: Recogniser, *, most_bytes: int
    ) -> None:
        self._steps = steps
        self._dialing = dialing
        self._recogniser = recogniser
        self._most_bytes = min(most_bytes, MOST_FORM_BYTES)

    async def serve(self, call: Call) -> None:
        """The client has its transcript. Raises the typed error of whatever came in between."""
        form = await self._form(call)
        route = await self._steps.access.route(call, form.model)
        plans = [self._plan(one, form.model) for one in route.deployments]
        heard = self._heard(form, plans)
        if all(plan.engine is not None for plan in plans):
            form = replace(form, body=b"", parts=[])  # the sound is taken out: the rest is no use
        asked = [Asked(plan.upstream.name, plan.deployment.model) for plan in plans]
        audio_ms = heard.sound.duration_ms if heard is not None else 0
        await self._steps.billing.admit(call.principal, call.exchange, asked, audio_ms=audio_ms)
        await first_reached(plans, lambda plan: self._ask(call, plan, form, heard))

    async def _ask(self, call: Call, plan: _Plan, form: _Form, heard: _Heard | None) -> None:
        exchange = call.exchange
        exchange.upstream, exchange.model = plan.upstream.name, plan.deployment.model
        exchange.label = plan.deployment.label
        exchange.stream, exchange.dropped = False, ()
        if plan.engine is None or heard is None:
            await self._relay_form(call, plan, form)
            return
        exchange.stream, exchange.dropped = heard.request.stream, heard.request.dropped
        await self._recognise(call, plan, plan.engine, heard)

    # --- before -------------------------------------------------------------------------------------------------------

    async def _form(self, call: Call) -> _Form:
        """Raises RequestTooLarge, UnsupportedMediaType and InvalidRequest."""
        content_type = call.client.named.get(b"content-type", b"")
        boundary = boundary_of(content_type)
        pieces = [piece async for piece in call.client.body_pieces(self._most_bytes)]
        body = b"".join(pieces)
        parts = await off_loop(len(body), read_form, body, boundary)
        return _Form(body, content_type, boundary, parts, model_in(parts))

    def _plan(self, deployment: Deployment, model: str) -> _Plan:
        """Raises ModelNotFound for a model that no engine of a mapped upstream serves."""
        upstream = self._steps.upstreams[deployment.upstream]
        if upstream.capabilities[CAPABILITY] != "map":
            return _Plan(upstream, deployment, None)
        engine = engine_of(deployment.model)
        if engine is None:
            raise unknown_model(model)
        return _Plan(upstream, deployment, engine)

    def _heard(self, form: _Form, plans: list[_Plan]) -> _Heard | None:
        """None where nobody needs it. Raises InvalidRequest for a form or a sound that no engine takes."""
        bounds = [plan.upstream.entry.transcription for plan in plans if plan.engine is not None]
        if not bounds:
            return None
        request = read_transcription(form.parts)
        sound = _sound_of(request)
        longest = min(one.max_audio_seconds for one in bounds)
        if sound.frames > longest * sound.rate:
            raise InvalidRequest(
                f"The sound lasts {sound.duration_ms / 1000:.1f} seconds; this model takes at most {longest:g}. "
                "Send it in parts.",
                code="unsupported_value",
                param="file",
            )
        return _Heard(request, sound)

    # --- OpenAI's own form --------------------------------------------------------------------------------------------

    async def _relay_form(self, call: Call, plan: _Plan, form: _Form) -> None:
        body, upstream = form.body, plan.upstream
        if plan.deployment.model != form.model:
            body = with_model(body, form.boundary, plan.deployment.model)
        relayed = Relayed("POST", _PATH, call.client.query, body, form.content_type)
        answer = await self._steps.send(call, upstream, relayed, upstream.timeouts)
        await self._steps.pass_on(call, answer)

    # --- the engines --------------------------------------------------------------------------------------------------

    async def _recognise(self, call: Call, plan: _Plan, engine: Engine, heard: _Heard) -> None:
        request, exchange, upstream = heard.request, call.exchange, plan.upstream
        options = upstream.entry.transcription
        language = engine_language(engine, request.language, options)
        base = socket_base(upstream) + engine.path if engine.path else _root(upstream)
        address = socket_address(
            upstream,
            base,
            query=engine_query(engine, plan.deployment.model),
            request_id=exchange.request_id,
        )
        socket = await self._dialing.dial(
            upstream, address.url, address.fields, exchange, capability=CAPABILITY
        )
        recognition = Recognition(engine, heard.sound, language, options)
        listener = _Listener(call, self._steps)
        try:
            await self._recogniser.recognise(recognition, socket, upstream, listener)
        finally:
            exchange.audio_ms = recognition.sent_ms
        exchange.usage = NO_TOKENS
        transcript = Transcript(
            recognition.text, _said_language(request, language), heard.sound.duration_ms
        )
        await _answer(call.reply, request, transcript)


class _Listener:
    """Notes how far one recognition has come, and tells a client that waits for events."""

    def __init__(self, call: Call, steps: SoundSteps) -> None:
        self._call = call
        self._steps = steps
        self._noted_ms = 0
        self._has_heard = False

    def heard(self, final: str) -> None:
        """See `Listener.heard`."""
        exchange = self._call.exchange
        exchange.usage = NO_TOKENS  # from now on there is something to charge, whatever comes
        if exchange.stream:
            self._call.reply.events(delta_event(f" {final}" if self._has_heard else final))
        self._has_heard = True

    def went_on(self, sent_ms: int) -> None:
        """See `Listener.went_on`."""
        exchange, reply = self._call.exchange, self._call.reply
        exchange.audio_ms = sent_ms
        if sent_ms - self._noted_ms >= _NOTED_MS:
            self._noted_ms = sent_ms
            self._steps.billing.went_on(exchange)
        silent_seconds = self._steps.now() - reply.last_sent_at
        if exchange.stream and silent_seconds >= self._steps.heartbeat_seconds:
            reply.comment(KEEP_ALIVE)  # contract J7


async def _answer(reply: Reply, request: TranscriptionRequest, transcript: Transcript) -> None:
    if request.stream:
        await reply.end_of_stream(done_event(transcript))
        return
    content_type, body = body_of(transcript, request.format)
    reply.begin(200, [(b"content-type", content_type)], len(body))
    await reply.end_of_body(body)


def _sound_of(request: TranscriptionRequest) -> Sound:
    """The sound in *request*. Raises InvalidRequest for one that would have to be converted first (A8)."""
    raw = _RAW_TYPE.fullmatch(request.file_type)
    try:
        if raw is not None and not request.file.startswith(b"RIFF"):
            sound = raw_sound(request.file, int(raw[1] or _RAW_RATE))
        else:
            sound = read_wav(request.file)
    except NotWav as reason:
        raise InvalidRequest(
            f"The file cannot be read: {reason}. Send a WAV file (PCM of 8, 16, 24 or 32 bit, or float), or bare "
            "samples of 16 bit and one channel as audio/pcm;rate=24000.",
            code="unsupported_file_type",
            param="file",
        ) from None
    if not sound.frames:
        raise InvalidRequest(
            "The file holds no sound. Send at least a tenth of a second.",
            code="unsupported_value",
            param="file",
        )
    return sound


def _root(upstream: Upstream) -> str:
    return upstream.entry.riva_asr_url.rstrip("/") + "/"


def _said_language(request: TranscriptionRequest, told: str) -> str:
    """What a transcript says of its language: as asked, else as the engine was told; `und`: it found out itself."""
    if request.language:
        return request.language
    return told if told and told != "auto" else "und"
