"""A model name → its Route, once the catalogues that may know it have been heard, within a bound
(contract K2, reliability R23).
"""

from collections.abc import Callable

from app.domain.errors import ModelNotFound
from app.domain.routes import Route
from app.routing.catalogue import Catalogue
from app.routing.table import Operation, RoutingTable

FIRST_ROUND_SECONDS = (
    2.5  # in the first moments after the start, and below contract K2's three seconds
)


class RouteFinder:
    """Resolves names. *on_unknown* is told of a name that nobody has."""

    def __init__(
        self, table: RoutingTable, catalogue: Catalogue, on_unknown: Callable[[], None]
    ) -> None:
        self.table = table
        self._catalogue = catalogue
        self._on_unknown = on_unknown

    async def find(self, name: str, *, operation: Operation, pin: str | None) -> Route:
        """The Route of *name*. Raises what `RoutingTable.resolve` raises."""
        if not self.table.is_settled(name, pin):
            await self._catalogue.first_round(FIRST_ROUND_SECONDS)
        try:
            return self.table.resolve(name, operation=operation, pin=pin)
        except ModelNotFound:
            self._on_unknown()
            raise
