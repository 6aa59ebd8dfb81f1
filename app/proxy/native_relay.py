"""
A native request over HTTP and its answer: as they are, but for the credential and the headers that may pass (upstreams
N10).

Nothing is asked twice once a byte has left, but a GET by its connection's own rules; no redirect is followed. An answer
of any status is the answer, errors too; only a refused credential is the operator's affair and told as such (E-C4). An
error that repeats the gateway's own credential passes without it (reliability S5).
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, aclosing
from math import ceil
from typing import Any

import msgspec

from app.domain.errors import ClientError, GatewayError
from app.domain.outcome import Outcome
from app.protocol.headers import HeaderList, response_headers
from app.protocol.native_paths import NativeRoute
from app.protocol.targets import NATIVE
from app.proxy.attempts import Answer, Attempts
from app.proxy.body_relay import BodyRelay
from app.proxy.call import Call
from app.proxy.off_loop import off_loop
from app.proxy.source import Source
from app.proxy.spooling import spooled
from app.upstreams.deadlines import deadlines
from app.upstreams.native_routes import native_url
from app.upstreams.relayed_request import Relayed, relayed_request
from app.upstreams.upstream import Upstream
from app.upstreams.waits import retry_after_seconds
from app.wire.requests import Upload

Body = bytes | Upload

# What is no answer stays away: a redirect (G4), and a refusal of the gateway's own credential.
_RELAYED = frozenset({*range(200, 300), *range(400, 600)} - {401, 407})
_MOST_HELD_BYTES = 1024 * 1024  # of a request's body; a larger one passes as it comes
_MOST_WHOLE_BYTES = 1024 * 1024  # of an answer that is read here
_SPOKEN = (
    "text",
    "input",
)  # the members that hold what is spoken, in either age of the service (A2)
_WAITING = (429, 503)
_ERROR = 400
_SHORTEST_SECRET = 4  # a shorter one would strike out ordinary words
# Whatever a service answers, a browser shows it as what it says it is, and runs none of it in our name.
_INERT: HeaderList = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"sandbox"),
]
_LIVE: HeaderList = [(b"cache-control", b"no-cache, no-transform"), (b"x-accel-buffering", b"no")]


class NativeRelay:
    """Asks upstreams what clients ask them. *now*: the monotonic clock of an exchange's times."""

    def __init__(
        self,
        attempts: Attempts,
        bodies: BodyRelay,
        now: Callable[[], float],
        *,
        max_upload_bytes: int,
    ) -> None:
        self._attempts = attempts
        self._bodies = bodies
        self._now = now
        self._max_upload_bytes = max_upload_bytes

    async def body(self, call: Call, route: NativeRoute) -> Body:
        """The body of *call*: whole where it is small or has to be read, else as it comes. Raises RequestTooLarge."""
        client = call.client
        if client.method in ("GET", "HEAD"):
            return b""
        length = client.body_bytes
        if length is None and b"transfer-encoding" not in client.named:
            length = 0  # there is none
        is_small = length is not None and length <= _MOST_HELD_BYTES
        if is_small or route.metered:
            return await client.read_body()
        return Upload(client.body_pieces(self._max_upload_bytes), length)

    async def ask(
        self, call: Call, upstream: Upstream, route: NativeRoute, path: str, body: Body
    ) -> Answer:
        """The answer of *upstream*, whoever holds it closes it. Raises the typed error where there is none."""
        if isinstance(body, bytes):
            return await self._ask(call, upstream, route, path, body)
        async with AsyncExitStack() as stack:
            if isinstance(body.pieces, AsyncGenerator):
                await stack.enter_async_context(aclosing(body.pieces))
            if body.length is None and upstream.entry.upload_transfer == "length":
                spool = await stack.enter_async_context(spooled(body.pieces))
                body = Upload(spool.pieces(), spool.length)
            return await self._ask(call, upstream, route, path, body)

    async def _ask(
        self, call: Call, upstream: Upstream, route: NativeRoute, path: str, body: Body
    ) -> Answer:
        client, exchange = call.client, call.exchange
        relayed = Relayed(
            "GET" if client.method == "HEAD" else client.method,  # not everybody knows HEAD
            native_url(upstream, route.place, path),
            client.query,
            body,
            client.named.get(b"content-type", b"") if body else b"",
        )
        request = relayed_request(
            upstream, relayed, headers=client.headers, request_id=exchange.request_id
        )
        limits = deadlines(upstream.name, upstream.timeouts, client.headers, exchange.received_at)
        try:
            answer = await self._attempts.send(
                upstream, request, limits, exchange, capability=NATIVE, statuses=_RELAYED
            )
        except GatewayError as error:
            if isinstance(error, ClientError) and not exchange.upstream_status:
                exchange.outcome = Outcome.REJECTED  # the client's own body was at fault
                exchange.error_code = error.code or ""
            if request.has_left and relayed.method != "GET":
                error.should_retry = False  # it may have been done (contract G3)
            raise
        if answer.response.status >= _ERROR:
            exchange.outcome = Outcome.UPSTREAM_ERROR
        return answer

    async def pass_on(self, call: Call, answer: Answer) -> None:
        """The client has *answer* as it came; an error without the upstream's secrets."""
        response = answer.response
        if response.status >= _ERROR and call.client.method != "HEAD":
            body = await self.whole(answer)
            await self.give(call, answer, _without_secrets(body, answer.upstream))
            return
        call.reply.relayed = response_headers(response.headers)
        await self._bodies.relay(
            answer,
            call.exchange,
            call.reply,
            status=response.status,
            fields=_fields(answer),
            length=_length(response.headers),
        )

    async def whole(self, answer: Answer) -> bytes:
        """The body of *answer*, which is closed then. Raises what reading does, and UpstreamMalformed above 1 MB."""
        try:
            return await Source(answer, self._now, limit=_MOST_WHOLE_BYTES).rest(b"")
        finally:
            await answer.response.aclose()

    async def give(self, call: Call, answer: Answer, body: bytes) -> None:
        """The client has *answer* with *body*, which was read before."""
        call.exchange.upstream_first_at = self._now()
        call.reply.relayed = response_headers(answer.response.headers)
        call.reply.begin(answer.response.status, _fields(answer), len(body))
        await call.reply.end_of_body(body)


def _without_secrets(body: bytes, upstream: Upstream) -> bytes:
    """*body* as it came, but for the upstream's configured credentials and its host (contract F11)."""
    for secret in sorted(upstream.secrets(), key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            body = body.replace(secret.encode(), b"[key]")
    return body


async def spoken_characters(body: Body) -> int:
    """How many characters a request for speech asks to be spoken; 0 for one that can be no such request."""
    if not isinstance(body, bytes):
        return 0
    return await off_loop(len(body), _spoken, body)


def _spoken(body: bytes) -> int:
    try:
        members: Any = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return 0
    if not isinstance(members, dict):
        return 0
    # A service may read names whatever their case, and either of two: the longest is what it may come to.
    texts = (value for name, value in members.items() if str(name).lower() in _SPOKEN)
    return max((len(text) for text in texts if isinstance(text, str)), default=0)


def _fields(answer: Answer) -> HeaderList:
    """The head's fields that are neither ours nor on the list of those that always pass (contract C8, C12)."""
    fields = list(_INERT)
    if answer.content_type:
        fields.append((b"content-type", answer.content_type))
    if answer.content_type.lower().startswith(b"text/event-stream"):
        fields += _LIVE
    response = answer.response
    if response.status in _WAITING:
        names = (
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers
        )
        seconds = retry_after_seconds(names)
        if seconds is not None:
            fields.append((b"retry-after", b"%d" % ceil(seconds)))
    return fields


def _length(headers: HeaderList) -> int | None:
    """The length that the upstream told; None where it did not."""
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return None
