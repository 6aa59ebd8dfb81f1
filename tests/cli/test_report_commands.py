"""`mindgate usage`, `records`, `limits`, `prices`, `audit`: tables for people, CSV and JSON for scripts."""

import csv
import io
import json

import pytest

from tests.cli.fake_admin_api import error


def used(key: str, requests: int, cost: float) -> dict[str, object]:
    return {
        "key": key,
        "key_id": f"key_{key}",
        "requests": requests,
        "input_tokens": requests * 1000,
        "output_tokens": requests,
        "cost_usd": cost,
        "unpriced_requests": 0,
        "estimated_requests": 1,
    }


def record(number: int, **more: object) -> dict[str, object]:
    return {
        "object": "record",
        "id": f"req_{number}",
        "created_at": "2026-01-31T12:00:00.000Z",
        "key": "ci",
        "key_id": "key_1",
        "team": None,
        "model": "fast",
        "upstream": "openmind",
        "status": 200,
        "outcome": "complete",
        "input_tokens": 1200,
        "output_tokens": 34,
        "cost_usd": 0.0125,
        "duration_seconds": 1.25,
        "ttft_seconds": 0.1,
        **more,
    }


def test_usage_is_a_table_with_a_total(api, command):
    api.lists["/usage"] = [used("ci", 1200, 0.1), used("bob", 1, 0.2)]

    lines = command("usage", "--group-by", "key").stdout.splitlines()
    [ci] = [line.split() for line in lines if line.startswith("ci")]
    [total] = [line.split() for line in lines if line.startswith("total")]

    assert api.asked[0].query["group_by"] == "key"
    assert ci == ["ci", "key_ci", "1,200", "1,200,000", "1,200", "$0.1000", "0", "1"]
    assert total == ["total", "1,201", "1,201,000", "1,201", "$0.3000", "0", "2"]


def test_usage_of_one_group_needs_no_total(api, command):
    api.lists["/usage"] = [used("ci", 5, 1)]

    assert "total" not in command("usage", "--group-by", "key").stdout


def test_usage_takes_several_groups_and_every_filter(api, command):
    api.lists["/usage"] = []

    shown = command(
        *("usage", "--group-by", "key", "--group-by", "day", "--since", "2026-01-01"),
        *("--until", "2026-02-01T12:00:00Z", "--key", "k", "--team", "t"),
        *("--model", "m", "--upstream", "u"),
    )

    assert shown.stdout == "Nothing was used in this time.\n"
    assert api.asked[0].query == {
        "group_by": "key,day",
        "since": "2026-01-01T00:00:00Z",
        "until": "2026-02-01T12:00:00Z",
        "key": "k",
        "team": "t",
        "model": "m",
        "upstream": "u",
        "limit": "100",
    }


def test_usage_as_csv_has_every_page_and_exact_amounts(api, command):
    api.lists["/usage"] = [used("ci", 1, 1e-9), used("=1+1", 2, 0.5), used("x", 3, 2)]
    api.page = 2

    printed = command("usage", "--group-by", "key", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(printed.stdout)))

    assert [row["key"] for row in rows] == ["ci", "'=1+1", "x"]
    assert [row["cost_usd"] for row in rows] == ["0.000000001", "0.5", "2"]
    assert printed.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "head"),
    [
        pytest.param(("usage", "--group-by", "team"), "team,team_id,requests,", id="usage"),
        pytest.param(("usage",), "requests,input_tokens,", id="usage in all"),
        pytest.param(("records",), "object,id,created_at,", id="records"),
    ],
)
def test_csv_without_rows_is_its_head(api, command, arguments, head):
    api.lists["/usage"] = api.lists["/records"] = []

    [line] = command(*arguments, "--format", "csv").stdout.splitlines()

    assert line.startswith(head)


@pytest.mark.parametrize("form", [("--json",), ("--format", "json")], ids=["short", "long"])
def test_usage_as_json_is_the_list(api, command, form):
    api.lists["/usage"] = [used("ci", 1, 0.1)]

    found = json.loads(command("usage", *form).stdout)

    assert found["data"] == api.lists["/usage"]


def test_records_are_the_newest_fifty_unless_more_are_wanted(api, command):
    api.lists["/records"] = [record(n) for n in range(120)]

    assert command("records").stdout.count("req_") == 50
    assert command("records", "--limit", "101").stdout.count("req_") == 101
    assert command("records", "--format", "csv").stdout.count("req_") == 120
    assert len(json.loads(command("records", "--json").stdout)["data"]) == 120


def test_a_record_shows_who_what_and_how_it_ended(api, command):
    api.lists["/records"] = [record(1), record(2, model="\x1b[31m", outcome="upstream_error")]

    shown = command("records", "--outcome", "complete", "--since", "7d").stdout
    [first] = [line for line in shown.splitlines() if "req_1" in line]

    assert api.asked[0].query["outcome"] == "complete"
    assert "\x1b" not in shown
    for part in ("ci", "fast", "openmind", "200", "complete", "1,200", "34", "$0.0125", "1.250"):
        assert part in first.split()


def test_limits_are_a_line_for_each_limit(api, command):
    standing = {"limit": 60, "used": 15, "remaining": 45, "reset_at": None}
    spent = {"limit": 25, "used": 24.5, "remaining": 0.5, "reset_at": "2026-02-01T00:00:00.000Z"}
    limits = {"rpm": standing, "budget_usd": spent}
    api.lists["/limits"] = [{"id": "key_1", "name": "ci", "scope": "key", "limits": limits}]

    lines = command("limits").stdout.splitlines()
    [rpm] = [line.split() for line in lines if "rpm" in line]
    [budget] = [line.split() for line in lines if "budget_usd" in line]

    assert api.asked[0].query["scope"] == "key"
    assert rpm == ["ci", "key_1", "rpm", "60", "15", "45", "███░░░░░░░░░"]
    assert budget[3:7] == ["$25.00", "$24.50", "$0.50", "████████████"]


def test_prices_show_the_kinds_that_there_are(api, command):
    price = {"object": "price", "id": "openmind/gpt-4o", "input_usd_per_million": 2.5}
    others = ("cached_input_usd_per_million", "output_usd_per_million", "usd_per_request")
    more = ("usd_per_audio_second", "usd_per_million_characters")
    api.lists["/prices"] = [{**price, **dict.fromkeys(others, 0), **dict.fromkeys(more, 0)}]

    lines = command("prices").stdout.splitlines()

    assert lines[0].split("  ")[0] == "model"
    assert "a million in" in lines[0]
    assert "a request" not in lines[0]
    assert lines[-1].split() == ["openmind/gpt-4o", "$2.50"]


def change(number: int, before: object, after: object) -> dict[str, object]:
    return {
        "object": "audit_entry",
        "id": str(number),
        "created_at": "2026-01-31T12:00:00.000Z",
        "actor": "command",
        "address": "",
        "action": "key.change",
        "target": "key_1",
        "before": before,
        "after": after,
        "hash": "0",
    }


CHANGES = [
    pytest.param(None, {"name": "ci", "limits": {"rpm": 60}}, "ci", id="a new one is its name"),
    pytest.param({"name": "ci"}, None, "ci", id="a gone one too"),
    pytest.param({"rpm": 60}, {"rpm": 600}, "rpm 60 → 600", id="a field"),
    pytest.param({"limits": {"rpm": 60}}, {"limits": {"rpm": None}}, "rpm 60 → -", id="a limit"),
    pytest.param(
        {"limits": {"budget_nano": None}},
        {"limits": {"budget_nano": 25_500_000_000}},
        "budget_usd - → $25.50",
        id="money",
    ),
    pytest.param({"models": []}, {"models": ["a"]}, 'models - → ["a"]', id="a list"),
    pytest.param(
        {"revoked_at": None},
        {"revoked_at": 86400.5},
        "revoked_at - → 1970-01-02 00:00",
        id="a time",
    ),
    pytest.param(
        {"name": "a", "rpm": 1}, {"name": "b", "rpm": 2}, "name a → b, rpm 1 → 2", id="several"
    ),
    pytest.param(
        {"keys": [{"name": "ci", "created_at": 1.5}]},
        {
            "keys": [{"name": "ci", "created_at": 1.5}, {"name": "ops", "created_at": 1.5}],
            "teams": [{"name": "research", "created_at": 1.5}],
        },
        "keys ci, ops; teams research",
        id="what a start takes over from the configuration is its names",
    ),
    pytest.param({"rpm": 1}, {"rpm": 1, "old": 2}, "old - → 2", id="a field that is new"),
]


@pytest.mark.parametrize(("before", "after", "said"), CHANGES)
def test_the_audit_log_says_what_is_different(api, command, before, after, said):
    api.lists["/audit"] = [change(1, before, after)]

    lines = command("audit", "list").stdout.splitlines()

    assert lines[-1].rstrip().endswith(f"key_1   {said}")


def test_a_whole_audit_log_is_exit_0(api, command):
    api.answers["GET /audit/verify"] = (
        200,
        {"ok": True, "rows": 1234, "first_bad_id": None, "reason": None},
    )

    verified = command("audit", "verify")

    assert (0, "The audit log is whole: 1,234 changes.\n") == (verified.exit_code, verified.stdout)


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["for people", "json"])
def test_an_altered_audit_log_is_exit_1_and_says_where(api, command, form):
    verdict = {"ok": False, "rows": 6, "first_bad_id": "7", "reason": "it was changed"}
    api.answers["GET /audit/verify"] = (200, verdict)

    verified = command("audit", "verify", *form)

    assert verified.exit_code == 1
    assert verified.stderr == "mindgate: the audit log is not whole, at change 7: it was changed\n"
    assert verified.stdout == ("" if not form else f"{json.dumps(verdict)}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("usage", "--group-by", "colour"), id="no group"),
        pytest.param(("usage", "--since", "yesterday"), id="no time"),
        pytest.param(("usage", "--format", "xml"), id="no form"),
        pytest.param(("records", "--limit", "0"), id="no row"),
        pytest.param(("audit", "list", "--limit", "-1"), id="fewer than none"),
    ],
)
def test_what_cannot_be_meant_is_exit_2_and_asks_nobody(api, command, arguments):
    refused = command(*arguments)

    assert (2, "") == (refused.exit_code, refused.stdout)
    assert api.asked == []


def test_a_page_that_fails_in_the_middle_of_csv_is_exit_1(api, command):
    api.answers["GET /records"] = (503, error("The ledger cannot be read now."))

    failed = command("records", "--format", "csv")

    assert (1, "mindgate: The ledger cannot be read now.\n") == (failed.exit_code, failed.stderr)
