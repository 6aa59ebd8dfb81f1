"""Stopping: what runs may end or is told so, and what is new is refused (contract J11, F43; reliability R13)."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from app.domain.configuration import ServerOptions
from tests.fakes.gateways import RunningGateway
from tests.fakes.raw_client import (
    RawClient,
    ask,
    chat,
    connected,
    eventually,
    is_envelope,
    line_of,
    request,
)
from tests.fakes.scripted_upstream import (
    ANSWER,
    DONE,
    FINISH,
    FIRST,
    LAST_CHUNK,
    SECOND,
    STREAM,
    End,
    ScriptedUpstream,
    Seen,
    Step,
    chunked,
    entry_of,
    gateway_over,
    scripted,
    sse_head,
    whole,
)

PATIENT = ServerOptions(drain_seconds=20)
HASTY = ServerOptions(drain_seconds=0.2)


@pytest_asyncio.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with scripted() as found:
        yield found


async def begun(client: RawClient) -> bytes:
    """A stream whose first event is there."""
    await client.send(chat(stream=True))
    await client.begin()
    return await client.chunk()


async def rest(client: RawClient) -> bytes:
    body = b""
    while piece := await client.chunk():
        body += piece
    return body


async def stop(gateway: RunningGateway) -> None:
    """What a SIGTERM sets; done when the gateway has noticed."""
    gateway.server.should_exit = True
    assert await eventually(lambda: gateway.gateway.in_flight.is_draining)


def refuses_connections(gateway: RunningGateway) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", gateway.port)) != 0


async def test_j11_streams_that_end_in_time_are_complete(upstream: ScriptedUpstream) -> None:
    go_on = asyncio.Event()
    upstream.tell(sse_head(), chunked(FIRST), go_on, chunked(SECOND + FINISH + DONE), LAST_CHUNK)

    async with gateway_over(entry_of(upstream), server=PATIENT) as gateway:
        async with connected(gateway) as one, connected(gateway) as other:
            first = [await begun(one), await begun(other)]
            await stop(gateway)
            go_on.set()
            last = [await rest(one), await rest(other)]
            assert await one.is_closed()
        assert await eventually(lambda: refuses_connections(gateway))

    assert [a + b for a, b in zip(first, last, strict=True)] == [STREAM, STREAM]
    assert [line["outcome"] for line in gateway.lines()] == ["complete", "complete"]


async def test_j11_an_answer_that_ends_in_time_is_whole(upstream: ScriptedUpstream) -> None:
    go_on = asyncio.Event()
    upstream.tell(go_on, whole(ANSWER))

    async with (
        gateway_over(entry_of(upstream), server=PATIENT) as gateway,
        connected(gateway) as client,
    ):
        await client.send(chat())
        await upstream.request()
        await stop(gateway)
        go_on.set()
        reply = await client.reply()

    assert (reply.status, reply.body) == (200, ANSWER)


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(chat(stream=True), id="f43 a stream"),
        pytest.param(chat(), id="f43 an answer"),
        pytest.param(request("GET", "/v1/models"), id="f43 the list of models"),
    ],
)
async def test_f43_what_is_new_is_refused(upstream: ScriptedUpstream, target: bytes) -> None:
    go_on = asyncio.Event()
    upstream.tell(sse_head(), chunked(FIRST), go_on, chunked(FINISH + DONE), LAST_CHUNK)

    async with (
        gateway_over(entry_of(upstream), server=PATIENT) as gateway,
        connected(gateway) as client,
    ):
        await begun(client)
        await stop(gateway)
        reply = await ask(gateway, target)
        ready = await ask(gateway, request("GET", "/readyz"))
        alive = await ask(gateway, request("GET", "/healthz"))
        assert len(upstream.seen) == 1
        go_on.set()
        await rest(client)

    assert (reply.status, reply.error["code"]) == (503, "shutting_down")
    assert is_envelope(reply)
    assert reply.header("retry-after") == "1"
    assert (ready.status, alive.status) == (503, 200)
    assert (await line_of(gateway, reply))["outcome"] == "rejected"  # j12: nobody was asked


async def test_j11_streams_that_do_not_end_are_told_so(upstream: ScriptedUpstream) -> None:
    upstream.tell(sse_head(), chunked(FIRST), End.HOLD)

    async with gateway_over(entry_of(upstream), server=HASTY) as gateway:
        async with connected(gateway) as one, connected(gateway) as other:
            await begun(one)
            await begun(other)
            await stop(gateway)
            ends = [await rest(one), await rest(other)]

        assert await eventually(lambda: all(seen.gone.is_set() for seen in upstream.seen))
        assert await eventually(lambda: len(gateway.gateway.in_flight) == 0)

    for end in ends:
        assert end.startswith(b'data: {"error":{')
        assert b'"shutting_down"' in end
        assert end.count(b"\n\n") == 1
    assert [line["outcome"] for line in gateway.lines()] == ["shutdown", "shutdown"]


@pytest.mark.parametrize(
    ("stream", "script"),
    [
        pytest.param(True, (End.HOLD,), id="a stream without a head"),
        pytest.param(True, (sse_head(), End.HOLD), id="a stream without an event"),
        pytest.param(False, (End.HOLD,), id="an answer without a head"),
        pytest.param(False, (whole(ANSWER)[:-9], End.HOLD), id="an answer without its end"),
    ],
)
async def test_f43_what_has_not_begun_to_leave_gets_a_503(
    upstream: ScriptedUpstream, stream: bool, script: tuple[Step, ...]
) -> None:
    upstream.tell(*script)

    async with gateway_over(entry_of(upstream), server=HASTY) as gateway, connected(gateway) as c:
        await c.send(chat(stream=stream))
        seen = await upstream.request()
        await stop(gateway)
        reply = await c.reply()
        assert await eventually(seen.gone.is_set)

    assert (reply.status, reply.error["code"]) == (503, "shutting_down")
    assert is_envelope(reply)
    assert [line["outcome"] for line in gateway.lines()] == ["shutdown"]


async def test_r13_a_second_signal_ends_the_wait(upstream: ScriptedUpstream) -> None:
    upstream.tell(sse_head(), chunked(FIRST), End.HOLD)

    async with (
        gateway_over(entry_of(upstream), server=PATIENT) as gateway,
        connected(gateway) as client,
    ):
        await begun(client)
        await stop(gateway)
        told_at = client.loop.time()
        gateway.server.force_exit = True
        end = await rest(client)
        took = client.loop.time() - told_at

    assert b'"shutting_down"' in end
    assert took < PATIENT.drain_seconds / 4


async def test_j11_some_end_in_time_and_some_do_not(upstream: ScriptedUpstream) -> None:
    go_on = asyncio.Event()

    def answer(seen: Seen) -> tuple[Step, ...]:
        is_quick = seen.connection % 2 == 0
        rest_of_it = (
            (go_on, chunked(SECOND + FINISH + DONE), LAST_CHUNK) if is_quick else (End.HOLD,)
        )
        return sse_head(), chunked(FIRST), *rest_of_it

    upstream.tell()
    upstream.answer = answer
    async with gateway_over(entry_of(upstream), server=HASTY) as gateway:

        async def follow(ready: asyncio.Barrier) -> bytes:
            async with connected(gateway) as client:
                first = await begun(client)
                await ready.wait()
                return first + await rest(client)

        ready = asyncio.Barrier(21)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(follow(ready)) for _ in range(20)]
            await ready.wait()
            await stop(gateway)
            go_on.set()

    bodies = [task.result() for task in tasks]
    assert bodies.count(STREAM) == 10
    assert sum(b'"shutting_down"' in body and b"[DONE]" not in body for body in bodies) == 10
    outcomes = sorted(line["outcome"] for line in gateway.lines())
    assert outcomes == ["complete"] * 10 + ["shutdown"] * 10
