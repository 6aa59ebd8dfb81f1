"""Cursor's Responses-shaped bodies on chat completions, whole and streamed, for every dialect (contract D17, P6)."""

import json

import httpx2
import pytest

from app.simulators.server import Simulators
from tests.fakes.gateways import RunningGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")

MODELS = ("4minds-model-123", "sales_mind", "gpt-4o", "sim-gpt")


def cursor(model: str, **members: object) -> dict[str, object]:
    return {
        "model": model,
        "instructions": "You are a coding agent.",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Open the file"}]},
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {"type": "function_call", "call_id": "call_1", "name": "read", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_1", "output": "print()"},
            {"role": "user", "content": [{"type": "input_text", "text": "Hello there"}]},
        ],
        "tools": [
            {"type": "function", "name": "read", "parameters": {"type": "object"}, "strict": False},
            {"type": "custom", "name": "apply_patch", "format": {"type": "text"}},
        ],
        "tool_choice": "auto",
        "include": ["reasoning.encrypted_content"],
        "max_output_tokens": 1000,
        **members,
    }


async def asked(demo: RunningGateway, body: dict[str, object]) -> httpx2.Response:
    async with httpx2.AsyncClient(base_url=demo.root, headers=demo.headers) as client:
        return await client.post("/v1/chat/completions", json=body)


def simulators(demo: RunningGateway) -> Simulators:
    """The upstreams behind *demo*, which know what arrived."""
    assert demo.simulators is not None
    return demo.simulators


@pytest.mark.parametrize("model", MODELS)
async def test_d17_cursor_is_answered_with_a_chat_completion(
    shared_demo: RunningGateway, model: str
) -> None:
    reply = await asked(shared_demo, cursor(model))

    sent = simulators(shared_demo).seen.last.json()
    assert 200 == reply.status_code, reply.text
    assert "chat.completion" == reply.json()["object"]
    assert "echo: Hello there" == reply.json()["choices"][0]["message"]["content"]
    assert {"include", "custom"} <= set(reply.headers["x-mindgate-dropped"].split(","))
    assert ["system", "user", "assistant", "tool", "user"] == [
        message["role"] for message in sent["messages"]
    ]
    assert ["read"] == [tool["function"]["name"] for tool in sent["tools"]]
    assert not sent.keys() & {"input", "instructions", "include", "max_output_tokens"}


@pytest.mark.parametrize("model", MODELS)
async def test_d17_cursor_is_streamed_a_chat_completion(
    shared_demo: RunningGateway, model: str
) -> None:
    reply = await asked(shared_demo, cursor(model, stream=True))

    events = reply.text.removesuffix("\n\n").split("\n\n")
    chunks = [json.loads(event.removeprefix("data: ")) for event in events[:-1]]
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    assert 200 == reply.status_code
    assert {"chat.completion.chunk"} == {chunk["object"] for chunk in chunks}
    assert "echo: Hello there" == text
    assert "data: [DONE]" == events[-1]


async def test_d17_flat_tools_beside_messages_are_answered(shared_demo: RunningGateway) -> None:
    body = cursor("sim-gpt", messages=[{"role": "user", "content": "Hello there"}])
    reply = await asked(
        shared_demo, {name: body[name] for name in ("model", "messages", "tools", "tool_choice")}
    )

    assert "echo: Hello there" == reply.json()["choices"][0]["message"]["content"]
    assert "custom" == reply.headers["x-mindgate-dropped"]


async def test_f27_what_chat_cannot_know_is_refused_before_an_upstream_is_asked(
    shared_demo: RunningGateway,
) -> None:
    seen = len(simulators(shared_demo).seen)
    reply = await asked(shared_demo, cursor("sim-gpt", previous_response_id="resp_1"))

    assert 400 == reply.status_code
    assert "unsupported_parameter" == reply.json()["error"]["code"]
    assert "previous_response_id" == reply.json()["error"]["param"]
    assert seen == len(simulators(shared_demo).seen)
