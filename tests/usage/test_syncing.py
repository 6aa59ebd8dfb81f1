"""When the journal is given to the disk, and what a disk that cannot take it does (reliability J3, R19)."""

import asyncio
import os
import threading

import pytest

from app.usage.journal import Journal
from app.usage.segments import Series
from app.usage.syncing import Syncer
from tests.usage.notes import Warnings, a_record


class SlowDisk:
    """Syncs when told, and fails when told."""

    def __init__(self) -> None:
        self.synced: list[int] = []
        self.may = threading.Semaphore(0)
        self.is_broken = False

    def fdatasync(self, number: int) -> None:
        assert self.may.acquire(timeout=5)
        os.fstat(number)  # raises on a descriptor that is closed
        if self.is_broken:
            raise OSError(5, "Input/output error")
        self.synced.append(number)


@pytest.fixture
def disk():
    return SlowDisk()


@pytest.fixture
def syncer(disk, tmp_path):
    syncer = Syncer("always", lambda: None, fdatasync=disk.fdatasync)
    syncer.switch(os.open(tmp_path / "a", os.O_WRONLY | os.O_CREAT, 0o600))
    yield syncer
    disk.may.release(100)
    syncer.close()


async def all_done(*waiters: asyncio.Future[None] | None) -> None:
    async with asyncio.timeout(5):
        await asyncio.gather(*[one for one in waiters if one is not None])


async def test_all_who_wait_at_one_time_are_served_by_one_sync(syncer, disk):
    first = syncer.durable()
    for _ in range(100):  # until the thread has begun with the first alone
        if not syncer._waiters:
            break
        await asyncio.sleep(0.01)
    others = [syncer.durable() for _ in range(50)]

    disk.may.release()
    await all_done(first)
    assert not any(one.done() for one in others)  # its sync began before they wrote
    disk.may.release()
    await all_done(*others)

    assert len(disk.synced) == 2


async def test_a_sync_that_fails_keeps_nobody_waiting_and_is_known(syncer, disk):
    disk.is_broken = True
    disk.may.release()
    await all_done(syncer.durable())
    assert syncer.fault == "Input/output error"

    disk.is_broken = False
    disk.may.release()
    await all_done(syncer.durable())
    assert syncer.fault is None


async def test_a_file_that_is_left_behind_is_synced_before_it_is_closed(syncer, disk, tmp_path):
    next_number = os.open(tmp_path / "b", os.O_WRONLY | os.O_CREAT, 0o600)
    syncer.switch(next_number)
    disk.may.release(2)
    await all_done(syncer.durable())

    assert len(disk.synced) == 2
    assert disk.synced[-1] == next_number


async def test_one_who_stopped_waiting_disturbs_nobody(syncer, disk):
    gone, waiting = syncer.durable(), syncer.durable()
    assert gone is not None
    gone.cancel()
    disk.may.release(2)

    await all_done(waiting)


def test_a_journal_that_cannot_be_synced_is_failing_and_says_so_once(tmp_path, disk):
    warnings = Warnings()
    journal = Journal(Series.begin(tmp_path, "1"), warn=warnings, fsync="interval")
    journal.settle(a_record())
    for fault in ("broken", "broken", None, None):
        journal._syncer.fault = fault
        journal.retry()
        assert journal.is_failing == (fault is not None)

    assert ["journal cannot be synced", "journal is synced again"] == warnings.events
    journal.close()
