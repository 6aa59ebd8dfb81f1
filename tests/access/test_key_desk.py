"""Keys made, changed, rotated and revoked (reliability S8, S9, S11, S14, S17)."""

from dataclasses import replace

import pytest
from sqlalchemy import func, select

from app.access.key_desk import draft_of
from app.access.key_format import is_mistyped, is_ours
from app.domain.errors import InvalidRequest, LedgerUnavailable, ObjectNotFound, Unauthenticated
from app.domain.keys import KeyDraft, TeamDraft
from app.domain.limits import Limits
from app.storage import schema
from tests.fakes.offices import ADMIN, NOW, Office, office_over

ALL = KeyDraft(
    name="all of it",
    team="red",
    models=("gpt-*", "local/llama"),
    limits=Limits(60, 1000, 5, 10**9, 5000, "month", 100),
    resources="all",
    native=("use", "manage"),
    labels={"who": "Ève", "empty": ""},
    expires_at=NOW + 60.5,
)


async def count(office: Office, table: str) -> int:
    async with office.database.reading() as connection:
        found = await connection.execute(
            select(func.count()).select_from(schema.metadata.tables[table])
        )
        return int(found.scalar_one())


async def refused(office: Office, draft: KeyDraft) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        await office.keys.create(draft, ADMIN)
    assert (0, await office.store.version()) == (
        await count(office, "keys"),
        await count(office, "audit"),
    )
    return caught.value


async def test_a_new_key_opens_at_once_and_is_shown_as_it_was_drafted(office):
    team = await office.teams.create(TeamDraft("red"), ADMIN)

    key, secret = await office.keys.create(ALL, ADMIN)

    assert replace(ALL, team=team.id) == draft_of(key)
    assert key == await office.keys.get(key.id)
    assert (NOW, None, "admin") == (key.created_at, key.revoked_at, key.source)
    assert is_ours(secret.get_secret_value())
    assert not is_mistyped(secret.get_secret_value())
    principal = office.caller(secret)
    assert ("all of it", "red", team.id, key.id) == (
        principal.name, principal.team, principal.team_id, principal.key_id
    )  # fmt: skip
    assert [("key", key.id, ALL.limits), ("team", team.id, Limits())] == [
        (scope.kind, scope.id, scope.limits) for scope in principal.scopes
    ]


async def test_s16_a_key_of_the_admin_api_has_its_own_resources_alone(office):
    _, secret = await office.keys.create(KeyDraft("k"), ADMIN)

    assert "own" == office.caller(secret).resources


async def test_s9_no_dump_of_the_database_holds_a_secret(office, tmp_path):
    key, secret = await office.keys.create(KeyDraft("k"), ADMIN)
    _, second = await office.keys.rotate(key.id, 60, ADMIN)
    await office.keys.revoke(key.id, ADMIN)
    await office.database.aclose()

    dump = b"".join(file.read_bytes() for file in tmp_path.iterdir() if file.is_file())

    assert key.id.encode() in dump
    for one in (secret, second):
        text = one.get_secret_value().encode()
        assert text not in dump
        assert text[6:-6] not in dump
        assert text[6:20] not in dump


async def test_s26_the_audit_log_has_neither_secret_nor_digest(office):
    key, secret = await office.keys.create(KeyDraft("k"), ADMIN)
    _, second = await office.keys.rotate(key.id, 60, ADMIN)

    rows = await office.audit.rows(after=None, limit=10)

    told = "".join(row.before + row.after for row in rows)
    assert ["key.create", "key.rotate"] == [row.action for row in rows]
    assert [("admin", "192.0.2.7", key.id)] * 2 == [
        (one.actor, one.address, one.target) for one in rows
    ]
    for one in (secret, second):
        assert one.get_secret_value()[:-6] not in told
        assert office.peppers.digest(one.get_secret_value()).hex() not in told
    assert "digest" not in told


HUGE = "x" * 10_000


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        pytest.param({"name": ""}, "name", id="no name"),
        pytest.param({"name": " k"}, "name", id="a space before it"),
        pytest.param({"name": "k" * 101}, "name", id="a name that is too long"),
        pytest.param({"name": HUGE}, "name", id="a name of 10 kB"),
        pytest.param({"name": "a\0b"}, "name", id="a name with NUL"),
        pytest.param({"name": "a\nb"}, "name", id="a name of two lines"),
        pytest.param({"name": "\x1b[31m"}, "name", id="a name that paints"),
        pytest.param({"name": "\ud800"}, "name", id="half a surrogate pair"),
        pytest.param({"name": "a\u202eb"}, "name", id="a name that turns the line round"),
        pytest.param({"team": "nobody"}, "team", id="a team that is not there"),
        pytest.param({"team": ""}, "team", id="a team without a name"),
        pytest.param({"team": "a\0b"}, "team", id="a team with NUL"),
        pytest.param({"team": HUGE}, "team", id="a team of 10 kB"),
        pytest.param({"team": "' OR 1=1 --"}, "team", id="a team that is SQL"),
        pytest.param({"models": ("",)}, "models", id="an empty pattern"),
        pytest.param({"models": ("x" * 257,)}, "models", id="a pattern that is too long"),
        pytest.param({"models": ("a",) * 101}, "models", id="too many patterns"),
        pytest.param({"models": ("a\0",)}, "models", id="a pattern with NUL"),
        pytest.param(
            {"labels": {str(one): "" for one in range(21)}}, "labels", id="too many labels"
        ),
        pytest.param({"labels": {"": "x"}}, "labels", id="a label without a name"),
        pytest.param({"labels": {"x" * 65: "x"}}, "labels", id="a label's name that is too long"),
        pytest.param({"labels": {"x": "x" * 257}}, "labels", id="a label that is too long"),
        pytest.param({"labels": {"x": "\0"}}, "labels", id="a label with NUL"),
        pytest.param({"limits": Limits(rpm=0)}, "rpm", id="no requests at all"),
        pytest.param({"limits": Limits(rpm=-1)}, "rpm", id="fewer than none"),
        pytest.param({"limits": Limits(tpm=2**53)}, "tpm", id="more than JSON can say"),
        pytest.param({"limits": Limits(concurrency=0)}, "concurrency", id="no slot"),
        pytest.param({"limits": Limits(max_tokens=0)}, "max_tokens", id="no output"),
        pytest.param({"limits": Limits(budget_tokens=0)}, "budget_tokens", id="no tokens"),
        pytest.param({"limits": Limits(budget_nano=0)}, "budget_usd", id="no money"),
        pytest.param({"limits": Limits(budget_nano=2**63)}, "budget_usd", id="all the money"),
        pytest.param({"limits": Limits(budget_period="year")}, "budget_period", id="a year"),  # type: ignore[arg-type]
        pytest.param({"resources": "none"}, "resources", id="other resources"),
        pytest.param({"native": ("fly",)}, "native", id="another class"),
        pytest.param({"native": ("use", "use")}, "native", id="a class twice"),
        pytest.param({"expires_at": NOW}, "expires_at", id="it ends now"),
        pytest.param({"expires_at": NOW - 1}, "expires_at", id="it has ended"),
        pytest.param({"expires_at": float("inf")}, "expires_at", id="a time that never comes"),
        pytest.param({"expires_at": float("nan")}, "expires_at", id="no time"),
    ],
)
async def test_a_draft_that_cannot_be_is_refused_by_its_field_and_leaves_nothing(
    office, wrong, param
):
    error = await refused(office, replace(KeyDraft("k"), **wrong))

    assert (400, param) == (error.status, error.param)
    assert len(error.message) < 500
    assert error.message.isprintable()


@pytest.mark.parametrize(
    "name",
    [
        "'; DROP TABLE keys; --",
        "100%",
        "_",
        '"',
        "\\",
        "名前",
        "👩‍👩‍👧"[:1],
        "null",
        "{}",
        "a" * 100,
    ],
)
async def test_s17_a_hostile_name_is_a_name(office, name):
    team = await office.teams.create(TeamDraft(name), ADMIN)
    key, _ = await office.keys.create(KeyDraft(name, team=name, labels={name[:64]: name}), ADMIN)

    assert (name, {name[:64]: name}) == (key.name, (await office.keys.get(key.id)).labels)
    assert [key] == await office.keys.listing(after=None, limit=10, team=name)
    assert team == await office.teams.get(name)


async def test_the_name_of_the_key_that_a_gateway_makes_for_itself_is_taken(office):
    key, _ = await office.keys.create(KeyDraft("k"), ADMIN)

    for call in (
        office.keys.create(KeyDraft("local"), ADMIN),
        office.keys.change(key.id, lambda draft: replace(draft, name="local"), ADMIN),
    ):
        with pytest.raises(InvalidRequest) as caught:
            await call
        assert ("name_taken", "name") == (caught.value.code, caught.value.param)


async def test_a_name_is_taken_until_its_key_is_revoked(office):
    first, _ = await office.keys.create(KeyDraft("k"), ADMIN)

    with pytest.raises(InvalidRequest) as caught:
        await office.keys.create(KeyDraft("k"), ADMIN)
    await office.keys.revoke(first.id, ADMIN)
    await office.keys.create(KeyDraft("k"), ADMIN)

    assert (400, "name_taken", "name") == (
        caught.value.status,
        caught.value.code,
        caught.value.param,
    )


@pytest.mark.parametrize(
    ("draft", "param"),
    [
        pytest.param(KeyDraft("k", "red", ("gpt-4*",), Limits(rpm=60)), None, id="within"),
        pytest.param(KeyDraft("k", "red"), None, id="what its team has"),
        pytest.param(KeyDraft("k", "red", ("*",)), "models", id="more models"),
        pytest.param(KeyDraft("k", "red", limits=Limits(rpm=61)), "rpm", id="a higher limit"),
    ],
)
async def test_s14_a_key_has_no_more_than_its_team(office, draft, param):
    await office.teams.create(TeamDraft("red", ("gpt-*",), Limits(rpm=60)), ADMIN)

    if param is None:
        await office.keys.create(draft, ADMIN)
    else:
        error = await refused(office, draft)
        assert ("above_team_limit", param) == (error.code, error.param)


async def test_a_change_acts_at_once_and_on_what_stands_now(office):
    key, secret = await office.keys.create(KeyDraft("k", models=("a",)), ADMIN)

    changed = await office.keys.change(
        key.id, lambda draft: replace(draft, models=(*draft.models, "b")), ADMIN
    )

    assert ("a", "b") == changed.models == office.caller(secret).models
    assert changed == await office.keys.get(key.id)


async def test_a_change_that_cannot_be_leaves_all_as_it_was(office):
    await office.teams.create(TeamDraft("red", limits=Limits(rpm=60)), ADMIN)
    key, secret = await office.keys.create(KeyDraft("k"), ADMIN)
    version = await office.store.version()

    for edit in ({"name": ""}, {"team": "blue"}, {"team": "red", "limits": Limits(rpm=61)}):
        with pytest.raises(InvalidRequest):
            await office.keys.change(key.id, lambda draft, edit=edit: replace(draft, **edit), ADMIN)

    assert (key, version) == (await office.keys.get(key.id), await office.store.version())
    assert "" == office.caller(secret).team


async def test_an_end_that_has_passed_may_stand_but_not_be_set(office):
    key, secret = await office.keys.create(KeyDraft("k", expires_at=NOW + 1), ADMIN)
    office.clock.advance(2)

    await office.keys.change(key.id, lambda draft: replace(draft, name="j"), ADMIN)

    with pytest.raises(Unauthenticated):
        office.caller(secret)
    with pytest.raises(InvalidRequest):
        await office.keys.change(key.id, lambda draft: replace(draft, expires_at=NOW + 2), ADMIN)
    with pytest.raises(InvalidRequest) as caught:
        await office.keys.rotate(key.id, 0, ADMIN)
    assert "key_expired" == caught.value.code
    await office.keys.change(key.id, lambda draft: replace(draft, expires_at=None), ADMIN)
    assert "j" == office.caller(secret).name


async def test_a_key_above_its_narrowed_team_may_still_be_renamed_and_narrowed(office):
    team = await office.teams.create(TeamDraft("red", limits=Limits(rpm=60)), ADMIN)
    key, _ = await office.keys.create(KeyDraft("k", "red", limits=Limits(rpm=60)), ADMIN)
    await office.teams.change(team.id, lambda draft: replace(draft, limits=Limits(rpm=6)), ADMIN)

    await office.keys.change(key.id, lambda draft: replace(draft, name="j"), ADMIN)
    with pytest.raises(InvalidRequest):
        await office.keys.change(key.id, lambda draft: replace(draft, limits=Limits(rpm=50)), ADMIN)
    await office.keys.change(key.id, lambda draft: replace(draft, limits=Limits(rpm=5)), ADMIN)


# --- rotation -------------------------------------------------------------------------------------------------------


async def test_the_secret_before_opens_until_its_grace_is_over(office):
    key, old = await office.keys.create(KeyDraft("k"), ADMIN)

    rotated, new = await office.keys.rotate(key.id, 60, ADMIN)

    assert key.id == rotated.id == office.caller(old).key_id == office.caller(new).key_id
    assert rotated.prefix[-4:] == new.get_secret_value()[-4:]
    office.clock.advance(59.9)
    office.caller(old)
    office.clock.advance(0.1)
    office.caller(new)
    with pytest.raises(Unauthenticated):
        office.caller(old)


async def test_without_grace_the_secret_before_ends_at_once(office):
    key, old = await office.keys.create(KeyDraft("k"), ADMIN)

    _, new = await office.keys.rotate(key.id, 0, ADMIN)

    office.caller(new)
    with pytest.raises(Unauthenticated):
        office.caller(old)


async def test_a_second_rotation_drops_the_oldest(office):
    key, first = await office.keys.create(KeyDraft("k"), ADMIN)
    _, second = await office.keys.rotate(key.id, 600, ADMIN)

    _, third = await office.keys.rotate(key.id, 600, ADMIN)

    assert key.id == office.caller(second).key_id == office.caller(third).key_id
    with pytest.raises(Unauthenticated):
        office.caller(first)


async def test_the_grace_is_never_longer_than_the_key(office):
    key, old = await office.keys.create(KeyDraft("k", expires_at=NOW + 10), ADMIN)
    await office.keys.rotate(key.id, 600, ADMIN)

    office.clock.advance(10)

    with pytest.raises(Unauthenticated):
        office.caller(old)


@pytest.mark.parametrize("grace", [-1, 30 * 86_400 + 1, float("nan"), float("inf")])
async def test_a_grace_that_cannot_be(office, grace):
    key, old = await office.keys.create(KeyDraft("k"), ADMIN)

    with pytest.raises(InvalidRequest) as caught:
        await office.keys.rotate(key.id, grace, ADMIN)

    assert "grace_seconds" == caught.value.param
    office.caller(old)


# --- revocation -----------------------------------------------------------------------------------------------------


async def test_s11_a_revoked_key_and_the_one_before_it_open_nothing_from_now_on(office):
    key, old = await office.keys.create(KeyDraft("k"), ADMIN)
    _, new = await office.keys.rotate(key.id, 600, ADMIN)

    revoked = await office.keys.revoke(key.id, ADMIN)

    for secret in (old, new):
        with pytest.raises(Unauthenticated):
            office.caller(secret)
    assert NOW == revoked.revoked_at
    assert [revoked] == await office.keys.listing(after=None, limit=10)


async def test_revoking_twice_is_revoking_once(office):
    key, _ = await office.keys.create(KeyDraft("k"), ADMIN)
    revoked = await office.keys.revoke(key.id, ADMIN)
    office.clock.advance(5)

    assert revoked == await office.keys.revoke(key.id, ADMIN)
    assert 2 == await office.store.version()


async def test_a_revoked_key_is_neither_changed_nor_rotated(office):
    key, _ = await office.keys.create(KeyDraft("k"), ADMIN)
    revoked = await office.keys.revoke(key.id, ADMIN)

    for call in (
        office.keys.change(key.id, lambda draft: draft, ADMIN),
        office.keys.rotate(key.id, 0, ADMIN),
    ):
        with pytest.raises(InvalidRequest) as caught:
            await call
        assert "key_revoked" == caught.value.code
    assert revoked == await office.keys.get(key.id)


async def test_s11_other_processes_learn_of_it_when_they_look(office):
    other = office_over(office.database)
    key, secret = await office.keys.create(KeyDraft("k"), ADMIN)
    await other.ring.refresh(other.store)
    other.caller(secret)

    await office.keys.revoke(key.id, ADMIN)
    await other.ring.refresh(other.store)

    with pytest.raises(Unauthenticated):
        other.caller(secret)


async def test_s11_what_was_read_before_a_revocation_does_not_bring_the_key_back(office):
    key, secret = await office.keys.create(KeyDraft("k"), ADMIN)
    read_before = await office.store.load()
    await office.keys.revoke(key.id, ADMIN)

    office.ring.apply(read_before)

    with pytest.raises(Unauthenticated):
        office.caller(secret)


# --- looking --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key_id", ["", "key_0", "x" * 10_000, "a\0b", "\ud800", "' OR 1=1 --", "%", "key_file_0"]
)
async def test_s16_an_unknown_id_is_404_whatever_it_holds(office, key_id):
    await office.keys.create(KeyDraft("k"), ADMIN)

    for call in (
        office.keys.get(key_id),
        office.keys.revoke(key_id, ADMIN),
        office.keys.rotate(key_id, 0, ADMIN),
        office.keys.change(key_id, lambda draft: draft, ADMIN),
    ):
        with pytest.raises(ObjectNotFound) as caught:
            await call
        assert 404 == caught.value.status
        assert len(caught.value.message) < 300
        assert caught.value.message.isprintable()


async def test_pages_follow_each_other_in_the_order_of_making(office):
    made = []
    for number in range(5):
        made.append((await office.keys.create(KeyDraft(str(number)), ADMIN))[0])
        office.clock.advance(1)

    first = await office.keys.listing(after=None, limit=3)
    rest = await office.keys.listing(after=first[-1].id, limit=3)

    assert made == first + rest
    assert [] == await office.keys.listing(after=made[-1].id, limit=3)


async def test_a_page_after_nonsense_or_of_nobodys_team_is_refused(office):
    with pytest.raises(InvalidRequest) as of_nonsense:
        await office.keys.listing(after="a\0b", limit=1)
    with pytest.raises(InvalidRequest) as of_nobody:
        await office.keys.listing(after=None, limit=1, team="nobody")

    assert ("after", "team") == (of_nonsense.value.param, of_nobody.value.param)


async def test_a_database_that_is_down_is_503_and_keys_go_on(office):
    _, secret = await office.keys.create(KeyDraft("k"), ADMIN)
    async with office.database.writing() as connection:
        await connection.exec_driver_sql("ALTER TABLE keys RENAME TO gone")

    with pytest.raises(LedgerUnavailable):
        await office.keys.create(KeyDraft("j"), ADMIN)

    assert "k" == office.caller(secret).name
