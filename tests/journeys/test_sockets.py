"""Websockets through a whole gateway whose two sides do not do as they should (upstreams N13; law 1, law 5)."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest
from pydantic import SecretStr
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from app.domain.configuration import UpstreamEntry
from tests.fakes.gateways import KEY, RunningGateway
from tests.fakes.raw_client import RawClient, connected, eventually
from tests.fakes.scripted_upstream import gateway_over

KEY_LINE = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"


@dataclass
class Engine:
    """An upstream that takes everything, but nothing while *is_deaf*. *ends*: how each of its sockets was closed."""

    port: int = 0
    is_deaf: bool = False
    open: int = 0
    ends: list[int] = field(default_factory=list)

    async def __call__(self, socket: ServerConnection) -> None:
        self.open += 1
        if self.is_deaf:
            socket.transport.pause_reading()
        try:
            with suppress(ConnectionClosed):
                async for _ in socket:
                    pass
        finally:
            self.open -= 1
            self.ends.append(socket.close_code or 0)


@asynccontextmanager
async def place() -> AsyncIterator[tuple[RunningGateway, Engine]]:
    engine = Engine()
    server: Server
    async with serve(engine, "127.0.0.1", 0) as server:
        engine.port = next(iter(server.sockets)).getsockname()[1]
        entry = UpstreamEntry(
            name="openmind",
            dialect="openmind",
            base_url=f"http://127.0.0.1:{engine.port}/api/core",
            websocket_base=f"ws://127.0.0.1:{engine.port}",
            api_key=SecretStr("om1_live_0123456789"),
        )
        async with gateway_over(entry) as gateway:
            yield gateway, engine


def opening(version: bytes = b"13") -> bytes:
    return (
        b"GET /openmind/google/asr?api_key=%b HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        b"Connection: keep-alive, Upgrade\r\n%bSec-WebSocket-Version: %b\r\n"
        b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n" % (KEY.encode(), KEY_LINE, version)
    )


async def opened(client: RawClient) -> bytes:
    """The head of the 101."""
    await client.send(opening())
    return await client._until(b"\r\n\r\n")


def frame(opcode: Opcode, payload: bytes = b"", *, fin: bool = True) -> bytes:
    return Frame(opcode, payload, fin).serialize(mask=True)


async def test_another_version_is_told_which_one_is_taken():
    """RFC 6455, 4.4."""
    async with place() as (gateway, engine), connected(gateway) as client:
        await client.send(opening(b"8"))
        reply = await client.reply()

        assert (400, "13") == (reply.status, reply.header("sec-websocket-version"))
        assert not engine.ends


async def test_no_extension_is_agreed_on():
    async with place() as (gateway, _), connected(gateway) as client:
        head = (await opened(client)).lower()

        assert head.startswith(b"http/1.1 101 ")
        assert b"sec-websocket-extensions" not in head


async def test_law_5_a_client_that_resets_is_noticed_while_the_upstream_reads_nothing():
    """Its words wait then, unread, and no read can tell that it has left."""
    async with place() as (gateway, engine), connected(gateway) as client:
        engine.is_deaf = True
        await opened(client)
        sending = asyncio.ensure_future(flood(client))
        await asyncio.wait([sending], timeout=0.7)
        client.reset()
        await asyncio.wait([sending])
        sending.exception()

        assert await eventually(lambda: bool(gateway.lines()), 3.5)
        assert ("client_gone", 101) == tuple(
            gateway.lines()[0][one] for one in ("outcome", "status")
        )
        assert not len(gateway.gateway.in_flight)


async def flood(client: RawClient) -> None:
    for _ in range(1000):
        await client.send(frame(Opcode.BINARY, bytes(65536)))


async def ends(client: RawClient, chosen: random.Random) -> None:
    """One of the ways in which a client may end it."""
    match chosen.randrange(8):
        case 0:
            client.reset()
        case 1:
            client.half_close()
        case 2:
            await client.send(chosen.randbytes(300))
        case 3:
            await client.send(
                frame(Opcode.CLOSE, chosen.choice((1000, 3000, 4999)).to_bytes(2, "big"))
            )
        case 4:
            await client.send(frame(Opcode.TEXT, b"\xff"))
        case 5:
            await client.send(frame(Opcode.PING, b"x") * 2000 + frame(Opcode.CLOSE))
        case 6:
            await client.send(frame(Opcode.TEXT, b"a", fin=False) + frame(Opcode.TEXT, b"b"))
        case _:
            client.close()


@pytest.mark.timeout(60)
async def test_law_1_however_sockets_end_each_is_settled_once_and_leaves_nothing():
    chosen, count = random.Random(5), 200

    async def one(gateway: RunningGateway) -> None:
        async with connected(gateway) as client:
            await opened(client)
            await client.send(frame(Opcode.BINARY, bytes(chosen.randrange(3000))))
            await ends(client, chosen)
            await asyncio.sleep(0.02)

    async with place() as (gateway, engine):
        tasks = len(asyncio.all_tasks())
        for _ in range(count // 20):
            await asyncio.gather(*(one(gateway) for _ in range(20)))
        assert await eventually(lambda: len(gateway.lines()) == count)
        assert await eventually(lambda: not engine.open)
        assert await eventually(lambda: len(asyncio.all_tasks()) <= tasks)

        assert count == len({line["request_id"] for line in gateway.lines()})
        assert {"complete", "client_gone"} == {line["outcome"] for line in gateway.lines()}
        assert not len(gateway.gateway.in_flight)
