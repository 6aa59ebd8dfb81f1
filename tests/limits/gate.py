"""An admission over counters in memory, whose clocks move when told."""

from app.domain.errors import QuotaExceeded, RateLimited
from app.domain.limits import Ask, Limits, Scope, Spent, Standing
from app.domain.principal import Principal
from app.limits.admission import Admission, Reservation
from app.limits.memory_counters import MemoryCounters
from tests.fakes.clock import Clock

MONDAY_NOON = 1_795_435_200.0  # 2026-11-23 12:00 UTC
LEASE_SECONDS = 660.0
ONE = Ask(requests=1, tokens=10, cost_nano=5, slots=1)
NOTHING = Spent(0, 0, 0)


def principal_of(
    key: Limits, team: Limits | None = None, name: str = "ci", version: int = 0
) -> Principal:
    """A caller whose key is called *name*, in the team `red` where that has limits. *version*: of the key's."""
    scopes: tuple[Scope, ...] = (Scope("key", f"key_{name}", name, key, version),)
    if team is not None:
        scopes += (Scope("team", "team_red", "red", team),)
    return Principal(name, scopes=scopes)


class Gate:
    """*clock* is monotonic, *wall* is what a calendar shows; `advance` moves both."""

    def __init__(self, wall_seconds: float = MONDAY_NOON) -> None:
        self.clock = Clock()
        self.wall = Clock(wall_seconds)
        self.counters = MemoryCounters()
        self._ids = 0
        self.admission = Admission(
            self.counters, now=self.clock, wall_seconds=self.wall, lease_seconds=LEASE_SECONDS
        )

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.wall.advance(seconds)

    async def admit(
        self, principal: Principal, ask: Ask = ONE, at_ms: int | None = None
    ) -> Reservation:
        self._ids += 1
        made = self.admission.admit(principal, ask, "gpt-4o", str(self._ids), at_ms)
        return made if isinstance(made, Reservation) else await made

    async def refusal(
        self, principal: Principal, ask: Ask = ONE
    ) -> RateLimited | QuotaExceeded | None:
        """The error of *ask*; None where it was admitted, and what it took is given back."""
        try:
            reservation = await self.admit(principal, ask)
        except (RateLimited, QuotaExceeded) as error:
            return error
        self.admission.settle(reservation, NOTHING)
        return None

    def settle(self, reservation: Reservation, spent: Spent) -> None:
        self.admission.settle(reservation, spent)

    def standing(self, principal: Principal, limit: str, scope: int = 0) -> Standing:
        """Where *limit* of one of the scopes stands."""
        (found,) = (
            standing
            for standing in self.admission.standings(principal)
            if standing.limit == limit and standing.scope == principal.scopes[scope]
        )
        return found

    def used(self, principal: Principal, limit: str, scope: int = 0) -> int:
        return self.standing(principal, limit, scope).used
