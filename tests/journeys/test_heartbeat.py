"""A sign of life in silence: comments and no-ops, and when none goes out (contract J7 to J10; reliability R16)."""

import asyncio
import json
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from app.domain.configuration import StreamOptions
from tests.fakes.gateways import RunningGateway
from tests.fakes.raw_client import ask, chat, connected, is_envelope, line_of
from tests.fakes.scripted_upstream import (
    ANSWER,
    DONE,
    FINISH,
    FIRST,
    LAST_CHUNK,
    SECOND,
    STREAM,
    End,
    Pause,
    ScriptedUpstream,
    chunked,
    entry_of,
    gateway_over,
    scripted,
    sse,
    sse_head,
    whole,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEEP_ALIVE = b": keep-alive\n\n"
HEARTBEAT, NOOP = 0.05, 0.3


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with scripted() as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(upstream: ScriptedUpstream) -> AsyncIterator[RunningGateway]:
    streams = StreamOptions(heartbeat_seconds=HEARTBEAT, noop_seconds=60)
    async with gateway_over(entry_of(upstream), streams=streams) as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def with_noops(upstream: ScriptedUpstream) -> AsyncIterator[RunningGateway]:
    streams = StreamOptions(heartbeat_seconds=HEARTBEAT, noop_seconds=NOOP)
    async with gateway_over(entry_of(upstream), streams=streams) as found:
        yield found


def is_noop(piece: bytes) -> bool:
    """Contract J9."""
    return b'"delta":{},"finish_reason":null' in piece


def without_signs_of_life(pieces: list[bytes]) -> bytes:
    return b"".join(one for one in pieces if one != KEEP_ALIVE and not is_noop(one))


async def test_j7_in_silence_a_comment_goes_out_in_a_write_of_its_own(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    go_on = asyncio.Event()
    upstream.tell(sse_head(), chunked(FIRST), go_on, chunked(SECOND + FINISH + DONE), LAST_CHUNK)

    async with connected(gateway) as client:
        await client.send(chat(stream=True))
        reply = await client.begin()
        heard = [await client.chunk() for _ in range(4)]
        go_on.set()
        while piece := await client.chunk():
            heard.append(piece)

    assert heard[:4] == [FIRST, KEEP_ALIVE, KEEP_ALIVE, KEEP_ALIVE]
    assert without_signs_of_life(heard) == STREAM
    alone = [data for _, data in client.reads if KEEP_ALIVE in data]
    assert set(alone) == {chunked(KEEP_ALIVE)}
    assert (await line_of(gateway, reply))["outcome"] == "complete"


async def test_j8_j9_after_longer_silence_a_chunk_that_says_nothing(
    with_noops: RunningGateway, upstream: ScriptedUpstream
) -> None:
    """The comments between do not put it off."""
    go_on = asyncio.Event()
    upstream.tell(sse_head(), chunked(FIRST), go_on, chunked(SECOND + FINISH + DONE), LAST_CHUNK)

    async with connected(with_noops) as client:
        await client.send(chat(stream=True))
        await client.begin()
        heard = [await client.chunk()]
        while not is_noop(heard[-1]):
            heard.append(await client.chunk())
        go_on.set()
        while piece := await client.chunk():
            heard.append(piece)

    noop = next(one for one in heard if is_noop(one))
    assert KEEP_ALIVE in heard[: heard.index(noop)]
    assert noop.endswith(b"\n\n")
    assert noop.count(b"\n") == 2
    chunk = json.loads(noop[6:])
    assert chunk.pop("choices") == [{"index": 0, "delta": {}, "finish_reason": None}]
    assert chunk == {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    assert without_signs_of_life(heard) == STREAM


async def test_j10_nothing_goes_out_before_the_upstreams_status(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    upstream.tell(Pause(HEARTBEAT * 6), whole(b'{"error":{"message":"later"}}', 503))

    reply = await ask(gateway, chat(stream=True))

    assert reply.status == 503
    assert is_envelope(reply)


async def test_j10_the_head_goes_out_with_the_first_comment_once_the_200_is_known(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    go_on = asyncio.Event()
    failure = b'data: {"error":{"message":"no"}}\n\n'
    upstream.tell(sse_head(), go_on, chunked(failure), LAST_CHUNK)

    async with connected(gateway) as client:
        await client.send(chat(stream=True))
        reply = await client.begin()
        first = await client.chunk()
        go_on.set()
        while piece := await client.chunk():
            reply.body += piece

    assert (reply.status, first) == (200, KEEP_ALIVE)
    assert reply.header("content-type") == "text/event-stream; charset=utf-8"
    assert reply.error["code"] == "upstream_error"  # too late for a status of its own
    assert b"[DONE]" not in reply.body


async def test_f8_within_the_first_interval_an_error_has_a_status_of_its_own(
    upstream: ScriptedUpstream,
) -> None:
    async with gateway_over(entry_of(upstream)) as patient:
        upstream.tell(
            *(sse_head(), Pause(HEARTBEAT * 3)),
            *(chunked(b'data: {"error":{"message":"no"}}\n\n'), LAST_CHUNK),
        )
        reply = await ask(patient, chat(stream=True))

    assert reply.status == 502
    assert is_envelope(reply)


async def test_j7_the_upstreams_own_comments_neither_pass_nor_count(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    pings = [step for _ in range(20) for step in (chunked(b": ping - 1\n\n"), Pause(HEARTBEAT / 4))]
    upstream.tell(
        *(sse_head(), chunked(FIRST), *pings, chunked(SECOND + FINISH + DONE), LAST_CHUNK)
    )

    reply = await ask(gateway, chat(stream=True))

    assert KEEP_ALIVE in reply.chunks
    assert b"ping" not in reply.body


async def test_j7_while_events_flow_there_are_no_comments(upstream: ScriptedUpstream) -> None:
    streams = StreamOptions(heartbeat_seconds=0.8, noop_seconds=0.9)
    slowly = [step for _ in range(20) for step in (chunked(SECOND), Pause(0.05))]
    async with gateway_over(entry_of(upstream), streams=streams) as quick:
        upstream.tell(sse_head(), chunked(FIRST), *slowly, chunked(FINISH + DONE), LAST_CHUNK)
        reply = await ask(quick, chat(stream=True))

    assert reply.body == FIRST + SECOND * 20 + FINISH + DONE


@pytest.mark.parametrize(
    "answer",
    [pytest.param(whole(ANSWER), id="e8 json"), pytest.param(sse(STREAM), id="h14 gathered")],
)
async def test_e8_an_answer_that_is_not_streamed_has_no_comments(
    gateway: RunningGateway, upstream: ScriptedUpstream, answer: bytes
) -> None:
    upstream.tell(Pause(HEARTBEAT * 2), answer[:80], Pause(HEARTBEAT * 3), answer[80:])

    reply = await ask(gateway, chat())

    assert reply.json()["choices"][0]["message"]["content"] == "one two"
    assert b"keep-alive" not in reply.body


async def test_j7_h13_a_whole_answer_that_comes_slowly_has_comments(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    answer = whole(ANSWER)
    upstream.tell(answer[:-50], Pause(HEARTBEAT * 4), answer[-50:])

    reply = await ask(gateway, chat(stream=True))

    assert reply.chunks[0] == KEEP_ALIVE
    assert b'"content":"one two"' in reply.body
    assert reply.body.endswith(DONE)
    assert (await line_of(gateway, reply))["outcome"] == "complete"


async def test_i1_h13_an_answer_behind_a_no_op_keeps_the_no_ops_id(
    with_noops: RunningGateway, upstream: ScriptedUpstream
) -> None:
    """The no-op has settled the id (I1)."""
    answer = whole(ANSWER)
    upstream.tell(answer[:-50], Pause(NOOP * 2), answer[-50:])

    reply = await ask(with_noops, chat(stream=True))

    events = [one for one in reply.body.split(b"\n\n") if one.startswith(b"data: {")]
    assert any(is_noop(one) and b'"role"' not in one for one in events)
    assert len({json.loads(one[6:])["id"] for one in events}) == 1


async def test_j8_a_no_op_that_is_due_before_the_head_costs_nothing(
    upstream: ScriptedUpstream,
) -> None:
    """With a heartbeat above the no-op the gateway once spun until the first event came."""
    streams = StreamOptions(heartbeat_seconds=10, noop_seconds=0.01)
    async with (
        gateway_over(entry_of(upstream), streams=streams) as gateway,
        connected(gateway) as c,
    ):
        upstream.tell(sse_head(), End.HOLD)
        await c.send(chat(stream=True))
        await upstream.request()
        await asyncio.sleep(0.1)  # long past the no-op
        before = time.process_time()
        await asyncio.sleep(0.5)
        spent = time.process_time() - before

    assert spent < 0.1
