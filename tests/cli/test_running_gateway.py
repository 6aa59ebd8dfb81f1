"""The commands on a gateway that runs, and on what it left behind: one exchange, seen both ways (architecture 5)."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from app.cli.main import app
from app.domain.configuration import StorageOptions
from app.domain.prices import Price
from tests.fakes.gateways import KEY, RunningGateway, running_demo

ADMIN, VIEWER = "admin-0123456789abcdef", "viewer-0123456789abcdef"
MODEL = "openmind/gpt-4o"
PRICES = {MODEL: Price(input=2_500_000, output=10_000_000)}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest_asyncio.fixture
async def gateway(here: Path) -> AsyncIterator[RunningGateway]:
    """A gateway whose ledger is where a command without `--url` looks for it."""
    keys = {"admin_key": SecretStr(ADMIN), "viewer_key": SecretStr(VIEWER)}
    async with running_demo(storage=storage_in(here), prices=PRICES, **keys) as running:
        yield running


def storage_in(folder: Path) -> StorageOptions:
    """What a configuration in *folder* that says nothing about it has."""
    url = SecretStr("sqlite:///mindgate.db")
    return StorageOptions(url, folder / "journal", folder / "mindgate.pepper")


async def mindgate(*arguments: str, key: str = ADMIN) -> Result:
    """The command, in a thread: the gateway serves in this one."""
    variables = {"MINDS_API_KEY": "up-0123456789abcdef", "MINDGATE_ADMIN_KEY": key}
    return await asyncio.to_thread(CliRunner().invoke, app, arguments, env=variables)


async def exchange(gateway: RunningGateway, key: str) -> httpx2.Response:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}
    headers = {"authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(headers=headers) as client:
        return await client.post(f"{gateway.base_url}/chat/completions", json=body)


def rows(shown: Result) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(shown.stdout)))


async def test_a_key_made_by_a_command_opens_and_what_it_used_is_seen_and_stays(gateway, here):
    url = ("--url", gateway.root)
    made = await mindgate("keys", "create", "ci", "--rpm", "60", "--budget-usd", "1", *url)
    [key] = made.stdout.splitlines()
    served = await exchange(gateway, key)
    assert served.status_code == 200, served.text
    tokens = served.json()["usage"]

    by_key = await mindgate("usage", "--group-by", "key", "--format", "csv", *url)
    [record] = rows(await mindgate("records", "--format", "csv", *url))
    [used] = [row for row in rows(by_key) if row["key"] == "ci"]

    assert used["requests"] == "1"
    assert used["input_tokens"] == str(tokens["prompt_tokens"])
    assert record["id"] == served.headers["x-request-id"]
    assert record["cost_usd"] == used["cost_usd"] != "0"
    left = json.loads((await mindgate("limits", "--json", *url)).stdout)["data"]
    [limits] = [row["limits"] for row in left if row["name"] == "ci"]
    assert limits["budget_usd"]["used"] == float(used["cost_usd"])
    assert "budget_usd" in (await mindgate("limits", *url)).stdout
    prices = await mindgate("prices", *url)
    assert prices.stdout.splitlines()[-1].split() == [MODEL, "$2.50", "$10.00"]


@pytest.mark.parametrize("groups", [["key"], ["model", "team", "day"], []], ids=",".join)
async def test_csv_is_what_the_admin_api_writes(gateway, groups):
    await exchange(gateway, KEY)
    query = {"format": "csv", **({"group_by": ",".join(groups)} if groups else {})}
    headers = {"authorization": f"Bearer {ADMIN}"}
    async with httpx2.AsyncClient(headers=headers) as client:
        said = await client.get(f"{gateway.root}/admin/v1/usage", params=query)

    named = [word for name in groups for word in ("--group-by", name)]
    shown = await mindgate("usage", *named, "--format", "csv", "--url", gateway.root)

    assert said.content == shown.stdout_bytes
    assert len(shown.stdout.splitlines()) == 2


async def test_a_command_beside_the_gateway_reads_and_does_not_write(gateway, here):
    made = await mindgate("keys", "create", "ci", "--url", gateway.root)
    assert made.exit_code == 0, made.stderr

    read = await mindgate("keys", "list")
    refused = await mindgate("keys", "create", "other")

    assert "ci" in read.stdout
    assert refused.exit_code == 1
    assert "--url" in refused.stderr


async def test_a_revoked_key_opens_nothing(gateway):
    url = ("--url", gateway.root)
    made = json.loads((await mindgate("keys", "create", "ci", "--json", *url)).stdout)

    revoked = await mindgate("keys", "revoke", made["id"], *url)

    assert "revoked" in revoked.stdout
    assert (await exchange(gateway, made["key"])).status_code == 401


async def test_the_viewer_key_may_look_and_change_nothing(gateway):
    url = ("--url", gateway.root)

    assert (await mindgate("keys", "list", *url, key=VIEWER)).exit_code == 0
    refused = await mindgate("keys", "create", "ci", *url, key=VIEWER)
    assert refused.exit_code == 1
    assert "viewer key may only read" in refused.stderr


LISTS = [
    ("keys", "list"),
    ("teams", "list"),
    ("usage", "--group-by", "model", "--group-by", "day"),
    ("records",),
    ("audit", "list"),
]


async def test_json_is_what_the_admin_api_says_with_the_url_and_on_the_storage(gateway):
    await mindgate("teams", "create", "research", "--url", gateway.root)
    await exchange(gateway, KEY)
    headers = {"authorization": f"Bearer {ADMIN}"}
    async with httpx2.AsyncClient(headers=headers) as client:
        for arguments in LISTS:
            query = {"group_by": "model,day"} if arguments[0] == "usage" else {}
            url = f"{gateway.root}/admin/v1/{arguments[0]}"
            said = (await client.get(url, params=query)).json()
            assert said["data"], arguments
            for where in (("--url", gateway.root), ()):
                shown = await mindgate(*arguments, "--json", *where)

                assert said == json.loads(shown.stdout), (arguments, where)


async def test_what_a_gateway_kept_is_there_when_it_has_stopped(here):
    before: list[object] = []
    looks = [*LISTS, ("audit", "verify")]
    async with running_demo(storage=storage_in(here), admin_key=SecretStr(ADMIN)) as gateway:
        made = await mindgate("keys", "create", "ci", "--url", gateway.root)
        await exchange(gateway, made.stdout.strip())
        for look in looks:
            shown = await mindgate(*look, "--json", "--url", gateway.root)
            before.append(json.loads(shown.stdout))

    after = [json.loads((await mindgate(*look, "--json")).stdout) for look in looks]
    assert before == after
