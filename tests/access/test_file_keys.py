"""The keys of the configuration as rows of the database."""

from dataclasses import replace

import pytest
from pydantic import SecretStr

from app.access.file_keys import adopt_file_keys, file_key_id
from app.access.key_ring import KeyRing
from app.domain.configuration import KeyEntry
from app.domain.errors import ConfigurationError, InvalidRequest
from app.domain.keys import KeyDraft, Team, TeamDraft
from app.domain.limits import Limits
from tests.fakes.offices import ADMIN, NOW, Office

SECRET = "a-key-of-the-file-0123456789"
CI = KeyEntry(
    "ci",
    SecretStr(SECRET),
    ("gpt-*",),
    expires_at=NOW + 100,
    team="red",
    limits=Limits(rpm=5),
    native=("use",),
    labels={"a": "b"},
)
OPS = KeyEntry("ops", SecretStr("another-key-0123456789abcdef"))


async def start(office: Office, *entries: KeyEntry) -> KeyRing:
    """A process that starts with a file."""
    snapshot = await adopt_file_keys(office.store, entries, office.clock())
    ring = KeyRing(entries, office.peppers)
    ring.apply(snapshot)
    return ring


async def test_a_key_of_the_file_is_listed_without_what_opens_it(office):
    ring = await start(office, CI)

    (stored,) = await office.store.keys(after=None, limit=9)
    team = await office.teams.get("red")
    key = stored.key
    assert (file_key_id("ci"), "ci", "file", team.id) == (key.id, key.name, key.source, key.team_id)
    assert (CI.models, CI.limits, CI.native, CI.labels) == (
        key.models,
        key.limits,
        key.native,
        key.labels,
    )
    assert (CI.expires_at, CI.resources, NOW) == (key.expires_at, key.resources, key.created_at)
    assert (None, None, "a-ke…6789") == (stored.digest, stored.old_digest, key.prefix)
    holder = ring.find(SECRET)
    assert holder is not None
    assert (key.id, team.id) == (holder.principal.key_id, holder.principal.team_id)


async def test_it_is_one_change_by_the_configuration_and_none_the_next_time(office):
    await start(office, CI, OPS)
    office.clock.advance(10)

    await start(office, OPS, CI)

    (row,) = await office.audit.rows(after=None, limit=9)
    assert ("configuration", "file.adopt") == (row.actor, row.action)
    assert SECRET not in row.after
    assert file_key_id("ops") in row.after
    assert (await office.audit.verify()).ok


async def test_without_keys_nothing_is_written(office):
    await start(office)

    assert 0 == await office.store.version()


async def test_what_changed_in_the_file_changes_in_the_row_and_its_making_stays(office):
    await start(office, CI)
    office.clock.advance(10)

    await start(office, replace(CI, limits=Limits(rpm=9), team=None))

    key = await office.keys.get(file_key_id("ci"))
    assert (Limits(rpm=9), None, NOW) == (key.limits, key.team_id, key.created_at)


async def test_who_left_the_file_is_revoked_and_may_come_back(office):
    await start(office, CI, OPS)
    office.clock.advance(10)
    await start(office, OPS)

    gone = await office.keys.get(file_key_id("ci"))
    assert (NOW + 10, None) == (
        gone.revoked_at,
        (await office.keys.get(file_key_id("ops"))).revoked_at,
    )

    await start(office, CI, OPS)
    back = await office.keys.get(file_key_id("ci"))
    assert (None, NOW) == (back.revoked_at, back.created_at)


async def test_a_name_that_an_issued_key_has_is_refused_by_name(office):
    key, _ = await office.keys.create(KeyDraft("ci"), ADMIN)

    with pytest.raises(ConfigurationError, match=r"'ci'.*admin API"):
        await start(office, CI)

    assert 1 == await office.store.version()
    await office.keys.revoke(key.id, ADMIN)
    await start(office, CI)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "x" * 101},
        {"name": "a\0b"},
        {"team": "a\0b"},
        {"models": ("",)},
        {"labels": {"": ""}},
    ],
)
async def test_what_no_key_may_be_called_does_not_start(office, wrong):
    with pytest.raises(ConfigurationError, match=r"keys\."):
        await start(office, replace(CI, **wrong))

    assert 0 == await office.store.version()


async def test_an_expired_one_stands_in_the_list_all_the_same(office):
    await start(office, replace(CI, expires_at=NOW - 100))

    assert NOW - 100 == (await office.keys.get(file_key_id("ci"))).expires_at


async def test_the_limits_of_its_team_are_those_of_the_database_and_change_with_them(office):
    ring = await start(office, CI)
    team = await office.teams.get("red")

    await office.teams.change(
        team.id, lambda draft: replace(draft, limits=Limits(rpm=3), models=("x",)), ADMIN
    )
    await ring.refresh(office.store)

    holder = ring.find(SECRET)
    assert holder is not None
    assert (Limits(rpm=3), ("x",)) == (
        holder.principal.scopes[1].limits,
        holder.principal.team_models,
    )


async def test_the_file_alone_changes_it(office):
    await start(office, CI)
    key_id = file_key_id("ci")

    for call in (
        office.keys.change(key_id, lambda draft: draft, ADMIN),
        office.keys.rotate(key_id, 0, ADMIN),
        office.keys.revoke(key_id, ADMIN),
    ):
        with pytest.raises(InvalidRequest, match="configuration") as caught:
            await call
        assert "set_in_file" == caught.value.code


async def test_its_team_is_not_deleted_under_it(office):
    ring = await start(office, CI)
    team = await office.teams.get("red")

    with pytest.raises(InvalidRequest, match="1 key"):
        await office.teams.delete(team.id, ADMIN)

    async with office.store.changing(
        ADMIN, 0
    ) as change:  # by another process, without that key in its file
        await change.put_team(Team(team.id, "red", deleted_at=1.0))
        change.audit("test", team.id, None, None)
    await ring.refresh(office.store)
    assert ring.find(SECRET) is None


async def test_its_team_keeps_its_name_while_the_file_says_it(office):
    await start(office, CI)
    team = await office.teams.get("red")

    with pytest.raises(InvalidRequest, match="configuration") as caught:
        await office.teams.change(team.id, lambda draft: replace(draft, name="blue"), ADMIN)

    assert ("set_in_file", "name") == (caught.value.code, caught.value.param)
    await start(office)
    assert (
        "blue"
        == (
            await office.teams.change(team.id, lambda draft: replace(draft, name="blue"), ADMIN)
        ).name
    )


async def test_a_key_does_not_leave_its_team_for_one_that_is_not_there(office):
    await start(office, CI)
    team = await office.teams.get("red")
    async with office.store.changing(ADMIN, 0) as change:  # by a version that did not know better
        await change.put_team(replace(team, name="red-eu"))
        change.audit("test", team.id, None, None)

    with pytest.raises(ConfigurationError, match=r"keys\.'ci'.*'red'.*'red-eu'"):
        await start(office, CI, OPS)

    ring = await start(office, replace(CI, team="red-eu"))
    holder = ring.find(SECRET)
    assert holder is not None
    assert team.id == holder.principal.team_id


async def test_a_key_goes_to_another_team_that_is_there(office):
    await start(office, CI)
    blue = await office.teams.create(TeamDraft("blue"), ADMIN)

    await start(office, replace(CI, team="blue"))

    assert blue.id == (await office.keys.get(file_key_id("ci"))).team_id


async def test_who_is_overtaken_by_another_process_looks_again(office, monkeypatch):
    load = office.store.load
    times: list[int] = []

    async def load_and_be_overtaken(**fields: int):
        snapshot = await load(**fields)
        if not times:
            times.append(1)
            await office.keys.create(KeyDraft("between"), ADMIN)
        return snapshot

    monkeypatch.setattr(office.store, "load", load_and_be_overtaken)

    await start(office, CI)

    assert ["between", "ci"] == [key.name for key in await office.keys.listing(after=None, limit=9)]
    assert 2 == await office.store.version()
