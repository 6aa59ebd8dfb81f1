"""`mindgate keys` and `teams`: what is asked of the admin API, and what a person and a script get to see."""

import json

import pytest

from tests.cli.fake_admin_api import KEY, error

SECRET = "sk-mg-0123456789abcdef"
NEW = {**KEY, "key": SECRET}
REVOKED = {**KEY, "id": "key_2", "name": "old", "revoked_at": "2026-02-01T00:00:00.000Z"}
TEAM = {
    name: KEY[name] for name in KEY if name not in ("team", "prefix", "resources", "native")
} | {
    "id": "team_1",
    "name": "research",
}


def test_a_new_key_is_alone_on_standard_output_and_the_advice_beside_it(api, command):
    api.answers["POST /keys"] = (201, NEW)

    made = command("keys", "create", "ci")

    assert made.exit_code == 0
    assert made.stdout == f"{SECRET}\n"
    assert "shown this once" in made.stderr
    assert SECRET not in made.stderr


def test_every_option_of_a_key_is_the_field_of_that_name(api, command):
    api.answers["POST /keys"] = (201, NEW)

    command(
        *("keys", "create", "ci", "--team", "research", "--models", "fast", "--models", "a/*"),
        *("--rpm", "60", "--tpm", "1000", "--concurrency", "2", "--budget-usd", "0.5"),
        *("--budget-tokens", "9", "--budget-period", "week", "--max-tokens", "100"),
        *("--expires-at", "2030-01-31", "--resources", "all", "--native", "use"),
        *("--native", "read", "--labels", "site=berlin", "--labels", "a=b=c"),
    )

    assert api.asked[0].body == {
        "name": "ci",
        "team": "research",
        "models": ["fast", "a/*"],
        "rpm": 60,
        "tpm": 1000,
        "concurrency": 2,
        "budget_usd": 0.5,
        "budget_tokens": 9,
        "budget_period": "week",
        "max_tokens": 100,
        "expires_at": "2030-01-31T00:00:00Z",
        "resources": "all",
        "native": ["use", "read"],
        "labels": {"site": "berlin", "a": "b=c"},
    }


def test_a_name_alone_says_nothing_else(api, command):
    api.answers["POST /keys"] = (201, NEW)

    command("keys", "create", "ci")

    assert api.asked[0].body == {"name": "ci"}


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        pytest.param("POST /keys", ("keys", "create", "ci"), id="create"),
        pytest.param("GET /keys/key_1", ("keys", "show", "key_1"), id="show"),
        pytest.param("PATCH /keys/key_1", ("keys", "change", "key_1", "--rpm", "1"), id="change"),
        pytest.param("DELETE /keys/key_1", ("keys", "revoke", "key_1"), id="revoke"),
        pytest.param("POST /keys/key_1/rotate", ("keys", "rotate", "key_1"), id="rotate"),
        pytest.param("POST /teams", ("teams", "create", "research"), id="create a team"),
        pytest.param("GET /teams/t", ("teams", "show", "t"), id="show a team"),
        pytest.param("PATCH /teams/t", ("teams", "change", "t", "--rpm", "1"), id="change a team"),
        pytest.param("DELETE /teams/t", ("teams", "delete", "t"), id="delete a team"),
    ],
)
def test_json_is_the_apis_own_text(api, command, path, arguments):
    text = b'{"id":"key_1", "name":"Zo\xc3\xab", "budget_usd":0.000000001,"key":"k"}'
    api.answers[path] = (200, text)

    shown = command(*arguments, "--json")

    assert shown.exit_code == 0, shown.stderr
    assert shown.stdout.encode() == text + b"\n"


def test_a_key_is_a_card(api, command):
    api.answers["GET /keys/key_1"] = (200, KEY)

    lines = [
        line.split(maxsplit=1) for line in command("keys", "show", "key_1").stdout.splitlines()
    ]
    shown = {name: value.strip() for name, value in lines}

    assert shown["name"] == "ci"
    assert shown["state"] == "active"
    assert shown["models"] == "fast, openmind/*"
    assert shown["tpm"] == "200,000"
    assert shown["budget"] == "$25.00 a month"
    assert shown["labels"] == "site=berlin"
    assert shown["created"].startswith("2026-01-31 12:00 (")
    assert "expires" not in shown


def test_keys_are_a_table_of_all_pages_without_colour_when_piped(api, command):
    api.lists["/keys"] = [KEY, REVOKED, {**KEY, "id": "key_3", "name": "\x1b[31mred"}]
    api.page = 2

    shown = command("keys", "list", "--team", "research")
    lines = shown.stdout.splitlines()

    assert [query.query.get("team") for query in api.asked] == ["research", "research"]
    assert "\x1b" not in shown.stdout
    assert lines[0].split()[:3] == ["name", "id", "prefix"]
    [ci] = [line for line in lines if line.startswith("ci ")]
    [old] = [line for line in lines if line.startswith("old ")]
    assert "$25.00 a month" in ci
    assert ci.rstrip().endswith("active")
    assert old.rstrip().endswith("revoked")
    assert "\\x1b[31mred" in shown.stdout


def test_keys_as_json_are_one_list(api, command):
    api.lists["/keys"] = [KEY, REVOKED]
    api.page = 1

    found = json.loads(command("keys", "list", "--json").stdout)

    assert found == {"object": "list", "data": [KEY, REVOKED], "has_more": False, "last_id": "1"}


def test_without_keys_the_first_step_is_told(api, command):
    api.lists["/keys"] = []

    assert command("keys", "list").stdout == "There is no key yet: mindgate keys create NAME\n"


def test_a_change_holds_what_was_said_and_clears_what_was_named(api, command):
    api.answers["PATCH /keys/key_1"] = (200, KEY)

    changed = command(
        *("keys", "change", "key_1", "--name", "new", "--rpm", "5"),
        *("--clear", "expires-at", "--clear", "models"),
    )

    assert changed.exit_code == 0
    assert api.asked[0].body == {"name": "new", "rpm": 5, "expires_at": None, "models": None}


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("90", 90), ("24h", 86400)], ids=["at once", "bare", "a unit"]
)
def test_rotation_says_how_long_the_old_key_is_good(api, command, text, seconds):
    api.answers["POST /keys/key_1/rotate"] = (200, NEW)

    rotated = command("keys", "rotate", "key_1", "--grace-seconds", text)

    assert rotated.stdout == f"{SECRET}\n"
    assert api.asked[0].body == {"grace_seconds": seconds}


def test_teams_are_a_table(api, command):
    api.lists["/teams"] = [TEAM]

    lines = command("teams", "list").stdout.splitlines()

    assert lines[0].split()[:3] == ["name", "id", "models"]
    assert lines[-1].split()[:2] == ["research", "team_1"]


def test_a_team_takes_limits_models_and_labels(api, command):
    api.answers["POST /teams"] = (201, TEAM)

    made = command(
        "teams", "create", "research", "--rpm", "9", "--models", "fast", "--labels", "a=b"
    )

    assert api.asked[0].body == {
        "name": "research",
        "rpm": 9,
        "models": ["fast"],
        "labels": {"a": "b"},
    }
    assert "research" in made.stdout


def test_a_refusal_is_the_apis_message_on_one_line_and_exit_1(api, command):
    api.answers["PATCH /keys/key_1"] = (400, error("`rpm` is above\nthe team's 5."))

    refused = command("keys", "change", "key_1", "--rpm", "9")

    assert refused.exit_code == 1
    assert refused.stdout == ""
    assert refused.stderr == "mindgate: `rpm` is above the team's 5.\n"


def test_an_unknown_id_is_exit_1(command):
    refused = command("keys", "show", "key_9")

    assert (1, "mindgate: There is no such object.\n") == (refused.exit_code, refused.stderr)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("keys", "create"), id="no name"),
        pytest.param(("keys", "create", "ci", "--rpm", "many"), id="no number"),
        pytest.param(("keys", "create", "ci", "--budget-usd", "nan"), id="no amount"),
        pytest.param(("keys", "create", "ci", "--budget-period", "year"), id="no period"),
        pytest.param(("keys", "create", "ci", "--expires-at", "soon"), id="no time"),
        pytest.param(("keys", "create", "ci", "--labels", "site"), id="no label"),
        pytest.param(("keys", "create", "ci", "--native", "all"), id="no class"),
        pytest.param(("keys", "change", "key_1"), id="nothing to change"),
        pytest.param(("keys", "change", "key_1", "--clear", "name"), id="a name cannot go"),
        pytest.param(("teams", "change", "t", "--clear", "team"), id="a team has no team"),
        pytest.param(("keys", "rotate", "key_1", "--grace-seconds", "long"), id="no duration"),
        pytest.param(("keys", "nothing"), id="no command"),
    ],
)
def test_what_cannot_be_meant_is_exit_2_and_asks_nobody(api, command, arguments):
    refused = command(*arguments)

    assert (2, "") == (refused.exit_code, refused.stdout)
    assert api.asked == []
