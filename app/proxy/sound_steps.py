"""What speech and transcription share: whom they call, and the way to an upstream that speaks OpenAI's form."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from app.domain.configuration import Timeouts
from app.domain.errors import GatewayError, Overloaded, UpstreamUnreachable
from app.protocol.error_shapes import error_in
from app.protocol.headers import SSE_HEADERS, header, response_headers
from app.protocol.lossless import is_json
from app.proxy.attempts import Answer, Attempts
from app.proxy.body_relay import BodyRelay
from app.proxy.call import Call
from app.proxy.model_access import ModelAccess
from app.proxy.sound_billing import NO_TOKENS, SoundBilling
from app.proxy.source import Source
from app.upstreams.deadlines import deadlines
from app.upstreams.no_answer import no_answer
from app.upstreams.relayed_request import Relayed, relayed_request
from app.upstreams.upstream import Upstream

_EVENTS = b"text/event-stream"
_NO_SOUND = (b"json", b"text/html")
_BAD_GATEWAY = 502
_UNKNOWN_TYPE = b"application/octet-stream"

Plan = TypeVar("Plan")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class SoundSteps:
    """What both desks call. *heartbeat_seconds*: `streams.heartbeat_seconds`; *now*: the loop's monotonic clock."""

    upstreams: Mapping[str, Upstream]
    access: ModelAccess
    attempts: Attempts
    billing: SoundBilling
    relay: BodyRelay
    heartbeat_seconds: float
    now: Callable[[], float]

    async def send(
        self, call: Call, upstream: Upstream, relayed: Relayed, timeouts: Timeouts
    ) -> Answer:
        """The 200 of *upstream*, asked once. Raises what `Attempts.send` raises."""
        exchange, headers = call.exchange, call.client.headers
        request = relayed_request(
            upstream, relayed, headers=headers, request_id=exchange.request_id
        )
        limits = deadlines(upstream.name, timeouts, headers, exchange.received_at)
        return await self.attempts.send(
            upstream, request, limits, exchange, capability=exchange.endpoint
        )

    async def pass_on(self, call: Call, answer: Answer) -> None:
        """*answer* has reached the client byte for byte, under its own type (upstreams P7).

        Raises the error that it may hold in the place of sound or text (E-C9).
        """
        if any(word in answer.content_type.lower() for word in _NO_SOUND):
            await self._pass_on_text(call, answer)
            return
        call.exchange.usage = NO_TOKENS
        fields, length = [(b"content-type", answer.content_type or _UNKNOWN_TYPE)], None
        if answer.content_type.lower().startswith(_EVENTS):
            fields = SSE_HEADERS
        else:
            stated = header(answer.response.headers, b"content-length") or b""
            length = int(stated) if stated.isdigit() else None
        call.reply.relayed = response_headers(answer.response.headers)
        await self.relay.relay(
            answer, call.exchange, call.reply, status=200, fields=fields, length=length
        )

    async def _pass_on_text(self, call: Call, answer: Answer) -> None:
        upstream, headers = answer.upstream, answer.response.headers
        try:
            body = await Source(answer, self.now, limit=upstream.entry.max_json_bytes).rest(b"")
        finally:
            await answer.response.aclose()
        call.exchange.upstream_first_at = self.now()
        if _is_error(body):
            raise no_answer(upstream, body, call.exchange.model_requested)
        call.exchange.usage = NO_TOKENS
        call.reply.relayed = response_headers(headers)
        call.reply.begin(200, [(b"content-type", answer.content_type)], len(body))
        await call.reply.end_of_body(body)


def _is_error(body: bytes) -> bool:
    return not is_json(body) or error_in(body, status=_BAD_GATEWAY, unsaid="…") is not None


async def first_reached(plans: Sequence[Plan], ask: Callable[[Plan], Awaitable[Result]]) -> Result:
    """What *ask* returns for the first of *plans* whose upstream can be reached (reliability R6): where nothing was
    sent, the next one may be asked. Raises what it raises; *plans* are one at least."""
    failure: GatewayError | None = None
    for plan in plans:
        try:
            return await ask(plan)
        except (UpstreamUnreachable, Overloaded) as error:
            failure = error
    if failure is None:
        raise ValueError("a route has at least one deployment")
    raise failure
