"""The generic dialect: an OpenAI that conforms in everything."""

import pytest

from tests.simulators.raw_client import CHAT, chat_body

MODELS_PATH = "/openai/v1/models"


@pytest.mark.parametrize(
    "path", ["sim-gpt", "org%2Fmodel:v1", "org%2Fmodel%3Av1", "name%20with%20space"]
)
async def test_models_are_found_by_their_encoded_name(ask, path):
    assert (await ask("GET", f"{MODELS_PATH}/{path}")).status == 200


async def test_a_slash_that_was_not_encoded_is_another_path(ask):
    reply = await ask("GET", f"{MODELS_PATH}/org/model:v1")

    assert (reply.status, reply.json()["error"]["code"]) == (404, "unknown_url")


@pytest.mark.parametrize("model", ["sim-gpt", "org/model:v1", "name with space"])
async def test_every_listed_model_chats(ask, model):
    assert (await ask("POST", CHAT["openai"], chat_body(model))).json()["model"] == model


async def test_a_stream_without_usage_has_no_usage_member(chat):
    reply = await chat("openai", stream=True)

    assert all("usage" not in one for one in reply.payloads())
    assert reply.data()[-1] == "[DONE]"


async def test_a_stream_with_usage_has_null_until_the_last_chunk(chat):
    reply = await chat("openai", stream=True, stream_options={"include_usage": True})

    usages = [one["usage"] for one in reply.payloads()]
    assert usages[:-1] == [None] * (len(usages) - 1)
    assert usages[-1] == {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}
    assert reply.payloads()[-1]["choices"] == []


async def test_the_role_comes_first_and_alone(chat):
    deltas = (await chat("openai", stream=True)).deltas()

    assert deltas[0] == {"role": "assistant", "content": ""}
    assert all("role" not in delta for delta in deltas[1:])
    assert deltas[-1] == {}


async def test_stream_options_without_stream_are_400(chat):
    reply = await chat("openai", stream_options={"include_usage": True})

    assert (reply.status, reply.json()["error"]["param"]) == (400, "stream_options")


async def test_an_unknown_model_names_itself(ask):
    error = (await ask("POST", CHAT["openai"], chat_body("gpt-9"))).json()["error"]

    assert error == {
        "message": "The model `gpt-9` does not exist or you do not have access to it.",
        "type": "invalid_request_error",
        "param": "model",
        "code": "model_not_found",
    }


async def test_a_model_may_be_deleted_once(ask):
    path = f"{MODELS_PATH}/name%20with%20space"

    assert [(await ask("DELETE", path)).status for _ in range(2)] == [200, 404]
    assert (await ask("DELETE", f"{MODELS_PATH}/sim-gpt")).status == 403


async def test_the_developer_role_is_taken(ask):
    body = chat_body("sim-gpt")
    body["messages"].insert(0, {"role": "developer", "content": "x"})

    assert (await ask("POST", CHAT["openai"], body)).status == 200
