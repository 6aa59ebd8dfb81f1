"""A ledger in memory that keeps the contract of the real one, and fails when told."""

from collections import Counter
from collections.abc import Sequence

from app.domain.errors import LedgerUnavailable
from app.domain.ledger import UsageRecord
from app.domain.stored_objects import Claim


class Killed(Exception):
    """The process died at this point."""


class MemoryRecordStore:
    """Records by id, each kept as it came first. *spent*: nano-dollars by key, added to for new records alone.

    *claims*: as they came, those that came again too.

    *faults*: what the next calls of `add` and `claim` do instead, in order: `refuse`: nothing is kept, and it raises
    LedgerUnavailable · `lose_reply`: it is kept, and it raises the same · `die`, `die_after`: likewise with Killed.
    """

    def __init__(self) -> None:
        self.kept: dict[str, UsageRecord] = {}
        self.spent: Counter[str] = Counter()
        self.faults: list[str] = []
        self.is_down = False
        self.batches: list[int] = []
        self.claims: list[Claim] = []

    async def add(self, records: Sequence[UsageRecord]) -> int:
        fault = self._fault_before()
        self.batches.append(len(records))
        new = {record.id: record for record in reversed(records) if record.id not in self.kept}
        self.kept.update(new)
        for record in new.values():
            self.spent[record.key_id] += record.cost_nano
        _fail_after(fault)
        return len(new)

    async def claim(self, claims: Sequence[Claim]) -> None:
        fault = self._fault_before()
        self.claims += claims
        _fail_after(fault)

    async def record(self, record_id: str) -> UsageRecord | None:
        return self.kept.get(record_id)

    async def delete_before(self, cutoff_ms: int, *, at_most: int) -> int:
        if self.is_down:
            raise LedgerUnavailable("The ledger is down.")
        oldest = sorted(self.kept)[:at_most]
        gone = [name for name in oldest if self.kept[name].at_ms < cutoff_ms]
        for name in gone:
            del self.kept[name]
        return len(gone)

    def _fault_before(self) -> str:
        fault = self.faults.pop(0) if self.faults else ""
        if self.is_down or fault == "refuse":
            raise LedgerUnavailable("The ledger is down.")
        if fault == "die":
            raise Killed
        return fault


def _fail_after(fault: str) -> None:
    if fault == "lose_reply":
        raise LedgerUnavailable("The ledger is down.")
    if fault == "die_after":
        raise Killed
