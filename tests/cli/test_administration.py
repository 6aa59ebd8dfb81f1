"""The way to the admin API: a running gateway, or the storage itself (architecture 5)."""

import json
import os
import re
import socket
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.api.admin_bodies import KeyChange, KeyCreate, KeyRotate, TeamCreate
from app.cli.admin_options import KeyFields, LimitFields, SharedFields
from app.cli.main import ADMINISTRATION, app
from app.cli.report_commands import Group
from app.domain.outcome import Outcome
from app.storage.lock_file import LockFile
from tests.cli.fake_admin_api import ADMIN_KEY

MINDS = {"MINDS_API_KEY": "up-0123456789abcdef"}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, in which the configured storage would be made."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def mindgate(*arguments: str, **variables: str) -> Result:
    return CliRunner().invoke(app, arguments, env={**MINDS, **variables})


# --- what serving does without --------------------------------------------------------------------------------------


def test_serving_imports_nothing_of_these_commands():
    looked = "import sys, app.cli.main; print([m for m in sys.modules if m.startswith('app.cli.')])"
    ended = subprocess.run(
        [sys.executable, "-c", f"{looked}; print('rich' in sys.modules, 'httpx2' in sys.modules)"],
        env={"PATH": os.defpath, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )

    assert ended.stdout.splitlines() == [
        "['app.cli.presentation', 'app.cli.main']",
        "False False",
    ]


@pytest.mark.parametrize("name", ADMINISTRATION)
def test_every_command_explains_itself(name):
    shown = mindgate(name, "--help")

    assert shown.exit_code == 0
    assert "Usage" in shown.output


# --- the same names (architecture 5) --------------------------------------------------------------------------------


def options(*groups: type) -> set[str]:
    return {field.name for group in groups for field in fields(group)}


def test_the_options_of_a_key_are_the_fields_of_the_admin_api():
    assert options(KeyFields, SharedFields, LimitFields) | {"name"} == set(KeyCreate.model_fields)
    assert set(KeyChange.model_fields) == set(KeyCreate.model_fields)
    assert set(KeyRotate.model_fields) == {"grace_seconds"}


def test_the_options_of_a_team_are_the_fields_of_the_admin_api():
    assert options(SharedFields, LimitFields) | {"name"} == set(TeamCreate.model_fields)


def test_usage_is_grouped_by_what_the_admin_api_groups_by():
    assert [str(one) for one in Group] == ["key", "team", "model", "upstream", "hour", "day"]
    assert "complete" in [str(one) for one in Outcome]  # the example in the help of records


# --- a running gateway ----------------------------------------------------------------------------------------------


def test_a_wrong_admin_key_is_one_line_and_exit_1(api, here):
    api.lists["/keys"] = []

    refused = mindgate("keys", "list", "--url", api.url, "--admin-key", "wrong-0123456789")

    assert (1, "") == (refused.exit_code, refused.stdout)
    assert refused.stderr == (
        "mindgate: This key does not open the admin API. Ask whoever runs this gateway.\n"
    )


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param({"MINDGATE_ADMIN_KEY": ADMIN_KEY}, id="a variable"),
        pytest.param({"MINDGATE_ADMIN_KEY_FILE": "secret"}, id="a file that a variable names"),
    ],
)
def test_the_admin_key_comes_from_the_environment(api, here, variables):
    api.lists["/keys"] = []
    (here / "secret").write_text(ADMIN_KEY)
    (here / "secret").chmod(0o600)

    assert mindgate("keys", "list", "--url", api.url, **variables).exit_code == 0


def test_the_admin_key_comes_from_dotenv(api, here):
    api.lists["/keys"] = []
    (here / ".env").write_text(f"MINDGATE_ADMIN_KEY={ADMIN_KEY}\n")

    assert mindgate("keys", "list", "--url", api.url).exit_code == 0


def test_the_base_url_of_clients_is_an_address_too(api, here):
    api.lists["/keys"] = []

    found = mindgate("keys", "list", "--url", f"{api.url}/v1/", MINDGATE_ADMIN_KEY=ADMIN_KEY)

    assert found.exit_code == 0


@pytest.mark.parametrize(
    ("url", "said"),
    [
        pytest.param("127.0.0.1:8080", "begins with http:// or https://", id="no scheme"),
        pytest.param("ftp://127.0.0.1", "begins with http:// or https://", id="another scheme"),
        pytest.param("http://[::1", "write it as http://HOST:PORT", id="half an address"),
        pytest.param("", "begins with http:// or https://", id="empty"),
    ],
)
def test_what_is_no_address_is_one_line(here, url, said):
    refused = mindgate("keys", "list", "--url", url, MINDGATE_ADMIN_KEY=ADMIN_KEY)

    assert refused.exit_code == 1
    assert len(refused.stderr.splitlines()) == 1
    assert said in refused.stderr


def test_a_gateway_that_is_not_there_is_one_line_without_a_password(here):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    url = f"http://someone:hidden@127.0.0.1:{port}"

    refused = mindgate("keys", "list", "--url", url, MINDGATE_ADMIN_KEY=ADMIN_KEY)

    assert (1, "") == (refused.exit_code, refused.stdout)
    assert refused.stderr == (
        f"mindgate: http://127.0.0.1:{port} cannot be reached; is it running there?\n"
    )


@pytest.mark.parametrize("key", ["", "a\nb", "schlüssel"])
def test_a_gateway_is_not_asked_without_a_key_that_can_be_one(api, here, key):
    refused = mindgate("keys", "list", "--url", api.url, "--admin-key", key)

    assert refused.exit_code == 1
    assert "admin key" in refused.stderr
    assert api.asked == []


def test_what_is_left_of_limits_needs_a_running_gateway(here):
    refused = mindgate("limits")

    assert refused.exit_code == 2
    assert "--url" in refused.stderr
    assert not (here / "mindgate.db").exists()


# --- the storage itself ---------------------------------------------------------------------------------------------


def test_a_key_lives_from_making_to_revoking(here):
    made = mindgate("keys", "create", "ci", "--rpm", "60", "--budget-usd", "0.000000001")
    assert made.exit_code == 0, made.stderr
    [secret] = made.stdout.splitlines()
    [key_id] = re.findall(r"key_\w+", made.stderr)

    listed = json.loads(mindgate("keys", "list", "--json").stdout)["data"]
    assert [(key_id, "ci", 60)] == [(key["id"], key["name"], key["rpm"]) for key in listed]
    assert secret not in json.dumps(listed)
    assert "$0.000000001 in all" in mindgate("keys", "show", key_id).stdout

    changed = mindgate("keys", "change", key_id, "--clear", "rpm", "--tpm", "5", "--json")
    assert [None, 5] == [json.loads(changed.stdout)[name] for name in ("rpm", "tpm")]

    rotated = mindgate("keys", "rotate", key_id, "--grace-seconds", "0")
    assert rotated.stdout.splitlines() != [secret]
    assert len(rotated.stdout.splitlines()) == 1

    assert "revoked" in mindgate("keys", "revoke", key_id).stdout
    assert "There is no key yet" not in mindgate("keys", "list").stdout


def test_a_team_lives_from_making_to_deleting(here):
    made = json.loads(mindgate("teams", "create", "research", "--rpm", "9", "--json").stdout)

    assert "research" in mindgate("keys", "create", "ci", "--team", "research", "--json").stdout
    refused = mindgate("keys", "create", "more", "--team", "research", "--rpm", "10")
    assert refused.exit_code == 1
    assert len(refused.stderr.splitlines()) == 1
    assert "research" in mindgate("teams", "show", "research").stdout
    assert mindgate("teams", "change", made["id"], "--name", "lab").exit_code == 0
    assert mindgate("teams", "delete", made["id"]).exit_code == 1  # it has a key
    assert "lab" in mindgate("teams", "list").stdout


def test_the_audit_log_names_the_command_and_is_whole(here):
    mindgate("keys", "create", "ci", "--rpm", "60")

    assert ["command", "key.create"] == [
        json.loads(mindgate("audit", "list", "--json").stdout)["data"][0][name]
        for name in ("actor", "action")
    ]
    assert mindgate("audit", "verify").stdout == "The audit log is whole: 1 changes.\n"


@pytest.mark.parametrize("command", ["usage", "records", "prices"])
def test_what_is_empty_is_one_line(here, command):
    mindgate("keys", "create", "ci")

    shown = mindgate(command)

    assert (0, 1) == (shown.exit_code, len(shown.stdout.splitlines())), shown.stderr


def test_an_unknown_id_is_exit_1(here):
    mindgate("keys", "create", "ci")

    refused = mindgate("keys", "show", "key_9")

    assert (1, "mindgate: There is no key `key_9`.\n") == (refused.exit_code, refused.stderr)


@pytest.mark.parametrize("arguments", [("keys", "create", "ci"), ("teams", "delete", "t")])
def test_while_a_gateway_has_it_open_a_change_says_how_to_make_it(here, arguments):
    lock = LockFile.take(here / "mindgate.db.lock")
    try:
        refused = mindgate(*arguments)
    finally:
        lock.release(in_order=True)

    assert (1, "") == (refused.exit_code, refused.stdout)
    [line] = refused.stderr.splitlines()
    assert "--url" in line


def test_while_a_gateway_has_it_open_it_can_be_read(here):
    mindgate("keys", "create", "ci")
    lock = LockFile.take(here / "mindgate.db.lock")
    try:
        listed = mindgate("keys", "list")
    finally:
        lock.release(in_order=True)

    assert "ci" in listed.stdout


def test_without_storage_there_is_nothing_to_administer(here):
    (here / "none.yaml").write_text("storage: {url: null}")

    refused = mindgate("keys", "create", "ci", "--config", "none.yaml")

    assert (1, "") == (refused.exit_code, refused.stdout)
    [line] = refused.stderr.splitlines()
    assert "storage.url" in line
    assert "--url" in line


def test_reading_makes_no_storage(here):
    refused = mindgate("keys", "list")

    assert refused.exit_code == 1
    assert len(refused.stderr.splitlines()) == 1
    assert list(here.iterdir()) == []


def test_a_lost_pepper_is_told_and_not_made_anew(here):
    mindgate("keys", "create", "ci")
    (here / "mindgate.pepper").unlink()

    refused = mindgate("audit", "verify")

    assert refused.exit_code == 1
    assert "pepper" in refused.stderr
    assert not (here / "mindgate.pepper").exists()


def test_a_bad_file_is_one_line_and_exit_1(here):
    (here / "bad.yaml").write_text("server: {prot: 8080}")

    refused = mindgate("keys", "list", "--config", "bad.yaml")

    assert refused.exit_code == 1
    assert "server.prot" in refused.stderr
