"""What a start does with what dead processes left (reliability J8, R20)."""

import pytest

from app.domain.errors import LedgerUnavailable
from app.usage.journal import Journal
from app.usage.journal_lines import version_line
from app.usage.recorder import BATCH_RECORDS
from app.usage.recovery import Recovered, recover
from app.usage.segments import Series
from tests.fakes.record_stores import Killed, MemoryRecordStore
from tests.usage.notes import Warnings, a_claim, a_progress, a_record, an_intent


def a_journal(folder, name="1", **options) -> Journal:
    return Journal(Series.begin(folder, name), warn=Warnings(), fsync="never", **options)


async def test_settled_records_are_taken_over_as_they_are(tmp_path):
    store, journal = MemoryRecordStore(), a_journal(tmp_path)
    journal.intend(an_intent())
    journal.settle(a_record())
    journal.close()

    found = await recover(tmp_path, store, warn=Warnings())

    assert Recovered(series=1, records=1, new=1) == found
    assert {"e1": a_record()} == store.kept
    assert [] == list(tmp_path.iterdir())


async def test_an_exchange_that_nobody_settled_is_charged_by_its_last_progress(tmp_path):
    store, journal = MemoryRecordStore(), a_journal(tmp_path, segment_bytes=400)
    journal.intend(an_intent())
    for tokens in (1, 2, 3):
        journal.progress(a_progress(output_tokens=tokens, cost_nano=10 * tokens, attempts=2))
    journal.close()

    assert (await recover(tmp_path, store, warn=Warnings())).interrupted == 1

    record = store.kept["e1"]
    assert (record.outcome, record.recovered) == ("shutdown", True)
    assert (record.output_tokens, record.cost_nano, record.attempts) == (3, 30, 2)
    assert (record.upstream, record.upstream_model, record.priced) == ("sun", "sun-1", True)
    assert (record.key_id, record.team_id, record.model) == ("key_1", "team_1", "fast")
    assert record.at_ms == an_intent().at_ms


async def test_one_without_progress_is_charged_for_its_estimated_input(tmp_path):
    """J8: as its intent says, which knows who was to be asked."""
    store, journal = MemoryRecordStore(), a_journal(tmp_path)
    journal.intend(an_intent(upstream="sun", upstream_model="sun-1", label="sun-1", priced=True))
    journal.close()

    await recover(tmp_path, store, warn=Warnings())

    record = store.kept["e1"]
    assert (record.input_tokens, record.output_tokens) == (100, 0)
    assert (record.usage_source, record.cost_nano, record.priced) == ("estimated", 5_000, True)
    assert (record.upstream, record.upstream_model, record.label) == ("sun", "sun-1", "sun-1")


async def test_the_journal_of_a_living_process_is_left_alone(tmp_path):
    store, journal = MemoryRecordStore(), a_journal(tmp_path)
    journal.settle(a_record())

    assert Recovered() == await recover(tmp_path, store, warn=Warnings())

    assert {} == store.kept
    assert len(list(tmp_path.glob("*.journal"))) == 1
    journal.close()


async def test_a_database_that_is_down_leaves_every_file(tmp_path):
    store, journal = MemoryRecordStore(), a_journal(tmp_path, segment_bytes=600)
    for number in range(10):
        journal.settle(a_record(f"e{number}"))
    journal.close()
    before = sorted(tmp_path.iterdir())
    store.is_down = True

    with pytest.raises(LedgerUnavailable):
        await recover(tmp_path, store, warn=Warnings())

    assert before == sorted(tmp_path.iterdir())


@pytest.mark.parametrize("fault", ["die", "die_after"])
async def test_a_start_that_is_killed_is_made_good_without_doubling(tmp_path, fault):
    store, journal = MemoryRecordStore(), a_journal(tmp_path)
    for number in range(4200):
        journal.intend(an_intent(f"e{number}"))
        if number % 3:
            journal.settle(a_record(f"e{number}"))
    journal.close()
    store.faults = ["", fault]

    with pytest.raises(Killed):
        await recover(tmp_path, store, warn=Warnings())
    found = await recover(tmp_path, store, warn=Warnings())

    assert (found.records, found.interrupted) == (2800, 1400)
    assert len(store.kept) == 4200
    charged = 2800 * a_record().cost_nano + 1400 * an_intent().cost_nano
    assert sum(store.spent.values()) == charged
    assert max(store.batches) == BATCH_RECORDS


async def test_a_file_of_a_later_version_is_left_and_told(tmp_path):
    store, warnings = MemoryRecordStore(), Warnings()
    (tmp_path / "1.000001.journal").write_bytes(version_line(2) + b"what we do not know\n")

    found = await recover(tmp_path, store, warn=warnings)

    assert found.left == 1
    assert warnings.events == ["journal cannot be recovered"]
    assert (tmp_path / "1.000001.journal").exists()


async def test_damage_costs_what_was_damaged(tmp_path):
    store, journal = MemoryRecordStore(), a_journal(tmp_path)
    for number in range(3):
        journal.settle(a_record(f"e{number}"))
    journal.close()
    [path] = tmp_path.glob("*.journal")
    path.write_bytes(path.read_bytes().replace(b'"e1"', b'"eX"') + b"\xff" * 500_000)

    found = await recover(tmp_path, store, warn=Warnings())

    assert (found.records, found.unreadable) == (2, 1)
    assert ["e0", "e2"] == sorted(store.kept)


async def test_a_folder_that_is_not_there_has_nothing_to_recover(tmp_path):
    assert Recovered() == await recover(tmp_path / "none", MemoryRecordStore(), warn=Warnings())


async def test_a_progress_of_nobody_is_left_out(tmp_path):
    store, journal = MemoryRecordStore(), a_journal(tmp_path)
    journal.progress(a_progress("stray"))
    journal.close()

    assert Recovered(series=1) == await recover(tmp_path, store, warn=Warnings())

    assert {} == store.kept


async def test_whose_objects_are_is_taken_over(tmp_path):
    """S16: they were made, their replies went out, and the process died before it shipped."""
    store, journal = MemoryRecordStore(), a_journal(tmp_path, segment_bytes=400)
    story = [a_claim(f"e{number}", object_id=f"file-{number}") for number in range(9)]
    story.append(a_claim("e9", object_id="file-3", is_gone=True))
    for claim in story:
        journal.intend(an_intent(claim.id))
        journal.claim(claim)
    journal.close()

    found = await recover(tmp_path, store, warn=Warnings())

    assert story == store.claims
    assert found.unreadable == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fault", ["refuse", "lose_reply"])
async def test_a_start_that_cannot_take_claims_over_leaves_them_to_the_next(tmp_path, fault):
    store, journal = MemoryRecordStore(), a_journal(tmp_path)
    journal.claim(a_claim())
    journal.close()
    store.faults = [fault]

    with pytest.raises(LedgerUnavailable):
        await recover(tmp_path, store, warn=Warnings())
    assert list(tmp_path.iterdir()) != []
    await recover(tmp_path, store, warn=Warnings())

    assert {a_claim()} == set(store.claims)
    assert list(tmp_path.iterdir()) == []
