"""
The straight line every request takes, and the one place where it ends.

target → key → body → route → permission → admission → attempts → relay → settlement. Each step is one call into the
room that knows; what can go wrong arrives here as a typed error, becomes one reply, and the exchange is settled,
once (law 1).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, NoReturn, Protocol

from app.domain.errors import (
    ClientGone,
    GatewayError,
    InternalError,
    MethodNotAllowed,
    QuotaExceeded,
    RateLimited,
    UnknownUrl,
    UnsupportedEndpoint,
    unknown_model,
)
from app.domain.exchange import Exchange
from app.domain.outcome import Outcome
from app.domain.principal import Principal
from app.domain.routes import Deployment, Route
from app.protocol.headers import HeaderList
from app.protocol.named_objects import may_name_files
from app.protocol.native_paths import SOCKET, NativePaths
from app.protocol.requests import read_chat_request
from app.protocol.socket_keys import with_query_key
from app.protocol.targets import NATIVE, Target, path_text, read_target
from app.proxy.attempts import Attempts
from app.proxy.billing import Billing
from app.proxy.call import Call
from app.proxy.chooser import unsupported
from app.proxy.client_connection import ClientConnection
from app.proxy.in_flight import InFlight, stopped
from app.proxy.model_rights import ModelRights
from app.proxy.models import ModelDesk
from app.proxy.off_loop import LARGE_BYTES, off_loop
from app.proxy.relay import ChatRelay
from app.proxy.reply import Reply
from app.proxy.self_service import SelfService
from app.proxy.settlement import Settlement
from app.proxy.stored_chats import StoredChats
from app.routing.finder import RouteFinder
from app.telemetry.logs import Log
from app.upstreams.capabilities import MATRIX
from app.upstreams.chat_request import ChatOptions
from app.upstreams.chat_targets import chat_target
from app.upstreams.upstream import Upstream

_PIN_HEADER: Final = b"x-mindgate-upstream"
_LONGEST_CLIENT_ID: Final = 127  # contract B13; both fit into one field of the log
_CLIENT_ID: Final = b"x-client-request-id"
_REQUEST_ID: Final = b"x-request-id"
_CHAT: Final = "chat.create"
_UNKNOWN: Final = "unknown"  # the endpoint of a path or method that there is not


_Serve = Callable[[Call], Awaitable[None]]


class KeyCheck(Protocol):
    """Who is calling."""

    def authenticate(self, headers: HeaderList, address: str) -> Principal:
        """The caller, who calls from *address*. Raises Unauthenticated, PermissionDenied or RateLimited."""
        ...


class Desk(Protocol):
    """Serves capabilities other than chat."""

    async def serve(self, call: Call) -> None:
        """All between authentication and settlement: the client has its reply. Raises what went wrong."""
        ...


class Serves(Protocol):
    """The pipeline, as those above know it."""

    async def serve(self, client: ClientConnection, request_id: str) -> None:
        """See `Pipeline.serve`."""
        ...


@dataclass(frozen=True, slots=True)
class Steps:
    """What the pipeline calls, in the order it calls them. *desks*: by capability; *natives*: by upstream."""

    upstreams: Mapping[str, Upstream]
    keys: KeyCheck
    finder: RouteFinder
    rights: ModelRights
    billing: Billing
    attempts: Attempts
    relay: ChatRelay
    models: ModelDesk
    desks: Mapping[str, Desk]
    natives: Mapping[str, NativePaths]
    stored: StoredChats
    self_service: SelfService
    settlement: Settlement
    in_flight: InFlight


class Pipeline:
    """Serves one exchange after the other, any number at a time; holds no state of its own."""

    def __init__(
        self,
        steps: Steps,
        *,
        now: Callable[[], float],
        wall_seconds: Callable[[], float],
        log: Log,
    ) -> None:
        self._steps = steps
        self._now = now
        self._wall_seconds = wall_seconds
        self._log = log
        self._served: Mapping[str, _Serve] = {
            _CHAT: self._chat,
            "models.list": self._models,
            "models.get": self._model,
            "models.delete": self._delete_model,
            "me": self._me,
            "requests.get": self._receipt,
            **dict.fromkeys(steps.desks, self._at_desk),
        }

    async def serve(self, client: ClientConnection, request_id: str) -> None:
        """*client* has its reply and the exchange is settled, whatever happened. Raises CancelledError when the one
        who cancels this task is not the drain."""
        target = read_target(client.path, self._steps.upstreams, self._steps.natives)
        exchange = self._exchange(client, request_id, target)
        reply = Reply(client, exchange, self._now, self._steps.billing)
        self._steps.settlement.begin(exchange)
        try:
            call = self._call(client, target, exchange, reply)
            if exchange.endpoint == _CHAT:  # by name: compiled, a call through the table costs more
                await self._chat(call)
            else:
                await self._served.get(exchange.endpoint, self._unsupported)(call)
            if exchange.outcome is None:
                exchange.outcome = Outcome.COMPLETE
        except GatewayError as error:
            await self._show_limits(exchange, error)
            self._fail(client, exchange, reply, error)
        except asyncio.CancelledError:
            if not self._is_ours(client, exchange, reply):
                raise
        except Exception:  # noqa: BLE001 the one catch-all: logged whole, answered as F49, settled
            self._log.exception("internal error", request_id=exchange.request_id)
            self._fail(client, exchange, reply, InternalError())
        finally:
            self._steps.in_flight.leave(client)
            self._steps.settlement.settle(exchange)

    def _exchange(self, client: ClientConnection, request_id: str, target: Target) -> Exchange:
        method, endpoint, named = client.method, target.endpoint, client.named
        capability: str | None = None
        if target.native is None and endpoint is not None:
            capability = endpoint.capabilities.get(method)  # as nearly always
        if capability is None:
            capability = target.capability(target.asked(method, named))
        exchange = Exchange(
            request_id,
            method,
            capability or _UNKNOWN,
            self._now(),
            _client_ids(named) if _CLIENT_ID in named or _REQUEST_ID in named else "",
        )
        exchange.at_ms = int(self._wall_seconds() * 1000)
        return exchange

    def _is_ours(self, client: ClientConnection, exchange: Exchange, reply: Reply) -> bool:
        """Who cancelled this task: True when the drain did, whose error is the reply then; else the client left, or
        the loop is closing."""
        if client.is_gone or not self._steps.in_flight.has_expired:
            if not exchange.is_booked:
                exchange.outcome = Outcome.CLIENT_GONE if client.is_gone else Outcome.SHUTDOWN
                exchange.status = exchange.status or 499
            return False
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
        self._fail(client, exchange, reply, stopped())
        return True

    def _fail(
        self, client: ClientConnection, exchange: Exchange, reply: Reply, error: GatewayError
    ) -> None:
        self._steps.settlement.note_failure(exchange, error)
        if isinstance(error, ClientGone) or client.is_gone:
            exchange.status = exchange.status or error.status
            return
        reply.failure(error)

    def _call(
        self, client: ClientConnection, target: Target, exchange: Exchange, reply: Reply
    ) -> Call:
        """Who calls, and for what. Raises what stands before any endpoint: path, drain, key."""
        endpoint, steps = exchange.endpoint, self._steps
        if endpoint == _UNKNOWN or (target.provider is not None and endpoint != NATIVE):
            self._check_path(client, target, exchange)
        steps.in_flight.enter(client)
        headers = client.headers
        if endpoint == NATIVE and target.asked(client.method, client.named) == SOCKET:
            headers = with_query_key(headers, client.query)
        exchange.caller = principal = steps.keys.authenticate(headers, client.address)
        pin = target.pin
        if pin is None and _PIN_HEADER in client.named:
            pin = client.named[_PIN_HEADER].decode("latin-1") or None
        return Call(client, target, pin, principal, exchange, reply)

    async def _show_limits(self, exchange: Exchange, error: GatewayError) -> None:
        """A refusal, too, says where its key's limits stand (contract C5); one by a limit does so itself."""
        if exchange.caller is None or exchange.reservation is not None:
            return
        if not isinstance(error, RateLimited | QuotaExceeded):
            await self._steps.billing.look(exchange.caller, exchange)

    def _check_path(self, client: ClientConnection, target: Target, exchange: Exchange) -> None:
        """Raises UnknownUrl (F20) or MethodNotAllowed (F21), with or without a key (contract A9)."""
        if not target.methods or not self._may_name_provider(target):
            raise UnknownUrl(
                f"Unknown request URL: {client.method} {client.path}. {_hint(client.path)}"
            )
        if exchange.endpoint == _UNKNOWN:
            raise MethodNotAllowed(
                f"Not allowed to {client.method} on {client.path}. "
                "(HINT: Perhaps you meant to use a different HTTP method?)",
                allow=target.methods,
            )

    def _may_name_provider(self, target: Target) -> bool:
        """False when the path names a provider and the pinned upstream has no such thing."""
        if target.provider is None or target.pin is None:
            return True
        return self._steps.upstreams[target.pin].dialect.path_providers

    def _check_provider(self, target: Target) -> None:
        """Raises UnsupportedEndpoint for a provider that the pinned upstream does not have (upstreams O-P2, U1)."""
        if target.provider is None or target.pin is None:
            return
        known = self._steps.upstreams[target.pin].entry.providers
        if target.provider not in known:
            raise UnsupportedEndpoint(
                f"Upstream '{target.pin}' has no provider '{target.provider}'. Known: {', '.join(known)}."
            )

    async def _chat(self, call: Call) -> None:
        if call.target.provider is not None:
            self._check_provider(call.target)
        steps, exchange, principal = self._steps, call.exchange, call.principal
        body = call.client.whole_body()
        if body is None:
            body = await call.client.read_body()
        if len(body) <= LARGE_BYTES:
            chat = read_chat_request(body)
        else:
            chat = await off_loop(len(body), read_chat_request, body)
        exchange.model_requested, exchange.stream = chat.model, chat.stream
        route = steps.finder.known(chat.model, exchange.endpoint, call.pin)
        if route is None:
            route = await steps.finder.find(chat.model, operation=call.operation, pin=call.pin)
        provider = call.target.provider
        if not (
            steps.rights.may_use(principal, route)
            if provider is None
            else self._may_use(call, route, provider)
        ):
            raise unknown_model(chat.model)  # one answer for unknown and forbidden (contract F14)
        exchange.provider = provider or ""
        if principal.resources != "all" and may_name_files(chat.body):
            asked = {one.upstream for one in route.deployments}
            await steps.rights.check_files(principal, asked, chat.body, param="messages")
        if chat.stores:
            steps.stored.watch(principal, exchange)
        reserving = steps.billing.admit_chat(principal, chat, route, exchange)
        if reserving is not None:
            await reserving
        options = ChatOptions(
            call.client.headers, exchange.request_id, provider, True, principal.max_tokens
        )
        answer = await steps.attempts.chat(route, chat, options, exchange)
        await steps.relay.relay(answer, chat, exchange, call.reply)

    def _may_use(self, call: Call, route: Route, provider: str) -> bool:
        """A path that names a provider leads where its model's name alone may not (reliability S15): then the key must
        name that provider too, unless it is the one that serves the name anyway."""
        rights = self._steps.rights
        usual = all(self._is_usual(one, provider) for one in route.deployments)
        if usual and rights.may_use(call.principal, route):
            return True
        named = tuple(
            Deployment(one.upstream, f"{provider}/{one.model}", one.label)
            for one in route.deployments
        )
        return rights.may_use(call.principal, Route(route.name, named))

    def _is_usual(self, deployment: Deployment, provider: str) -> bool:
        target = chat_target(self._steps.upstreams[deployment.upstream], deployment.model)
        return target is not None and target.provider == provider

    async def _at_desk(self, call: Call) -> None:
        if call.exchange.endpoint in MATRIX:
            self._check_capability(call)
        await self._steps.desks[call.exchange.endpoint].serve(call)

    def _check_capability(self, call: Call) -> None:
        """Raises UnsupportedEndpoint for what the pinned upstream lacks, or all do (upstreams U1); a pin to nobody is
        for the desk to refuse."""
        upstreams, pin = self._steps.upstreams, call.pin
        asked = upstreams.values() if pin is None else [one for one in (upstreams.get(pin),) if one]
        if asked and not any(one.supports(call.exchange.endpoint) for one in asked):
            raise unsupported(upstreams, call.operation, pin)

    async def _models(self, call: Call) -> None:
        await self._steps.billing.look(call.principal, call.exchange)
        await call.reply.whole(await self._steps.models.listing(call))

    async def _model(self, call: Call) -> None:
        await self._steps.billing.admit(call.principal, call.exchange)
        await call.reply.whole(await self._steps.models.describe(call, _model_name(call)))

    async def _delete_model(self, call: Call) -> None:
        await self._steps.billing.admit(call.principal, call.exchange)
        await call.reply.whole(await self._steps.models.delete(call, _model_name(call)))

    async def _me(self, call: Call) -> None:
        await self._steps.billing.look(call.principal, call.exchange)
        models = await self._steps.models.names(call)
        await call.reply.whole(self._steps.self_service.me(call.principal, models))

    async def _receipt(self, call: Call) -> None:
        await self._steps.billing.look(call.principal, call.exchange)
        await call.reply.whole(await self._steps.self_service.receipt(call))

    async def _unsupported(self, call: Call) -> NoReturn:
        """Upstreams U1: a known route that nothing here serves."""
        if call.pin is not None:
            self._steps.finder.table.pinned(call.pin, call.operation)
        raise unsupported(self._steps.upstreams, call.operation, call.pin)


def _client_ids(named: Mapping[bytes, bytes]) -> str:
    own, request = named.get(_CLIENT_ID), named.get(_REQUEST_ID)
    given = [one[:_LONGEST_CLIENT_ID].decode("latin-1") for one in (own, request) if one]
    return " ".join(given)


def _hint(path: str) -> str:
    if "/chat/completions/" in path:  # a whole endpoint was given as base URL (contract A5)
        return "The base URL of this gateway ends in /v1, without an endpoint behind it."
    return "Please check the URL for typos."


def _model_name(call: Call) -> str:
    endpoint = call.target.endpoint
    return path_text(endpoint.parameters["model"]) if endpoint else ""
