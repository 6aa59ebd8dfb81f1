"""OpenMind's agent and RAG echo, and remember (N2)."""

import pytest

CORE = "/openmind/api/core"


@pytest.mark.parametrize("path", ["agent", "agent/medical"])
@pytest.mark.parametrize(
    ("body", "response"),
    [
        ({"model": "gpt-4o", "message": "hi", "response_model": {}}, "echo: hi"),
        ({"model": "gpt-4o", "inputs": {"text": "hi"}}, 'echo: {"inputs":{"text":"hi"}}'),
    ],
)
async def test_both_ages_of_the_agent_are_echoed(ask, path, body, response):
    assert (await ask("POST", f"{CORE}/{path}", body)).json()["response"] == response


async def test_the_first_action_is_taken(ask):
    body = {"message": "hi", "available_actions": ["wave", "sit"]}

    assert (await ask("POST", f"{CORE}/agent", body)).json()["actions"] == ["wave"]


async def test_memory_counts_until_it_is_cleared(ask):
    said = [(await ask("POST", f"{CORE}/agent", {"message": "hi"})).json() for _ in range(2)]
    cleared = [(await ask("DELETE", f"{CORE}/agent/memory")).json() for _ in range(2)]

    assert [one["remembered"] for one in said] == [1, 2]
    assert [one["forgotten"] for one in cleared] == [2, 0]


async def test_a_query_is_cached_unless_it_must_not(ask):
    bodies = [{"query": "q"}, {"query": "q"}, {"query": "q", "skip_cache": True}]
    answers = [(await ask("POST", f"{CORE}/rag/query", body)).json() for body in bodies]

    assert [one["cached"] for one in answers] == [False, True, False]
    assert {one["answer"] for one in answers} == {"echo: q"}


@pytest.mark.parametrize("path", ["agent", "rag/query"])
async def test_nothing_asked_is_400(ask, path):
    assert (await ask("POST", f"{CORE}/{path}", {})).status == 400


async def test_the_rate_limit_of_the_seeds_time_is_403(ask):
    reply = await ask("POST", f"{CORE}/agent", {"message": "x"}, headers=[("x-sim", "rate=60")])

    assert reply.status == 403
    assert reply.json() == {"error": "Rate limit exceeded. Try again in 60 seconds."}
