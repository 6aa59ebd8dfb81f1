"""The admin API over the real desks, limits and ledger on SQLite: what it answers stands in the database, and what it
refuses does not (reliability S14, S17, S26)."""

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.structs import replace
from pydantic import SecretStr

from app.access.file_keys import adopt_file_keys
from app.access.pepper import match_peppers
from app.api.admin_bodies import KeyCreate
from app.api.admin_parts import AdminParts
from app.domain.configuration import KeyEntry
from app.domain.errors import Unauthenticated
from app.domain.prices import Price
from app.limits.admission import Admission
from app.limits.memory_counters import MemoryCounters
from app.storage.record_store import RecordStore
from app.usage.price_book import PriceBook
from app.usage.reports import Reports
from tests.fakes.admin import RECORD, AdminPlane
from tests.fakes.offices import NOW, Office, office_over, opened

HOSTILE = [
    "' OR 1=1 --",
    '"; DROP TABLE keys; --',
    "'); DELETE FROM keys; --",
    "%",
    "_",
    "\\",
    "\\'",
    "${x}",
    "{{7*7}}",
    "\N{RIGHT SINGLE QUOTATION MARK} OR 1",
    "Zoë, 東京",
]


@dataclass
class House:
    """An admin API over a database of its own."""

    plane: AdminPlane
    office: Office
    records: RecordStore

    async def made(self, kind: str, **body: object) -> dict[str, object]:
        reply = await self.plane.ask(kind, "POST", body=body)
        assert 201 == reply.status_code, reply.text
        answer: dict[str, object] = reply.json()
        return answer

    async def state(self) -> tuple[object, ...]:
        """Every key and team, and the number of changes."""
        found = await self.office.store.load()
        return found.version, found.keys, found.teams


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with opened(f"sqlite:///{tmp_path}/keys.db") as database:
        office, records = office_over(database), RecordStore(database)
        await match_peppers(office.store, office.peppers)
        admission = Admission(
            MemoryCounters(), now=office.clock, wall_seconds=office.clock, lease_seconds=60
        )

        async def flushed() -> None:
            """All is in the database."""

        parts = AdminParts(
            keys=office.keys,
            teams=office.teams,
            audit=office.audit,
            reports=Reports(records, office.clock),
            records=records,
            prices=PriceBook({"openmind/*": Price(2_500_000, 10_000_000)}),
            standings=admission.standings,
            flush=flushed,
        )
        yield House(AdminPlane(parts), office, records)


async def test_a_key_opens_changes_rotates_and_opens_nothing_once_revoked(house):
    made = await house.made("keys", name="ci", rpm=5, budget_usd=0.000000001)
    path = f"keys/{made['id']}"
    first = made["key"]
    assert "ci" == house.office.caller(first).name

    changed = (await house.plane.ask(path, "PATCH", body={"rpm": None, "name": "cd"})).json()
    assert (None, "cd", 1e-9) == (changed["rpm"], changed["name"], changed["budget_usd"])

    rotated = (await house.plane.ask(f"{path}/rotate", "POST", body={"grace_seconds": 0})).json()
    with pytest.raises(Unauthenticated):
        house.office.caller(first)
    assert "cd" == house.office.caller(rotated["key"]).name

    await house.plane.ask(path, "DELETE")
    with pytest.raises(Unauthenticated):
        house.office.caller(rotated["key"])

    log = (await house.plane.ask("audit")).json()["data"]
    assert ["key.create", "key.change", "key.rotate", "key.revoke"] == [
        one["action"] for one in log
    ]
    assert {("admin", "198.51.100.7")} == {(one["actor"], one["address"]) for one in log}
    assert (await house.plane.ask("audit/verify")).json()["ok"] is True
    assert not any(secret in str(log) for secret in (first, rotated["key"]))


@pytest.mark.parametrize("text", HOSTILE)
async def test_s17_hostile_texts_are_kept_as_they_are_and_break_nothing(house, text):
    team = await house.made("teams", name=text, labels={text: text})
    key = await house.made("keys", name=text, team=text, models=[text], labels={text: text})
    shown = (await house.plane.ask(f"keys/{key['id']}")).json()

    assert (text, text, [text], {text: text}) == (
        shown["name"],
        shown["team"],
        shown["models"],
        shown["labels"],
    )
    assert team["id"] == shown["team_id"]
    assert 400 == (await house.plane.ask("keys", "POST", body={"name": text})).status_code
    assert 1 == len((await house.plane.ask("keys")).json()["data"])


QUERIES = [
    ("keys", ("team", "after")),
    ("teams", ("after",)),
    ("usage", ("key", "team", "model", "upstream")),
    ("records", ("key", "team", "model", "upstream", "after")),
    ("limits", ("after",)),
    ("prices", ("after",)),
]


@pytest.mark.parametrize("text", HOSTILE)
async def test_s17_hostile_filters_find_nothing(house, text):
    await house.records.add([replace(RECORD, at_ms=int(NOW * 1000))])
    for path, names in QUERIES:
        for name in names:
            written = "".join(f"%{byte:02x}" for byte in text.encode())
            reply = await house.plane.ask(f"{path}?{name}={written}")

            assert reply.status_code in (200, 400)
            is_cursor = name == "after"
            assert reply.status_code == 400 or is_cursor or reply.json()["data"] == []


@pytest.mark.parametrize(
    ("method", "path", "body", "code", "param"),
    [
        pytest.param("POST", "keys", {"name": "ci"}, "name_taken", "name", id="a name that is taken"),
        pytest.param("POST", "teams", {"name": "lab"}, "name_taken", "name", id="a team's"),
        pytest.param("PATCH", "keys/{key}", {"name": "other"}, "name_taken", "name", id="changed to one"),
        pytest.param("POST", "keys", {"name": "x", "team": "nobody"}, "team_not_found", "team", id="no such team"),
        pytest.param("POST", "keys", {"name": "x", "team": "lab", "rpm": 11}, "above_team_limit", "rpm", id="above"),
        pytest.param("PATCH", "keys/{key}", {"rpm": 11}, "above_team_limit", "rpm", id="changed above its team"),
        pytest.param("PATCH", "keys/{key}", {"models": ["gpt-*"]}, "above_team_limit", "models", id="models"),
        pytest.param("PATCH", "keys/{key}", {"expires_at": "2001-01-01"}, "unsupported_value", "expires_at", id="past"),
        pytest.param("DELETE", "teams/{team}", None, "team_not_empty", None, id="a team that has keys"),
    ],
)  # fmt: skip
async def test_what_a_desk_refuses_is_a_400_and_changes_nothing(
    house, method, path, body, code, param
):
    team = await house.made("teams", name="lab", rpm=10, models=["fast"])
    key = await house.made("keys", name="ci", team="lab", rpm=10, models=["fast"])
    await house.made("keys", name="other")
    before = await house.state()
    reply = await house.plane.ask(path.format(key=key["id"], team=team["id"]), method, body=body)

    error = reply.json()["error"]
    assert (400, code, param) == (reply.status_code, error["code"], error["param"])
    assert before == await house.state()


VALUES: list[object] = [
    None,
    True,
    0,
    1,
    -1,
    1.5,
    2**53,
    2**64,
    10**30,
    1e-9,
    1e300,
    "",
    "x",
    "day",
    "own",
    "lab",
    "2099-01-01",
]
VALUES += [
    [],
    ["fast"],
    ["*", "gpt-?"],
    ["["],
    [None],
    {},
    {"a": "b"},
    {"": ""},
    *HOSTILE,
    "x" * 5000,
    "a\0b",
]


@pytest.mark.parametrize("seed", range(4))
async def test_s14_of_random_bodies_each_is_taken_whole_or_not_at_all(house, seed):
    chance = random.Random(seed)
    await house.made("teams", name="lab", rpm=10)
    key = await house.made("keys", name="ci")
    calls = [("POST", "keys"), ("POST", "teams"), ("PATCH", f"keys/{key['id']}")]
    seen = set()
    for _ in range(100):
        method, path = chance.choice(calls)
        names = [chance.choice(list(KeyCreate.model_fields)) for _ in range(chance.randint(0, 2))]
        body = {name: chance.choice(VALUES) for name in names}
        if method == "POST":
            body.setdefault("name", f"n{chance.random()}")
        before = await house.state()
        reply = await house.plane.ask(path, method, body=body)
        after = await house.state()

        assert reply.status_code in (200, 201, 400), reply.text
        assert (before == after) is (reply.status_code == 400)
        assert before[0] + (reply.status_code != 400) == after[0]
        seen.add(reply.status_code)
    assert {201, 400} <= seen
    assert (await house.plane.ask("audit/verify")).json()["ok"] is True


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["keys/key_0", "teams/team_0"])
async def test_an_unknown_id_is_404_and_changes_nothing(house, method, path):
    before = await house.state()
    body = {"rpm": 1} if method == "PATCH" else None
    reply = await house.plane.ask(path, method, body=body)

    assert (404, "not_found") == (reply.status_code, reply.json()["error"]["code"])
    assert before == await house.state()


async def test_what_was_used_is_summed_listed_and_named(house):
    key = await house.made("keys", name="ci")
    at_ms = int(NOW * 1000)
    used = [
        replace(RECORD, id=f"req_{n}", at_ms=at_ms + n, key_id=str(key["id"]), team_id="")
        for n in range(3)
    ]
    await house.records.add(used)
    usage = (await house.plane.ask("usage?group_by=key,day")).json()
    listed = (await house.plane.ask(f"records?key={key['id']}&limit=2")).json()
    text = (await house.plane.ask("usage?group_by=key,upstream&format=csv")).text

    (row,) = usage["data"]
    assert ("ci", "2023-11-14", 3, 60, 0.0000075) == (
        row["key"],
        row["day"],
        row["requests"],
        row["output_tokens"],
        row["cost_usd"],
    )
    assert (["req_2", "req_1"], True) == ([one["id"] for one in listed["data"]], listed["has_more"])
    assert f"ci,{key['id']},openmind,3,300,60,0.0000075,0,0" == text.splitlines()[1]


@pytest.mark.parametrize("group", ["hour", "day", "model"])
@pytest.mark.parametrize(
    "period", ["", "since=1970-01-01", "until=9998-12-31T23:59:59.999Z", "since=9998-12-31"]
)
async def test_no_period_is_too_long(house, group, period):
    reply = await house.plane.ask(f"usage?group_by={group}&{period}")

    assert (200, []) == (reply.status_code, reply.json()["data"])


async def test_limits_stand_at_nought_before_the_first_request(house):
    await house.made("keys", name="ci", rpm=600, budget_usd=25, budget_period="day")
    (row,) = (await house.plane.ask("limits")).json()["data"]

    assert {"rpm", "budget_usd"} == set(row["limits"])
    assert {"limit": 25, "used": 0, "remaining": 25} == {
        name: row["limits"]["budget_usd"][name] for name in ("limit", "used", "remaining")
    }
    assert "2023-11-15T00:00:00.000Z" == row["limits"]["budget_usd"]["reset_at"]


async def test_every_row_is_met_once_on_its_page(house):
    for number in range(7):
        await house.made("teams", name=f"t{number}")
    names, after = [], ""
    while True:
        page = (await house.plane.ask(f"teams?limit=3{after}")).json()
        names += [team["name"] for team in page["data"]]
        if not page["has_more"]:
            break
        after = f"&after={page['last_id']}"

    assert [f"t{number}" for number in range(7)] == sorted(names)


async def test_a_key_of_the_file_is_shown_and_not_changed(house):

    entry = KeyEntry("written", SecretStr("a-secret-of-the-file-0123"))
    house.office.ring.apply(await adopt_file_keys(house.office.store, [entry], NOW))
    (key,) = (await house.plane.ask("keys")).json()["data"]
    refused = await house.plane.ask(f"keys/{key['id']}", "PATCH", body={"rpm": 1})

    assert ("file", 400, "set_in_file") == (
        key["source"],
        refused.status_code,
        refused.json()["error"]["code"],
    )
