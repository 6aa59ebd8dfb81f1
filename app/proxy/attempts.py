"""
When the gateway asks, whom, and when it must not ask again.

Law 2: nothing is tried again after the first byte has left for the client. Before that, another deployment is
tried only where nothing reached the first one (reliability R6: DNS, connect, TLS), and the same deployment
only to leave out `stream_options`, which it has just said it does not know (contract I11). All that decides
about another attempt is here.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Final

from app.domain.errors import GatewayError, Overloaded, UpstreamAnswered, UpstreamUnreachable
from app.domain.exchange import Exchange
from app.domain.routes import Deployment, Route
from app.domain.texts import shown
from app.protocol.headers import HeaderList, named, response_headers, with_own_idempotency
from app.protocol.requests import ChatRequest
from app.proxy.billing import Billing
from app.telemetry.metrics import Metrics
from app.upstreams.bodies import read_whole
from app.upstreams.chat_request import ChatOptions, prepare_chat
from app.upstreams.client import Sender, UpstreamRequest, UpstreamResponse
from app.upstreams.deadlines import Deadlines, deadlines
from app.upstreams.refusals import refusal
from app.upstreams.upstream import Upstream

_OK: Final = (200,)
_LONGEST_ID: Final = 128
_MAX_ERROR_BYTES: Final = 1024 * 1024
_COUNTED_CODES: Final = frozenset({"rate_limit_exceeded", "insufficient_quota", "upstream_error"})


class Answer:
    """An upstream's 200, its body still to come. Whoever holds it closes it.

    *content_type* and *coding*: its content-type and content-encoding as they came, b"" where it has none.
    """

    __slots__ = ("coding", "content_type", "deadlines", "response", "upstream")

    def __init__(
        self,
        response: UpstreamResponse,
        upstream: Upstream,
        deadlines: Deadlines,
        content_type: bytes = b"",
        coding: bytes = b"",
    ) -> None:
        self.response = response
        self.upstream = upstream
        self.deadlines = deadlines
        self.content_type = content_type
        self.coding = coding


class Attempts:
    """Asks upstreams until one answers or the reason not to is final."""

    def __init__(
        self,
        upstreams: Mapping[str, Upstream],
        senders: Mapping[str, Sender],
        billing: Billing,
        metrics: Metrics,
        now: Callable[[], float],
    ) -> None:
        self._billing = billing
        self._upstreams = upstreams
        self._senders = senders
        self._metrics = metrics
        self._now = now
        self._refuse_options: set[str] = set()  # URLs that know no stream_options (I11)

    async def chat(
        self, route: Route, chat: ChatRequest, options: ChatOptions, exchange: Exchange
    ) -> Answer:
        """The answer to *chat* of the first deployment of *route* that can be reached. Raises the typed refusal."""
        failure: GatewayError | None = None
        for place, deployment in enumerate(route.deployments):
            upstream = self._upstreams[deployment.upstream]
            request = self._prepared(upstream, deployment, chat, options, exchange)
            limits = deadlines(
                upstream.name, upstream.timeouts, options.client_headers, exchange.received_at
            )
            try:
                return await self.send(upstream, request, limits, exchange)
            except (UpstreamUnreachable, Overloaded) as error:
                failure = error  # nothing was sent, so the next one may be asked (reliability R6)
            except GatewayError as error:
                url = request.head.url
                is_new = chat.stream and url not in self._refuse_options
                if not (is_new and _names_stream_options(error)):
                    raise
                self._refuse_options.add(url)
                rest = Route(route.name, route.deployments[place:], route.is_named)
                return await self.chat(rest, chat, options, exchange)
        if failure is None:
            raise ValueError("a route has at least one deployment")
        raise failure

    def _prepared(
        self,
        upstream: Upstream,
        deployment: Deployment,
        chat: ChatRequest,
        options: ChatOptions,
        exchange: Exchange,
    ) -> UpstreamRequest:
        prepared = prepare_chat(upstream, deployment.model, chat, options)
        if prepared.request.head.url in self._refuse_options:
            options = replace(options, stream_options=False)
            prepared = prepare_chat(upstream, deployment.model, chat, options)
        exchange.upstream, exchange.model = upstream.name, prepared.model
        exchange.provider = prepared.provider
        exchange.label, exchange.dropped = deployment.label, prepared.dropped
        return prepared.request

    async def send(
        self,
        upstream: Upstream,
        request: UpstreamRequest,
        limits: Deadlines,
        exchange: Exchange,
        *,
        capability: str = "chat.create",
        statuses: Collection[int] | None = _OK,
    ) -> Answer:
        """One attempt: the upstream's answer with one of *statuses*, None: with any. Raises the typed error of anything
        else, the connection given back."""
        self._billing.attempt(exchange)
        exchange.attempts += 1
        exchange.sent_at = sent_at = self._now()
        response: UpstreamResponse | None = None
        request.deadlines = limits
        caller = exchange.caller
        if caller is not None and caller.resources != "all":
            owner = caller.team_id or caller.key_id
            request.headers = with_own_idempotency(request.headers, owner)
        try:
            response = await self._senders[upstream.name].send(request)
            fields = named(response.headers)
            _note_head(exchange, upstream, response.status, fields)
            if statuses is not None and response.status not in statuses:
                raise await self._refused(upstream, response, limits, exchange, capability)
        except BaseException as error:
            reason = reason_of(error)
            self._metrics.attempt(upstream.name, reason)
            if not request.has_left:
                exchange.sent_at = None  # so nobody worked on an answer (reliability R6, J14)
            _note_failed(exchange, reason, sent_at, self._now())
            if response is not None:
                await response.aclose()
            raise
        self._metrics.attempt(upstream.name, "answered")
        content_type, coding = (
            fields.get(b"content-type", b""),
            fields.get(b"content-encoding", b""),
        )
        return Answer(response, upstream, limits, content_type, coding)

    async def _refused(
        self,
        upstream: Upstream,
        response: UpstreamResponse,
        limits: Deadlines,
        exchange: Exchange,
        capability: str,
    ) -> GatewayError:
        """The typed error of an answer that is none: it, too, must have come by the first-byte deadline."""
        patience = limits.first_byte_at - self._now()
        try:
            async with asyncio.timeout(patience):
                body = await read_whole(response, limit=_MAX_ERROR_BYTES, name=upstream.name)
        except TimeoutError:
            raise limits.first_byte_passed() from None
        error = refusal(
            upstream=upstream.name,
            dialect=upstream.dialect.name,
            status=response.status,
            headers=_text_headers(response.headers),
            body=body,
            model=exchange.model_requested,
            capability=capability,
            secrets=upstream.secrets(),
        )
        error.relayed = tuple(response_headers(response.headers))
        return error


def reason_of(error: BaseException) -> str:
    """What came of an attempt that ended in *error*, as a metric's label: a code of ours, never an upstream's own
    word, of which there may be any number (reliability S22)."""
    if not isinstance(error, GatewayError):
        return "abandoned"
    if isinstance(error, UpstreamAnswered) and error.code not in _COUNTED_CODES:
        return "refused"
    return error.code or "refused"


def _note_failed(exchange: Exchange, reason: str, began_at: float, ended_at: float) -> None:
    """One more attempt of *exchange* that came to nothing, for its receipt."""
    began, ended = (int((at - exchange.received_at) * 1e6) for at in (began_at, ended_at))
    exchange.trail += ((exchange.upstream, shown(exchange.model), reason, began, ended),)


def _names_stream_options(error: GatewayError) -> bool:
    return error.status == 400 and "stream_options" in f"{error.param} {error.message}"


def _note_head(
    exchange: Exchange, upstream: Upstream, status: int, fields: dict[bytes, bytes]
) -> None:
    exchange.upstream_status = status
    timings = ""
    for name in upstream.dialect.timing_headers:
        value = fields.get(name)
        if value is not None:
            timing = f"{name.decode()}={value.decode('latin-1')}"
            timings = f"{timings}, {timing}" if timings else timing
    exchange.upstream_timing = timings
    given = fields.get(b"x-request-id")
    if given:
        exchange.upstream_request_id = _printable(given[:_LONGEST_ID].decode("latin-1"))


def _printable(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return "".join(letter for letter in text if letter.isascii() and letter.isprintable())


def _text_headers(headers: HeaderList) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
