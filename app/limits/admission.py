"""
Admit before, settle after: requests, tokens, concurrency and budgets of a key and its team, in one step.

Law 4: a refused request consumes nothing. What is admitted is owed one `settle`, which never waits, so that no
cancellation can lose it (reliability J1, J5, J6).
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from app.domain.limits import (
    Ask,
    PeriodStarts,
    RateHeaders,
    Scope,
    ScopeKind,
    Spending,
    Spent,
    Standing,
)
from app.domain.principal import Principal
from app.limits.counters import Claim, Counters, Verdict
from app.limits.periods import Calendar
from app.limits.rate_headers import rate_headers
from app.limits.refusals import refusal_error
from app.limits.standings import standings

_NS: Final = 1_000_000_000


class Reservation:
    """What one admitted request holds until it is settled. *headers*: what the reply's `x-ratelimit-*` say, the limits
    as this request left them; None where there are none."""

    __slots__ = ("_admission", "claim", "headers", "is_settled")

    def __init__(self, admission: "Admission", claim: Claim, headers: RateHeaders | None) -> None:
        self._admission = admission
        self.claim = claim
        self.headers = headers
        self.is_settled = False

    def settle(self, spent: Spent) -> None:
        """See `Admission.settle`."""
        self._admission.settle(self, spent)


class Admission:
    """Decides who is served now. *now*: seconds that never jump; *wall_seconds*: since 1970.

    *lease_seconds*: after so long, what a request holds is free even if it was never settled (J1).
    """

    def __init__(
        self,
        counters: Counters,
        *,
        now: Callable[[], float],
        wall_seconds: Callable[[], float],
        lease_seconds: float,
    ) -> None:
        self._counters = counters
        self._now = now
        self._wall_seconds = wall_seconds
        self._calendar = Calendar(wall_seconds)
        self._lease_ns = int(lease_seconds * _NS)

    def admit(
        self,
        principal: Principal,
        ask: Ask,
        model: str,
        lease_id: str,
        at_ms: int | None = None,
    ) -> Reservation | Awaitable[Reservation]:
        """*ask* is reserved in all scopes of *principal*; the reservation is owed one `settle`.

        *model*: as the client wrote it, for the message. *lease_id*: unique for ever. *at_ms*: when the request came
        in, milliseconds since 1970, by which the ledger too counts it in its day; None: now. Of what *ask* has below
        nought it asks nothing. Raises RateLimited or QuotaExceeded, having consumed nothing (contract F36 to F40).
        What is to be awaited raises them too: it is returned where counters are elsewhere.
        """
        if ask.tokens < 0 or ask.cost_nano < 0:
            ask = Ask(ask.requests, max(0, ask.tokens), max(0, ask.cost_nano), ask.slots)
        now_ns = int(self._now() * _NS)
        starts = self._calendar.starts(at_ms)
        claim = Claim(lease_id, principal.scopes, ask, starts, now_ns, now_ns + self._lease_ns)
        verdict = self._counters.reserve(claim)
        if not isinstance(verdict, Verdict):
            return self._decided(claim, verdict, model)
        if verdict.refusals:
            raise refusal_error(verdict, model=model, starts=starts)
        return Reservation(self, claim, rate_headers(verdict))

    def settle(self, reservation: Reservation, spent: Spent) -> None:
        """*reservation* is free and *spent* is counted, in the period of its admission; a second call changes nothing.

        One whose lease has ended is counted all the same (J6).
        """
        if reservation.is_settled:
            return
        reservation.is_settled = True
        self._counters.settle(reservation.claim, spent, int(self._now() * _NS))

    def sweep(self) -> int:
        """What ended leases held is free again; how many ended since the last sweep (J8). Call it now and then."""
        return self._counters.sweep(int(self._now() * _NS))

    def standings(self, principal: Principal) -> tuple[Standing, ...]:
        """Where every limit of *principal*'s scopes stands now, its own first."""
        starts = self._calendar.starts()
        now_ns = int(self._now() * _NS)
        wall_seconds = self._wall_seconds()
        return tuple(
            standing
            for scope in principal.scopes
            for standing in standings(
                scope, self._counters.holding(scope, starts, now_ns), starts, wall_seconds
            )
        )

    def spending(self, scope: Scope) -> Spending:
        """What *scope* has spent, without what is reserved."""
        return self._counters.spending(scope, self._calendar.starts())

    def load(
        self,
        spending: Mapping[tuple[ScopeKind, str], Spending],
        starts: PeriodStarts | None = None,
    ) -> None:
        """*spending* is what was spent before this process: from the ledger, before the first request.

        *starts*: the periods it was summed over; None: those of now.
        """
        self._counters.load(spending, starts or self._calendar.starts())

    async def _decided(self, claim: Claim, decision: Awaitable[Verdict], model: str) -> Reservation:
        verdict = await decision
        if verdict.refusals:
            raise refusal_error(verdict, model=model, starts=claim.starts)
        return Reservation(self, claim, rate_headers(verdict))
