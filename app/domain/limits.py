"""
What a key or a team may take, and what one request asks of it.

Money is an integer of nano-dollars; None means that there is no such limit.
"""

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

Period = Literal["day", "week", "month", "total"]
ScopeKind = Literal["key", "team"]

NANO: Final = 1_000_000_000  # nano-dollars in a dollar


@dataclass(frozen=True, slots=True)
class Limits:
    """*rpm*, *tpm*: requests and tokens a minute. *budget_period*: what both budgets count over, in UTC; `total` never
    begins anew. *max_tokens*: the most output tokens that one request may ask for."""

    rpm: int | None = None
    tpm: int | None = None
    concurrency: int | None = None
    budget_nano: int | None = None
    budget_tokens: int | None = None
    budget_period: Period = "total"
    max_tokens: int | None = None


NO_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose limits they are: a key's own, or its team's. *id* is what counters and ledger know it by. *version*: of two
    with one id, the lower one is out of date; those of one version are as good as each other."""

    kind: ScopeKind
    id: str
    name: str
    limits: Limits = NO_LIMITS
    version: int = 0


@dataclass(slots=True, init=False)
class Ask:
    """What one request wants before it is served: *tokens* and *cost_nano* are the most it should come to.

    *slots*: how much of the concurrency it takes. All of it nought only asks where the limits stand.
    """

    requests: int
    tokens: int
    cost_nano: int
    slots: int

    def __init__(
        self, requests: int = 0, tokens: int = 0, cost_nano: int = 0, slots: int = 0
    ) -> None:
        self.requests = requests
        self.tokens = tokens
        self.cost_nano = cost_nano
        self.slots = slots


LOOK: Final = Ask()


@dataclass(slots=True, init=False)
class Spent:
    """What it came to. *requests* is nought when no upstream was asked: then nothing was consumed (law 4)."""

    requests: int
    tokens: int
    cost_nano: int

    def __init__(self, requests: int, tokens: int, cost_nano: int) -> None:
        self.requests = requests
        self.tokens = tokens
        self.cost_nano = cost_nano


class PeriodStarts(NamedTuple):
    """When the periods began that a moment lies in: milliseconds since 1970, UTC; a week begins on Monday."""

    day_ms: int
    week_ms: int
    month_ms: int


class Spending(NamedTuple):
    """What was spent in the current day, week and month, and in all, each as (nano-dollars, tokens)."""

    day: tuple[int, int] = (0, 0)
    week: tuple[int, int] = (0, 0)
    month: tuple[int, int] = (0, 0)
    total: tuple[int, int] = (0, 0)


class Standing(NamedTuple):
    """Where one limit stands now: in requests, tokens, slots or nano-dollars, by *limit*: `rpm`, `tpm`, `concurrency`,
    `budget_usd`, `budget_tokens`. *reserved* is part of *used*. *reset_at*: seconds since 1970, when all of it is free
    again; None where that depends on others, or never."""

    scope: Scope
    limit: str
    used: int
    reserved: int
    allowed: int
    reset_at: float | None


@dataclass(slots=True, init=False)
class RateHeaders:
    """The `x-ratelimit-*` lines of a reply (contract C5), each with its line end; *requests* and *tokens* tell which
    of the upstream's own they replace."""

    lines: bytes
    requests: bool
    tokens: bool

    def __init__(self, lines: bytes, requests: bool, tokens: bool) -> None:
        self.lines = lines
        self.requests = requests
        self.tokens = tokens
