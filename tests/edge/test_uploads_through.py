"""A body that goes straight on to an upstream, from socket to socket: `body_pieces` as an `Upload` (contract L6)."""

import asyncio
import hashlib
import resource
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from typing_extensions import override

from app.edge.client_request import ClientRequest
from app.wire.pool import Pool, PoolLimits
from app.wire.requests import RequestHead, Upload
from tests.edge.served import answer, served
from tests.fakes.certificates import trust
from tests.fakes.raw_client import RawClient, eventually

SIZE = 64 << 20
LAST_CHUNK = b"0\r\n\r\n"
BLOCK = bytes(range(256)) * 4096
MOST_BYTES = 1 << 30


class Upstream(asyncio.Protocol):
    """Reads one body and hashes what comes behind the head. It answers as soon as that is *answers_at* bytes long, or
    with the last chunk."""

    def __init__(self) -> None:
        self.size = -1  # until the head has come
        self.digest = hashlib.sha256()
        self.answers_at = SIZE
        self.is_gone = False
        self.reads = True

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    @override
    def data_received(self, data: bytes) -> None:
        if self.size < 0:
            self.size = 0
            data = data.partition(b"\r\n\r\n")[2]
        self.size += len(data)
        self.digest.update(data)
        if self.size >= self.answers_at or data.endswith(LAST_CHUNK):
            self.answers_at = 1 << 60
            self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        if not self.reads:
            self.transport.pause_reading()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.is_gone = True


class Passing:
    """Serves by passing each body on to *upstream*."""

    def __init__(self, port: int, upstream: Upstream) -> None:
        self.upstream = upstream
        self.head = RequestHead("POST", f"http://127.0.0.1:{port}/files", [])
        limits = PoolLimits(2, 2, 5.0, 5.0, 30.0, 60.0, 600.0)
        self.pool = Pool(limits, trust())

    async def __call__(self, client: ClientRequest) -> None:
        upload = Upload(client.body_pieces(MOST_BYTES), client.body_bytes)
        response = await self.pool.send(self.head, [], upload)
        try:
            answer(client, await response.read(5.0) or b"")
        finally:
            response.close()


@pytest_asyncio.fixture
async def passing() -> AsyncIterator[Passing]:
    upstream = Upstream()
    listening = await asyncio.get_running_loop().create_server(lambda: upstream, "127.0.0.1", 0)
    one = Passing(listening.sockets[0].getsockname()[1], upstream)
    yield one
    await one.pool.aclose()
    listening.close()


def head(size: int | None) -> bytes:
    framing = b"Transfer-Encoding: chunked" if size is None else b"Content-Length: %d" % size
    return b"POST /v1/files HTTP/1.1\r\nHost: x\r\n" + framing + b"\r\n\r\n"


async def send_blocks(client: RawClient, size: int, *, chunked: bool) -> None:
    for _ in range(size // len(BLOCK)):
        await client.send(b"%x\r\n%b\r\n" % (len(BLOCK), BLOCK) if chunked else BLOCK)
    if chunked:
        await client.send(b"0\r\n\r\n")


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


@pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "in chunks"])
async def test_a_large_upload_passes_unchanged_with_flat_memory(passing, chunked):
    if chunked:
        passing.upstream.answers_at = 1 << 60
    async with served(passing) as one, one.connected() as client:
        await client.send(head(None if chunked else SIZE))
        await one.requests(1)
        before = resident_bytes()
        sending = asyncio.ensure_future(send_blocks(client, SIZE, chunked=chunked))
        reply = await client.reply()
        await sending
        grown = resident_bytes() - before

    assert b"ok" == reply.body
    if not chunked:
        assert (
            hashlib.sha256(BLOCK * (SIZE // len(BLOCK))).digest()
            == passing.upstream.digest.digest()
        )
    assert grown < 8 << 20


async def test_a_client_that_leaves_ends_the_upload_at_the_upstream(passing):
    async with served(passing) as one:
        async with one.connected() as client:
            await client.send(head(SIZE) + BLOCK)
            assert await eventually(lambda: passing.upstream.size == len(BLOCK))
        assert await eventually(lambda: passing.upstream.is_gone)
        assert await eventually(lambda: one.pipeline.ends == ["gone"])


async def test_an_early_answer_stops_the_upload_and_reaches_the_client(passing):
    passing.upstream.answers_at = 1000
    async with served(passing) as one, one.connected() as client:
        await client.send(head(SIZE) + BLOCK[:5000])
        reply = await client.reply()

        assert (b"ok", "close") == (reply.body, reply.header("connection"))
        assert await eventually(lambda: passing.upstream.is_gone)


async def test_an_upstream_that_reads_nothing_holds_up_the_client(passing):
    passing.upstream.reads = False
    async with served(passing) as one, one.connected() as client:
        await client.send(head(SIZE))
        sending = asyncio.ensure_future(send_blocks(client, SIZE, chunked=False))
        request = (await one.requests(1))[0]
        assert await eventually(lambda: request.is_flooded)
        assert not sending.done()
        passing.upstream.reads = True
        passing.upstream.transport.resume_reading()
        reply = await client.reply()
        await sending

    assert b"ok" == reply.body
