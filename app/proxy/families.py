"""
Whole families of routes that an OpenAI-compatible upstream may have, as moderations, images, batches and vector stores,
relayed as they are (upstreams 2, P4; contract N7).

Those that keep state hold objects whose owner the gateway does not know, so they are for keys with `resources: all`
(reliability S16). The others are for every key, as far as it may use the model that the body names.
"""

from collections.abc import Callable

from app.access.permissions import require_all_resources
from app.domain.errors import GatewayError, UpstreamAnswered
from app.protocol.headers import response_headers
from app.protocol.json_bodies import read_json_body
from app.protocol.object_ids import object_id
from app.protocol.passed_headers import body_headers, body_length
from app.proxy.attempts import Answer
from app.proxy.billing import Billing
from app.proxy.body_relay import BodyRelay
from app.proxy.call import Call
from app.proxy.chooser import Chooser
from app.proxy.model_routes import ModelRoutes
from app.proxy.upload_attempts import UploadAttempts
from app.upstreams.deadlines import deadlines
from app.upstreams.relayed_request import Relayed, relayed_request, segment
from app.upstreams.upstream import Upstream
from app.wire.requests import Upload

_STATELESS = frozenset(("moderations", "rerank", "images", "audio/translations"))
_WITH_BODY = frozenset(("POST", "PUT", "PATCH"))
_FINE = range(200, 300)
_JSON = b"application/json"


class FamilyDesk:
    """Serves `families`. *max_upload_bytes*: of a body that is no JSON. *now*: the loop's monotonic clock."""

    def __init__(
        self,
        chooser: Chooser,
        routes: ModelRoutes,
        attempts: UploadAttempts,
        relay: BodyRelay,
        *,
        billing: Billing,
        max_upload_bytes: int,
        now: Callable[[], float],
    ) -> None:
        self._chooser = chooser
        self._routes = routes
        self._attempts = attempts
        self._relay = relay
        self._billing = billing
        self._max_upload_bytes = max_upload_bytes
        self._now = now

    async def serve(self, call: Call) -> None:
        """The client has the upstream's answer. Raises PermissionDenied, and what may go wrong, typed."""
        endpoint = call.target.endpoint
        segments = endpoint.parameters["path"] if endpoint else ()
        path = "".join(f"/{segment(object_id(one))}" for one in segments)
        upstream = self._chooser.usual(call)
        if endpoint is None or endpoint.template not in _STATELESS:
            require_all_resources(call.principal)
        if call.client.method not in _WITH_BODY:
            await self._billing.admit(call.principal, call.exchange)
            method = "GET" if call.client.method == "HEAD" else call.client.method
            await self._relayed(call, upstream, Relayed(method, path, call.client.query))
        elif _is_json(call):
            await self._json(call, upstream, path)
        else:
            await self._stream(call, upstream, path)

    async def _json(self, call: Call, upstream: Upstream, path: str) -> None:
        raw, body = await call.client.read_body(), None
        if raw.strip():
            body = read_json_body(raw, ("model",))
        model = body.text_member("model") if body is not None else None
        if model and body is not None:
            route = await self._routes.admitted(call, model, body)
            upstream, raw = self._routes.placed(call, route.deployments[0], body)
        else:
            self._routes.check_unnamed(call, upstream)
            await self._billing.admit(call.principal, call.exchange)
        if body is not None:
            await self._routes.check_files(call, upstream, raw)
        relayed = Relayed(call.client.method, path, call.client.query, raw, _JSON if raw else b"")
        await self._relayed(call, upstream, relayed)

    async def _stream(self, call: Call, upstream: Upstream, path: str) -> None:
        """A form, or whatever it is, goes on as it comes."""
        self._routes.check_unnamed(call, upstream)
        await self._billing.admit(call.principal, call.exchange)
        client = call.client
        upload = Upload(client.body_pieces(self._max_upload_bytes), client.body_bytes)
        content_type = client.named.get(b"content-type", b"")
        await self._relayed(
            call, upstream, Relayed(client.method, path, client.query, upload, content_type)
        )

    async def _relayed(self, call: Call, upstream: Upstream, relayed: Relayed) -> None:
        answer = await self._answer(call, upstream, relayed)
        headers = answer.response.headers
        call.reply.relayed = response_headers(headers)
        await self._relay.relay(
            answer,
            call.exchange,
            call.reply,
            status=answer.response.status,
            fields=body_headers(headers),
            length=body_length(headers),
        )

    async def _answer(self, call: Call, upstream: Upstream, relayed: Relayed) -> Answer:
        exchange, headers = call.exchange, call.client.headers
        exchange.upstream = upstream.name
        request = relayed_request(
            upstream, relayed, headers=headers, request_id=exchange.request_id
        )
        limits = deadlines(upstream.name, upstream.timeouts, headers, exchange.received_at)
        try:
            return await self._attempts.send(
                upstream, request, limits, exchange, capability="families", statuses=_FINE
            )
        except GatewayError as error:
            is_clear = isinstance(error, UpstreamAnswered) and error.status < 500
            if relayed.method != "GET" and request.has_left and not is_clear:
                error.should_retry = False  # it may have worked (upstreams G7)
            raise


def _is_json(call: Call) -> bool:
    content_type = call.client.named.get(b"content-type", _JSON).split(b";")[0].strip().lower()
    return content_type in (b"", _JSON) or content_type.endswith(b"+json")
