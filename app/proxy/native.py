"""
Native routes: what a client that speaks an upstream's own protocol asks for below `/{upstream}` (upstreams 8).

The list of routes says what there is; here is who may. The upstream's entry decides and, for what changes things, the
key. A key that is bound to models needs the whole upstream among them, and one that is bound to what its team made
touches nothing that others share (reliability S15, S16).
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from app.access.permissions import require_all_resources
from app.access.register import Register
from app.domain.errors import (
    GatewayError,
    ObjectNotFound,
    PermissionDenied,
    UnsupportedEndpoint,
    UpstreamMalformed,
)
from app.domain.principal import Principal
from app.domain.routes import Deployment, Route
from app.domain.stored_objects import ObjectName, may_be_object_id
from app.domain.texts import shown
from app.protocol.native_paths import SOCKET, NativeRoute
from app.protocol.targets import NATIVE
from app.proxy.attempts import Answer
from app.proxy.billing import Billing
from app.proxy.call import Call
from app.proxy.model_rights import ModelRights
from app.proxy.native_relay import NativeRelay, spoken_characters
from app.proxy.native_sockets import NativeSockets
from app.proxy.sound_billing import Asked, SoundBilling
from app.upstreams.native_routes import THREADS
from app.upstreams.upstream import Upstream

_THREAD: Final = "thread"
_ANY_MODEL = "\0"  # only a pattern for whatever an upstream serves covers it


class _Made(msgspec.Struct):
    """What a creating answer is read for."""

    id: str | int = ""


class NativeDesk:
    """Serves native routes, over HTTP and as websockets."""

    def __init__(
        self,
        upstreams: Mapping[str, Upstream],
        relay: NativeRelay,
        sockets: NativeSockets,
        *,
        rights: ModelRights,
        register: Register,
        billing: Billing,
        sound: SoundBilling,
    ) -> None:
        self._upstreams = upstreams
        self._relay = relay
        self._sockets = sockets
        self._rights = rights
        self._register = register
        self._billing = billing
        self._sound = sound

    async def serve(self, call: Call) -> None:
        """The client has its answer, or its socket has been open. Raises what refuses it (N12, U1; contract A12, F17,
        F31) before an upstream is asked."""
        match, pin = call.target.native, call.target.pin
        if match is None or pin is None:
            raise ValueError("no native route")
        upstream = self._upstreams[pin]
        route = match.routes[call.target.asked(call.client.method, call.client.named)]
        exchange = call.exchange
        exchange.upstream, exchange.label = upstream.name, NATIVE
        exchange.model = exchange.model_requested = NATIVE
        self._check(call.principal, upstream, route, call.client.method)
        path = match.path(route)
        if SOCKET in route.methods:
            await self._sockets.serve(call, upstream, route, path)
        elif route.path.startswith(THREADS):
            await self._thread(call, upstream, route, path)
        else:
            await self._relay.pass_on(call, await self._ask(call, upstream, route, path))

    def _check(
        self, principal: Principal, upstream: Upstream, route: NativeRoute, method: str
    ) -> None:
        """Raises UnsupportedEndpoint (N12) and PermissionDenied (contract F17)."""
        what = f"{method} {route.path}"
        if route.kind not in upstream.entry.native:
            raise UnsupportedEndpoint(
                f"Upstream '{upstream.name}' does not offer {what}: its native routes of the class '{route.kind}' are "
                f"off. Whoever runs this gateway can add '{route.kind}' to upstreams.{upstream.name}.native."
            )
        if route.kind == "manage" and "manage" not in principal.native:
            raise UnsupportedEndpoint(
                f"Upstream '{upstream.name}' does not offer {what} to this key: it changes things, or shows secrets. "
                "Whoever runs this gateway can add 'manage' to the key's native."
            )
        whole = Route("", (Deployment(upstream.name, _ANY_MODEL),))
        if not self._rights.may_use(principal, whole):
            raise PermissionDenied(
                "You have insufficient permissions for this operation. A native route is bound to no model, so the key "
                f"needs `{upstream.name}/*` among its models."
            )
        if route.is_shared or route.kind == "manage":
            require_all_resources(principal)

    async def _ask(self, call: Call, upstream: Upstream, route: NativeRoute, path: str) -> Answer:
        body = await self._relay.body(call, route)
        if route.metered:
            characters = await spoken_characters(body)
            asked = Asked(upstream.name, call.exchange.model)
            await self._sound.admit(call.principal, call.exchange, [asked], characters=characters)
        else:
            await self._billing.admit(call.principal, call.exchange)
        return await self._relay.ask(call, upstream, route, path, body)

    # --- threads: whose each is, the gateway remembers ---------------------------------------------------------------

    async def _thread(self, call: Call, upstream: Upstream, route: NativeRoute, path: str) -> None:
        if route.path == THREADS:
            await self._make_thread(call, upstream, route, path)
            return
        match = call.target.native
        if match is None:
            raise ValueError("no native route")
        name = ObjectName(upstream.name, _THREAD, match.parameter(route, _THREAD))
        if not await self._register.may_touch(call.principal, name):
            raise _no_such_thread(name.id)
        answer = await self._ask(call, upstream, route, path)
        exchange = call.exchange
        if call.client.method == "DELETE" and answer.response.status < 300:
            try:
                self._register.disclaim(
                    call.principal, name, exchange_id=exchange.request_id, at_ms=exchange.at_ms
                )
            except BaseException:
                await answer.response.aclose()
                raise
        await self._relay.pass_on(call, answer)

    async def _make_thread(
        self, call: Call, upstream: Upstream, route: NativeRoute, path: str
    ) -> None:
        answer = await self._ask(call, upstream, route, path)
        if answer.response.status >= 300:
            await self._relay.pass_on(call, answer)
            return
        exchange = call.exchange
        body = await self._relay.whole(answer)
        thread = _made_id(body)
        if not may_be_object_id(thread):
            error = UpstreamMalformed(f"Upstream '{upstream.name}' made a thread without an id.")
            error.should_retry = False
            raise error
        name = ObjectName(upstream.name, _THREAD, thread)
        self._register.claim(
            call.principal, name, exchange_id=exchange.request_id, at_ms=exchange.at_ms
        )
        await self._relay.give(call, answer, body)


def _made_id(body: bytes) -> str:
    """The id that *body* gives to what was made; "" where it gives none."""
    try:
        return str(msgspec.json.decode(body, type=_Made).id)
    except (ValueError, RecursionError):
        return ""


def _no_such_thread(thread: str) -> GatewayError:
    error: GatewayError = ObjectNotFound(
        f"No thread found with id '{shown(thread, 64)}'.", param="thread"
    )
    error.code = None
    return error
