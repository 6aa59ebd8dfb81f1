"""The admin API: what it takes, what it answers, and what it leaves as it was (architecture 5, reliability S14)."""

import csv
import io
import json
from decimal import Decimal

import pytest
from msgspec.structs import replace

from app.api import admin_replies as replies
from app.domain.limits import Limits, Scope, Standing
from app.domain.prices import Price
from tests.fakes.admin import ADMIN, RECORD, VIEWER, VIRTUAL, AdminPlane, FakeChange, sums_of

ALL = {
    "name": "ci",
    "team": "research",
    "models": ["fast", "openmind/*"],
    "rpm": 600,
    "tpm": 200000,
    "concurrency": 20,
    "budget_usd": 25,
    "budget_tokens": 1000000,
    "budget_period": "month",
    "max_tokens": 4096,
    "expires_at": "2027-01-31T00:00:00Z",
    "resources": "all",
    "native": ["use"],
    "labels": {"site": "berlin"},
}


@pytest.fixture
def plane():
    made = AdminPlane()
    made.seed()
    return made


# --- keys -----------------------------------------------------------------------------------------------------------


async def test_a_key_is_made_with_every_field_and_shows_its_secret_this_once(plane):
    made = await plane.ask("keys", "POST", body={**ALL, "name": "new"})
    shown = await plane.ask(f"keys/{made.json()['id']}")

    assert (201, 200) == (made.status_code, shown.status_code)
    told = made.json()
    assert {**ALL, "name": "new", "expires_at": "2027-01-31T00:00:00.000Z"} == {
        name: told[name] for name in ALL
    }
    assert VIRTUAL == told.pop("key")
    assert told == shown.json()
    assert VIRTUAL not in shown.text


async def test_a_name_alone_is_enough(plane):
    told = (await plane.ask("keys", "POST", body={"name": "new"})).json()

    assert (None, [], "own", "total", {}) == tuple(
        told[name] for name in ("rpm", "models", "resources", "budget_period", "labels")
    )


async def test_only_given_fields_change_and_null_clears(plane):
    before = (await plane.ask("keys/key_1")).json()
    after = (await plane.ask("keys/key_1", "PATCH", body={"rpm": 5, "budget_usd": None})).json()

    assert {**before, "rpm": 5, "budget_usd": None} == after


@pytest.mark.parametrize(
    ("field", "cleared"),
    [
        ("team", None),
        ("models", []),
        ("budget_period", "total"),
        ("resources", "own"),
        ("native", []),
        ("labels", {}),
        ("expires_at", None),
    ],
)
async def test_null_clears_each_field_to_what_it_is_without(plane, field, cleared):
    made = (await plane.ask("keys", "POST", body={**ALL, "name": "new"})).json()
    changed = await plane.ask(f"keys/{made['id']}", "PATCH", body={field: None})

    assert cleared == changed.json()[field]


async def test_a_revoked_key_is_kept(plane):
    revoked = await plane.ask("keys/key_1", "DELETE")
    listed = await plane.ask("keys")

    assert revoked.json()["revoked_at"] == "2026-09-21T14:13:21.000Z"
    assert ["key_1"] == [key["id"] for key in listed.json()["data"]]


@pytest.mark.parametrize(
    ("body", "grace"),
    [
        pytest.param(None, 3600, id="no body"),
        pytest.param({}, 3600, id="an empty one"),
        pytest.param({"grace_seconds": 0}, 0, id="none: the key leaked"),
    ],
)
async def test_a_key_rotates(plane, body, grace):
    reply = await plane.ask("keys/key_1/rotate", "POST", body=body)

    assert (200, VIRTUAL) == (reply.status_code, reply.json()["key"])
    assert [{"grace_seconds": grace}] == plane.desks.asked


async def test_keys_are_paged_and_filtered(plane):
    for name in ("a", "b", "c"):
        await plane.ask("keys", "POST", body={"name": name})
    first = (await plane.ask("keys?limit=2")).json()
    rest = (await plane.ask(f"keys?limit=2&after={first['last_id']}")).json()
    of_team = (await plane.ask("keys?team=research")).json()

    assert ("list", True, False) == (first["object"], first["has_more"], rest["has_more"])
    assert ["a", "b", "c", "ci"] == sorted(key["name"] for key in first["data"] + rest["data"])
    assert ["ci"] == [key["name"] for key in of_team["data"]]


async def test_an_empty_list_has_no_last_id():
    assert {"object": "list", "data": [], "has_more": False, "last_id": None} == (
        await AdminPlane().ask("keys")
    ).json()


async def test_a_team_lives_as_a_key_does(plane):
    made = (await plane.ask("teams", "POST", body={"name": "t", "tpm": 7})).json()
    changed = (await plane.ask(f"teams/{made['id']}", "PATCH", body={"tpm": None, "rpm": 1})).json()
    deleted = (await plane.ask(f"teams/{made['id']}", "DELETE")).json()
    listed = (await plane.ask("teams")).json()

    assert {**made, "tpm": None, "rpm": 1} == changed
    assert {**changed, "deleted_at": deleted["deleted_at"]} == deleted
    assert ["research"] == [team["name"] for team in listed["data"]]


async def test_the_audit_log_is_told_who_and_from_where(plane):
    await plane.ask("keys", "POST", body={"name": "new"})
    last = (await plane.ask("audit")).json()["data"][-1]

    assert ("admin", "198.51.100.7", "key.create") == (
        last["actor"],
        last["address"],
        last["action"],
    )


# --- money ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "nano"),
    [
        ("25", 25_000_000_000),
        ("0.1", 100_000_000),
        ("0.000000001", 1),
        ("1e-9", 1),
        ("2.5E-6", 2500),
        ("999999999.123456789", 999_999_999_123_456_789),
        ("1000000000", 1_000_000_000_000_000_000),
        ("1.50000000000000000", 1_500_000_000),
        ("1e3", 1_000_000_000_000),
    ],
)
async def test_money_is_exact_in_and_out(plane, written, nano):
    body = b'{"budget_usd": %s}' % written.encode()
    reply = await plane.ask("keys/key_1", "PATCH", content=body)

    held = plane.desks.held["key_1"].limits.budget_nano
    assert nano == held
    shown = json.loads(reply.content, parse_float=Decimal)["budget_usd"]
    assert Decimal(nano).scaleb(-9) == Decimal(shown)


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("0", "unsupported_value"),
        ("-1", "unsupported_value"),
        ("0.0000000001", "unsupported_value"),
        ("1.0000000000000000000000000000000000000001", "unsupported_value"),
        ("1000000000.000000001", "unsupported_value"),
        ("1e999999999", "unsupported_value"),
        ("1e-999999999", "unsupported_value"),
        ("9" * 4000, "unsupported_value"),
        ('"25"', "invalid_type"),
        ("true", "invalid_type"),
        ("[]", "invalid_type"),
        ("NaN", "invalid_json"),
        ("Infinity", "invalid_json"),
        ("9" * 5000, "invalid_json"),
    ],
)
async def test_an_amount_that_cannot_be_is_refused(plane, written, code):
    body = b'{"budget_usd": %s}' % written.encode()
    reply = await plane.ask("keys/key_1", "PATCH", content=body)

    assert (400, code) == (reply.status_code, reply.json()["error"]["code"])
    assert Limits(600, budget_nano=25_000_000_001, budget_period="month") == (
        plane.desks.held["key_1"].limits
    )


# --- what is refused ------------------------------------------------------------------------------------------------

LONG = "x" * 101


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        pytest.param({}, "missing_required_parameter", "name", id="no name"),
        pytest.param({"name": None}, "invalid_type", "name", id="a null name"),
        pytest.param({"name": 5}, "invalid_type", "name", id="a name that is a number"),
        pytest.param({"name": ""}, "unsupported_value", "name", id="an empty name"),
        pytest.param({"name": LONG}, "unsupported_value", "name", id="a name too long"),
        pytest.param({"name": "a\0b"}, "unsupported_value", "name", id="a NUL in a name"),
        pytest.param({"name": "a\nb"}, "unsupported_value", "name", id="a line break in a name"),
        pytest.param({"name": " a"}, "unsupported_value", "name", id="a blank before a name"),
        pytest.param({"name": "a", "rpm": "5"}, "invalid_type", "rpm", id="a number as text"),
        pytest.param({"name": "a", "rpm": True}, "invalid_type", "rpm", id="true for a number"),
        pytest.param({"name": "a", "rpm": 1.5}, "invalid_type", "rpm", id="a fraction"),
        pytest.param({"name": "a", "rpm": 0}, "unsupported_value", "rpm", id="nought"),
        pytest.param({"name": "a", "tpm": -1}, "unsupported_value", "tpm", id="less than nought"),
        pytest.param({"name": "a", "tpm": 2**63}, "unsupported_value", "tpm", id="too large"),
        pytest.param({"name": "a", "tpm": 10**400}, "unsupported_value", "tpm", id="far too large"),
        pytest.param({"name": "a", "models": "x"}, "invalid_type", "models", id="text for a list"),
        pytest.param({"name": "a", "models": [1]}, "invalid_type", "models[0]", id="a number in a list"),
        pytest.param({"name": "a", "models": [""]}, "unsupported_value", "models[0]", id="an empty pattern"),
        pytest.param({"name": "a", "models": ["x"] * 101}, "unsupported_value", "models", id="too many patterns"),
        pytest.param({"name": "a", "labels": []}, "invalid_type", "labels", id="a list for labels"),
        pytest.param({"name": "a", "labels": {"x": 1}}, "invalid_type", "labels.x", id="a label's number"),
        pytest.param({"name": "a", "labels": {"": "y"}}, "unsupported_value", "labels.", id="a label without a name"),
        pytest.param({"name": "a", "budget_period": "year"}, "unsupported_value", "budget_period", id="no such period"),
        pytest.param({"name": "a", "resources": "mine"}, "unsupported_value", "resources", id="no such resources"),
        pytest.param({"name": "a", "native": ["own"]}, "unsupported_value", "native[0]", id="no such class"),
        pytest.param({"name": "a", "expires_at": 5}, "invalid_type", "expires_at", id="seconds for a time"),
        pytest.param({"name": "a", "expires_at": "soon"}, "unsupported_value", "expires_at", id="no time"),
        pytest.param({"name": "a", "expires_at": "9999-01-01"}, "unsupported_value", "expires_at", id="too late"),
        pytest.param({"name": "a", "expires_at": "1969-01-01"}, "unsupported_value", "expires_at", id="before 1970"),
        pytest.param({"name": "a", "team": "none"}, "unsupported_value", "team", id="no such team"),
        pytest.param({"name": "ci"}, "name_taken", "name", id="a name that is taken"),
        pytest.param([], "invalid_type", None, id="a list for a body"),
        pytest.param("text", "invalid_type", None, id="a text for a body"),
        pytest.param(5, "invalid_type", None, id="a number for a body"),
    ],
)  # fmt: skip
async def test_a_wrong_body_gets_a_400_that_names_the_field(plane, body, code, param):
    before = plane.desks.snapshot()
    reply = await plane.ask("keys", "POST", body=body)

    error = reply.json()["error"]
    assert (400, code, param) == (reply.status_code, error["code"], error["param"])
    assert error["message"]
    assert before == plane.desks.snapshot()


@pytest.mark.parametrize("path", ["keys", "teams"])
@pytest.mark.parametrize(
    "field",
    ["id", "key", "digest", "prefix", "created_at", "revoked_at", "source", "role", "admin", "version", "budget_nano",
     "team_id", "object", "__class__", "Name", "name ", "is_admin", "scopes", "key_id", "deleted_at"],
)  # fmt: skip
async def test_s14_nothing_else_can_be_set(plane, path, field):
    before = plane.desks.snapshot()
    made = await plane.ask(path, "POST", body={"name": "new", field: "x"})
    changed = await plane.ask(f"{path}/{path[:-1]}_1", "PATCH", body={field: "x"})

    for reply in (made, changed):
        error = reply.json()["error"]
        assert (400, "unknown_parameter", field) == (
            reply.status_code,
            error["code"],
            error["param"],
        )
        assert "budget_usd" in error["message"]  # what it does take
    assert before == plane.desks.snapshot()


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        pytest.param(b"{", 400, "invalid_json", id="cut"),
        pytest.param(b"", 400, "invalid_json", id="empty"),
        pytest.param(b"\xff", 400, "invalid_json", id="no UTF-8"),
        pytest.param(b'{"name": "a", "name": "b"}', 400, "invalid_json", id="a member twice"),
        pytest.param(b'{"name": "a", "labels": {"x": "1", "x": "2"}}', 400, "invalid_json", id="twice below"),
        pytest.param(b"[" * 20_000, 400, "invalid_json", id="deep"),
        pytest.param(b'{"name": ' + b"[" * 200 + b"]" * 200 + b"}", 400, "invalid_type", id="deeper than any field"),
        pytest.param(b'{"a":' * 2000 + b"1" + b"}" * 2000, 400, "invalid_json", id="deep and whole"),
        pytest.param(b'{"name": "\\ud800"}', 400, "invalid_json", id="half a character"),
        pytest.param(b'{"name": "' + b"x" * 70_000 + b'"}', 413, "request_too_large", id="large"),
        pytest.param(b'{"name": "a"} {}', 400, "invalid_json", id="more behind it"),
    ],
)  # fmt: skip
async def test_a_body_that_is_no_json_of_ours_is_refused(plane, content, status, code):
    before = plane.desks.snapshot()
    reply = await plane.ask("keys", "POST", content=content)

    assert (status, code) == (reply.status_code, reply.json()["error"]["code"])
    assert before == plane.desks.snapshot()


async def test_another_media_type_is_415(plane):
    reply = await plane.ask(
        "keys", "POST", content=b"name=a", headers={"content-type": "text/plain"}
    )

    assert (415, "unsupported_media_type") == (reply.status_code, reply.json()["error"]["code"])


async def test_without_a_content_type_it_is_json(plane):
    reply = await plane.ask(
        "keys", "POST", content=b'{"name": "a"}', headers={"content-type": "application/json; x=y"}
    )

    assert 201 == reply.status_code


@pytest.mark.parametrize("path", ["keys/key_1", "teams/team_1"])
async def test_an_empty_change_is_a_mistake(plane, path):
    reply = await plane.ask(path, "PATCH", body={})

    assert (400, "missing_required_parameter") == (
        reply.status_code,
        reply.json()["error"]["code"],
    )


async def test_no_message_repeats_what_may_be_a_secret(plane):
    bodies = [
        {"name": VIRTUAL * 10},
        {"name": [VIRTUAL]},
        {VIRTUAL: 1},
        {"name": "a", "expires_at": VIRTUAL},
        {"name": "a", "resources": VIRTUAL},
        {"name": "a", "labels": {VIRTUAL: 1}},
    ]
    for body in bodies:
        reply = await plane.ask("keys", "POST", body=body)

        assert 400 == reply.status_code
        assert VIRTUAL[6:] not in reply.text


@pytest.mark.parametrize(
    ("path", "param"),
    [
        ("keys?limit=0", "limit"),
        ("keys?limit=101", "limit"),
        ("keys?limit=x", "limit"),
        ("keys?limit=1.5", "limit"),
        ("keys?limit=", "limit"),
        ("keys?limit=99999999999999999999999", "limit"),
        ("keys?Limit=5", "Limit"),
        ("keys?page=2", "page"),
        ("keys?after=%00", "after"),
        ("keys?team=%00", "team"),
        ("usage?group_by=colour", "group_by[0]"),
        ("usage?group_by=key,colour", "group_by[1]"),
        ("usage?group_by=", "group_by[0]"),
        ("usage?group_by=key,key", "group_by"),
        ("usage?since=yesterday", "since"),
        ("usage?until=2026-13-01", "until"),
        ("usage?since=2026-02-01&until=2026-01-01", "until"),
        ("usage?format=xml", "format"),
        ("usage?after=-1", "after"),
        ("usage?after=9999999999999999999", "after"),
        ("usage?keys=x", "keys"),
        ("records?outcome=fine", "outcome"),
        ("records?format=csv", "format"),
        ("limits?scope=all", "scope"),
        ("audit?after=x", "after"),
        ("audit?after=99999999999999999999", "after"),
        ("prices?upstream=x", "upstream"),
        ("keys/a%20b", "id"),
        ("keys/" + "x" * 65, "id"),
        ("teams/..", None),
    ],
)
async def test_a_wrong_query_or_id_names_its_parameter(plane, path, param):
    reply = await plane.ask(path)

    error = reply.json()["error"]
    assert (param, {"message", "type", "param", "code"}) == (error["param"], set(error))
    assert reply.status_code == (404 if param is None else 400)


HOSTILE = [
    "' OR 1=1 --",
    '"; DROP TABLE keys; --',
    "%' --",
    "\\",
    "%",
    "_",
    "${x}",
    "{{7*7}}",
    "<b>",
]


@pytest.mark.parametrize("text", HOSTILE)
async def test_s17_hostile_texts_are_texts(plane, text):
    body = {"name": text, "models": [text], "labels": {text: text}}
    made = await plane.ask("keys", "POST", body=body)

    assert 201 == made.status_code
    assert body == {name: made.json()[name] for name in body}


@pytest.mark.parametrize("path", ["keys", "usage", "records", "limits", "teams", "prices", "audit"])
@pytest.mark.parametrize("text", HOSTILE)
async def test_s17_hostile_queries_find_nothing_or_are_refused(plane, path, text):
    for name in ("after", "team", "key", "model", "upstream", "since", "limit"):
        reply = await plane.ask(f"{path}?{name}={text.replace('%', '%25')}")

        assert reply.status_code in (200, 400, 404)


# --- the ledger -----------------------------------------------------------------------------------------------------

HOUR = 1_789_999_200_000


async def test_usage_is_summed_by_what_is_asked_for(plane):
    plane.desks.sums = [sums_of("key_1", "gpt-4o", HOUR), sums_of("gone", "gpt-4o", HOUR)]
    path = "usage?group_by=key,model&group_by=hour&since=2026-01-01&until=2027-01-01T00:00:00Z&team=research&upstream=u"
    reply = (await plane.ask(path)).json()

    assert {
        "key": "ci",
        "key_id": "key_1",
        "model": "gpt-4o",
        "hour": "2026-09-21T14:00:00.000Z",
        "requests": 1,
        "input_tokens": 10,
        "output_tokens": 20,
        "cost_usd": 0.0000025,
        "unpriced_requests": 0,
        "estimated_requests": 0,
    } == reply["data"][0]
    assert "gone" == reply["data"][1]["key"]
    asked = plane.desks.asked[0]
    assert (("key", "model", "hour"), "team_1", "u") == (
        asked["group_by"],
        asked["team_id"],
        asked["upstream"],
    )
    assert (1_767_225_600_000, 1_798_761_600_000) == (asked["since_ms"], asked["until_ms"])
    assert 1 == plane.desks.flushed


async def test_money_is_written_without_an_exponent(plane):
    plane.desks.sums = [sums_of(cost_nano=1)]

    assert b'"cost_usd":0.000000001,' in (await plane.ask("usage")).content


async def test_usage_is_paged(plane):
    plane.desks.sums = [sums_of(f"m{n:03}") for n in range(5)]
    seen, after = [], ""
    while True:
        page = (await plane.ask(f"usage?group_by=model&limit=2{after}")).json()
        seen += [row["model"] for row in page["data"]]
        if not page["has_more"]:
            break
        after = f"&after={page['last_id']}"

    assert [f"m{n:03}" for n in range(5)] == seen


async def test_csv_has_every_row_and_asks_for_bounded_pages(plane):
    plane.desks.sums = [sums_of("key_1", f"m{n:03}") for n in range(250)]
    reply = await plane.ask("usage?group_by=key,model&format=csv")
    rows = list(csv.DictReader(io.StringIO(reply.text)))

    assert "text/csv; charset=utf-8" == reply.headers["content-type"]
    assert [f"m{n:03}" for n in range(250)] == [row["model"] for row in rows]
    assert {"ci"} == {row["key"] for row in rows}
    assert "0.0000025" == rows[0]["cost_usd"]
    assert [(0, 100), (100, 100), (200, 100)] == [
        (asked["after"], asked["limit"]) for asked in plane.desks.asked
    ]
    assert {(0, 3_600_000)} == {
        (asked["since_ms"], asked["until_ms"]) for asked in plane.desks.asked[1:]
    }
    assert ["key_1"] == plane.desks.looked_up  # a name is looked up once


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t=", " ="])
async def test_no_cell_of_a_csv_is_a_formula(plane, sign):
    plane.desks.sums = [sums_of(f"{sign}1+cmd|' /C calc'!A0")]
    reply = await plane.ask("usage?group_by=model&format=csv")
    (row,) = csv.DictReader(io.StringIO(reply.text))

    assert row["model"].startswith("'")


async def test_a_database_that_is_gone_is_said_before_a_csv_begins(plane):
    plane.desks.is_down = True
    reply = await plane.ask("usage?format=csv")

    assert (503, "ledger_unavailable") == (reply.status_code, reply.json()["error"]["code"])


async def test_records_come_newest_first_and_are_paged(plane):
    plane.desks.records = [replace(RECORD, id=f"req_{n}") for n in range(5)]
    first = (await plane.ask("records?limit=3&outcome=complete&key=key_1")).json()
    rest = (await plane.ask(f"records?limit=3&after={first['last_id']}")).json()

    assert ["req_4", "req_3", "req_2"] == [row["id"] for row in first["data"]]
    assert ["req_1", "req_0"] == [row["id"] for row in rest["data"]]
    assert ("complete", "key_1") == (
        plane.desks.asked[0]["outcome"],
        plane.desks.asked[0]["key_id"],
    )


async def test_a_record_is_shown_in_seconds_dollars_and_names(plane):
    (row,) = (await plane.ask("records")).json()["data"]

    wanted = ("ci", "research", "2026-09-21T14:13:20.123Z", 1.5, 0.25, 0.0000025)
    names = ("key", "team", "created_at", "duration_seconds", "ttft_seconds", "cost_usd")
    assert wanted == tuple(row[name] for name in names)


# --- where things stand ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scope", "owner"), [("key", "key_1"), ("team", "team_1")])
async def test_limits_stand_by_name_in_their_units(plane, scope, owner):
    nobody = Scope("key", "", "")
    plane.desks.standings = (
        Standing(nobody, "rpm", 7, 2, 600, 1_790_000_060.5),
        Standing(nobody, "budget_usd", 26_000_000_000, 0, 25_000_000_001, None),
    )
    (row,) = (await plane.ask(f"limits?scope={scope}")).json()["data"]

    assert (scope, owner) == (row["scope"], row["id"])
    assert row["limits"] == {
        "rpm": {
            "limit": 600,
            "used": 7,
            "remaining": 593,
            "reset_at": "2026-09-21T14:14:20.500Z",
        },
        "budget_usd": {"limit": 25.000000001, "used": 26, "remaining": 0, "reset_at": None},
    }


async def test_a_revoked_key_has_no_limits(plane):
    await plane.ask("keys/key_1", "DELETE")
    page = (await plane.ask("limits")).json()

    assert ([], "key_1") == (page["data"], page["last_id"])


async def test_prices_are_shown_as_they_are_configured_and_paged(plane):
    plane.desks.prices.append(("local/*", Price(request=1_000_000)))
    first = (await plane.ask("prices?limit=1")).json()
    rest = (await plane.ask(f"prices?limit=1&after={first['last_id']}")).json()

    assert (2.5, 10, 1.25, 0) == (
        first["data"][0]["input_usd_per_million"],
        first["data"][0]["output_usd_per_million"],
        first["data"][0]["cached_input_usd_per_million"],
        first["data"][0]["usd_per_request"],
    )
    assert (True, False, "local/*", 0.000001) == (
        first["has_more"],
        rest["has_more"],
        rest["data"][0]["id"],
        rest["data"][0]["usd_per_request"],
    )


async def test_the_audit_log_is_listed_and_verified(plane):
    (row,) = (await plane.ask("audit")).json()["data"]
    verdict = (await plane.ask("audit/verify")).json()

    assert ("1", None, {"name": "n"}) == (row["id"], row["before"], row["after"])
    assert (True, 3) == (verdict["ok"], verdict["rows"])


async def test_a_row_that_was_tampered_with_is_shown_all_the_same(plane):
    plane.desks.changes = [FakeChange(1, "admin", "", "key.change", "key_1", before="{", after="5")]
    (row,) = (await plane.ask("audit")).json()["data"]

    assert ("{", 5) == (row["before"], row["after"])


@pytest.mark.parametrize(
    ("path", "method", "body", "model"),
    [
        ("keys", "POST", {"name": "new"}, replies.NewKey),
        ("keys", "GET", None, replies.KeyPage),
        ("keys/key_1", "GET", None, replies.KeyObject),
        ("keys/key_1", "PATCH", {"rpm": 1}, replies.KeyObject),
        ("keys/key_1", "DELETE", None, replies.KeyObject),
        ("keys/key_1/rotate", "POST", {}, replies.NewKey),
        ("teams", "POST", {"name": "new"}, replies.TeamObject),
        ("teams", "GET", None, replies.TeamPage),
        ("teams/team_1", "GET", None, replies.TeamObject),
        ("teams/team_1", "PATCH", {"rpm": 1}, replies.TeamObject),
        ("teams/team_1", "DELETE", None, replies.TeamObject),
        ("usage?group_by=team,day", "GET", None, replies.UsagePage),
        ("records", "GET", None, replies.RecordPage),
        ("limits", "GET", None, replies.LimitsPage),
        ("prices", "GET", None, replies.PricePage),
        ("audit", "GET", None, replies.AuditPage),
        ("audit/verify", "GET", None, replies.AuditVerdict),
    ],
)
async def test_every_answer_is_as_the_documentation_says(plane, path, method, body, model):
    plane.desks.sums = [sums_of("team_1", HOUR)]
    plane.desks.standings = (Standing(Scope("key", "", ""), "rpm", 7, 2, 600, None),)
    reply = await plane.ask(path, method, body=body)

    assert reply.is_success
    model.model_validate_json(reply.content)


# --- around it ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "method", "key", "status"),
    [
        ("keys", "GET", ADMIN, 200),
        ("keys", "GET", None, 401),
        ("keys", "POST", VIEWER, 403),
        ("keys/none", "GET", ADMIN, 404),
        ("nowhere", "GET", ADMIN, 404),
        ("/admin", "GET", ADMIN, 404),
        ("/admin/v2/keys", "GET", ADMIN, 404),
        ("keys", "PUT", ADMIN, 405),
        ("keys?x=1", "GET", ADMIN, 400),
    ],
)
async def test_every_reply_has_an_id_the_envelope_and_is_not_kept(plane, path, method, key, status):
    reply = await plane.ask(path, method, key=key)

    assert status == reply.status_code
    assert "no-store" == reply.headers["cache-control"]
    assert reply.headers["x-request-id"].startswith("req_")
    assert status == 200 or set(reply.json()["error"]) == {"message", "type", "param", "code"}


async def test_a_wrong_method_names_the_right_ones(plane):
    reply = await plane.ask("keys", "PUT")

    assert {"GET", "POST"} == set(reply.headers["allow"].split(", "))


async def test_a_defect_of_ours_has_the_envelope_and_is_not_kept(plane):
    plane.desks.records = [None]
    reply = await plane.ask("records")

    assert (500, "internal_error") == (reply.status_code, reply.json()["error"]["code"])
    assert "no-store" == reply.headers["cache-control"]


async def test_a_database_that_is_gone_is_503_everywhere(plane):
    plane.desks.is_down = True
    for path, method in [("keys", "GET"), ("keys/key_1", "DELETE"), ("records", "GET")]:
        reply = await plane.ask(path, method)

        assert (503, "ledger_unavailable") == (reply.status_code, reply.json()["error"]["code"])


async def test_the_page_of_docs_describes_it_beside_v1(plane):
    schema = (await plane.ask("/openapi.json")).json()

    assert {"/v1/models", "/admin/v1/keys", "/admin/v1/usage", "/healthz"} <= set(schema["paths"])
    assert {"AdminKey", "HTTPBearer"} == set(schema["components"]["securitySchemes"])
    keys = schema["paths"]["/admin/v1/keys"]
    assert [{"AdminKey": []}] == keys["post"]["security"]
    body = schema["components"]["schemas"]["KeyCreate"]
    assert (False, ["name"]) == (body["additionalProperties"], body["required"])
    assert {"limit", "after", "team"} == {row["name"] for row in keys["get"]["parameters"]}
    assert "HTTPValidationError" not in json.dumps(schema["paths"]["/admin/v1/keys"])
