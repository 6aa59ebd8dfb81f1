"""4minds in small: models as state (X6), status events, native and bound errors (X8)."""

import pytest

from tests.simulators.raw_client import CHAT, chat_body

MODELS_PATH = "/4minds/v1/models"


async def test_models_are_listed_in_the_seeds_form(ask):
    listed = (await ask("GET", MODELS_PATH)).json()

    assert listed["object"] == "list"
    assert [row["id"] for row in listed["data"]] == [
        "4minds-model-123",
        "4minds-model-456",
        "Gemma-12B AWQ",
    ]
    assert "has_more" not in listed
    assert {row["owned_by"] for row in listed["data"]} == {"simulated"}


async def test_a_name_with_a_blank_is_found_percent_encoded(ask):
    assert (await ask("GET", f"{MODELS_PATH}/Gemma-12B%20AWQ")).json()["id"] == "Gemma-12B AWQ"


async def test_a_deleted_model_is_gone_everywhere(ask):
    deleted = await ask("DELETE", f"{MODELS_PATH}/4minds-model-123")

    assert deleted.json() == {"id": "4minds-model-123", "object": "model", "deleted": True}
    assert (await ask("GET", f"{MODELS_PATH}/4minds-model-123")).status == 404
    assert (await ask("POST", CHAT["4minds"], chat_body("4minds-model-123"))).status == 404
    assert (await ask("DELETE", f"{MODELS_PATH}/4minds-model-123")).status == 404


async def test_a_base_model_cannot_be_deleted(ask):
    assert (await ask("DELETE", f"{MODELS_PATH}/Gemma-12B%20AWQ")).status == 403


async def test_a_delete_that_is_told_to_fail_deletes_nothing(ask):
    path = f"{MODELS_PATH}/4minds-model-123"

    assert (await ask("DELETE", path, headers=[("x-sim", "status=500")])).status == 500
    assert (await ask("GET", path)).status == 200


async def test_errors_have_no_param(chat):
    reply = await chat("4minds", "-nosuch")

    assert reply.status == 404
    assert list(reply.json()["error"]) == ["message", "type", "code"]
    assert reply.json()["error"]["type"] == "invalid_request_error"


async def test_named_status_events_come_before_and_between_chunks(chat):
    reply = await chat("4minds", "-sim-events-1", stream=True)

    assert [chunk.startswith(b"event: agent_status\ndata: ") for chunk in reply.chunks[:4]] == [
        True,
        False,
        True,
        False,
    ]
    assert reply.payloads()[0] == {"type": "status", "stage": "planning", "message": "hop 1"}
    assert reply.text() == "echo: one two"


async def test_bare_status_events_have_no_choices(chat):
    reply = await chat("4minds", "-sim-events-2", stream=True)

    assert b"event:" not in reply.body
    assert ["choices" in one for one in reply.payloads()[:4]] == [False, True, False, True]


async def test_the_status_may_be_a_key_on_a_chunk(chat):
    reply = await chat("4minds", "-sim-events-3", stream=True)

    assert all("agent_status" in one and "choices" in one for one in reply.payloads())


@pytest.mark.parametrize(
    ("suffix", "status"), [("-sim-native", 400), ("-sim-native-status-503", 503)]
)
async def test_native_errors_have_the_native_envelope(chat, suffix, status):
    reply = await chat("4minds", suffix)

    assert reply.status == status
    assert list(reply.json()) == ["status", "message"]


async def test_native_holds_for_a_real_refusal_too(chat):
    reply = await chat("4minds", "-nosuch-sim-native")

    assert (reply.status, reply.json()["status"]) == (404, "error")


async def test_a_bound_key_is_403(chat):
    reply = await chat("4minds", "-sim-bound")

    assert (reply.status, reply.json()["error"]["code"]) == (403, "permission_denied")
