"""The recorder between journal and database (reliability J7, Q6)."""

import asyncio
import errno
import os
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from app.domain.errors import LedgerUnavailable
from app.usage.journal import Journal
from app.usage.recorder import BATCH_RECORDS, Recorder
from app.usage.recovery import recover
from app.usage.segments import Series
from tests.fakes.clock import Clock
from tests.fakes.record_stores import MemoryRecordStore
from tests.usage.notes import FaultyDisk, Warnings, a_claim, a_progress, a_record, an_intent

DAY_MS = 86_400_000


class Rounds:
    """Sleeps that last until the test has counted them."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self._go = asyncio.Semaphore(0)
        self._came = asyncio.Semaphore(0)

    async def sleep(self, seconds: float) -> None:
        self.asked.append(seconds)
        self._came.release()
        await self._go.acquire()

    async def begun(self) -> None:
        """A sleep has begun."""
        async with asyncio.timeout(5):
            await self._came.acquire()

    async def next(self) -> float:
        """One sleep is over, and the next has begun: how long that will be."""
        self._go.release()
        await self.begun()
        return self.asked[-1]


class Desk:
    def __init__(
        self,
        folder,
        *,
        retention_days=0,
        segment_bytes=16 << 20,
        most_at_hand=2,  # so that some records are taken from memory and others from their lines
        sleep=asyncio.sleep,
    ):
        self.clock, self.disk, self.warnings = Clock(), FaultyDisk(), Warnings()
        self.store = MemoryRecordStore()
        self.series = Series.begin(folder, "1")
        self.journal = Journal(
            self.series,
            warn=self.warnings,
            fsync="never",
            now=self.clock,
            write=self.disk.write,
            segment_bytes=segment_bytes,
        )
        self.journal.most_at_hand = most_at_hand
        self.recorder = Recorder(
            self.journal,
            self.store,
            warn=self.warnings,
            retention_days=retention_days,
            wall_seconds=lambda: 1_700_000_000.0,
            now=self.clock,
            sleep=sleep,
        )


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path)
    yield desk
    desk.journal.close()


@asynccontextmanager
async def running(recorder: Recorder):
    async with asyncio.TaskGroup() as group:
        task = group.create_task(recorder.run())
        yield
        task.cancel()


async def test_what_was_settled_is_in_the_database_after_a_flush(desk):
    desk.journal.intend(an_intent())
    desk.journal.settle(a_record())

    await desk.recorder.flush()

    assert {"e1": a_record()} == desk.store.kept
    assert desk.journal.pending == 0


async def test_a_batch_has_so_many_records_and_no_more(desk):
    for number in range(2 * BATCH_RECORDS + 234):
        desk.journal.settle(a_record(f"e{number}"))

    await desk.recorder.flush()

    assert [BATCH_RECORDS, BATCH_RECORDS, 234] == desk.store.batches


@pytest.mark.parametrize("most_at_hand", [0, 1, 3, 100])
async def test_a_record_is_the_same_whether_memory_or_its_line_tells_it(tmp_path, most_at_hand):
    desk = Desk(tmp_path, most_at_hand=most_at_hand)
    made = [a_record(f"e{number}", cost_nano=number, model="m" * number) for number in range(9)]
    made.append(a_record("long", model="x" * 100_000))
    made.append(a_record("wrong", model="\ud800"))
    for record in made:
        desk.journal.intend(an_intent(record.id))
        desk.journal.settle(record)
        if record.cost_nano % 4 == 0:
            await desk.recorder.flush()

    assert await desk.recorder.finish(5)

    kept = desk.store.kept
    assert made[:9] == [kept[record.id] for record in made[:9]]
    assert [replace(made[9], model="x" * 256), replace(made[10], model="?")] == [
        kept["long"],
        kept["wrong"],
    ]
    assert not desk.journal.at_hand


async def test_memory_holds_so_many_records_and_no_more(tmp_path):
    desk = Desk(tmp_path, most_at_hand=50)
    for number in range(200):
        desk.journal.settle(a_record(f"e{number}"))
    assert len(desk.journal.at_hand) == 50

    await desk.recorder.flush()

    assert len(desk.store.kept) == 200
    assert not desk.journal.at_hand
    await desk.recorder.finish(5)


async def test_a_flush_says_when_it_can_not_and_the_next_one_makes_it_good(desk):
    desk.journal.settle(a_record())
    desk.store.is_down = True

    with pytest.raises(LedgerUnavailable):
        await desk.recorder.flush()
    assert desk.journal.pending == 1
    desk.store.is_down = False
    await desk.recorder.flush()

    assert ["e1"] == list(desk.store.kept)


async def test_a_record_whose_commit_was_not_heard_of_counts_once(desk):
    desk.journal.settle(a_record())
    desk.store.faults = ["lose_reply"]

    with pytest.raises(LedgerUnavailable):
        await desk.recorder.flush()
    await desk.recorder.flush()

    assert {"key_1": a_record().cost_nano} == desk.store.spent


async def test_each_second_what_came_is_shipped(tmp_path):
    rounds = Rounds()
    desk = Desk(tmp_path, sleep=rounds.sleep)
    async with running(desk.recorder):
        await rounds.begun()
        for number in range(3):
            desk.journal.settle(a_record(f"e{number}"))
            await rounds.next()
            assert len(desk.store.kept) == number + 1

    assert {1.0} == set(rounds.asked)
    await desk.recorder.finish(5)


async def test_a_database_that_is_down_is_asked_more_and_more_seldom_and_told_of_once(tmp_path):
    rounds = Rounds()
    desk = Desk(tmp_path, sleep=rounds.sleep)
    desk.store.is_down = True
    desk.journal.settle(a_record())
    async with running(desk.recorder):
        await rounds.begun()
        waits = [await rounds.next() for _ in range(7)]
        assert waits == sorted(waits)
        assert waits[-1] == 30.0
        desk.store.is_down = False
        assert await rounds.next() == 1.0

    assert desk.warnings.events == [
        "ledger cannot be written; the journal keeps it",
        "ledger is written again",
    ]
    assert ["e1"] == list(desk.store.kept)
    await desk.recorder.finish(5)


async def test_a_segment_goes_when_all_in_it_is_committed_and_settled_the_oldest_first(tmp_path):
    desk = Desk(tmp_path, segment_bytes=600)
    for number in range(4):
        desk.journal.settle(a_record(f"a{number}"))
    desk.journal.intend(an_intent("open"))
    for number in range(4):
        desk.journal.settle(a_record(f"b{number}"))
    before = desk.series.numbers()
    desk.store.is_down = True
    with pytest.raises(LedgerUnavailable):
        await desk.recorder.flush()
    assert before == desk.series.numbers()

    desk.store.is_down = False
    await desk.recorder.flush()
    held = desk.series.numbers()
    assert 1 not in held
    assert len(held) > 1
    assert list(range(held[0], before[-1] + 1)) == held

    desk.journal.settle(a_record("open"))
    await desk.recorder.flush()
    assert len(desk.series.numbers()) == 1
    await desk.recorder.finish(5)


async def test_records_that_wait_for_a_full_disk_are_flushed_from_memory(desk):
    desk.journal.settle(a_record("e1"))
    desk.disk.is_full = True
    desk.journal.settle(a_record("e2"))

    await desk.recorder.flush()
    assert ["e1", "e2"] == sorted(desk.store.kept)

    desk.disk.is_full = False
    desk.clock.advance(6)
    await desk.recorder.flush()
    assert {"key_1": 2 * a_record().cost_nano} == desk.store.spent
    assert desk.journal.pending == 0


async def test_an_exchange_whose_settlement_was_dropped_is_booked_long_after_its_lease(desk):
    desk.journal.intend(an_intent("lost"))
    desk.journal.progress(a_progress("lost"))
    await desk.recorder.flush()
    desk.clock.advance(1860 + 3599)
    await desk.recorder.flush()
    assert {} == desk.store.kept

    desk.clock.advance(2)
    await desk.recorder.flush()

    found = desk.store.kept["lost"]
    assert (found.outcome, found.recovered, found.cost_nano) == ("shutdown", True, 70)
    assert len(desk.warnings.events) == 1


async def test_a_settlement_that_comes_after_its_exchange_was_booked_is_told(desk):
    desk.journal.intend(an_intent("slow"))
    desk.journal.intend(an_intent("lost"))
    await desk.recorder.flush()
    desk.clock.advance(1860 + 3601)
    await desk.recorder.flush()

    desk.journal.settle(a_record("slow"))
    desk.journal.settle(a_record("e1"))
    await desk.recorder.flush()
    await desk.recorder.flush()

    assert desk.store.kept["slow"].recovered
    assert desk.warnings.events == [
        "exchanges were never settled; booked as recovered",
        "exchanges were settled after they had been booked as recovered",
    ]


class FaultyReads:
    """The calls *at* which *name* of `os` fails, for files that are only read; 0 fails them all."""

    def __init__(self, name: str, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self._at = at
        self._seen = 0
        self._real = getattr(os, name)
        monkeypatch.setattr(f"app.usage.tail.os.{name}", self)

    def __call__(self, first, second, *rest):
        if isinstance(first, int) or second == os.O_RDONLY:
            self._seen += 1
            if self._at in (0, self._seen):
                raise OSError(errno.EMFILE, "Too many open files")
        return self._real(first, second, *rest)


@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize("call", ["open", "pread"])
async def test_a_moment_without_descriptors_loses_no_segment(tmp_path, monkeypatch, call, at):
    """Reliability J7: a segment goes when all of it is committed."""
    desk = Desk(tmp_path, segment_bytes=2000, most_at_hand=0)
    for number in range(30):
        desk.journal.settle(a_record(f"e{number}"))
    with monkeypatch.context() as patch:
        FaultyReads(call, at, patch)
        with pytest.raises(LedgerUnavailable, match="Too many open files"):
            await desk.recorder.flush()
    assert desk.journal.pending == 30 - len(desk.store.kept)

    await desk.recorder.flush()

    assert 30 == len(desk.store.kept)
    assert desk.journal.pending == 0
    assert [] == desk.warnings.events
    await desk.recorder.finish(5)


async def test_a_journal_that_cannot_be_read_at_the_end_is_left_for_the_next_start(
    tmp_path, monkeypatch
):
    desk = Desk(tmp_path)
    desk.journal.settle(a_record())
    with monkeypatch.context() as patch:
        FaultyReads("open", 0, patch)
        assert not await desk.recorder.finish(5)

    assert (await recover(tmp_path, desk.store, warn=desk.warnings)).records == 1


async def test_where_no_thread_can_be_started_segments_go_all_the_same(tmp_path, monkeypatch):
    async def none_left(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(asyncio, "to_thread", none_left)
    desk = Desk(tmp_path, segment_bytes=600)
    for number in range(6):
        desk.journal.settle(a_record(f"e{number}"))

    await desk.recorder.flush()

    assert 1 == len(desk.series.numbers())
    await desk.recorder.finish(5)


async def test_what_is_finished_leaves_no_file(tmp_path):
    desk = Desk(tmp_path)
    desk.journal.intend(an_intent())
    desk.journal.settle(a_record())

    assert await desk.recorder.finish(5)

    assert [] == list(tmp_path.iterdir())
    assert ["e1"] == list(desk.store.kept)


@pytest.mark.parametrize("reason", ["the database is down", "an exchange is open", "no time"])
async def test_what_cannot_be_finished_is_left_for_the_next_start(tmp_path, reason):
    desk = Desk(tmp_path)
    desk.store.is_down = reason == "the database is down"
    desk.journal.intend(an_intent())
    if reason != "an exchange is open":
        desk.journal.settle(a_record())

    assert not await desk.recorder.finish(0 if reason == "no time" else 5)

    assert len(list(tmp_path.glob("*.journal"))) == 1


async def test_old_records_go_a_few_at_a_time(tmp_path):
    rounds = Rounds()
    desk = Desk(tmp_path, retention_days=90, sleep=rounds.sleep)
    now_ms = 1_700_000_000_000
    for number in range(1100):
        age_days = 91 if number < 1050 else 89
        record = a_record(f"e{number:04}", at_ms=now_ms - age_days * DAY_MS)
        desk.store.kept[record.id] = record
    async with running(desk.recorder):
        for _ in range(20):
            await rounds.next()

    assert len(desk.store.kept) == 50
    assert {1.0, 60.0, 0.2, 3600.0} == set(rounds.asked)
    desk.journal.close()


async def test_a_damaged_line_is_left_out_and_told(tmp_path):
    desk = Desk(tmp_path, most_at_hand=0)
    desk.journal.settle(a_record("e1"))
    path = desk.series.path(1)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"fast"', b'"fake"'))
    desk.journal.settle(a_record("e2"))

    await desk.recorder.flush()

    assert ["e2"] == list(desk.store.kept)
    assert desk.warnings.events == ["journal has unreadable lines"]
    assert desk.journal.pending == 0
    await desk.recorder.finish(5)


async def test_an_exchange_whose_settlement_is_damaged_is_booked_after_its_lease(tmp_path):
    desk = Desk(tmp_path, most_at_hand=0)
    desk.journal.intend(an_intent("e1"))
    desk.journal.settle(a_record("e1"))
    path = desk.series.path(1)
    path.write_bytes(path.read_bytes().replace(b'"sun"', b'"son"'))
    await desk.recorder.flush()
    assert {} == desk.store.kept

    desk.clock.advance(1860 + 3601)
    await desk.recorder.flush()

    assert desk.store.kept["e1"].recovered
    await desk.recorder.finish(5)


async def test_a_segment_that_somebody_removed_stops_nothing(tmp_path):
    desk = Desk(tmp_path, segment_bytes=600)
    for number in range(6):
        desk.journal.settle(a_record(f"e{number}"))
    desk.series.path(1).unlink()

    await desk.recorder.flush()

    assert "e5" in desk.store.kept
    assert "e0" not in desk.store.kept
    assert not desk.journal.at_hand
    await desk.recorder.finish(5)


async def test_two_flushes_at_once_ship_each_record_once(desk):
    for number in range(700):
        desk.journal.settle(a_record(f"e{number}"))

    await asyncio.gather(desk.recorder.flush(), desk.recorder.flush())

    assert 700 == sum(desk.store.batches)


async def test_a_line_that_is_cut_at_the_moment_is_read_once_it_was_written_anew(desk):
    desk.disk.faults = [("short", 40)]
    desk.journal.settle(a_record("e1"))
    await desk.recorder.flush()

    desk.clock.advance(6)
    desk.journal.settle(a_record("e2"))
    desk.store.kept.clear()
    await desk.recorder.flush()

    assert ["e1", "e2"] == sorted(desk.store.kept)
    assert desk.journal.pending == 0


async def test_while_settlements_wait_in_memory_no_exchange_counts_as_never_settled(desk):
    desk.journal.intend(an_intent("e1"))
    desk.store.is_down = True
    desk.disk.is_full = True
    desk.journal.settle(a_record("e1"))
    desk.store.is_down = False
    async with desk.recorder._lock:
        await desk.recorder._ship()
    desk.clock.advance(10_000)
    async with desk.recorder._lock:
        await desk.recorder._ship()
    desk.disk.is_full = False
    desk.clock.advance(10)
    await desk.recorder.flush()

    assert {"e1": a_record("e1")} == desk.store.kept


async def test_noise_longer_than_any_line_is_passed_over(desk):
    with desk.series.path(1).open("ab") as file:
        file.write(b"\xff" * 300_000 + b"\n")
    desk.journal._size += 300_001
    desk.journal.settle(a_record())

    async with asyncio.timeout(5):
        await desk.recorder.flush()

    assert ["e1"] == list(desk.store.kept)


async def test_one_flush_waits_for_the_other(desk):
    desk.journal.settle(a_record())
    adding, go_on = asyncio.Event(), asyncio.Event()
    add = desk.store.add

    async def slow_add(records):
        adding.set()
        await go_on.wait()
        return await add(records)

    desk.store.add = slow_add
    async with asyncio.TaskGroup() as group:
        group.create_task(desk.recorder.flush())
        await adding.wait()
        second = group.create_task(desk.recorder.flush())
        for _ in range(10):
            await asyncio.sleep(0)
        assert not second.done()
        go_on.set()

    assert [1] == desk.store.batches


async def test_claims_are_in_the_database_after_a_flush_in_their_order(desk):
    story = [a_claim(), a_claim("e2", object_id="file-2"), a_claim("e3", is_gone=True)]
    desk.journal.claim(story[0])
    desk.journal.settle(a_record())
    desk.journal.claim(story[1])
    desk.journal.claim(story[2])

    await desk.recorder.flush()

    assert story == desk.store.claims
    assert {"e1": a_record()} == desk.store.kept


async def test_claims_that_only_wait_are_shipped_too(desk):
    desk.disk.is_full = True
    desk.journal.claim(a_claim())
    desk.journal.settle(a_record())

    await desk.recorder.flush()

    assert [a_claim()] == desk.store.claims
    assert {"e1": a_record()} == desk.store.kept


async def test_no_segment_goes_before_its_claims_are_committed(tmp_path):
    desk = Desk(tmp_path, segment_bytes=300)
    made = [a_claim(f"e{number}", object_id=f"file-{number}") for number in range(20)]
    for claim in made:
        desk.journal.claim(claim)
    segments = desk.series.numbers()
    assert len(segments) > 5
    for fault in ("refuse", "lose_reply"):
        desk.store.faults = [fault]
        with pytest.raises(LedgerUnavailable):
            await desk.recorder.flush()
        assert segments == desk.series.numbers()

    await desk.recorder.flush()

    assert made == desk.store.claims[-20:]
    assert segments[-1:] == desk.series.numbers()
    desk.journal.close()


async def test_a_gateway_that_claimed_and_is_done_leaves_no_file(tmp_path):
    desk = Desk(tmp_path)
    desk.journal.claim(a_claim())

    assert await desk.recorder.finish(1.0)

    assert [a_claim()] == desk.store.claims
    assert list(tmp_path.iterdir()) == []


async def test_many_claims_are_many_transactions_of_a_bounded_size(desk):
    sizes = []
    claim = desk.store.claim

    async def counted(claims):
        sizes.append(len(claims))
        await claim(claims)

    desk.store.claim = counted
    for number in range(2 * BATCH_RECORDS + 10):
        desk.journal.claim(a_claim(object_id=f"file-{number}"))

    await desk.recorder.flush()

    assert sum(sizes) == 2 * BATCH_RECORDS + 10
    assert max(sizes) <= BATCH_RECORDS
