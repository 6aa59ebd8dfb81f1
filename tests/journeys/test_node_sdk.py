"""Every simulated behaviour of chat and models, as the user of the official Node SDK sees it."""

from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from tests.fakes.gateways import KEY, RunningGateway
from tests.journeys import node_sdk
from tests.journeys.sdk_cases import (
    CALLED,
    MODELS,
    NODE_NAMES,
    TEXT,
    TOOL,
    Case,
    Seen,
    rows,
)
from tests.journeys.sdk_texts import TEXTS

# The first test of a worker may have to wait for npm.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

# By dialect, so that of several workers none runs them all.
ROWS = sorted(rows(), key=lambda row: row[2])
UNKNOWN = {"name": "NotFoundError", "status": 404, "code": "model_not_found"}


@pytest.fixture(scope="module")
def node() -> None:
    """Node with both generations of the SDK at hand."""
    node_sdk.install()


class Chats:
    """What Node saw of the chats with a dialect: one process for each dialect that a worker tests."""

    def __init__(self, gateway: RunningGateway) -> None:
        self._gateway = gateway
        self._seen: dict[str, dict[int, dict[str, Any]]] = {}

    async def seen(self, dialect: str) -> dict[int, dict[str, Any]]:
        """Its rows, by their place in ROWS."""
        if dialect not in self._seen:
            cases = [
                {"place": place, "model": case.model(dialect), "how": how, "asked": case.asked}
                | {"members": case.members}
                for place, (_, case, of_dialect, how) in enumerate(ROWS)
                if of_dialect == dialect
            ]
            given = {"root": self._gateway.root, "key": KEY, "cases": cases}
            printed = await node_sdk.run("chats.mjs", given)
            self._seen[dialect] = {row["place"]: row for row in printed}
        return self._seen[dialect]


@pytest.fixture(scope="module")
def chats(node: None, shared_demo: RunningGateway) -> Chats:
    """All chats, asked for when the first of their dialect is."""
    return Chats(shared_demo)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def journeys(node: None, shared_demo: RunningGateway) -> dict[str, dict[str, Any]]:
    """What one process found on all other journeys, by name."""
    given = {
        "root": shared_demo.root,
        "key": KEY,
        "texts": list(TEXTS.values()),
        "dialects": MODELS,
        "tool": TOOL,
        "call": CALLED[0],
    }
    return {row["name"]: row for row in await node_sdk.run("journeys.mjs", given)}


def found(journeys: dict[str, dict[str, Any]], name: str) -> Any:
    """What the journey *name* found; its stack where it stumbled."""
    assert journeys[name].get("fault") is None
    return journeys[name]["found"]


def failure(name: str, status: int, code: str) -> dict[str, Any]:
    return {"name": name, "status": status, "code": code}


def in_node(seen: Seen) -> Seen:
    """The same with the error class of the Node SDK."""
    if seen.failure is None:
        return seen
    name = NODE_NAMES.get(seen.failure.name, seen.failure.name)
    return replace(seen, failure=replace(seen.failure, name=name))


@pytest.mark.parametrize(
    ("place", "case", "dialect", "how"),
    [
        pytest.param(place, case, dialect, how, id=claim)
        for place, (claim, case, dialect, how) in enumerate(ROWS)
    ],
)
async def test_an_sdk_user_sees(
    chats: Chats, place: int, case: Case, dialect: str, how: str
) -> None:
    row = (await chats.seen(dialect))[place]

    assert row.get("fault") is None
    assert in_node(case.expected(dialect, how)) == Seen.from_json(row["seen"])


async def test_every_listed_model_can_be_asked_for(journeys: dict[str, dict[str, Any]]) -> None:
    models = found(journeys, "models")

    assert {"sales_mind", "org/model:v1", "name with space", "Gemma-12B AWQ"} <= set(
        models["listed"]
    )
    assert models["listed"] == models["retrieved"]


async def test_an_unknown_model_is_not_found(journeys: dict[str, dict[str, Any]]) -> None:
    assert [UNKNOWN] * 5 == found(journeys, "unknown_models")


async def test_models_are_deleted_where_they_may_be(journeys: dict[str, dict[str, Any]]) -> None:
    assert [
        {"id": "org/model:v1", "object": "model", "deleted": True, "again": UNKNOWN},
        {"id": "name with space", "object": "model", "deleted": True, "again": UNKNOWN},
        failure("PermissionDeniedError", 403, "insufficient_permissions"),
        failure("NotFoundError", 404, "unsupported_endpoint"),
    ] == found(journeys, "deletions")


async def test_any_base_url_works(journeys: dict[str, dict[str, Any]]) -> None:
    bases = found(journeys, "base_urls")

    assert 9 == len(bases)
    assert dict.fromkeys(bases, TEXT) == bases


async def test_a_pin_decides(journeys: dict[str, dict[str, Any]]) -> None:
    assert [TEXT, "model_not_found"] == found(journeys, "pins")


async def test_other_carriers_hold_the_key(journeys: dict[str, dict[str, Any]]) -> None:
    assert {"x-api-key": TEXT, "api-key": TEXT} == found(journeys, "carriers")


async def test_a_wrong_key_is_refused(journeys: dict[str, dict[str, Any]]) -> None:
    refused = failure("AuthenticationError", 401, "invalid_api_key")

    assert [refused] * 4 == found(journeys, "wrong_key")


async def test_a_tool_is_called_and_its_result_goes_back(
    journeys: dict[str, dict[str, Any]],
) -> None:
    name, arguments = CALLED[0]
    call = {"name": name, "arguments": arguments}

    assert {
        model: ["tool_calls", call, "echo: So?"] for model in MODELS.values()
    } == found(journeys, "conversations")  # fmt: skip


async def test_conversations_side_by_side_do_not_mix(journeys: dict[str, dict[str, Any]]) -> None:
    assert [
        [f"echo: this is {number} saying {step}" for step in range(3)] for number in range(40)
    ] == found(journeys, "side_by_side")


async def test_text_arrives_as_it_was_sent(journeys: dict[str, dict[str, Any]]) -> None:
    assert [] == found(journeys, "texts")


async def test_half_an_emoji_survives_both_ways(journeys: dict[str, dict[str, Any]]) -> None:
    assert [True, True] == found(journeys, "half_an_emoji")


async def test_every_reply_has_its_id(journeys: dict[str, dict[str, Any]]) -> None:
    assert {
        "same": True,
        "streamed": True,
        "upstream": "openmind",
        "type": "text/event-stream; charset=utf-8",
    } == found(journeys, "ids")


async def test_retries_are_the_sdks_and_are_not_multiplied(
    journeys: dict[str, dict[str, Any]], shared_demo: RunningGateway
) -> None:
    expected: dict[str, tuple[Any, int]] = {
        "status-401": (502, 1),
        "quota": (429, 1),
        "status-409": (400, 1),
        "status-500": (500, 3),
        "status-503": (503, 3),
        "rate-3600": (429, 1),
        "status-500-first-1": (TEXT, 2),
    }
    outcomes = found(journeys, "retries")
    assert shared_demo.simulators is not None
    retried = [seen.json()["model"] for seen in shared_demo.simulators.seen if seen.body]

    assert {
        f"{model}-sim-{words}-burst": (outcome, asked)
        for model in (MODELS["openmind"], MODELS["openai"])
        for words, (outcome, asked) in expected.items()
    } == {
        name: (outcome, retried.count(name.partition("/")[2])) for name, outcome in outcomes.items()
    }


async def test_leaving_a_stream_harms_no_other(journeys: dict[str, dict[str, Any]]) -> None:
    assert [True, TEXT] == found(journeys, "leaving")


async def test_the_lock_names_no_registry() -> None:
    lock = (node_sdk.HOME / "package-lock.json").read_text()

    assert '"resolved"' not in lock
    assert "://" not in lock
    assert 2 == lock.count('"integrity"')
