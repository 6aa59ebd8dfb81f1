"""Teams made, changed and deleted (reliability S14, S15)."""

from dataclasses import replace

import pytest

from app.domain.errors import InvalidRequest, ObjectNotFound
from app.domain.keys import KeyDraft, TeamDraft
from app.domain.limits import Limits
from tests.fakes.offices import ADMIN, NOW

RED = TeamDraft("red", ("gpt-*",), Limits(rpm=60, max_tokens=10), {"floor": "2"})


async def test_a_team_is_shown_as_it_was_drafted_by_id_and_by_name(office):
    team = await office.teams.create(RED, ADMIN)

    assert RED == TeamDraft(team.name, team.models, team.limits, team.labels)
    assert team == await office.teams.get(team.id) == await office.teams.get("red")
    assert [team] == await office.teams.listing(after=None, limit=10)


async def test_a_change_acts_on_its_keys_at_once(office):
    team = await office.teams.create(RED, ADMIN)
    _, secret = await office.keys.create(KeyDraft("k", "red", limits=Limits(max_tokens=10)), ADMIN)
    _, other = await office.keys.create(KeyDraft("j"), ADMIN)

    changed = await office.teams.change(
        team.id,
        lambda draft: replace(draft, name="blue", models=("o*",), limits=Limits(max_tokens=5)),
        ADMIN,
    )

    caller = office.caller(secret)
    assert ("blue", ("o*",), 5) == (caller.team, caller.team_models, caller.max_tokens)
    assert changed.limits == caller.scopes[1].limits
    assert "" == office.caller(other).team


@pytest.mark.parametrize(
    ("own", "teams", "both"),
    [(None, None, None), (5, None, 5), (None, 7, 7), (5, 7, 5), (7, 5, 5)],
)
async def test_s22_the_lower_ceiling_of_output_holds(office, own, teams, both):
    team = await office.teams.create(TeamDraft("red"), ADMIN)
    _, secret = await office.keys.create(KeyDraft("k", "red", limits=Limits(max_tokens=own)), ADMIN)

    await office.teams.change(
        team.id, lambda draft: replace(draft, limits=Limits(max_tokens=teams)), ADMIN
    )

    assert both == office.caller(secret).max_tokens


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"models": ("",)}, "models"),
        ({"labels": {"": ""}}, "labels"),
        ({"limits": Limits(rpm=0)}, "rpm"),
        ({"limits": Limits(budget_nano=-1)}, "budget_usd"),
    ],
)
async def test_a_draft_that_cannot_be_is_refused_by_its_field(office, wrong, param):
    team = await office.teams.create(RED, ADMIN)

    for call in (
        office.teams.create(replace(TeamDraft("blue"), **wrong), ADMIN),
        office.teams.change(team.id, lambda draft: replace(draft, **wrong), ADMIN),
    ):
        with pytest.raises(InvalidRequest) as caught:
            await call
        assert param == caught.value.param
    assert (team, 1) == (await office.teams.get("red"), await office.store.version())


async def test_two_teams_have_two_names(office):
    await office.teams.create(RED, ADMIN)
    blue = await office.teams.create(TeamDraft("blue"), ADMIN)

    for call in (
        office.teams.create(RED, ADMIN),
        office.teams.change(blue.id, lambda draft: replace(draft, name="red"), ADMIN),
    ):
        with pytest.raises(InvalidRequest) as caught:
            await call
        assert ("name_taken", "name") == (caught.value.code, caught.value.param)


async def test_a_team_with_keys_stays(office):
    team = await office.teams.create(RED, ADMIN)
    key, secret = await office.keys.create(KeyDraft("k", "red"), ADMIN)

    with pytest.raises(InvalidRequest, match="1 key not revoked") as caught:
        await office.teams.delete(team.id, ADMIN)

    assert "team_not_empty" == caught.value.code
    office.caller(secret)
    await office.keys.revoke(key.id, ADMIN)
    assert NOW == (await office.teams.delete(team.id, ADMIN)).deleted_at


async def test_a_deleted_team_is_gone_and_its_name_is_free(office):
    team = await office.teams.create(RED, ADMIN)

    gone = await office.teams.delete(team.id, ADMIN)

    assert gone == await office.teams.get(team.id)
    assert [] == await office.teams.listing(after=None, limit=10)
    for call in (
        office.teams.get("red"),
        office.teams.delete(team.id, ADMIN),
        office.teams.change(team.id, lambda draft: draft, ADMIN),
    ):
        with pytest.raises(ObjectNotFound):
            await call
    with pytest.raises(InvalidRequest):
        await office.keys.create(KeyDraft("k", team.id), ADMIN)
    assert team.id != (await office.teams.create(RED, ADMIN)).id


@pytest.mark.parametrize("name", ["", "nobody", "x" * 10_000, "a\0b", "\ud800", "' OR 1=1 --", "%"])
async def test_an_unknown_team_is_404_whatever_it_is_called(office, name):
    await office.teams.create(RED, ADMIN)

    for call in (
        office.teams.get(name),
        office.teams.delete(name, ADMIN),
        office.teams.change(name, lambda draft: draft, ADMIN),
    ):
        with pytest.raises(ObjectNotFound) as caught:
            await call
        assert caught.value.message.isprintable()


async def test_pages_follow_each_other(office):
    made = []
    for number in range(5):
        made.append(await office.teams.create(TeamDraft(str(number)), ADMIN))
        office.clock.advance(1)

    first = await office.teams.listing(after=None, limit=3)

    assert made == first + await office.teams.listing(after=first[-1].id, limit=3)
    with pytest.raises(InvalidRequest):
        await office.teams.listing(after="\0", limit=1)
