"""What arrived and what was given out (X5)."""

import base64
import hashlib
import json

import pytest

from app.simulators import recording
from tests.simulators.raw_client import CHAT, SECONDS, chat_bytes


async def test_an_exchange_is_seen_as_it_came(simulators, ask):
    body = {"model": "sim-gpt", "messages": [{"role": "user", "content": "hi"}]}
    await ask("POST", CHAT["openai"] + "?a=%20b", body, headers=[("X-One", "1"), ("x-two", "2")])
    seen = simulators.seen.last

    assert (seen.method, seen.target) == ("POST", "/openai/v1/chat/completions?a=%20b")
    names = [name for name, _ in seen.headers]
    assert names[:5] == ["Host", "User-Agent", "authorization", "X-One", "x-two"]
    assert (seen.json(), seen.header("X-ONE"), seen.header("nosuch")) == (body, "1", None)
    assert seen.connection == 1
    assert seen.finished_at is not None
    assert seen.arrived_at <= seen.finished_at
    assert seen.left_at is None


async def test_the_record_is_a_list(simulators, chat):
    for _ in range(3):
        await chat("openai")
    seen = simulators.seen

    assert len(seen) == 3
    assert [one.connection for one in seen] == [1, 2, 3]
    assert seen[0] is next(iter(seen))
    assert seen[1:] == list(seen)[1:]
    seen.clear()
    assert (len(seen), list(seen)) == (0, [])


async def test_events_are_counted_as_they_leave(simulators, chat):
    await chat("openai", "-sim-cut-3", stream=True)

    assert simulators.seen.last.events_sent == 3


async def test_a_refusal_is_seen_too(simulators, ask):
    await ask("GET", "/4minds/v1/models", bare=True)

    assert simulators.seen.last.target == "/4minds/v1/models"


async def test_waiting_finds_what_came_and_what_comes(simulators, chat):
    await chat("openai")
    assert (await simulators.seen.wait_for(lambda one: one.finished_at, SECONDS)).connection == 1

    with pytest.raises(TimeoutError):
        await simulators.seen.wait_for(lambda one: one.connection == 2, 0.01)


async def test_the_routes_show_the_record_and_are_not_in_it(simulators, ask, send):
    await send(chat_bytes("4minds", "-sim-cut-2", stream=True))
    rows = (await ask("GET", "/_sim/requests")).json()

    assert len(rows) == 1
    assert rows[0]["events_sent"] == 2
    assert json.loads(base64.b64decode(rows[0]["body"]))["stream"] is True
    assert ["Host", "sim"] in rows[0]["headers"]
    assert (await ask("DELETE", "/_sim/requests")).status == 200
    assert (await ask("GET", "/_sim/requests")).json() == []
    assert len(simulators.seen) == 0


async def test_usage_is_what_was_given_out_per_name(simulators, chat, ask):
    await chat("4minds", text="a b c")
    await chat("4minds", text="a b c", stream=True)
    await chat("openai", "-sim-cut-3", text="a b c d", stream=True)
    await chat("openai", "-sim-status-500")

    expected = {
        "4minds-model-123": {"prompt_tokens": 6, "completion_tokens": 8},
        "sim-gpt-sim-cut-3": {"prompt_tokens": 4, "completion_tokens": 2},
    }
    assert simulators.seen.usage() == expected
    assert (await ask("GET", "/_sim/usage")).json() == expected


@pytest.mark.parametrize("site", ["4minds", "minds", "minds-api", "openmind", "openai"])
@pytest.mark.parametrize("more", [{}, {"stream": True}, {"n": 2}, {"n": 2, "stream": True}])
async def test_given_out_equals_the_usage_that_is_told(simulators, chat, site, more):
    options = {"stream_options": {"include_usage": True}} if more.get("stream") else {}
    reply = await chat(site, **more, **options)
    (row,) = simulators.seen.usage().values()

    usage = (reply.payloads()[-1] if more.get("stream") else reply.json()).get("usage")
    if usage is not None:
        assert row["prompt_tokens"] == usage["prompt_tokens"]
        assert row["completion_tokens"] == usage["completion_tokens"]
    else:
        assert row == {"prompt_tokens": 2, "completion_tokens": 3}


async def test_forgetting_requests_keeps_the_usage(simulators, chat, ask):
    await chat("openai")
    await ask("DELETE", "/_sim/requests")
    assert simulators.seen.usage() != {}

    await ask("DELETE", "/_sim/usage")
    assert simulators.seen.usage() == {}


async def test_an_unknown_witness_route_is_404(ask):
    assert (await ask("GET", "/_sim/nosuch")).status == 404


async def test_every_body_is_shown_with_its_size_and_hash(ask, send):
    await send(chat_bytes("4minds"))
    (row,) = (await ask("GET", "/_sim/requests")).json()

    body = base64.b64decode(row["body"])
    assert (row["size"], row["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())
    assert (row["is_whole"], row["socket"]) == (True, None)


async def test_a_long_body_is_shown_by_size_and_hash_alone(ask, send):
    await send(chat_bytes("4minds", text="x" * (recording.SHOWN_BODY_BYTES + 1)))
    (row,) = (await ask("GET", "/_sim/requests")).json()

    assert row["body"] is None
    assert row["size"] > recording.SHOWN_BODY_BYTES


@pytest.mark.parametrize(
    ("bound", "value", "kept"), [("KEPT_REQUESTS", 2, 2), ("KEPT_BODY_BYTES", 150, 1)]
)
async def test_the_oldest_exchanges_go_when_there_are_too_many(
    monkeypatch, simulators, chat, bound, value, kept
):
    monkeypatch.setattr(recording, bound, value)
    for _ in range(4):
        await chat("openai", text="x" * 30)

    assert [one.connection for one in simulators.seen] == [1, 2, 3, 4][-kept:]
