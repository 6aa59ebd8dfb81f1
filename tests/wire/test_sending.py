"""Large bodies and uploads: piece by piece, no faster than the peer reads, no further than its answer."""

import asyncio
import resource
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from typing_extensions import override

from app.wire.connection import NEVER, Connection
from app.wire.errors import CutBeforeHead
from app.wire.requests import RequestHead, Upload
from app.wire.responses import Response
from app.wire.sending import deliver
from tests.wire.parts import FakeTransport, connected, pool_of, read_all

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
OPENING = b"POST / HTTP/1.1\r\n\r\n"
LARGE = bytes(range(256)) * 4096


class Pieces:
    """An upload's pieces, and what became of them. *wait*: awaited before the last."""

    def __init__(self, *pieces: bytes | Exception, wait: asyncio.Event | None = None) -> None:
        self.taken = 0
        self.is_closed = False
        self._pieces = pieces
        self._wait = wait

    async def iterate(self) -> AsyncIterator[bytes]:
        try:
            for number, piece in enumerate(self._pieces, 1):
                if self._wait is not None and number == len(self._pieces):
                    await self._wait.wait()
                if isinstance(piece, Exception):
                    raise piece
                self.taken += 1
                yield piece
        finally:
            self.is_closed = True


def begun() -> tuple[Connection, FakeTransport, Response]:
    connection, transport, _ = connected()
    return connection, transport, connection.begin("POST", NEVER, NEVER)


async def turns(number: int = 20) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


def delivering(connection: Connection, response: Response, body: bytes | Upload) -> asyncio.Task[None]:  # fmt: skip
    return asyncio.ensure_future(deliver(connection, response, OPENING, body))


async def test_a_large_body_goes_out_in_pieces_between_which_the_loop_takes_turns():
    connection, transport, response = begun()
    sending = delivering(connection, response, LARGE)

    taken = 0
    while not connection.request_is_whole:
        await asyncio.sleep(0)
        taken += 1
    connection.data_received(ANSWER)
    await sending

    assert OPENING + LARGE == b"".join(transport.written)
    assert max(map(len, transport.written)) <= 256 * 1024
    assert taken >= len(LARGE) // (256 * 1024)


@pytest.mark.parametrize(
    ("length", "written"),
    [(None, b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"), (3, b"abc")],
    ids=["in chunks", "by its length"],
)
async def test_how_an_upload_is_written(length, written):
    connection, transport, response = begun()
    pieces = Pieces(b"ab", b"", b"c", b"")
    sending = delivering(connection, response, Upload(pieces.iterate(), length))

    await turns()
    connection.data_received(ANSWER)
    await sending

    assert OPENING + written == b"".join(transport.written)
    assert connection.request_is_whole
    assert pieces.is_closed


@pytest.mark.parametrize("length", [1, 4])
async def test_an_upload_that_is_not_as_long_as_it_said_is_an_error(length):
    connection, transport, response = begun()
    sending = delivering(connection, response, Upload(Pieces(b"ab", b"c").iterate(), length))

    with pytest.raises(ValueError, match="as long as it said"):
        await sending

    assert not connection.request_is_whole
    assert len(b"".join(transport.written)) <= len(OPENING) + length


async def test_what_an_upload_raises_comes_out():
    connection, _, response = begun()
    pieces = Pieces(b"ab", KeyError("theirs"))

    with pytest.raises(KeyError, match="theirs"):
        await deliver(connection, response, OPENING, Upload(pieces.iterate()))

    assert pieces.is_closed


async def test_no_piece_is_taken_while_the_peer_does_not_read():
    connection, _, response = begun()
    pieces = Pieces(*[b"x"] * 9)
    sending = delivering(connection, response, Upload(pieces.iterate()))
    connection.pause_writing()
    await turns()
    assert pieces.taken <= 1

    connection.resume_writing()
    await turns(40)
    connection.data_received(ANSWER)
    await sending

    assert pieces.taken == 9


@pytest.mark.parametrize("is_stuck", [False, True])
async def test_an_answer_ends_an_upload(is_stuck):
    connection, transport, response = begun()
    pieces = Pieces(b"ab", b"never", wait=asyncio.Event())
    sending = delivering(connection, response, Upload(pieces.iterate()))
    await asyncio.sleep(0)
    if is_stuck:
        connection.pause_writing()
    await turns()

    connection.data_received(ANSWER)
    await sending

    assert (200, True, True) == (response.status, pieces.is_closed, transport.is_aborted)
    assert await response.read(0) == b"{}"


async def test_an_answer_counts_more_than_what_became_of_the_upload():
    connection, _, response = begun()
    gate = asyncio.Event()
    pieces = Pieces(b"ab", KeyError("theirs"), wait=gate)
    sending = delivering(connection, response, Upload(pieces.iterate()))
    await turns()

    gate.set()
    connection.data_received(ANSWER)
    await sending

    assert response.status == 200


async def test_a_connection_that_ends_ends_an_upload():
    connection, _, response = begun()
    pieces = Pieces(*[b"ab"] * 100)
    sending = delivering(connection, response, Upload(pieces.iterate()))
    await turns(6)

    connection.connection_lost(ConnectionResetError())
    await sending

    assert isinstance(response.failure, CutBeforeHead)
    assert pieces.is_closed
    assert pieces.taken < 100


async def test_cancelled_an_upload_is_closed():
    connection, _, response = begun()
    pieces = Pieces(b"ab", b"never", wait=asyncio.Event())
    sending = delivering(connection, response, Upload(pieces.iterate()))
    await turns()

    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)

    assert sending.cancelled()
    assert pieces.is_closed


class Swallow(asyncio.Protocol):
    """An upstream that reads a request of *size* bytes, keeps none of it, and answers."""

    def __init__(self, size: int) -> None:
        self.left = size

    @override
    def connection_made(self, transport):
        self.transport = transport

    @override
    def data_received(self, data):
        self.left -= len(data)
        if self.left <= 0:
            self.transport.write(ANSWER)
            self.left = SIZE


SIZE = 64 * 1024 * 1024
MEMORY = Path("/proc/self/statm")


@pytest.mark.skipif(not MEMORY.exists(), reason="only Linux tells a process its memory this way")
@pytest.mark.parametrize("length", [None, SIZE])
async def test_an_upload_of_64_mb_is_never_in_memory(length):
    def resident_bytes() -> int:
        return int(MEMORY.read_text().split()[1]) * resource.getpagesize()

    async def pieces() -> AsyncIterator[bytes]:
        piece = bytes(64 * 1024)
        for _ in range(SIZE // len(piece)):
            sizes.append(resident_bytes())
            yield piece

    server = await asyncio.get_running_loop().create_server(lambda: Swallow(SIZE), "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    pool = pool_of()
    sizes = [resident_bytes()]

    response = await pool.send(RequestHead("POST", url, []), [], Upload(pieces(), length))

    assert await read_all(response) == b"{}"
    assert max(sizes) - sizes[0] < 4 * 1024 * 1024
    await pool.aclose()
    server.close()


@pytest.mark.parametrize("size", [1, 16 * 1024 - 1, 16 * 1024, 300_000])
async def test_a_chunk_is_framed_alike_whatever_its_size(size):
    connection, transport, response = begun()
    task = delivering(connection, response, Upload(Pieces(LARGE[:size]).iterate()))
    await turns()
    connection.data_received(ANSWER)
    await task

    chunk = b"%x\r\n%b\r\n" % (size, LARGE[:size])
    assert OPENING + chunk + b"0\r\n\r\n" == b"".join(transport.written)
