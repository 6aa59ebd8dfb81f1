"""
`GET /v1/capabilities`: what each upstream can do, for machines (upstreams, section 2). `mindgate check` shows it to
people.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from app.domain.principal import Native
from app.protocol.endpoints import routes_by_capability
from app.proxy.billing import Billing
from app.proxy.call import Call
from app.routing.table import RoutingTable
from app.upstreams.capabilities import MATRIX, SERVED
from app.upstreams.native_routes import NATIVE_ROUTES
from app.upstreams.upstream import Upstream

_ENCODE = msgspec.json.Encoder().encode
_ROUTES = routes_by_capability()


class CapabilityDesk:
    """Answers from the configuration alone; a pin leaves one upstream."""

    def __init__(
        self, upstreams: Mapping[str, Upstream], table: RoutingTable, billing: Billing
    ) -> None:
        self._rows = {name: capability_row(one) for name, one in upstreams.items()}
        self._table = table
        self._billing = billing

    async def serve(self, call: Call) -> None:
        """The client has the list. It takes nothing from a limit. Raises InvalidRequest for a pin that names nobody."""
        await self._billing.look(call.principal, call.exchange)
        if call.pin is not None and call.pin not in self._rows:
            self._table.pinned(call.pin, call.operation)
        rows = list(self._rows.values()) if call.pin is None else [self._rows[call.pin]]
        await call.reply.whole(_ENCODE({"object": "list", "data": rows}))


def capability_row(upstream: Upstream) -> dict[str, Any]:
    """One upstream with each capability of the matrix: in which form it has it, `-` for none, and by which routes."""
    return {
        "id": upstream.name,
        "object": "upstream",
        "dialect": upstream.dialect.name,
        "capabilities": {
            capability: {
                "support": upstream.capabilities.get(capability, "-")
                if capability in SERVED
                else "-",
                "routes": _ROUTES.get(capability, ()),
            }
            for capability in MATRIX
        },
        "native": native_classes(upstream),
    }


def native_classes(upstream: Upstream) -> tuple[Native, ...]:
    """The classes of native routes that *upstream* has and its entry allows (upstreams N12)."""
    added = (kind for kind, paths in upstream.entry.native_paths.items() if paths)
    has = {*added, *(route.kind for route in NATIVE_ROUTES[upstream.entry.dialect])}
    return tuple(kind for kind in upstream.entry.native if kind in has)
