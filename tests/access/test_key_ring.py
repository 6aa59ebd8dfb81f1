"""Every key in memory (reliability S9, S10, S11)."""

import asyncio
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from app.access.key_format import new_key
from app.access.key_ring import POLL_SECONDS, KeyRing
from app.access.pepper import Peppers
from app.domain.configuration import KeyEntry
from app.domain.errors import LedgerUnavailable, Unauthenticated
from app.domain.keys import KeyDraft, Team, TeamDraft, VirtualKey
from app.domain.limits import NO_LIMITS, Limits, Scope
from app.storage.key_rows import KeySnapshot, StoredKey, StoredTeam
from app.storage.key_store import KeyStore
from tests.fakes.offices import ADMIN, Office, office_over

PEPPERS = Peppers([b"p" * 32])
FILE_KEY = "a-key-of-the-file-0123456789"


def stored(key: VirtualKey, secret: str, version: int = 1) -> StoredKey:
    return StoredKey(key, PEPPERS.digest(secret), version=version)


def ring_of(*entries: KeyEntry, peppers: Peppers = PEPPERS) -> KeyRing:
    return KeyRing(entries, peppers)


def entry(name: str = "ci", **fields: object) -> KeyEntry:
    return KeyEntry(name, SecretStr(FILE_KEY), **fields)  # type: ignore[arg-type]


def test_without_storage_the_keys_of_the_file_open():
    holder = ring_of(entry(models=("a",), limits=Limits(rpm=5, max_tokens=7))).find(FILE_KEY)

    assert holder is not None
    caller = holder.principal
    assert ("ci", ("a",), "all", "", "", 7) == (
        caller.name, caller.models, caller.resources, caller.team, caller.team_id, caller.max_tokens
    )  # fmt: skip
    assert (Scope("key", caller.key_id, "ci", Limits(rpm=5, max_tokens=7)),) == caller.scopes


def test_without_storage_a_team_is_a_name_without_limits():
    holder = ring_of(entry(team="red")).find(FILE_KEY)

    assert holder is not None
    assert Scope("team", "team:red", "red", NO_LIMITS) == holder.principal.scopes[1]
    assert ("red", "team:red", ()) == (
        holder.principal.team, holder.principal.team_id, holder.principal.team_models
    )  # fmt: skip


def test_an_empty_ring_opens_to_nothing():
    assert [None] * 3 == [ring_of().find(key) for key in ("", FILE_KEY, "x" * 10_000)]


def test_a_key_whose_team_is_deleted_or_unknown_opens_nothing():
    ring = ring_of()
    key = stored(VirtualKey("key_1", "k", "…", team_id="team_1"), "secret")
    ring.apply(KeySnapshot(1, [key], []))
    assert ring.find("secret") is None

    ring.apply(KeySnapshot(2, [], [StoredTeam(Team("team_1", "red"), 2)]))
    assert ring.find("secret") is not None

    ring.apply(KeySnapshot(3, [], [StoredTeam(Team("team_1", "red", deleted_at=1.0), 3)]))
    assert ring.find("secret") is None


def test_the_limits_of_a_key_and_its_team_tell_the_change_that_made_them():
    ring = ring_of()
    key = stored(VirtualKey("key_1", "k", "…", team_id="team_1"), "secret", version=7)
    for version, expected in ((3, [7, 3]), (9, [7, 9])):
        ring.apply(KeySnapshot(version, [key], [StoredTeam(Team("team_1", "red"), version)]))
        holder = ring.find("secret")

        assert holder is not None
        assert expected == [scope.version for scope in holder.principal.scopes]


def test_what_one_key_loses_another_does_not():
    ring = ring_of(entry())
    for number in range(3):
        ring.apply(
            KeySnapshot(number, [stored(VirtualKey(f"key_{number}", "k", "…"), str(number))], [])
        )

    gone = StoredKey(VirtualKey("key_1", "k", "…", revoked_at=1.0), version=9)
    ring.apply(KeySnapshot(9, [gone], []))

    assert [True, False, True, True] == [
        ring.find(key) is not None for key in ("0", "1", "2", FILE_KEY)
    ]
    assert (3, 9) == (len(ring), ring.version)


def test_a_key_of_the_file_that_was_also_issued_stays_when_that_is_revoked():
    ring = ring_of(entry())
    ring.apply(KeySnapshot(1, [stored(VirtualKey("key_1", "k", "…"), FILE_KEY)], []))
    ring.apply(
        KeySnapshot(2, [StoredKey(VirtualKey("key_1", "k", "…", revoked_at=1.0), version=2)], [])
    )

    holder = ring.find(FILE_KEY)

    assert holder is not None
    assert "ci" == holder.principal.name


rows = st.lists(
    st.tuples(
        st.sampled_from(["key_1", "key_2", "team_1", "team_2"]),
        st.sampled_from([None, "team_1", "team_2"]),  # a key's team
        st.sampled_from(["a", "b", "c"]),  # its secret, and the one before
        st.sampled_from([None, "a", "b", "c"]),
        st.booleans(),  # revoked, deleted
    ),
    max_size=12,
)


def snapshot_of(row: tuple[str, str | None, str, str | None, bool], version: int) -> KeySnapshot:
    row_id, team_id, secret, old_secret, is_over = row
    ends_at = 1.0 if is_over else None
    if row_id.startswith("team"):
        return KeySnapshot(
            version, [], [StoredTeam(Team(row_id, row_id, deleted_at=ends_at), version)]
        )
    key = VirtualKey(row_id, row_id, "…", team_id=team_id, revoked_at=ends_at)
    digests = [one if one is None else PEPPERS.digest(row_id + one) for one in (secret, old_secret)]
    return KeySnapshot(version, [StoredKey(key, digests[0], digests[1], 9.0, version)], [])


@settings(deadline=None)
@given(rows, st.randoms(use_true_random=False))
def test_s11_in_whatever_order_and_however_often_rows_arrive_the_newest_hold(history, chance):
    snapshots = [snapshot_of(row, version) for version, row in enumerate(history)]
    newest = {row[0]: snapshots[version] for version, row in enumerate(history)}
    arriving = snapshots + chance.choices(snapshots, k=5) if snapshots else []
    chance.shuffle(arriving)

    expected, ring = ring_of(entry()), ring_of(entry())
    for snapshot in newest.values():
        expected.apply(snapshot)
    for snapshot in arriving:
        ring.apply(snapshot)

    assert expected._holders == ring._holders
    assert expected.version == ring.version


def test_one_pepper_costs_one_digest():
    ring = ring_of(entry())

    assert [] == ring._older_digests
    assert 1 == len(ring_of(peppers=Peppers([b"n" * 32, b"o" * 32]))._older_digests)


def test_ten_thousand_keys_are_applied_in_time():
    secrets = [new_key() for _ in range(10_000)]
    team = StoredTeam(Team("team_1", "red"), 1)
    keys = [
        stored(VirtualKey(f"key_{n}", str(n), "…", team_id="team_1"), secret)
        for n, secret in enumerate(secrets)
    ]
    took = []
    rings = [ring_of() for _ in range(3)]
    for ring in rings:
        began = process_time()
        ring.apply(KeySnapshot(1, keys, [team]))
        took.append(process_time() - began)

    assert min(took) < 0.3
    holders = [holder for holder in map(rings[0].find, secrets) if holder is not None]
    assert 10_000 == len(holders)
    scopes = {id(holder.principal.scopes[1]) for holder in holders}
    assert 1 == len(scopes)


async def test_s10_a_hundred_thousand_wrong_keys_ask_the_database_nothing(office):
    await office.keys.create(KeyDraft("k"), ADMIN)
    await office.database.aclose()

    for number in range(100_000):
        assert office.ring.find(f"sk-mg-{number}") is None


# --- what others change ---------------------------------------------------------------------------------------------


class Polls:
    """Counts the waits of a watch, and lets it go on one at a time."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self._go: asyncio.Queue[None] = asyncio.Queue()
        self._waiting = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self._waiting.set()
        await self._go.get()

    async def one(self) -> None:
        """The watch looks once, and waits again."""
        await self._waiting.wait()
        self._waiting.clear()
        self._go.put_nowait(None)
        await self._waiting.wait()


class Watched:
    """An office that watches, in another process than `office`."""

    def __init__(self, office: Office) -> None:
        self.office, self.polls = office, Polls()
        self.said: list[str] = []

    def warn(self, event: str, **fields: object) -> None:
        self.said.append(event)

    async def run(self, store: KeyStore | None = None) -> None:
        await self.office.ring.watch(store or self.office.store, self.warn, sleep=self.polls.sleep)


@pytest.fixture
async def watched(office):
    watching = Watched(office_over(office.database))
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(watching.run())
        yield watching
        task.cancel()


async def test_s11_changes_of_others_act_after_one_look(office, watched):
    await office.teams.create(TeamDraft("red"), ADMIN)
    key, secret = await office.keys.create(KeyDraft("k", "red"), ADMIN)
    await watched.polls.one()
    assert "red" == watched.office.caller(secret).team

    await office.keys.revoke(key.id, ADMIN)
    await watched.polls.one()

    with pytest.raises(Unauthenticated):
        watched.office.caller(secret)
    assert {POLL_SECONDS} == set(watched.polls.waits)
    assert POLL_SECONDS <= 5
    assert [] == watched.said


async def test_r18_a_database_that_is_down_is_said_once_and_keys_stay(office, watched, monkeypatch):
    _, secret = await office.keys.create(KeyDraft("k"), ADMIN)
    await watched.polls.one()

    async def down() -> int:
        raise LedgerUnavailable("down")

    with monkeypatch.context() as broken:
        broken.setattr(watched.office.store, "version", down)
        for _ in range(3):
            await watched.polls.one()
    assert "k" == watched.office.caller(secret).name
    assert 1 == len(watched.said)

    _, later = await office.keys.create(KeyDraft("j"), ADMIN)
    await watched.polls.one()
    assert "j" == watched.office.caller(later).name
    assert 2 == len(watched.said)


async def test_a_change_of_ones_own_is_not_the_last_of_anothers(office):
    """What the desk applies leaves the version alone: a change of another process before it is still read."""
    other = office_over(office.database)
    _, secret = await office.keys.create(KeyDraft("k"), ADMIN)
    await other.keys.create(KeyDraft("j"), ADMIN)

    await other.ring.refresh(other.store)

    assert "k" == other.caller(secret).name
