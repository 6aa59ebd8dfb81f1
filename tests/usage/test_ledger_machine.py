"""
Journal, recorder and recovery together, with a fault or a death at every write and every call of the database
(reliability J2 to J8, R19, R20).
"""

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from typing_extensions import override

from app.domain.errors import LedgerUnavailable
from app.domain.ledger import Progress, UsageRecord
from app.domain.stored_objects import Claim
from app.usage.journal import Journal
from app.usage.journal_lines import id_in
from app.usage.recorder import Recorder
from app.usage.recovery import recover
from app.usage.segments import Series, names_in
from tests.fakes.clock import Clock
from tests.fakes.record_stores import Killed, MemoryRecordStore
from tests.usage.notes import FaultyDisk, Warnings, a_claim, a_progress, a_record, an_intent

SEGMENT_BYTES = 700  # two or three notes
DATABASE_FAULTS = ("refuse", "lose_reply", "die", "die_after")
DISK_FAULTS = ("short", "error", "die")


class LedgerMachine(RuleBasedStateMachine):
    """One process after another on the same folder and database."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="mindgate-journal-"))
        self.loop = asyncio.new_event_loop()
        self.store = MemoryRecordStore()
        self.clock = Clock()
        self.disk = FaultyDisk()
        self.lives = self.exchanges = 0
        self.open: set[str] = set()  # begun in this life
        self.begun: set[str] = set()  # surely: each has exactly one record in the end
        self.settled: dict[str, UsageRecord] = {}  # surely: with this content
        self.progress: dict[str, Progress] = {}  # the last one that surely stands
        self.claims: dict[str, Claim] = {}  # surely, in the order they were written
        self.unsure: set[str] = set()  # the process died while or before it was written
        self.start()

    def start(self) -> None:
        self.lives += 1
        series = Series.begin(self.folder, f"{self.lives:04}")
        self.disk.faults.clear()
        self.journal = Journal(
            series,
            warn=Warnings(),
            fsync="never",
            now=self.clock,
            write=self.disk.write,
            segment_bytes=SEGMENT_BYTES,
        )
        self.journal.most_at_hand = 2  # records come from memory and from their lines in turn
        self.recorder = Recorder(
            self.journal,
            self.store,
            warn=Warnings(),
            retention_days=0,
            wall_seconds=self.clock,
            now=self.clock,
        )

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        try:
            with suppress(LedgerUnavailable):
                self.loop.run_until_complete(coroutine)
        except Killed:
            self.die()

    def die(self) -> None:
        """What the kernel does; what was only in memory is gone."""
        self.forget(self.waiting())
        self.journal._syncer.close()
        self.journal.series.release()
        self.open.clear()
        while True:  # a start that dies is followed by another
            try:
                self.loop.run_until_complete(recover(self.folder, self.store, warn=Warnings()))
            except Killed:
                continue
            except LedgerUnavailable:
                pass
            break
        self.start()

    def waiting(self) -> set[str]:
        """Whose notes are only in memory."""
        return {id_in(line) for line in self.journal.waiting()}

    def forget(self, ids: set[str]) -> None:
        for id in ids:
            self.unsure.add(id)
            self.begun.discard(id)
            self.settled.pop(id, None)
            self.progress.pop(id, None)
            self.claims.pop(id, None)

    def note(self, id: str, write: Callable[[], None]) -> bool:
        try:
            write()
        except Killed:
            self.forget({id})
            self.die()
            return False
        return True

    @rule()
    def intend(self) -> None:
        self.exchanges += 1
        id = f"e{self.exchanges:05}"
        if self.note(id, lambda: self.journal.intend(an_intent(id))):
            self.begun.add(id)
            self.open.add(id)

    @precondition(lambda self: self.open)
    @rule(choice=st.randoms(use_true_random=False), tokens=st.integers(0, 10**6))
    def go_on(self, choice: Any, tokens: int) -> None:
        id = choice.choice(sorted(self.open))
        progress = a_progress(id, output_tokens=tokens, cost_nano=tokens * 3)
        if self.note(id, lambda: self.journal.progress(progress)):
            self.progress[id] = progress

    @precondition(lambda self: self.open)
    @rule(choice=st.randoms(use_true_random=False), cost=st.integers(0, 10**12))
    def settle(self, choice: Any, cost: int) -> None:
        id = choice.choice(sorted(self.open))
        record = a_record(id, cost_nano=cost)
        self.open.discard(id)
        if self.note(id, lambda: self.journal.settle(record)) and id not in self.unsure:
            self.settled[id] = record

    @rule(is_gone=st.booleans())
    def claim(self, is_gone: bool) -> None:
        self.exchanges += 1
        claim = a_claim(f"c{self.exchanges:05}", is_gone=is_gone)
        if self.note(claim.id, lambda: self.journal.claim(claim)):
            self.claims[claim.id] = claim

    @rule()
    def ship(self) -> None:
        self.run(self.recorder.flush())

    @rule(fault=st.tuples(st.sampled_from(DISK_FAULTS), st.integers(0, 400)))
    def next_write_fails(self, fault: tuple[str, int]) -> None:
        self.disk.faults.append(fault)

    @rule(calls=st.integers(0, 2), fault=st.sampled_from(DATABASE_FAULTS))
    def database_fails(self, calls: int, fault: str) -> None:
        self.store.faults = [""] * calls + [fault]

    @rule()
    def time_passes(self) -> None:
        self.clock.advance(6.0)  # longer than the longest pause between two attempts

    @rule()
    def kill(self) -> None:
        self.die()

    @rule()
    def stop_and_start(self) -> None:
        async def finish() -> None:
            await self.recorder.finish(5.0)

        before = self.waiting()
        try:
            self.loop.run_until_complete(finish())
        except Killed:
            self.forget(before)
            self.die()
            return
        if self.journal.waiting():
            self.forget(before)
        self.open.clear()
        self.start()

    @override
    def teardown(self) -> None:
        self.store.faults.clear()
        self.disk.faults.clear()
        self.die()
        self.store.faults.clear()
        self.loop.run_until_complete(self.recorder.finish(5.0))
        self.loop.run_until_complete(recover(self.folder, self.store, warn=Warnings()))
        left = names_in(self.folder)
        shutil.rmtree(self.folder)
        self.loop.close()

        assert left == []
        self.check()

    def check(self) -> None:
        kept = self.store.kept
        assert self.begun <= kept.keys()
        assert kept.keys() <= self.begun | self.unsure
        for id, record in self.settled.items():
            assert kept[id] == record
        for id in self.begun - self.settled.keys() - self.unsure:
            assert kept[id].recovered
            assert kept[id].outcome == "shutdown"
            progress = self.progress.get(id)
            assert kept[id].cost_nano == (progress or an_intent()).cost_nano
        shipped = dict.fromkeys(self.store.claims)
        # Of one process in their order; a killed one's come when the database takes them.
        assert set(self.claims.values()) == {one for one in shipped if one.id in self.claims}
        assert {one.id for one in shipped} <= self.claims.keys() | self.unsure
        assert sum(self.store.spent.values()) == sum(one.cost_nano for one in kept.values())


LedgerMachine.TestCase.settings = settings(
    max_examples=150,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestLedgerMachine = pytest.mark.timeout(120)(LedgerMachine.TestCase)
