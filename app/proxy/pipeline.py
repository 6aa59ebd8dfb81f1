"""
The straight line every request takes, and the one place where it ends.

target → key → body → route → permission → attempts → relay → settlement. Each step is one call into the room
that knows; what can go wrong arrives here as a typed error, becomes one reply, and the exchange is settled,
once (law 1).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn, Protocol

from app.access.permissions import may_use
from app.domain.errors import (
    ClientGone,
    GatewayError,
    InternalError,
    MethodNotAllowed,
    UnknownUrl,
    UnsupportedEndpoint,
    unknown_model,
)
from app.domain.exchange import Exchange
from app.domain.outcome import Outcome
from app.domain.principal import Principal
from app.domain.routes import Route
from app.protocol.headers import HeaderList, header
from app.protocol.requests import read_chat_request
from app.protocol.targets import Target, path_text, read_target
from app.proxy.attempts import Attempts
from app.proxy.call import Call
from app.proxy.client_connection import ClientConnection
from app.proxy.in_flight import InFlight
from app.proxy.models import ModelDesk
from app.proxy.off_loop import off_loop
from app.proxy.relay import ChatRelay
from app.proxy.reply import Reply
from app.proxy.settlement import Settlement
from app.routing.finder import RouteFinder
from app.telemetry.logs import Log
from app.upstreams.chat_request import ChatOptions
from app.upstreams.upstream import Upstream

_PIN_HEADER = b"x-mindgate-upstream"
_CLIENT_ID_HEADERS = (b"x-client-request-id", b"x-request-id")  # contract B13
_LONGEST_CLIENT_ID = 127  # both fit into one field of the log
_UNKNOWN = "unknown"  # the endpoint of a path or method that there is not


_Serve = Callable[[Call], Awaitable[None]]


class KeyCheck(Protocol):
    """Who is calling."""

    def authenticate(self, headers: HeaderList) -> Principal:
        """The caller. Raises Unauthenticated or PermissionDenied."""
        ...


@dataclass(frozen=True, slots=True)
class Steps:
    """What the pipeline calls, in the order it calls them."""

    upstreams: Mapping[str, Upstream]
    keys: KeyCheck
    finder: RouteFinder
    attempts: Attempts
    relay: ChatRelay
    models: ModelDesk
    settlement: Settlement
    in_flight: InFlight


class Pipeline:
    """Serves one exchange after the other, any number at a time; holds no state of its own."""

    def __init__(self, steps: Steps, *, now: Callable[[], float], log: Log) -> None:
        self._steps = steps
        self._now = now
        self._log = log
        self._served: Mapping[str, _Serve] = {
            "chat.create": self._chat,
            "models.list": self._models,
            "models.get": self._model,
            "models.delete": self._delete_model,
        }

    async def serve(self, client: ClientConnection, request_id: str) -> None:
        """*client* has its reply and the exchange is settled, whatever happened."""
        target = read_target(client.path, self._steps.upstreams)
        exchange = self._exchange(client, request_id, target)
        reply = Reply(client, exchange, self._now)
        self._steps.settlement.begin(exchange)
        try:
            await self._guarded(client, target, exchange, reply)
        finally:
            self._steps.settlement.settle(exchange)

    def _exchange(self, client: ClientConnection, request_id: str, target: Target) -> Exchange:
        method = "GET" if client.method == "HEAD" else client.method
        capabilities = target.endpoint.capabilities if target.endpoint else {}
        return Exchange(
            request_id=request_id,
            method=client.method,
            endpoint=capabilities.get(method, _UNKNOWN),
            received_at=self._now(),
            client_request_id=_client_ids(client.headers),
        )

    async def _guarded(
        self, client: ClientConnection, target: Target, exchange: Exchange, reply: Reply
    ) -> None:
        try:
            await self._line(client, target, exchange, reply)
            exchange.outcome = exchange.outcome or Outcome.COMPLETE
        except GatewayError as error:
            await self._fail(client, exchange, reply, error)
        except asyncio.CancelledError:
            # The client left, and its connection cancelled us; or the server stops without waiting any longer.
            exchange.outcome = Outcome.CLIENT_GONE if client.is_gone else Outcome.SHUTDOWN
            exchange.status = exchange.status or 499
            raise
        except Exception:  # noqa: BLE001 the one catch-all: logged whole, answered as F49, settled
            self._log.exception("internal error", request_id=exchange.request_id)
            await self._fail(client, exchange, reply, InternalError())

    async def _fail(
        self, client: ClientConnection, exchange: Exchange, reply: Reply, error: GatewayError
    ) -> None:
        self._steps.settlement.note_failure(exchange, error)
        if isinstance(error, ClientGone) or client.is_gone:
            exchange.status = exchange.status or error.status
            return
        await reply.failure(error)

    async def _line(
        self, client: ClientConnection, target: Target, exchange: Exchange, reply: Reply
    ) -> None:
        serve = self._served.get(exchange.endpoint, self._unsupported)
        self._check_path(client, target, exchange)
        async with self._steps.in_flight.exchange():
            principal = self._steps.keys.authenticate(client.headers)
            exchange.principal = principal.name
            pin = target.pin or header(client.headers, _PIN_HEADER) or None
            await serve(Call(client, target, pin, principal, exchange, reply))

    def _check_path(self, client: ClientConnection, target: Target, exchange: Exchange) -> None:
        """Raises UnknownUrl (F20) or MethodNotAllowed (F21), with or without a key (contract A9)."""
        if target.endpoint is None or not self._may_name_provider(target):
            raise UnknownUrl(
                f"Unknown request URL: {client.method} {client.path}. {_hint(client.path)}"
            )
        if exchange.endpoint == _UNKNOWN:
            raise MethodNotAllowed(
                f"Not allowed to {client.method} on {client.path}. "
                "(HINT: Perhaps you meant to use a different HTTP method?)",
                allow=target.endpoint.methods,
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
        self._check_provider(call.target)
        body = await call.client.read_body()
        chat = await off_loop(len(body), read_chat_request, body)
        call.exchange.model_requested, call.exchange.stream = chat.model, chat.stream
        route = await self._route(call, chat.model)
        options = ChatOptions(call.client.headers, call.exchange.request_id, call.target.provider)
        answer = await self._steps.attempts.chat(route, chat, options, call.exchange)
        await self._steps.relay.relay(answer, chat, call.exchange, call.reply)

    async def _models(self, call: Call) -> None:
        await call.reply.whole(await self._steps.models.listing(call))

    async def _model(self, call: Call) -> None:
        await call.reply.whole(await self._steps.models.describe(call, _model_name(call)))

    async def _delete_model(self, call: Call) -> None:
        await call.reply.whole(await self._steps.models.delete(call, _model_name(call)))

    async def _unsupported(self, call: Call) -> NoReturn:
        """Upstreams U1: a known route that nothing here serves."""
        table = self._steps.finder.table
        if call.pin is not None:
            table.pinned(call.pin, call.operation)
        raise UnsupportedEndpoint(f"No configured upstream supports {call.operation.words}.")

    async def _route(self, call: Call, name: str) -> Route:
        """Who serves *name* for this caller. One answer for unknown and forbidden (contract F14)."""
        route = await self._steps.finder.find(name, operation=call.operation, pin=call.pin)
        if not may_use(call.principal, route, self._steps.upstreams):
            raise unknown_model(name)
        return route


def _client_ids(headers: HeaderList) -> str:
    given = (header(headers, name) for name in _CLIENT_ID_HEADERS)
    return " ".join(one[:_LONGEST_CLIENT_ID] for one in given if one)


def _hint(path: str) -> str:
    if "/chat/completions/" in path:  # a whole endpoint was given as base URL (contract A5)
        return "The base URL of this gateway ends in /v1, without an endpoint behind it."
    return "Please check the URL for typos."


def _model_name(call: Call) -> str:
    endpoint = call.target.endpoint
    return path_text(endpoint.parameters["model"]) if endpoint else ""
