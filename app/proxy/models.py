"""
`GET /v1/models`, and `GET` and `DELETE /v1/models/{id}` (contract K, upstreams F1 to F3, M2, M3, O2).

The list comes from memory alone. One model is asked of its upstream, which may know more about it than the
list says; what the catalogue knows stands in when the upstream cannot answer now.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from urllib.parse import parse_qs

from app.access.permissions import require_all_resources
from app.domain.errors import (
    GatewayError,
    ModelNotFound,
    PermissionDenied,
    UnsupportedEndpoint,
    UpstreamAnswered,
    UpstreamError,
    UpstreamMalformed,
    no_such_model,
)
from app.domain.routes import Deployment, Route
from app.protocol.error_shapes import error_in
from app.protocol.headers import header
from app.protocol.lossless import is_json
from app.protocol.models import ModelEntry, anthropic_model_list, deleted, model_list, model_object
from app.protocol.object_shapes import was_deleted
from app.proxy.attempts import Attempts
from app.proxy.call import Call
from app.proxy.chooser import unsupported
from app.proxy.model_rights import ModelRights
from app.proxy.source import Source
from app.routing.catalogue import Catalogue
from app.routing.finder import FIRST_ROUND_SECONDS, RouteFinder
from app.routing.table import Operation
from app.upstreams.deadlines import deadlines
from app.upstreams.discovery import DiscoveredModel, parse_model
from app.upstreams.model_requests import model_request
from app.upstreams.no_answer import no_answer
from app.upstreams.upstream import Upstream

_OWNER_OF_ALIASES = "mindgate"
_PATIENCE_SECONDS = 10.0


class ModelDesk:
    """Answers everything about models that is not a chat. *on_deleted* is told when the catalogue is out of date."""

    def __init__(
        self,
        upstreams: Mapping[str, Upstream],
        catalogue: Catalogue,
        finder: RouteFinder,
        attempts: Attempts,
        *,
        rights: ModelRights,
        now: Callable[[], float],
        on_deleted: Callable[[], None],
    ) -> None:
        self._upstreams = upstreams
        self._catalogue = catalogue
        self._finder = finder
        self._attempts = attempts
        self._rights = rights
        self._now = now
        self._on_deleted = on_deleted

    async def listing(self, call: Call) -> bytes:
        """All the models the caller may use, in one page, in the dialect the request speaks (contract K1, K4, K5)."""
        if call.pin is not None:
            self._finder.table.pinned(call.pin, call.operation)
        entries = await self._usable(call)
        if header(call.client.headers, b"anthropic-version") is not None:
            return anthropic_model_list(entries)
        return model_list(
            entries, codex="client_version" in parse_qs(call.client.query, keep_blank_values=True)
        )

    async def names(self, call: Call) -> list[str]:
        """The ids of that list."""
        return [entry.id for entry in await self._usable(call)]

    async def _usable(self, call: Call) -> list[ModelEntry]:
        await self._catalogue.first_round(FIRST_ROUND_SECONDS)
        return [
            entry
            for entry, route in self._listed(call.pin)
            if self._rights.may_use(call.principal, route)
        ]

    async def describe(self, call: Call, name: str) -> bytes:
        """One model. Raises ModelNotFound (F19) and the typed error of an upstream that fails."""
        route = await self._route(call, name, call.operation)
        deployment = route.deployments[0]
        upstream = self._upstreams[deployment.upstream]
        if route.is_named:
            return model_object(ModelEntry(name, 0, _OWNER_OF_ALIASES))
        known = self._catalogue.find(upstream, deployment.model)
        if upstream.capabilities["models.get"] == "local":
            if known is None:
                raise no_such_model(name)
            return _object(known, name)
        try:
            return await self._asked(call, upstream, deployment, name)
        except (UpstreamError, ModelNotFound) as error:
            if known is None or not _may_stand_in(upstream, error):
                raise
            return _object(known, name)

    async def delete(self, call: Call, name: str) -> bytes:
        """The model is gone at its upstream. Sent once, whatever comes of it (upstreams G7). Raises PermissionDenied
        for one that the caller's team did not make, unless its key has `resources: all`."""
        route = await self._route_to_delete(call, name)
        if route.is_named:
            raise PermissionDenied(
                "You have insufficient permissions for this operation. "
                f"'{name}' is a name of this gateway's configuration; delete the model by its own name."
            )
        deployment = route.deployments[0]
        if not await self._rights.may_delete(call.principal, deployment):
            if not self._is_listed(
                route
            ):  # as another team's, which is not shown (reliability S16)
                raise no_such_model(name)
            require_all_resources(call.principal)
        upstream = self._upstreams[deployment.upstream]
        body = await self._ask(call, upstream, deployment)
        if body.strip() and _is_error(body):
            raise no_answer(upstream, body, name)
        if was_deleted(body):  # else it would be nobody's while it is there, and so everybody's
            self._rights.deleted(call, deployment)
            self._on_deleted()
        return body or deleted(name)

    async def _route_to_delete(self, call: Call, name: str) -> Route:
        """Raises UnsupportedEndpoint, not ModelNotFound, for a model whose upstream deletes none (upstreams G9, U1)."""
        try:
            route = await self._route(call, name, call.operation)
        except ModelNotFound:
            route = None
        if route is not None and (call.pin or route.is_named or self._is_listed(route)):
            return route
        # Nobody who deletes lists it: whoever serves the name owns it, not the default upstream's namesake.
        seen = replace(call.operation, capability="models.get")
        owner = (await self._route(call, name, seen)).deployments[0].upstream
        if not self._upstreams[owner].supports(call.operation.capability):
            raise unsupported(self._upstreams, call.operation, owner)
        if route is None or route.deployments[0].upstream != owner:
            raise no_such_model(name)
        return route

    def _is_listed(self, route: Route) -> bool:
        deployment = route.deployments[0]
        upstream = self._upstreams[deployment.upstream]
        return self._catalogue.find(upstream, deployment.model) is not None

    async def _route(self, call: Call, name: str, operation: Operation) -> Route:
        call.exchange.model_requested = name
        try:
            route = await self._finder.find(name, operation=operation, pin=call.pin)
        except ModelNotFound:
            raise no_such_model(name) from None
        except UnsupportedEndpoint:
            prefix = name.partition("/")[0]
            pin = call.pin or (prefix if prefix in self._upstreams else None)
            raise unsupported(self._upstreams, operation, pin) from None
        if not self._rights.may_use(call.principal, route):
            raise no_such_model(name)
        return route

    async def _asked(
        self, call: Call, upstream: Upstream, deployment: Deployment, name: str
    ) -> bytes:
        try:
            body = await self._ask(call, upstream, deployment)
            found = parse_model(body, dialect=upstream.dialect.name, upstream=upstream.name)
        except ModelNotFound:
            raise no_such_model(name) from None
        except UpstreamAnswered as error:
            if error.status == 404 and call.principal.resources != "all":
                raise no_such_model(name) from None  # in the words for another team's
            raise
        except ValueError as error:
            raise UpstreamMalformed(
                f"Upstream '{upstream.name}' sent a model that cannot be read: {error}"
            ) from error
        is_native = upstream.capabilities["models.get"] == "native"
        return body if is_native and found.id == name else _object(found, name)

    async def _ask(self, call: Call, upstream: Upstream, deployment: Deployment) -> bytes:
        """The upstream's whole answer about *deployment*, asked with the caller's method."""
        exchange = call.exchange
        exchange.upstream, exchange.model = upstream.name, deployment.model
        exchange.label = deployment.label
        method = "DELETE" if call.client.method == "DELETE" else "GET"
        request = model_request(
            upstream,
            method,
            deployment.model,
            list_path=self._catalogue.list_paths(upstream)[0],
            request_id=exchange.request_id,
        )
        patience = replace(
            upstream.timeouts, first_byte_seconds=_PATIENCE_SECONDS, first_byte_is_fixed=True
        )
        limits = deadlines(upstream.name, patience, call.client.headers, self._now())
        answer = await self._attempts.send(
            upstream, request, limits, exchange, capability=exchange.endpoint
        )
        try:
            source = Source(answer, self._now, limit=upstream.entry.max_json_bytes)
            return await source.rest(b"")
        finally:
            await answer.response.aclose()

    def _listed(self, pin: str | None) -> Iterator[tuple[ModelEntry, Route]]:
        """Every entry with the route it stands for; bare ids, `upstream/model` where two claim one (contract K3)."""
        table = self._finder.table
        if pin is None:
            for name in table.names:
                yield ModelEntry(name, 0, _OWNER_OF_ALIASES), table.named(name)
        names = [pin] if pin is not None else list(self._upstreams)
        claims: dict[str, int] = dict.fromkeys(table.names if pin is None else (), 1)
        for upstream in names:
            for model in self._catalogue.entries(upstream):
                claims[model] = claims.get(model, 0) + 1
        for upstream in names:
            for model, found in self._catalogue.entries(upstream).items():
                is_plain = claims[model] == 1 and (
                    pin or model.split("/")[0] not in self._upstreams
                )
                shown = model if is_plain else f"{upstream}/{model}"
                entry = ModelEntry(shown, found.created, found.owned_by)
                yield entry, Route(shown, (Deployment(upstream, model),))


def _may_stand_in(upstream: Upstream, error: GatewayError) -> bool:
    """True when a listed model is there although its upstream said *error*: it is down, or has a list only (K6)."""
    if isinstance(error, ModelNotFound):
        return upstream.capabilities["models.get"] == "map"
    return not isinstance(error, UpstreamAnswered) or error.status >= 500


def _is_error(body: bytes) -> bool:
    """True for what stands under a 200 and is no answer (upstreams E-C9, E-C10)."""
    return not is_json(body) or error_in(body, status=502, unsaid="…") is not None


def _object(found: DiscoveredModel, name: str) -> bytes:
    return model_object(ModelEntry(name, found.created, found.owned_by))
