"""What the official Node SDK does beside chat, at 4minds and OpenMind through the gateway."""

from typing import Any

import pytest
import pytest_asyncio

from tests.fakes.gateways import KEY, RunningGateway
from tests.journeys import node_sdk

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

GONE = {"name": "NotFoundError", "status": 404, "code": "not_found"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def journeys(shared_demo: RunningGateway) -> dict[str, dict[str, Any]]:
    """What one process found, by name."""
    node_sdk.install()
    rows = await node_sdk.run("resources.mjs", {"root": shared_demo.root, "key": KEY})
    return {row["name"]: row for row in rows}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param(
            "files",
            {"filename": "äö.jsonl", "bytes": 16, "listed": True, "deleted": True, "again": GONE},
            id="a file is uploaded in chunks, file first, found, listed and deleted",
        ),
        pytest.param("field", "From Node", id="the field 4minds arrives though Node flattens it"),
        pytest.param(
            "jobs",
            {
                "status": "succeeded",
                "listed": True,
                "cancelled": "cancelled",
                "said": "echo: Hello",
                "deleted": True,
            },
            id="a job runs, another is cancelled, the model chats and is deleted",
        ),
        pytest.param(
            "stored",
            {
                "same": True,
                "listed": True,
                "metadata": {"run": "8"},
                "messages": True,
                "deleted": True,
            },
            id="a stored completion is found, changed and deleted",
        ),
        pytest.param(
            "speech", {"type": "audio/wav", "head": "RIFF", "some": True}, id="speech as WAV"
        ),
        pytest.param("transcription", True, id="what was spoken is transcribed"),
    ],
)
async def test_an_sdk_user_sees(
    journeys: dict[str, dict[str, Any]], name: str, expected: Any
) -> None:
    assert journeys[name].get("fault") is None
    assert expected == journeys[name]["found"]
