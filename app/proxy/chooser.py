"""
Which upstream gets a request that names no model (architecture 5, upstreams U1): the one that the base URL or a header
pins, the one where the object was made, the only one that has the route, else the first configured.

What nobody has is refused at once, and the refusal says who would have it.
"""

from collections.abc import Collection, Mapping

from app.access.register import Register
from app.domain.errors import UnsupportedEndpoint
from app.domain.stored_objects import ObjectKind, ObjectName
from app.protocol.object_ids import no_such_object
from app.proxy.call import Call
from app.routing.table import Operation, RoutingTable
from app.upstreams.capabilities import dialects_with
from app.upstreams.upstream import Upstream

# What an upstream needs to have for objects of a kind to be there.
_MAKING: Mapping[ObjectKind, str] = {
    "file": "files",
    "job": "fine_tuning",
    "dataset": "datasets",
    "completion": "chat.stored",
}


def unsupported(
    upstreams: Mapping[str, Upstream], operation: Operation, pin: str | None = None
) -> UnsupportedEndpoint:
    """The refusal of *operation* by the upstream called *pin*; None: by all of *upstreams*, or where some of them can,
    by those that have the model that was asked for."""
    able = [one.name for one in upstreams.values() if one.supports(operation.capability)]
    if pin is not None:
        who = f"Upstream '{pin}' does not support"
    else:
        who = "No upstream of this model supports" if able else "No configured upstream supports"
    dialects = dialects_with(operation.capability)
    if able:
        hint = f" Here {_listed(able)} would serve it."
    elif dialects:
        hint = f" An upstream of dialect {_listed(dialects)} would serve it."
    else:
        hint = ""
    return UnsupportedEndpoint(f"{who} {operation.words}.{hint}")


def _listed(names: Collection[str]) -> str:
    return " or ".join(f"'{name}'" for name in names)


class Chooser:
    """Knows where the objects are that a caller may touch."""

    def __init__(
        self, upstreams: Mapping[str, Upstream], table: RoutingTable, register: Register
    ) -> None:
        self._upstreams = upstreams
        self._table = table
        self._register = register
        self._homes = {
            kind: [one.name for one in upstreams.values() if one.supports(capability)]
            for kind, capability in _MAKING.items()
        }

    def usual(self, call: Call) -> Upstream:
        """The upstream for a request that names nothing. Raises UnsupportedEndpoint, and InvalidRequest for a pin that
        names no upstream."""
        if call.pin is not None:
            return self.named(call, call.pin)
        capability = call.operation.capability
        for upstream in self._upstreams.values():
            if upstream.supports(capability):
                return upstream
        raise unsupported(self._upstreams, call.operation)

    def has_choice(self, call: Call) -> bool:
        """True when more than one upstream has what is asked for."""
        capability = call.operation.capability
        return sum(one.supports(capability) for one in self._upstreams.values()) > 1

    def named(self, call: Call, name: str) -> Upstream:
        """The upstream called *name*. Raises as `usual`."""
        upstream = self._upstreams.get(name)
        if upstream is None:
            return self._table.pinned(name, call.operation)
        if not upstream.supports(call.operation.capability):
            raise unsupported(self._upstreams, call.operation, name)
        return upstream

    async def known(self, call: Call, kind: ObjectKind, object_id: str) -> Upstream | None:
        """Where the object was made; None where that is unknown, or not for the caller to see. Raises
        UnsupportedEndpoint where that one lacks what is asked for."""
        name = await self._register.upstream_of(call.principal, kind, object_id)
        if name is None or name not in self._upstreams:
            return None
        return self.named(call, name)

    async def owner(self, call: Call, kind: ObjectKind, object_id: str) -> Upstream:
        """Where the object is, and the caller may touch it. Raises ObjectNotFound for what is unknown or somebody
        else's, without asking anybody (reliability S16), and what `usual` raises."""
        if call.pin is not None:
            upstream = self.named(call, call.pin)
            name = ObjectName(upstream.name, kind, object_id)
            if not await self._register.may_touch(call.principal, name):
                raise no_such_object(kind, object_id)
            return upstream
        may_touch_all = call.principal.resources == "all"
        homes = self._homes.get(kind, ()) if may_touch_all else ()
        if len(homes) == 1:
            return self.named(call, homes[0])  # it can be nowhere else, so nobody is asked where
        found = await self.known(call, kind, object_id)
        if found is not None:
            return found
        if not may_touch_all:
            raise no_such_object(kind, object_id)
        return self.usual(call)
