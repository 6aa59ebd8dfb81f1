"""
What admission asks of whoever counts: one round trip to reserve, and one note to settle that nobody waits for.

Law 4: all limits of all scopes are checked before anything is taken, so a refusal consumes nothing. Counters in
memory do it without an await in between, those in Redis in one Lua call (reliability J1, R22).
"""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, Protocol

from app.domain.limits import Ask, PeriodStarts, Scope, ScopeKind, Spending, Spent

LimitName = Literal["rpm", "tpm", "concurrency", "budget_usd", "budget_tokens"]

# A minute's nanoseconds, in two factors: compiled code multiplies fast only what fits into 30 bits.
MINUTE_MS: Final = 60_000
MS_NS: Final = 1_000_000
MINUTE_NS: Final = 60_000_000_000


class Claim:
    """One request that wants to be served, by *now_ns* of a clock that never jumps.

    *starts*: the periods that it is counted in, and stays counted in (J10). *lease_ends_ns*: when what it took is free
    again even if nobody settles it (J1). *lease_id*: unique for ever; who shares counters with others goes by it.
    """

    __slots__ = ("ask", "lease_ends_ns", "lease_id", "now_ns", "scopes", "starts")

    def __init__(
        self,
        lease_id: str,
        scopes: tuple[Scope, ...],
        ask: Ask,
        starts: PeriodStarts,
        now_ns: int,
        lease_ends_ns: int,
    ) -> None:
        self.lease_id = lease_id
        self.scopes = scopes
        self.ask = ask
        self.starts = starts
        self.now_ns = now_ns
        self.lease_ends_ns = lease_ends_ns


@dataclass(slots=True, init=False)
class Rate:
    """Where a limit per minute stands. *level*: what is used of it, in 60-billionths, so that a nanosecond frees
    exactly *allowed* of them."""

    allowed: int
    level: int

    def __init__(self, allowed: int, level: int) -> None:
        self.allowed = allowed
        self.level = level

    @property
    def used(self) -> int:
        """Rounded up; above *allowed* after a request came to more than it had asked for."""
        return -(-self.level // MINUTE_NS)

    @property
    def remaining(self) -> int:
        """What one more request may ask for at once."""
        remaining = self.allowed + -self.level // MINUTE_NS
        return remaining if remaining > 0 else 0

    @property
    def reset_ms(self) -> int:
        """How long until all of it is free again, rounded up; nought where it never fills."""
        return -(-self.level // (self.allowed * 1_000_000)) if self.allowed else 0


class Refusal(NamedTuple):
    """One limit that a claim hit. *used*: with what others reserved; in the limit's own unit, like *requested*.

    *wait_ns*: when it could be met if nobody else came; None where waiting does not help.
    """

    scope: Scope
    limit: LimitName
    allowed: int
    used: int
    requested: int
    wait_ns: int | None


@dataclass(slots=True, init=False)
class Verdict:
    """Granted where there are no *refusals*. *requests*, *tokens*: the tighter of the scopes' limits a minute, as they
    stand after the claim; None where no scope has one."""

    refusals: tuple[Refusal, ...]
    requests: Rate | None
    tokens: Rate | None

    def __init__(
        self,
        refusals: tuple[Refusal, ...] = (),
        requests: Rate | None = None,
        tokens: Rate | None = None,
    ) -> None:
        self.refusals = refusals
        self.requests = requests
        self.tokens = tokens


GRANTED: Final = Verdict()  # to one without any limit a minute


class Holding(NamedTuple):
    """Where one scope stands. *reserved_nano*, *reserved_tokens*: of its limits' budget period, like *spent_*."""

    requests: Rate | None
    tokens: Rate | None
    in_flight: int
    spent_nano: int
    reserved_nano: int
    spent_tokens: int
    reserved_tokens: int


class Counters(Protocol):
    """Counts for every scope; `MemoryCounters` in this process, others may share theirs."""

    def reserve(self, claim: Claim) -> Verdict | Awaitable[Verdict]:
        """All that *claim* asks for is taken from all of its scopes, or nothing of it from any."""

    def settle(self, claim: Claim, spent: Spent, now_ns: int) -> None:
        """What *claim* took is given back, what it came to is counted; called once for a claim that was granted.

        One whose lease has ended is still counted (J6).
        """

    def sweep(self, now_ns: int) -> int:
        """What ended leases held is free again; how many ended since the last sweep (J8)."""

    def holding(self, scope: Scope, starts: PeriodStarts, now_ns: int) -> Holding:
        """Where *scope* stands against the limits that it names. To look changes nothing: other limits of it that hold
        go on to."""

    def spending(self, scope: Scope, starts: PeriodStarts) -> Spending:
        """What *scope* has spent in the periods of *starts*."""

    def load(
        self, spending: Mapping[tuple[ScopeKind, str], Spending], starts: PeriodStarts
    ) -> None:
        """What the ledger says was spent, as of *starts*; it replaces what was counted."""
