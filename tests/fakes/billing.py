"""A Billing over real counters and a journal in memory: what it kept can be asked."""

from collections.abc import Awaitable, Callable, Mapping
from time import time  # noqa: TID251 what a composition root hands out

from app.domain.configuration import LimitOptions
from app.domain.errors import LedgerUnavailable
from app.domain.ledger import Intent, Progress, UsageRecord
from app.domain.prices import Price
from app.limits.admission import Admission
from app.limits.memory_counters import MemoryCounters
from app.proxy.billing import Billing
from app.upstreams.upstream import Upstream
from app.usage.price_book import PriceBook
from tests.fakes.clock import Clock
from tests.fakes.upstreams import upstream_of

LEASE_SECONDS = 1860.0


class FakeJournal:
    """Keeps notes in order. *refuses*: an intent cannot be kept."""

    def __init__(self) -> None:
        self.notes: list[Intent | Progress | UsageRecord] = []
        self.refuses = False
        self.durability: Awaitable[None] | None = None

    def intend(self, intent: Intent) -> None:
        if self.refuses:
            raise LedgerUnavailable("The gateway cannot write its ledger at the moment.")
        self.notes.append(intent)

    def progress(self, progress: Progress) -> None:
        self.notes.append(progress)

    def settle(self, record: UsageRecord) -> None:
        self.notes.append(record)

    def durable(self) -> Awaitable[None] | None:
        return self.durability

    @property
    def records(self) -> list[UsageRecord]:
        return [one for one in self.notes if isinstance(one, UsageRecord)]

    @property
    def kinds(self) -> list[str]:
        return [type(one).__name__ for one in self.notes]


def admission_of(now: Callable[[], float]) -> Admission:
    return Admission(MemoryCounters(), now=now, wall_seconds=time, lease_seconds=LEASE_SECONDS)


def billing_of(
    now: Callable[[], float] | None = None,
    *,
    journal: FakeJournal | None = None,
    prices: Mapping[str, Price] | None = None,
    options: LimitOptions | None = None,
    admission: Admission | None = None,
    upstreams: Mapping[str, Upstream] | None = None,
) -> Billing:
    now = now or Clock()
    return Billing(
        upstreams or {name: upstream_of("openai", name=name) for name in ("up", "dear")},
        admission or admission_of(now),
        PriceBook(prices or {}),
        journal,
        options or LimitOptions(),
        now=now,
        lease_seconds=LEASE_SECONDS,
    )
