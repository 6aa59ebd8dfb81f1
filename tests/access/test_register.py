"""Whose is it: who finds what was made at an upstream that all share (reliability S16, upstreams G7)."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.access.memory_objects import MemoryObjects
from app.access.register import FRESH_SECONDS, Register
from app.domain.errors import LedgerUnavailable
from app.domain.principal import Principal
from app.domain.stored_objects import Claim, ObjectKind, ObjectName
from tests.fakes.clock import Clock
from tests.fakes.registers import (
    EVERYTHING,
    OTHER_TEAM,
    OWN_TEAM,
    TEAM_MATE,
    TEAMLESS,
    memory_register,
)

FILE = ObjectName("sun", "file", "file-1")
MODEL = ObjectName("sun", "model", "ft-1")
MOVED = replace(TEAMLESS, team="blue", team_id="team_blue")  # the same key, in a team since
NO_KEY = Principal("anyone", resources="all")
NOBODY = Principal("nobody", resources="own")
EVERYBODY = [OWN_TEAM, TEAM_MATE, OTHER_TEAM, TEAMLESS, MOVED, EVERYTHING, NO_KEY, NOBODY]


class Ledger:
    """A journal and a database that tell how often they were asked, and fail when told."""

    def __init__(self) -> None:
        self.journal: list[Claim] = []
        self.objects = MemoryObjects()
        self.flushes, self.questions, self.loads = 0, 0, 0
        self.is_down = False
        self.gate: asyncio.Event | None = None
        self.is_flushing = asyncio.Event()
        self.meanwhile: Callable[[], None] = lambda: None

    async def flush(self) -> None:
        self.flushes += 1
        self.is_flushing.set()
        if self.gate is not None:
            await self.gate.wait()
        self._check()
        while self.journal:
            self.objects.note(self.journal.pop(0))

    async def find(self, kind: ObjectKind, ids: Sequence[str]) -> list[Claim]:
        self.questions += 1
        self._check()
        return self._answered(await self.objects.find(kind, ids))

    async def models(self) -> list[Claim]:
        self.loads += 1
        self._check()
        return self._answered(await self.objects.models())

    async def has_any(self, upstream: str, kind: ObjectKind) -> bool:
        self._check()
        return await self.objects.has_any(upstream, kind)

    async def models_mark(self) -> tuple[int, int]:
        self._check()
        return await self.objects.models_mark()

    def _answered(self, found: list[Claim]) -> list[Claim]:
        """*found*, on whose way back something happens, once."""
        happen, self.meanwhile = self.meanwhile, lambda: None
        happen()
        return found

    def _check(self) -> None:
        if self.is_down:
            raise LedgerUnavailable("The ledger is down.")


class Desk:
    """A register over such a ledger. Other gateways share the ledger, not the journal."""

    def __init__(self, ledger: Ledger | None = None, **options) -> None:
        self.ledger = ledger or Ledger()
        self.clock = Clock()
        self.register = Register(
            self.ledger, self.ledger.journal.append, self.ledger.flush, now=self.clock, **options
        )

    def claim(self, principal: Principal, name: ObjectName = FILE, at_ms: int = 1_000) -> None:
        self.register.claim(principal, name, exchange_id="req_1", at_ms=at_ms)

    def disclaim(self, principal: Principal, name: ObjectName = FILE, at_ms: int = 2_000) -> None:
        self.register.disclaim(principal, name, exchange_id="req_2", at_ms=at_ms)

    async def who_sees(self, name: ObjectName = FILE) -> set[str]:
        """The names of those that find it; every question says the same."""
        found = set()
        for one in EVERYBODY:
            may_touch = await self.register.may_touch(one, name)
            where = await self.register.upstream_of(one, name.kind, name.id)
            seen = await self.register.visible(one, name.upstream, name.kind, [name.id])
            if one.resources == "own":
                assert may_touch == (where == name.upstream) == (seen == {name.id})
            else:
                assert may_touch
                assert seen == {name.id}
            if may_touch:
                found.add("moved" if one is MOVED else one.name)
        return found


@pytest.fixture
def desk() -> Desk:
    return Desk()


ALWAYS = {"root", "anyone"}  # resources: all


@pytest.mark.parametrize(
    ("maker", "expected"),
    [
        pytest.param(OWN_TEAM, {"ada", "bob"}, id="the team of the key that made it"),
        pytest.param(OTHER_TEAM, {"eve", "moved"}, id="the other team, a key that came later too"),
        pytest.param(TEAMLESS, {"sam", "moved"}, id="without a team the key, wherever it is now"),
        pytest.param(MOVED, {"eve", "moved"}, id="what it makes in the team is the team's"),
        pytest.param(EVERYTHING, set(), id="what a key with all resources made is that key's"),
        pytest.param(NO_KEY, set(), id="what was made without keys is no key's"),
        pytest.param(NOBODY, set(), id="who has no name has nothing"),
        pytest.param(None, set(), id="what was not made through the gateway"),
    ],
)
async def test_who_sees_what(desk, maker, expected):
    if maker is not None:
        desk.claim(maker)

    assert expected | ALWAYS == await desk.who_sees()


async def test_a_key_of_the_same_name_and_no_team_is_another(desk):
    desk.claim(TEAMLESS)

    assert not await desk.register.may_touch(replace(TEAMLESS, key_id="key_2"), FILE)


async def test_an_id_is_known_for_its_upstream_and_kind_alone(desk):
    desk.claim(OWN_TEAM)

    assert not await desk.register.may_touch(OWN_TEAM, FILE._replace(upstream="moon"))
    assert not await desk.register.may_touch(OWN_TEAM, FILE._replace(kind="job"))
    assert await desk.register.upstream_of(OWN_TEAM, "job", FILE.id) is None
    assert await desk.register.visible(OWN_TEAM, "moon", "file", [FILE.id]) == frozenset()


@pytest.mark.parametrize(
    ("asking", "expected"),
    [
        pytest.param(OWN_TEAM, "moon", id="what is its own, made last"),
        pytest.param(OTHER_TEAM, "mars", id="only what it may see"),
        pytest.param(EVERYTHING, "mars", id="anybody's, made last"),
        pytest.param(TEAMLESS, None, id="nothing of its own"),
        pytest.param(
            replace(OWN_TEAM, resources="all"), "moon", id="what is its own before others'"
        ),
    ],
)
async def test_an_id_at_several_upstreams_is_found_where(desk, asking, expected):
    desk.claim(OWN_TEAM, FILE, at_ms=1_000)
    desk.claim(OWN_TEAM, FILE._replace(upstream="moon"), at_ms=2_000)
    desk.claim(OTHER_TEAM, FILE._replace(upstream="mars"), at_ms=3_000)

    assert expected == await desk.register.upstream_of(asking, "file", FILE.id)


async def test_of_a_page_one_sees_what_is_ones_own(desk):
    for number in range(9):
        maker = (OWN_TEAM, OTHER_TEAM, TEAMLESS)[number % 3]
        desk.claim(maker, FILE._replace(id=f"file-{number}"))
    page = [f"file-{number}" for number in range(12)] + ["", "x\0", "x" * 1000]

    seen = [
        sorted(await desk.register.visible(one, "sun", "file", page))
        for one in (TEAM_MATE, OTHER_TEAM, TEAMLESS)
    ]

    expected = [[f"file-{start}", f"file-{start + 3}", f"file-{start + 6}"] for start in range(3)]
    assert seen == expected
    assert await desk.register.visible(EVERYTHING, "sun", "file", page) == frozenset(page)


# Nobody takes an object over by making an upstream say its id again.


@pytest.mark.parametrize("shipped", [True, False])
@pytest.mark.parametrize("thief", [OTHER_TEAM, TEAMLESS, EVERYTHING, NO_KEY])
async def test_who_claims_what_is_anothers_gets_nothing(desk, thief, shipped):
    desk.claim(OWN_TEAM)
    if shipped:
        await desk.ledger.flush()
    desk.claim(thief, at_ms=1)  # whatever its clock says

    assert {"ada", "bob"} | ALWAYS == await desk.who_sees()


async def test_not_even_for_a_moment_nor_where_the_owner_is_forgotten(desk):
    """The gateway started anew since, and its database is down: nobody knows whose it is, so nobody gets it."""
    desk.claim(OWN_TEAM)
    await desk.ledger.flush()
    again = Desk(desk.ledger)
    again.ledger.is_down = True
    again.claim(OTHER_TEAM, at_ms=2_000)

    for ask in (
        again.register.may_touch(OTHER_TEAM, FILE),
        again.register.upstream_of(OTHER_TEAM, "file", FILE.id),
        again.register.visible(OTHER_TEAM, "sun", "file", [FILE.id]),
    ):
        with pytest.raises(LedgerUnavailable):
            await ask

    again.ledger.is_down = False
    assert {"ada", "bob"} | ALWAYS == await again.who_sees()


async def test_what_is_deleted_is_nobodys_and_the_next_ones_who_gets_its_id(desk):
    desk.claim(OWN_TEAM)
    assert await desk.register.may_touch(OWN_TEAM, FILE)
    desk.disclaim(TEAM_MATE)
    assert await desk.who_sees() == ALWAYS

    desk.claim(OTHER_TEAM, at_ms=3_000)

    assert {"eve", "moved"} | ALWAYS == await desk.who_sees()


@pytest.mark.parametrize("stranger", [OTHER_TEAM, TEAMLESS, MOVED, NOBODY])
async def test_who_deletes_late_ends_only_what_is_its_own(desk, stranger):
    """Its answer came when the upstream had given the id to another."""
    desk.claim(OWN_TEAM)
    desk.disclaim(stranger)

    assert {"ada", "bob"} | ALWAYS == await desk.who_sees()


@pytest.mark.parametrize("deleter", [EVERYTHING, NO_KEY])
async def test_who_may_delete_all_ends_all(desk, deleter):
    desk.claim(OWN_TEAM)
    desk.disclaim(deleter)

    assert await desk.who_sees() == ALWAYS


@pytest.mark.parametrize("id", ["", "a\0b", "a\nb", "\ud800", "x" * 513])
async def test_an_id_that_none_can_be_is_not_taken_note_of_and_not_asked_for(desk, id):
    name = FILE._replace(id=id)
    desk.claim(OWN_TEAM, name)
    desk.disclaim(OWN_TEAM, name)

    assert await desk.who_sees(name) == ALWAYS
    assert desk.ledger.journal == []
    assert desk.ledger.questions == 0


# What comes out of a job is whose the job is.


@pytest.mark.parametrize("name", [MODEL, FILE])
async def test_a_result_is_whose_its_source_is_whoever_looks_first(desk, name):
    job = ObjectName("sun", "job", "job-1")
    desk.claim(OWN_TEAM, job)

    for at_ms in range(2_000, 2_010):
        await desk.register.claim_result(name, job, exchange_id="req_look", at_ms=at_ms)
        await desk.ledger.flush()

    assert {"ada", "bob"} | ALWAYS == await desk.who_sees(name)
    [kept] = await desk.ledger.objects.find(name.kind, [name.id])
    expected = Claim("req_look", name.upstream, name.kind, name.id, "key_ada", "team_red", 2_000)
    assert expected == kept


async def test_looking_at_a_finished_job_asks_no_database(desk):
    job = ObjectName("sun", "job", "job-1")
    desk.claim(OWN_TEAM, job)
    desk.claim(OWN_TEAM, MODEL)

    for at_ms in range(2_000, 2_010):
        await desk.register.claim_result(MODEL, job, exchange_id="req_look", at_ms=at_ms)

    assert desk.ledger.questions == 0


async def test_a_result_of_what_is_nobodys_is_nobodys_and_no_other_takes_one_over(desk):
    job = ObjectName("sun", "job", "job-1")
    await desk.register.claim_result(FILE, job, exchange_id="req_3", at_ms=3_000)
    assert desk.ledger.journal == []

    desk.claim(OWN_TEAM)
    desk.claim(OTHER_TEAM, job)
    await desk.register.claim_result(FILE, job, exchange_id="req_4", at_ms=4_000)
    await desk.register.claim_result(
        FILE._replace(upstream="moon"), job, exchange_id="req_5", at_ms=5_000
    )

    assert {"ada", "bob"} | ALWAYS == await desk.who_sees()
    assert desk.ledger.journal == []


# Fine-tuned models: asked on the way of every chat, from memory alone.


@pytest.mark.parametrize(
    ("maker", "may_use"),
    [
        pytest.param(None, EVERYBODY, id="a model that nobody is known to have made"),
        pytest.param(OWN_TEAM, [OWN_TEAM, TEAM_MATE, EVERYTHING, NO_KEY], id="a team's"),
        pytest.param(TEAMLESS, [TEAMLESS, MOVED, EVERYTHING, NO_KEY], id="a key's"),
        pytest.param(EVERYTHING, [EVERYTHING, NO_KEY], id="that of one who sees all"),
    ],
)
@pytest.mark.parametrize("when", ["at once", "after a start", "at another gateway"])
async def test_who_may_use_a_model(desk, maker, may_use, when):
    if maker is not None:
        desk.claim(maker, MODEL)
    asked = desk
    if when == "after a start":
        await desk.ledger.flush()
        asked = Desk(desk.ledger, models=await desk.ledger.models())
    elif when == "at another gateway":
        asked = Desk(desk.ledger)
        await desk.register.refresh()
        await asked.register.refresh()

    found = [one for one in EVERYBODY if asked.register.may_use_model(one, "sun", "ft-1")]

    assert may_use == found
    assert asked.register.may_use_model(OTHER_TEAM, "moon", "ft-1")
    assert asked.register.may_use_model(OTHER_TEAM, "sun", "ft-2")


@pytest.mark.parametrize("spelling", ["ft-A", "FT-a", " ft-a", "ft-a\t", "ft-a\u00a0"])
async def test_a_lax_upstream_is_not_asked_for_anothers_model_in_another_spelling(desk, spelling):
    assert desk.register.may_use_model(OTHER_TEAM, "sun", spelling)

    desk.register.claim(OWN_TEAM, ObjectName("sun", "model", "ft-a"), exchange_id="req_1", at_ms=1)

    assert not desk.register.may_use_model(OTHER_TEAM, "sun", spelling)
    assert desk.register.may_use_model(OWN_TEAM, "sun", spelling)
    assert desk.register.may_use_model(OTHER_TEAM, "moon", spelling)


async def test_two_models_that_look_alike_are_each_its_own_teams(desk):
    desk.register.claim(OWN_TEAM, ObjectName("sun", "model", "ft-a"), exchange_id="req_1", at_ms=1)
    desk.register.claim(OTHER_TEAM, ObjectName("sun", "model", "FT-A"), exchange_id="r", at_ms=2)

    assert desk.register.may_use_model(OWN_TEAM, "sun", "ft-a")
    assert desk.register.may_use_model(OTHER_TEAM, "sun", "FT-A")
    assert not desk.register.may_use_model(OTHER_TEAM, "sun", "ft-a")
    assert not desk.register.may_use_model(OWN_TEAM, "sun", "Ft-a")


async def test_a_model_that_is_gone_is_anybodys_everywhere(desk):
    desk.claim(OWN_TEAM, MODEL)
    await desk.register.refresh()
    other = Desk(desk.ledger)
    await other.register.refresh()
    assert not other.register.may_use_model(OTHER_TEAM, "sun", "ft-1")

    desk.disclaim(OTHER_TEAM, MODEL)
    assert not desk.register.may_use_model(OTHER_TEAM, "sun", "ft-1")
    desk.disclaim(OWN_TEAM, MODEL)

    assert desk.register.may_use_model(OTHER_TEAM, "sun", "ft-1")
    await desk.register.refresh()
    await other.register.refresh()
    assert other.register.may_use_model(OTHER_TEAM, "sun", "ft-1")


async def test_a_model_is_claimed_once_however_often_its_job_is_looked_at(desk):
    for principal in (OWN_TEAM, OWN_TEAM, OTHER_TEAM):
        desk.claim(principal, MODEL)

    assert [("ft-1", "team_red")] == [(one.object_id, one.team_id) for one in desk.ledger.journal]


async def test_a_claim_that_the_journal_lost_does_not_last(desk):
    """It had no room to wait in: the database never hears of it, and says so."""
    desk.claim(OWN_TEAM, MODEL)
    desk.ledger.journal.clear()
    await desk.register.refresh()

    assert desk.register.may_use_model(OTHER_TEAM, "sun", "ft-1")


async def test_models_are_read_again_only_when_there_are_others(desk):
    desk.claim(OWN_TEAM, MODEL)
    for _ in range(5):
        await desk.register.refresh()
    assert desk.ledger.loads == 1

    Desk(desk.ledger).claim(OTHER_TEAM, MODEL._replace(id="ft-2"))
    await desk.ledger.flush()
    for _ in range(5):
        await desk.register.refresh()

    assert desk.ledger.loads == 2
    assert not desk.register.may_use_model(OWN_TEAM, "sun", "ft-2")


async def test_a_model_made_while_they_are_read_is_not_forgotten(desk):
    desk.claim(OTHER_TEAM, MODEL._replace(id="ft-0"))
    desk.ledger.meanwhile = lambda: desk.claim(OWN_TEAM, MODEL)
    await desk.register.refresh()

    assert not desk.register.may_use_model(OTHER_TEAM, "sun", "ft-1")


# Memory, and a database that is down.


async def test_what_was_asked_is_answered_from_memory_for_a_moment(desk):
    desk.claim(OWN_TEAM)
    for _ in range(9):
        assert await desk.register.may_touch(OWN_TEAM, FILE)
        assert not await desk.register.may_touch(OTHER_TEAM, FILE)
        assert await desk.register.visible(TEAM_MATE, "sun", "file", [FILE.id]) == {FILE.id}
    assert (desk.ledger.flushes, desk.ledger.questions) == (1, 1)

    desk.clock.advance(FRESH_SECONDS + 0.1)
    assert await desk.register.may_touch(OWN_TEAM, FILE)

    assert (desk.ledger.flushes, desk.ledger.questions) == (1, 2)


async def test_what_other_gateways_do_is_seen_in_a_moment(desk):
    other = Desk(desk.ledger)
    assert await desk.register.upstream_of(OWN_TEAM, "file", FILE.id) is None
    other.claim(OWN_TEAM)
    await other.ledger.flush()
    assert await desk.register.upstream_of(OWN_TEAM, "file", FILE.id) == "sun"

    other.disclaim(OWN_TEAM)
    other.claim(OTHER_TEAM, at_ms=3_000)
    await other.ledger.flush()
    desk.clock.advance(FRESH_SECONDS + 0.1)

    assert {"eve", "moved"} | ALWAYS == await desk.who_sees()


async def test_ids_that_nobody_made_cost_a_question_each_and_no_flush_and_no_memory(desk):
    desk = Desk(most_remembered=3)
    desk.claim(OWN_TEAM)
    assert await desk.register.may_touch(OWN_TEAM, FILE)

    for number in range(50):
        name = FILE._replace(id=f"guess-{number}")
        assert not await desk.register.may_touch(OTHER_TEAM, name)

    assert desk.ledger.flushes == 1
    assert desk.ledger.questions == 51
    assert await desk.register.may_touch(OWN_TEAM, FILE)
    assert desk.ledger.questions == 51


async def test_memory_is_bounded_and_what_falls_out_of_it_is_asked_for(desk):
    desk = Desk(most_remembered=10)
    names = [FILE._replace(id=f"file-{number}") for number in range(200)]
    for name in names:
        desk.claim(OWN_TEAM, name)

    page = [name.id for name in names]
    assert await desk.register.visible(OWN_TEAM, "sun", "file", page) == frozenset(page)
    assert [True] * 200 == [await desk.register.may_touch(OWN_TEAM, name) for name in names]
    assert len(desk.register._answers) <= 10
    assert desk.register._asking == {}


async def test_a_database_that_is_down_hides_what_is_new_and_leaves_what_was_known(desk):
    new = FILE._replace(id="file-2")
    desk.claim(OWN_TEAM)
    assert await desk.register.may_touch(OWN_TEAM, FILE)
    desk.ledger.is_down = True
    desk.claim(OWN_TEAM, new)
    desk.clock.advance(3_600)

    assert await desk.register.may_touch(OWN_TEAM, FILE)
    assert not await desk.register.may_touch(OTHER_TEAM, FILE)
    assert await desk.register.visible(OWN_TEAM, "sun", "file", [FILE.id]) == {FILE.id}
    for principal in (OWN_TEAM, OTHER_TEAM):
        with pytest.raises(LedgerUnavailable):
            await desk.register.may_touch(principal, new)
        with pytest.raises(LedgerUnavailable):
            await desk.register.visible(principal, "sun", "file", [FILE.id, new.id])
    assert await desk.register.may_touch(EVERYTHING, new)

    desk.ledger.is_down = False
    assert {"ada", "bob"} | ALWAYS == await desk.who_sees(new)


async def test_those_who_wait_for_one_shipment_wait_once(desk):
    """Also when it fails: else each would wait for a dead database behind all before it."""
    desk.ledger.gate = asyncio.Event()
    desk.ledger.is_down = True
    desk.claim(OWN_TEAM)
    asking = [
        asyncio.ensure_future(desk.register.may_touch(OWN_TEAM, FILE._replace(id=f"{number}")))
        for number in range(20)
    ]
    await desk.ledger.is_flushing.wait()
    desk.ledger.gate.set()

    found = await asyncio.gather(*asking, return_exceptions=True)

    assert {LedgerUnavailable} == {type(one) for one in found}
    assert desk.ledger.flushes == 1


async def test_what_was_noted_while_it_was_asked_for_is_not_remembered_wrong(desk):
    desk.claim(OWN_TEAM)
    desk.ledger.meanwhile = lambda: desk.disclaim(OWN_TEAM)
    assert await desk.register.may_touch(OWN_TEAM, FILE)  # it was so when it was read

    assert not await desk.register.may_touch(OWN_TEAM, FILE)


async def test_one_that_stops_asking_leaves_nothing_behind(desk):
    desk.ledger.gate = asyncio.Event()
    desk.claim(OWN_TEAM)
    asking = asyncio.ensure_future(desk.register.may_touch(OWN_TEAM, FILE))
    await desk.ledger.is_flushing.wait()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert desk.register._asking == {}

    desk.ledger.gate.set()
    assert await desk.register.may_touch(OWN_TEAM, FILE)


class Sleeps:
    """Each lasts until the test ends it."""

    def __init__(self) -> None:
        self._begun: asyncio.Queue[tuple[float, asyncio.Event]] = asyncio.Queue()

    async def __call__(self, seconds: float) -> None:
        end = asyncio.Event()
        self._begun.put_nowait((seconds, end))
        await end.wait()

    async def next(self) -> tuple[float, asyncio.Event]:
        """How long the next one is to be, and what ends it."""
        async with asyncio.timeout(5):
            return await self._begun.get()


async def test_claims_are_shipped_by_themselves_and_models_read():
    sleeps = Sleeps()
    desk = Desk(sleep=sleeps)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(desk.register.run())
        poll, poll_ends = await sleeps.next()
        assert (poll, desk.ledger.flushes) == (FRESH_SECONDS, 0)

        desk.claim(OWN_TEAM, MODEL)
        pause, pause_ends = await sleeps.next()
        assert (pause, desk.ledger.flushes, desk.ledger.journal) == (0.1, 1, [])
        poll_ends.set()
        poll, poll_ends = await sleeps.next()
        assert (poll, desk.ledger.loads) == (FRESH_SECONDS, 1)

        desk.ledger.is_down = True  # which ends neither
        desk.claim(OWN_TEAM)
        pause_ends.set()
        assert (await sleeps.next())[0] == 0.1
        poll_ends.set()
        assert (await sleeps.next())[0] == FRESH_SECONDS
        running.cancel()


def test_without_storage_memory_is_bounded_and_the_oldest_is_nobodys():
    async def story() -> list[bool]:
        objects = MemoryObjects(most=3)
        register = Register(objects, objects.note)
        names = [FILE._replace(id=f"file-{number}") for number in range(4)]
        for name in names[:3]:
            register.claim(OWN_TEAM, name, exchange_id="req_1", at_ms=1_000)
        await register.may_touch(OWN_TEAM, names[0])  # asked for, hence not the oldest
        register.claim(OWN_TEAM, names[3], exchange_id="req_1", at_ms=1_000)
        assert len(objects) == 3
        return [await register.may_touch(OWN_TEAM, name) for name in names]

    assert asyncio.run(story()) == [True, False, True, True]


async def test_without_storage_a_model_is_never_forgotten_for_then_it_would_be_everybodys():
    objects = MemoryObjects(most=3)
    register = Register(objects, objects.note)
    register.claim(OWN_TEAM, MODEL, exchange_id="req_1", at_ms=1_000)
    for number in range(10):
        name = FILE._replace(id=f"file-{number}")
        register.claim(OTHER_TEAM, name, exchange_id="req_1", at_ms=1_000)

    await register.refresh()

    assert not register.may_use_model(OTHER_TEAM, MODEL.upstream, MODEL.id)
    assert 1 + 3 == len(objects)


async def test_a_register_without_storage_knows_at_once():
    register = memory_register()
    register.claim(OWN_TEAM, FILE, exchange_id="req_1", at_ms=1_000)
    register.claim(OTHER_TEAM, FILE, exchange_id="req_2", at_ms=1_001)

    assert await register.upstream_of(TEAM_MATE, "file", FILE.id) == "sun"
    assert not await register.may_touch(OTHER_TEAM, FILE)
    await register.refresh()


# All of it against a model so simple that it is surely right.

MAKERS = [OWN_TEAM, TEAM_MATE, OTHER_TEAM, TEAMLESS, MOVED, EVERYTHING]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["claim", "claim", "disclaim", "look", "list", "ship", "time", "restart"]),
        st.sampled_from(MAKERS),
        st.sampled_from(["sun", "moon"]),
        st.sampled_from(["file", "model"]),
        st.sampled_from(["a", "b", "c"]),
    ),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_whatever_happens_each_sees_its_own_and_no_more(steps):
    asyncio.run(checked(steps))


async def checked(steps: Sequence[tuple[str, Principal, str, ObjectKind, str]]) -> None:
    world = World()
    for at_ms, (step, principal, upstream, kind, object_id) in enumerate(steps, 1_000):
        name = ObjectName(upstream, kind, object_id)
        await getattr(world, step)(principal, name, at_ms)
        await world.check(principal, name)


class World:
    """A register, and the owners as a person would write them down."""

    def __init__(self) -> None:
        self.desk = Desk(most_remembered=2)
        self.owners: dict[ObjectName, tuple[str, str]] = {}

    async def claim(self, principal: Principal, name: ObjectName, at_ms: int) -> None:
        self.desk.claim(principal, name, at_ms)
        self.owners.setdefault(name, (principal.key_id, principal.team_id))

    async def disclaim(self, principal: Principal, name: ObjectName, at_ms: int) -> None:
        self.desk.disclaim(principal, name, at_ms)
        if principal.resources == "all" or self.is_own(principal, name):
            self.owners.pop(name, None)

    async def look(self, *_: object) -> None:
        """The check does."""

    async def ship(self, *_: object) -> None:
        await self.desk.ledger.flush()

    async def time(self, _principal: Principal, _name: ObjectName, at_ms: int) -> None:
        self.desk.clock.advance(Random(at_ms).random() * 2 * FRESH_SECONDS)

    async def restart(self, *_: object) -> None:
        ledger = self.desk.ledger
        await ledger.flush()
        self.desk = Desk(ledger, models=await ledger.models(), most_remembered=2)

    async def list(self, principal: Principal, name: ObjectName, _at_ms: int) -> None:
        page = [name._replace(id=one) for one in "abcd"]
        seen = await self.desk.register.visible(principal, name.upstream, name.kind, [*"abcd"])
        sees_all = principal.resources == "all"
        assert seen == {one.id for one in page if sees_all or self.is_own(principal, one)}

    def is_own(self, principal: Principal, name: ObjectName) -> bool:
        key_id, team_id = self.owners.get(name, ("", ""))
        if team_id:
            return principal.team_id == team_id
        return bool(key_id) and principal.key_id == key_id

    async def check(self, principal: Principal, name: ObjectName) -> None:
        register, sees_all = self.desk.register, principal.resources == "all"
        may = sees_all or self.is_own(principal, name)
        assert may == await register.may_touch(principal, name)
        known = [one for one in self.owners if one[1:] == name[1:]]
        seen = [one.upstream for one in known if sees_all or self.is_own(principal, one)]
        found = await register.upstream_of(principal, name.kind, name.id)
        assert found in seen if seen else found is None
        if name.kind == "model":
            is_free = name not in self.owners
            assert (may or is_free) == register.may_use_model(principal, name.upstream, name.id)
