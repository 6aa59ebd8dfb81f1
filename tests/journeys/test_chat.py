"""The main path, as a client sees it: each dialect, whole and streamed, over real sockets."""

import json

import httpx2
import pytest

from tests.fakes.gateways import RunningGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")

MODELS = ("4minds-model-123", "sales_mind", "gpt-4o", "grok-2-latest", "sim-gpt", "gpt-4", "fast")


def chat(model: str, **members: object) -> dict[str, object]:
    return {"model": model, "messages": [{"role": "user", "content": "Hello there"}], **members}


@pytest.mark.parametrize("model", MODELS)
async def test_every_dialect_answers_whole(shared_demo: RunningGateway, model: str) -> None:
    async with httpx2.AsyncClient(base_url=shared_demo.root, headers=shared_demo.headers) as client:
        reply = await client.post("/v1/chat/completions", json=chat(model))

    assert reply.status_code == 200
    assert reply.json()["choices"][0]["message"]["content"] == "echo: Hello there"
    assert reply.json()["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("model", MODELS)
async def test_every_dialect_streams(shared_demo: RunningGateway, model: str) -> None:
    async with httpx2.AsyncClient(base_url=shared_demo.root, headers=shared_demo.headers) as client:
        reply = await client.post("/v1/chat/completions", json=chat(model, stream=True))

    events = reply.text.removesuffix("\n\n").split("\n\n")
    chunks = [json.loads(event.removeprefix("data: ")) for event in events[:-1]]
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    assert events[-1] == "data: [DONE]"
    assert text == "echo: Hello there"
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
