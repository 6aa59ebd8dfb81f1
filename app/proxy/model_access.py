"""
The route of a model that a client names, where the client may use it: one answer for unknown and forbidden (contract
F14, reliability S15, S16).
"""

from collections.abc import Mapping

from app.domain.errors import UnsupportedEndpoint, unknown_model
from app.domain.routes import Route
from app.proxy.call import Call
from app.proxy.chooser import unsupported
from app.proxy.model_rights import ModelRights
from app.routing.finder import RouteFinder
from app.upstreams.upstream import Upstream


class ModelAccess:
    """Finds routes for callers."""

    def __init__(
        self,
        upstreams: Mapping[str, Upstream],
        finder: RouteFinder,
        rights: ModelRights,
    ) -> None:
        self._upstreams = upstreams
        self._finder = finder
        self._rights = rights

    async def route(self, call: Call, model: str) -> Route:
        """The route of *model* for what *call* asks.

        Raises ModelNotFound also for a model that the caller may not use, UnsupportedEndpoint (U1) and InvalidRequest
        for a pin to nobody.
        """
        call.exchange.model_requested = model
        try:
            route = await self._finder.find(model, operation=call.operation, pin=call.pin)
        except UnsupportedEndpoint:
            prefix = model.partition("/")[0]
            pin = call.pin or (prefix if prefix in self._upstreams else None)
            raise unsupported(self._upstreams, call.operation, pin) from None
        if not self._rights.may_use(call.principal, route):
            raise unknown_model(model)
        return route
