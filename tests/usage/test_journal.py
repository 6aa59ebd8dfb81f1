"""The journal on a disk that works, is full, cuts, comes back (reliability J3, R19)."""

import asyncio
import os
import resource
import stat

import pytest

from app.domain.errors import ConfigurationError, LedgerUnavailable
from app.usage.journal import Journal
from app.usage.journal_lines import LineReader, Note
from app.usage.segments import Series
from tests.fakes.clock import Clock
from tests.usage.notes import FaultyDisk, Warnings, a_claim, a_progress, a_record, an_intent

PATIENCE = 6.0  # longer than the longest pause between two attempts


class Desk:
    """A journal on a disk that fails when told."""

    def __init__(self, folder, **options) -> None:
        self.clock, self.disk, self.warnings = Clock(), FaultyDisk(), Warnings()
        self.series = Series.begin(folder, "1")
        self.journal = Journal(
            self.series,
            warn=self.warnings,
            now=self.clock,
            write=self.disk.write,
            **{"fsync": "never", **options},
        )

    def notes(self) -> list[Note]:
        """What stands on the disk, whole, in its order."""
        reader = LineReader()
        text = b"".join(self.series.path(number).read_bytes() for number in self.series.numbers())
        found = [reader.note(line) for line in reader.whole(text.split(b"\n")[:-1])]
        assert reader.unreadable == 0
        return [note for note in found if note is not None]


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path)
    yield desk
    desk.disk.is_full = False
    desk.journal.close()


def test_each_note_is_one_write_and_stands_in_the_file_when_the_call_returns(desk):
    before = desk.disk.writes

    desk.journal.intend(an_intent())
    desk.journal.progress(a_progress())
    desk.journal.settle(a_record())

    assert desk.disk.writes - before == 3
    assert desk.notes() == [an_intent(), a_progress(), a_record()]
    assert desk.journal.pending == 1
    assert not desk.journal.is_failing


def test_nobody_else_may_read_the_files(desk, tmp_path):
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}

    assert modes == {0o600}


def test_a_full_segment_is_followed_by_the_next(tmp_path):
    desk = Desk(tmp_path, segment_bytes=1000)
    records = [a_record(f"e{number}") for number in range(20)]

    for record in records:
        desk.journal.settle(record)

    assert len(desk.series.numbers()) > 3
    assert desk.notes() == records
    desk.journal.close()


def test_where_no_next_segment_can_be_made_the_old_one_grows(tmp_path, monkeypatch):
    desk = Desk(tmp_path, segment_bytes=1000)

    def refuse(number: int) -> int:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(desk.series, "create", refuse)
        for number in range(20):
            desk.journal.settle(a_record(f"e{number}"))
        assert desk.series.numbers() == [1]
    for number in range(20, 40):
        desk.journal.settle(a_record(f"e{number}"))

    assert len(desk.series.numbers()) > 1
    assert [note.id for note in desk.notes()] == [f"e{number}" for number in range(40)]
    desk.journal.close()


@pytest.mark.parametrize("fault", [("error", 0), ("short", 0), ("short", 9), ("short", 100_000)])
def test_what_could_not_be_written_follows_when_it_can_and_in_its_order(desk, fault):
    desk.journal.intend(an_intent("e0"))
    desk.disk.faults = [fault, fault]
    desk.journal.intend(an_intent("e1"))
    desk.clock.advance(PATIENCE)
    desk.journal.progress(a_progress("e1"))
    assert desk.journal.is_failing
    desk.journal.settle(a_record("e1"))
    assert desk.notes() == [an_intent("e0")]

    desk.clock.advance(PATIENCE)
    desk.journal.settle(a_record("e0"))

    assert desk.notes() == [
        an_intent("e0"),
        an_intent("e1"),
        a_progress("e1"),
        a_record("e1"),
        a_record("e0"),
    ]
    assert not desk.journal.is_failing
    assert desk.journal.pending == 2
    assert desk.journal.dropped_records == 0


def test_an_operator_hears_once_of_a_failure_and_once_of_its_end(desk):
    desk.disk.is_full = True
    for number in range(50):
        desk.journal.settle(a_record(f"e{number}"))
        desk.clock.advance(1.0)
    desk.disk.is_full = False
    desk.clock.advance(PATIENCE)
    desk.journal.retry()

    assert desk.warnings.events == ["journal cannot be written", "journal is written again"]


def test_a_full_disk_is_not_asked_for_each_note(desk):
    desk.disk.is_full = True
    before = desk.disk.writes

    for number in range(1000):
        desk.journal.settle(a_record(f"e{number}"))

    assert desk.disk.writes == before + 1


def test_so_many_notes_wait_and_no_more_and_half_the_room_is_for_records(desk):
    desk.disk.is_full = True
    for number in range(50_010):
        desk.journal.intend(an_intent(f"i{number}"))
    assert desk.journal.waiting_notes == 50_000
    for number in range(50_010):
        desk.journal.settle(a_record(f"s{number}"))

    assert desk.journal.waiting_notes == 100_000
    assert desk.journal.dropped_records == 10
    assert desk.journal.pending == 50_000

    desk.disk.is_full = False
    desk.clock.advance(PATIENCE)
    writes = desk.disk.writes
    while not desk.journal.retry():
        pass
    assert desk.disk.writes - writes > 50  # in pieces that do not hold the loop
    assert len(desk.notes()) == 100_000


def test_refused_an_intent_stands_nowhere_and_settlements_wait(tmp_path):
    desk = Desk(tmp_path, on_failure="refuse")
    desk.journal.intend(an_intent("e0"))
    desk.disk.faults = [("short", 100_000)]

    with pytest.raises(LedgerUnavailable):
        desk.journal.intend(an_intent("e1"))
    desk.disk.is_full = True
    desk.journal.settle(a_record("e0"))
    with pytest.raises(LedgerUnavailable):
        desk.journal.intend(an_intent("e2"))
    desk.disk.is_full = False
    desk.clock.advance(PATIENCE)
    desk.journal.intend(an_intent("e3"))

    assert desk.notes() == [an_intent("e0"), a_record("e0"), an_intent("e3")]
    desk.journal.close()


def test_refused_with_nothing_to_write_the_failure_is_still_told_once(tmp_path):
    desk = Desk(tmp_path, on_failure="refuse")
    desk.disk.is_full = True

    for _ in range(20):
        with pytest.raises(LedgerUnavailable):
            desk.journal.intend(an_intent())
        desk.journal.retry()
        desk.clock.advance(PATIENCE)

    assert desk.warnings.events == ["journal cannot be written"]
    desk.disk.is_full = False
    desk.journal.close()


def test_a_real_limit_on_the_file_s_size_cuts_a_line_and_nothing_is_lost(tmp_path):
    clock, warnings = Clock(), Warnings()
    series = Series.begin(tmp_path, "1")
    journal = Journal(series, warn=warnings, fsync="never", now=clock)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        for number in range(10):
            journal.settle(a_record(f"e{number}"))
        assert series.path(1).stat().st_size == 1000
        assert journal.is_failing
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    clock.advance(PATIENCE)

    assert journal.retry()
    reader = LineReader()
    whole = reader.whole(series.path(1).read_bytes().split(b"\n")[:-1])
    assert [a_record(f"e{number}") for number in range(10)] == [reader.note(one) for one in whole]
    assert reader.unreadable == 0
    journal.close()


def test_after_its_close_nothing_is_kept_and_that_is_counted(desk):
    desk.journal.close()

    desk.journal.settle(a_record())

    assert desk.journal.dropped_records == 1


def test_what_still_waits_at_the_close_is_written_if_that_works_now(desk):
    desk.disk.faults = [("error", 0)]
    desk.journal.settle(a_record("e1"))

    desk.journal.close()

    assert desk.notes() == [a_record("e1")]
    assert desk.journal.dropped_records == 0


def test_what_could_not_be_written_by_the_close_is_told(desk):
    desk.disk.is_full = True
    desk.journal.settle(a_record("e1"))

    desk.journal.close()

    assert desk.journal.dropped_records == 1
    assert desk.warnings.events[-1] == "journal is closed without what waited"


@pytest.mark.parametrize("fsync", ["interval", "never"])
async def test_nobody_waits_for_the_disk_unless_asked_to(tmp_path, fsync):
    desk = Desk(tmp_path, fsync=fsync)

    assert desk.journal.durable() is None
    desk.journal.close()


async def test_always_means_that_what_was_written_stands_on_the_disk(tmp_path):
    desk = Desk(tmp_path, fsync="always", segment_bytes=2000)

    for number in range(30):
        desk.journal.settle(a_record(f"e{number}"))
        waiting = [desk.journal.durable() for _ in range(5)]
        async with asyncio.timeout(5):
            await asyncio.gather(*[one for one in waiting if one is not None])

    assert len(desk.notes()) == 30
    desk.journal.close()


def test_a_folder_that_cannot_be_is_said_at_start(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigurationError, match=r"usage\.journal"):
        Series.begin(tmp_path / "file" / "journal", "1")


def test_no_descriptor_is_left(tmp_path):
    before = len(os.listdir("/proc/self/fd"))

    for fsync in ("interval", "always", "never"):
        desk = Desk(tmp_path / fsync, fsync=fsync, segment_bytes=1000)
        for number in range(20):
            desk.journal.settle(a_record(f"e{number}"))
        desk.journal.close()

    assert len(os.listdir("/proc/self/fd")) == before


def test_whose_an_object_is_stands_in_the_file_when_the_call_returns(desk):
    """S16: before the reply that names it."""
    before = desk.disk.writes
    desk.journal.claim(a_claim())

    assert desk.disk.writes - before == 1
    assert desk.notes() == [a_claim()]
    assert desk.journal.pending == 0  # of records there are none


def test_claims_wait_in_their_order_while_the_disk_is_full(desk):
    desk.disk.is_full = True
    desk.journal.claim(a_claim())
    desk.journal.settle(a_record())
    desk.journal.claim(a_claim(is_gone=True))
    assert desk.notes() == []

    desk.disk.is_full = False
    desk.clock.advance(PATIENCE)
    assert desk.journal.retry()

    assert desk.notes() == [a_claim(), a_record(), a_claim(is_gone=True)]
    assert (desk.journal.dropped_claims, desk.journal.pending) == (0, 1)


def test_claims_that_find_no_room_to_wait_are_counted(desk, monkeypatch):
    monkeypatch.setattr("app.usage.journal._MOST_WAITING", 3)
    desk.disk.is_full = True
    for _ in range(5):
        desk.journal.claim(a_claim())

    assert desk.journal.dropped_claims == 2


def test_claims_that_still_wait_at_the_end_are_counted(desk):
    desk.disk.is_full = True
    desk.journal.settle(a_record())
    for _ in range(2):
        desk.journal.claim(a_claim())
    desk.journal.close()

    assert (desk.journal.dropped_records, desk.journal.dropped_claims) == (1, 2)
    assert "journal is closed without what waited" in desk.warnings.events
