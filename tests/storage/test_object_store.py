"""Whose objects are, in the database, on SQLite and Postgres alike (reliability S16)."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import astuple, replace

from app.access.memory_objects import MemoryObjects
from app.access.register import Register
from app.domain.errors import LedgerUnavailable
from app.domain.ledger import UsageRecord
from app.domain.stored_objects import Claim, ObjectName
from app.storage.database import Database
from app.storage.object_store import ObjectStore
from app.storage.record_store import RecordStore
from app.usage.journal import Journal
from app.usage.recorder import Recorder
from app.usage.recovery import recover
from app.usage.segments import Series
from tests.fakes.registers import OTHER_TEAM, OWN_TEAM, TEAM_MATE
from tests.usage.notes import Warnings

RED = Claim("req_1", "sun", "file", "file-1", "key_ada", "team_red", 1_000)
BLUE = replace(RED, id="req_2", key_id="key_eve", team_id="team_blue")
SAM = replace(RED, id="req_3", key_id="key_sam", team_id="")
ROOT = replace(RED, id="req_4", key_id="", team_id="")
NOBODY: list[Claim] = []


def gone(claim: Claim, at_ms: int) -> Claim:
    return replace(claim, id="req_gone", at_ms=at_ms, is_gone=True)


def later(claim: Claim, at_ms: int) -> Claim:
    return replace(claim, at_ms=at_ms)


@pytest.fixture
def store(database: Database) -> ObjectStore:
    return ObjectStore(database)


async def test_a_claim_comes_back_as_it_was(store):
    await store.add([RED])

    assert [RED] == await store.find("file", ["file-1", "file-2"])


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        pytest.param([RED, later(BLUE, 2_000)], [RED], id="the first keeps it"),
        pytest.param([RED, later(BLUE, 500)], [RED], id="whatever the other's clock says"),
        pytest.param([RED, later(RED, 2_000)], [RED], id="who has it gets it no second time"),
        pytest.param([RED, gone(RED, 2_000)], NOBODY, id="what is gone is nobody's"),
        pytest.param(
            [RED, gone(RED, 2_000), later(BLUE, 3_000)],
            [later(BLUE, 3_000)],
            id="what is gone is the next one's",
        ),
        pytest.param(
            [RED, later(BLUE, 2_000), gone(RED, 3_000)],
            NOBODY,
            id="a claim that came too early is not held for later",
        ),
        pytest.param([RED, gone(BLUE, 2_000)], [RED], id="another team deletes nothing"),
        pytest.param([RED, gone(SAM, 2_000)], [RED], id="a key alone deletes no team's"),
        pytest.param([SAM, gone(SAM, 2_000)], NOBODY, id="a key deletes its own"),
        pytest.param(
            [SAM, gone(replace(RED, key_id="key_sam"), 2_000)],
            NOBODY,
            id="a key that has a team by now deletes what it made without",
        ),
        pytest.param([RED, gone(ROOT, 2_000)], NOBODY, id="one that may delete all deletes all"),
        pytest.param([ROOT, gone(BLUE, 2_000)], [ROOT], id="what nobody has is no team's to end"),
        pytest.param([ROOT, gone(ROOT, 2_000)], NOBODY, id="made and deleted without keys"),
        pytest.param([gone(RED, 500)], NOBODY, id="what nobody claimed may go"),
        pytest.param([gone(RED, 500), RED], [RED], id="and leaves nothing behind"),
        pytest.param([RED, gone(RED, 1_000), RED], [RED], id="all in one millisecond"),
    ],
)
async def test_who_has_it(store, claims, expected):
    """Said at once, said again as after a kill, and said one by one: it is always the same."""
    await store.add(claims)
    assert expected == await store.find("file", ["file-1"])

    await store.add(claims)
    assert expected == await store.find("file", ["file-1"])
    for claim in claims:
        await store.add([claim])

    assert expected == await store.find("file", ["file-1"])


async def test_a_claim_that_comes_again_long_after_brings_nothing_back(store):
    """The file of a killed process is read when another has deleted, and a third made."""
    await store.add([RED, gone(RED, 2_000)])
    await store.add([RED])
    assert await store.find("file", ["file-1"]) == []

    await store.add([later(BLUE, 3_000)])
    await store.add([RED, gone(RED, 2_000), gone(ROOT, 2_500)])

    assert [later(BLUE, 3_000)] == await store.find("file", ["file-1"])


async def test_the_same_id_is_another_object_elsewhere_and_of_another_kind(store):
    moon, job = replace(BLUE, upstream="moon"), replace(BLUE, kind="job")

    await store.add([RED, moon, job])

    assert [moon, RED] == sorted(await store.find("file", ["file-1"]), key=lambda one: one.upstream)
    assert [job] == await store.find("job", ["file-1"])


async def test_models_are_found_without_their_names(store):
    model = replace(RED, kind="model", object_id="m-1")
    empty = await store.models_mark()
    await store.add([RED, model, replace(BLUE, kind="model", object_id="m-2")])
    two = await store.models_mark()
    await store.add([gone(replace(BLUE, kind="model", object_id="m-2"), 2_000)])

    assert [model] == await store.models()
    assert len({empty, two, await store.models_mark()}) == 3


async def test_a_page_of_any_size_is_found(store):
    ids = [f"file-{number}" for number in range(1_203)]
    await store.add([replace(RED, object_id=one) for one in ids[::2]])

    found = await store.find("file", ids)

    assert set(ids[::2]) == {claim.object_id for claim in found}
    assert await store.find("file", []) == []


@pytest.mark.parametrize(
    "claim",
    [
        pytest.param(replace(RED, object_id="file\x00"), id="NUL"),
        pytest.param(replace(RED, object_id="\ud800"), id="half a surrogate pair"),
        pytest.param(replace(RED, object_id="x" * 513), id="a long id"),
        pytest.param(replace(RED, object_id=""), id="no id"),
        pytest.param(replace(RED, upstream="s" * 65), id="a long upstream"),
        pytest.param(replace(RED, key_id="k" * 65), id="a long key"),
        pytest.param(replace(RED, team_id="t\n"), id="a team with a line's end"),
        pytest.param(replace(RED, at_ms=2**64), id="a time that no clock shows"),
        pytest.param(replace(RED, at_ms=-1), id="a time before all"),
    ],
)
async def test_what_no_row_can_hold_is_left_out_and_holds_up_nothing(store, claim):
    fits = replace(RED, object_id="x" * 512)

    await store.add([claim, fits])

    assert [fits] == await store.find("file", ["x" * 512])
    assert await store.find("file", ["file-1"]) == []


async def test_a_database_that_cannot_answer_is_unavailable(database, store):
    async with database.writing() as connection:
        await connection.exec_driver_sql("DROP TABLE objects")

    for question in (
        lambda: store.add([RED]),
        lambda: store.find("file", ["file-1"]),
        store.models,
        store.models_mark,
    ):
        with pytest.raises(LedgerUnavailable):
            await question()


async def test_the_database_and_memory_agree_on_everything(store):
    """Random claims and deletions by all, replayed as after kills: whose each is afterwards is the same."""
    random, memory, story = Random(5), MemoryObjects(), []
    for at_ms in range(1_000, 1_600):
        who = random.choice((RED, BLUE, SAM, ROOT))
        object_id, upstream = f"file-{random.randrange(6)}", random.choice(("sun", "moon"))
        story.append(
            replace(
                who,
                id=f"req_{at_ms}",
                object_id=object_id,
                upstream=upstream,
                at_ms=at_ms,
                is_gone=random.random() < 0.5,
            )
        )
    for claim in story:
        memory.note(claim)
    ids = [f"file-{number}" for number in range(6)]

    shipped = 0
    while shipped < len(story):
        again = max(0, shipped - random.randrange(30))
        end = shipped + random.randrange(1, 40)
        await store.add(story[again:end])
        shipped = end

    found = [await each.find("file", ids) for each in (memory, store)]
    assert sorted(found[0], key=astuple) == sorted(found[1], key=astuple)


async def test_two_who_change_the_same_rows_wait_for_each_other(database_url):
    """Postgres would end one of two that take the same rows in different orders."""
    first = await Database.open(database_url)
    both = [ObjectStore(first), ObjectStore(first)]
    claims = [replace(RED, object_id=f"file-{number}") for number in range(200)]

    await asyncio.gather(
        *(one.add(order) for one in both for order in (claims, claims[::-1]) for _ in range(3))
    )

    assert len(await both[0].find("file", [claim.object_id for claim in claims])) == 200
    await first.aclose()


class Gateway:
    """What one process has of the register: its journal, its recorder, its memory."""

    def __init__(self, database: Database, folder: Path, name: str) -> None:
        self.objects, self.records = ObjectStore(database), RecordStore(database)
        self.shipped = asyncio.Event()
        self.journal = Journal(Series.begin(folder, name), warn=Warnings(), fsync="never")
        self.recorder = Recorder(
            self.journal,
            self,
            warn=Warnings(),
            retention_days=0,
            wall_seconds=lambda: 1_700_000_000.0,
        )
        self.register = Register(self.objects, self.journal.claim, self.recorder.flush)

    async def add(self, records: Sequence[UsageRecord]) -> int:
        return await self.records.add(records)

    async def claim(self, claims: Sequence[Claim]) -> None:
        await self.objects.add(claims)
        self.shipped.set()

    async def delete_before(self, cutoff_ms: int, *, at_most: int) -> int:
        return await self.records.delete_before(cutoff_ms, at_most=at_most)

    def killed(self) -> None:
        self.journal._syncer.close()
        self.journal.series.release()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of the journals."""
    return tmp_path / "journal"


FILE = ObjectName("sun", "file", "file-1")
MODEL = ObjectName("sun", "model", "ft-1")


async def test_the_creator_finds_what_it_made_at_once_and_the_other_team_never(database, folder):
    one = Gateway(database, folder, "1")
    one.register.claim(OWN_TEAM, FILE, exchange_id="req_1", at_ms=1_000)

    assert await one.register.upstream_of(TEAM_MATE, "file", "file-1") == "sun"
    assert await one.register.upstream_of(OTHER_TEAM, "file", "file-1") is None

    assert await one.recorder.finish(5.0)
    assert list(folder.iterdir()) == []
    again = Gateway(database, folder, "2")
    assert await again.register.may_touch(TEAM_MATE, FILE)
    assert not await again.register.may_touch(OTHER_TEAM, FILE)
    await again.recorder.finish(5.0)


async def test_a_process_killed_before_it_shipped_has_forgotten_nothing(database, folder):
    killed = Gateway(database, folder, "1")
    killed.register.claim(OWN_TEAM, FILE, exchange_id="req_1", at_ms=1_000)
    killed.register.claim(OWN_TEAM, MODEL, exchange_id="req_2", at_ms=1_001)
    killed.killed()
    assert await killed.objects.find("file", ["file-1"]) == []

    await recover(folder, killed, warn=Warnings())

    again = Gateway(database, folder, "2")
    await again.register.refresh()
    assert await again.register.upstream_of(TEAM_MATE, "file", "file-1") == "sun"
    assert not again.register.may_use_model(OTHER_TEAM, "sun", "ft-1")
    await again.recorder.finish(5.0)


async def test_two_gateways_on_one_database_see_each_others(database, folder):
    """What one claims, the other finds as soon as the first has shipped, which it does in moments by itself."""
    one, two = Gateway(database, folder, "1"), Gateway(database, folder, "2")
    assert await two.register.upstream_of(OWN_TEAM, "file", "file-1") is None
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(each.register.run()) for each in (one, two)]
        one.register.claim(OWN_TEAM, FILE, exchange_id="req_1", at_ms=1_000)
        one.register.claim(OWN_TEAM, MODEL, exchange_id="req_2", at_ms=1_000)
        async with asyncio.timeout(5):
            await one.shipped.wait()  # no recorder runs here
        assert await two.register.upstream_of(TEAM_MATE, "file", "file-1") == "sun"
        for task in running:
            task.cancel()
    await two.register.refresh()

    assert not await two.register.may_touch(OTHER_TEAM, FILE)
    assert not two.register.may_use_model(OTHER_TEAM, "sun", "ft-1")
    assert two.register.may_use_model(TEAM_MATE, "sun", "ft-1")
    two.register.claim(OTHER_TEAM, FILE, exchange_id="req_3", at_ms=1_001)
    assert not await two.register.may_touch(OTHER_TEAM, FILE)
    for each in (one, two):
        await each.recorder.finish(5.0)
