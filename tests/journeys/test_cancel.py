"""Law 5: when the client leaves, so does the gateway, in every phase (contract J5, F50; reliability R12)."""

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from tests.fakes.gateways import RunningGateway
from tests.fakes.raw_client import (
    RawClient,
    ask,
    chat,
    chat_body,
    connected,
    eventually,
    in_flight,
    request,
)
from tests.fakes.scripted_upstream import (
    ANSWER,
    FIRST,
    End,
    ScriptedUpstream,
    Step,
    chunked,
    entry_of,
    gateway_over,
    head,
    scripted,
    sse_head,
    whole,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECONDS = 0.25  # law 5
_SYN_SENT = 2

Leave = Callable[[RawClient], None]
LEAVE = [
    pytest.param(RawClient.close, id="closes"),
    pytest.param(RawClient.reset, id="resets"),
    pytest.param(RawClient.half_close, id="half-closes"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with scripted() as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(upstream: ScriptedUpstream) -> AsyncIterator[RunningGateway]:
    async with gateway_over(entry_of(upstream)) as found:
        yield found


async def settled_as_gone(gateway: RunningGateway, lines_before: int) -> None:
    """One more line, and nobody in flight."""
    assert await eventually(lambda: len(gateway.lines()) > lines_before)
    assert [line["outcome"] for line in gateway.lines()[lines_before:]] == ["client_gone"]
    assert await in_flight(gateway) == 0
    assert len(gateway.gateway.in_flight) == 0


_PARTIAL = whole(ANSWER)[:-20]


@pytest.mark.parametrize("leave", LEAVE)
@pytest.mark.parametrize(
    ("stream", "script", "reads"),
    [
        pytest.param(True, (End.HOLD,), 0, id="a stream, before the upstream's head"),
        pytest.param(True, (b"HTTP/1.1 200", End.HOLD), 0, id="a stream, inside the head"),
        pytest.param(True, (sse_head(), End.HOLD), 0, id="a stream, before the first event"),
        pytest.param(True, (sse_head(), chunked(FIRST), End.HOLD), 1, id="a stream, midway"),
        pytest.param(
            True, (sse_head(), chunked(FIRST + FIRST[:9]), End.HOLD), 1, id="a stream, in an event"
        ),
        pytest.param(False, (End.HOLD,), 0, id="an answer, before the head"),
        pytest.param(False, (_PARTIAL, End.HOLD), 0, id="an answer, inside the body"),
        pytest.param(
            False,
            (head(400, {"content-length": "99"}), End.HOLD),
            0,
            id="an error, before its body",
        ),
    ],
)
async def test_j5_the_upstream_is_left_at_once(
    gateway: RunningGateway,
    upstream: ScriptedUpstream,
    leave: Leave,
    stream: bool,
    script: tuple[Step, ...],
    reads: int,
) -> None:
    upstream.tell(*script)
    lines = len(gateway.lines())

    async with connected(gateway) as client:
        await client.send(chat(stream=stream))
        seen = await upstream.request()
        if reads:
            await client.begin()
            await client.chunk()
        left_at = client.loop.time()
        leave(client)
        await asyncio.wait_for(seen.gone.wait(), 5)

    assert seen.gone_at is not None
    assert seen.gone_at - left_at < SECONDS
    await settled_as_gone(gateway, lines)


async def test_j5_many_leave_at_once(gateway: RunningGateway, upstream: ScriptedUpstream) -> None:
    count = 50
    upstream.tell(sse_head(), chunked(FIRST), End.HOLD)
    lines = len(gateway.lines())

    async def leave() -> None:
        async with connected(gateway) as client:
            await client.send(chat(stream=True))
            await client.begin()
            await client.chunk()

    await asyncio.gather(*(leave() for _ in range(count)))

    assert await eventually(lambda: all(seen.gone.is_set() for seen in upstream.seen))
    assert await eventually(lambda: len(gateway.lines()) == lines + count)
    assert {line["outcome"] for line in gateway.lines()[lines:]} == {"client_gone"}
    assert await in_flight(gateway) == 0


async def test_j5_a_large_body_is_being_read_off_the_loop(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    upstream.tell(End.HOLD)
    lines = len(gateway.lines())
    body = chat_body(padding="x" * (8 << 20))

    async with connected(gateway) as client:
        await client.send(request("POST", "/v1/chat/completions", body))

    await settled_as_gone(gateway, lines)
    assert all([await eventually(seen.gone.is_set) for seen in upstream.seen])


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(
            request("POST", "/v1/chat/completions", b"", [("content-length", "500")]) + b'{"model"',
            id="with a length",
        ),
        pytest.param(
            request("POST", "/v1/chat/completions", None, [("transfer-encoding", "chunked")])
            + chunked(b'{"model"'),
            id="in chunks",
        ),
    ],
)
async def test_f50_a_client_that_leaves_inside_its_own_body_asks_nobody(
    gateway: RunningGateway, upstream: ScriptedUpstream, sent: bytes
) -> None:
    upstream.tell(whole(ANSWER))
    lines = len(gateway.lines())

    async with connected(gateway) as client:
        await client.send(sent)

    await settled_as_gone(gateway, lines)
    assert upstream.seen == []


async def test_j5_a_slow_reader_that_leaves(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    large = FIRST.replace(b"one", b"x" * (1 << 20))
    upstream.tell(sse_head(), *[chunked(large)] * 32, End.HOLD)  # far more than the sockets hold
    lines = len(gateway.lines())

    async with connected(gateway) as client:
        await client.send(chat(stream=True))
        await client.begin()
        seen = await upstream.request()
        left_at = client.loop.time()
        client.close()
        await asyncio.wait_for(seen.gone.wait(), 5)

    assert seen.gone_at is not None
    assert seen.gone_at - left_at < SECONDS
    await settled_as_gone(gateway, lines)


async def test_j5_the_next_client_is_served_after_one_has_left(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    upstream.tell(End.HOLD)
    async with connected(gateway) as client:
        await client.send(chat())
        await upstream.request()
    upstream.tell(whole(ANSWER))

    assert (await ask(gateway, chat())).body == ANSWER


async def test_j12_an_exchange_that_is_complete_is_not_called_gone(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    """The client leaves with the last byte; the upstream's connection is still to be closed then."""
    upstream.tell(sse_head(), chunked(FIRST + b"data: [DONE]\n\n"), End.HOLD)
    lines = len(gateway.lines())

    for _ in range(20):
        async with connected(gateway) as client:
            await client.send(chat(stream=True))
            await client.reply()

    assert await eventually(lambda: len(gateway.lines()) == lines + 20)
    assert {line["outcome"] for line in gateway.lines()[lines:]} == {"complete"}


# --- connecting ---------------------------------------------------------------------------------------------------


@asynccontextmanager
async def black_hole() -> AsyncIterator[int]:
    """A port that takes no further connection and refuses none: its queue is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        fillers = []
        try:
            for _ in range(4):
                filler = socket.socket()
                fillers.append(filler)
                filler.setblocking(False)
                filler.connect_ex(address)
            await asyncio.sleep(0)
            yield address[1]
        finally:
            for filler in fillers:
                filler.close()


def connecting() -> int:
    """How many of this process's sockets wait for the other side to answer."""
    states = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError), socket.socket(fileno=int(name)) as sock:
            try:
                states.append(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0])
            finally:
                sock.detach()  # not ours to close
    return states.count(_SYN_SENT)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the state of a socket")
@pytest.mark.parametrize("stream", [False, True], ids=["an answer", "a stream"])
@pytest.mark.parametrize("leave", LEAVE)
async def test_j5_while_connecting(leave: Leave, stream: bool) -> None:
    async with black_hole() as port, gateway_over(entry_of(f"http://127.0.0.1:{port}/v1")) as found:
        fillers = connecting()
        async with connected(found) as client:
            await client.send(chat(stream=stream))
            assert await eventually(lambda: connecting() > fillers)
            left_at = client.loop.time()
            leave(client)
            assert await eventually(lambda: connecting() == fillers)
            gone_at = client.loop.time()

        assert gone_at - left_at < SECONDS
        await settled_as_gone(found, 0)
