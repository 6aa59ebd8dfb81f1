"""A model name → its Route, once the catalogues that may know it have been heard, within a bound
(contract K2, reliability R23).
"""

from collections.abc import Callable
from typing import Final

from app.domain.errors import ModelNotFound
from app.domain.routes import Route
from app.routing.catalogue import Catalogue
from app.routing.table import Operation, RoutingTable

# In the first moments after the start, and below contract K2's three seconds.
FIRST_ROUND_SECONDS: Final = 2.5
# Clients choose the names, so both what is kept and how long each may be are bounded.
_MOST_REMEMBERED: Final = 1024
_LONGEST_REMEMBERED: Final = 512


class RouteFinder:
    """Resolves names. *on_unknown* is told of a name that nobody has.

    What was found is remembered until a catalogue changes: the table is asked once for a name, not once for a request.
    """

    def __init__(
        self, table: RoutingTable, catalogue: Catalogue, on_unknown: Callable[[], None]
    ) -> None:
        self.table = table
        self._catalogue = catalogue
        self._on_unknown = on_unknown
        self._found: dict[tuple[str, str, str | None], Route] = {}
        self._version = catalogue.version

    def known(self, name: str, capability: str, pin: str | None) -> Route | None:
        """The Route of *name*, where it is remembered."""
        if self._version != self._catalogue.version or len(self._found) > _MOST_REMEMBERED:
            self._found.clear()
            self._version = self._catalogue.version
        return self._found.get((name, capability, pin))

    async def find(self, name: str, *, operation: Operation, pin: str | None) -> Route:
        """The Route of *name*. Raises what `RoutingTable.resolve` raises."""
        route = self.known(name, operation.capability, pin)
        return route or await self._resolved(name, operation, pin)

    async def _resolved(self, name: str, operation: Operation, pin: str | None) -> Route:
        is_settled = self.table.is_settled(name, pin)
        if not is_settled:
            await self._catalogue.first_round(FIRST_ROUND_SECONDS)
        try:
            route = self.table.resolve(name, operation=operation, pin=pin)
        except ModelNotFound:
            self._on_unknown()
            raise
        if len(name) <= _LONGEST_REMEMBERED and self._version == self._catalogue.version:
            self._found[name, operation.capability, pin] = route
        return route
