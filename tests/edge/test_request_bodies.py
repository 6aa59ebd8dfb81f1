"""Bodies that are taken piece by piece as they come, over real sockets (contract D8, L7; reliability R2, R4)."""

import asyncio
import random

import pytest

from app.edge.client_request import ClientRequest
from app.edge.patience import BODY_IDLE_SECONDS
from tests.edge.served import LIMIT_BYTES, answer, served
from tests.fakes.clock import Clock
from tests.fakes.raw_client import RawClient, eventually

HEAD = b"POST /v1/files HTTP/1.1\r\nHost: x\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
EXPECTS = b"Expect: 100-continue\r\n"
MOST_BYTES = 4 * LIMIT_BYTES


def sized(size: int, *lines: bytes) -> bytes:
    return HEAD + b"".join(lines) + b"Content-Length: %d\r\n\r\n" % size


def in_chunks(body: bytes, size: int) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


class Taker:
    """Serves by taking the pieces, one whenever it `may`. *taken*: so far."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.taken: list[bytes] = []
        self.may = asyncio.Event()
        self.may.set()
        self.most_bytes = most_bytes

    async def __call__(self, client: ClientRequest) -> None:
        async for piece in client.body_pieces(self.most_bytes):
            self.taken.append(piece)
            await self.may.wait()
        answer(client, b"%d" % self.size)

    @property
    def size(self) -> int:
        return sum(map(len, self.taken))


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


@pytest.mark.parametrize("size", [0, 1, 70_000, 3_000_000])
@pytest.mark.parametrize("chunk", [0, 1000, 65_536, 10**7], ids=["sized", "small", "large", "one"])
async def test_a_body_comes_out_as_it_went_in(size, chunk):
    taker, body = Taker(), noise(size)
    async with served(taker) as one:
        reply = await one.ask(CHUNKED + in_chunks(body, chunk) if chunk else sized(size) + body)

    assert (200, b"%d" % size) == (reply.status, reply.body)
    assert body == b"".join(taker.taken)
    assert all(taker.taken)


@pytest.mark.parametrize("framing", ["sized", "chunked"])
async def test_it_comes_out_the_same_however_it_is_cut(framing):
    body = noise(5000)
    sent = sized(len(body)) + body if framing == "sized" else CHUNKED + in_chunks(body, 700)
    chance = random.Random(11)
    taker = Taker()
    async with served(taker) as one, one.connected() as client:
        for _ in range(20):
            taker.taken.clear()
            at = 0
            while at < len(sent):
                end = at + chance.randrange(1, 900)
                await client.send(sent[at:end])
                at = end
                await asyncio.sleep(0)
            reply = await client.reply()

            assert (b"5000", body) == (reply.body, b"".join(taker.taken))


async def test_the_connection_serves_the_next_request_after_a_whole_body():
    async with served(Taker()) as one, one.connected() as client:
        await client.send(sized(3) + b"abc" + CHUNKED + in_chunks(b"defg", 2))

        assert [b"3", b"7"] == [(await client.reply()).body, (await client.reply()).body]


# --- back-pressure ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("framing", ["sized", "chunked"])
async def test_a_client_is_no_faster_than_who_takes_the_pieces(framing):
    """A quarter of a megabyte waits, one read more at most, however much the client would send."""
    taker, size = Taker(100 << 20), 50 << 20
    taker.may.clear()
    async with served(taker) as one, one.connected() as client:
        await client.send(sized(size) if framing == "sized" else CHUNKED)
        block = bytes(1 << 20)
        blocks = [block if framing == "sized" else b"100000\r\n" + block + b"\r\n"] * 50
        sending = asyncio.ensure_future(_send_all(client, blocks, framing))
        request = (await one.requests(1))[0]
        assert await eventually(lambda: request.is_flooded)
        received = await _settled(request)

        assert received <= (256 + 256 + 256) * 1024
        assert not sending.done()
        taker.may.set()
        reply = await client.reply()
        await sending

    assert b"%d" % size == reply.body


async def _send_all(client: RawClient, blocks: list[bytes], framing: str) -> None:
    for block in blocks:
        await client.send(block)
    if framing == "chunked":
        await client.send(b"0\r\n\r\n")


async def _settled(request: ClientRequest) -> int:
    size = -1
    while size != request.size:
        size = request.size
        for _ in range(50):
            await asyncio.sleep(0)
    return size


# --- refusals ---------------------------------------------------------------------------------------------------------


async def test_a_length_that_is_too_much_is_refused_before_a_byte_is_asked_for():
    """Contract L7, F33: the refusal comes instead of the 100."""
    taker = Taker(100)
    async with served(taker) as one, one.connected() as client:
        await client.send(sized(101, EXPECTS))
        reply = await client.reply()

    assert (413, "request_too_large") == (reply.status, reply.error["code"])
    assert b"100" not in client.reads[0][1].split(b"\r\n")[0]
    assert [] == taker.taken


async def test_too_much_in_chunks_is_refused_when_it_has_come():
    taker = Taker(100)
    async with served(taker) as one:
        reply = await one.ask(CHUNKED + in_chunks(bytes(101), 50).removesuffix(b"0\r\n\r\n"))

    assert (413, "close") == (reply.status, reply.header("connection"))


async def test_as_much_as_may_be_passes_in_chunks():
    async with served(Taker(100)) as one:
        reply = await one.ask(CHUNKED + in_chunks(bytes(100), 50))

    assert 200 == reply.status


async def test_the_100_leaves_when_the_body_is_asked_for():
    began, go_on = asyncio.Event(), asyncio.Event()

    async def serve(client: ClientRequest) -> None:
        pieces = client.body_pieces(MOST_BYTES)
        began.set()
        await go_on.wait()
        answer(client, b"".join([piece async for piece in pieces]))

    async with served(serve) as one, one.connected() as client:
        await client.send(sized(5, EXPECTS))
        await began.wait()
        assert not client.reads
        go_on.set()
        head = await client._until(b"\r\n\r\n")
        await client.send(b"hello")
        reply = await client.reply()

    assert head.startswith(b"HTTP/1.1 100 ")
    assert b"hello" == reply.body


async def test_a_body_that_is_not_read_gets_no_100_and_ends_the_connection():
    async def serve(client: ClientRequest) -> None:
        answer(client, b"no", 401)

    async with served(serve) as one, one.connected() as client:
        await client.send(sized(5, EXPECTS))
        reply = await client.reply()

        assert (401, "close") == (reply.status, reply.header("connection"))
        assert await client.is_closed()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (sized(5, b"Content-Encoding: gzip\r\n"), 415),
        (CHUNKED + b"5\r\nhello\r\nzz\r\n", 400),
        (CHUNKED + b"1\r\na\r\n" + b"1;" + b"x" * 300_000, 400),
    ],
    ids=["compressed", "with a broken chunk", "with more framing than content"],
)
async def test_a_body_that_cannot_be_read_is_refused(sent, status):
    async with served(Taker()) as one:
        reply = await one.ask(sent)

    assert (status, "close") == (reply.status, reply.header("connection"))


async def test_a_reply_before_the_bodys_end_reaches_a_client_that_still_sends():
    async def serve(client: ClientRequest) -> None:
        async for _ in client.body_pieces(MOST_BYTES):
            answer(client, b"enough", 409)
            return

    async with served(serve) as one, one.connected() as client:
        await client.send(sized(MOST_BYTES))
        await client.send(bytes(300_000))
        reply = await client.reply()

    assert (409, b"enough", "close") == (reply.status, reply.body, reply.header("connection"))


# --- time and leaving -------------------------------------------------------------------------------------------------


async def test_a_client_that_falls_silent_is_told_so():
    clock = Clock()
    async with served(Taker(), now=clock) as one, one.connected() as client:
        await client.send(sized(10) + b"hello")
        request = (await one.requests(1))[0]
        assert await eventually(lambda: request.size == 5)
        clock.advance(BODY_IDLE_SECONDS)
        one.server.sweep()
        reply = await client.reply()

    assert (408, "request_timeout") == (reply.status, reply.error["code"])


async def test_a_client_that_waits_for_us_is_not_late_and_has_its_time_afterwards():
    clock, taker = Clock(), Taker()
    taker.may.clear()
    async with served(taker, now=clock) as one, one.connected() as client:
        sending = asyncio.ensure_future(client.send(sized(2_100_000) + bytes(2_000_000)))
        request = (await one.requests(1))[0]
        assert await eventually(lambda: request.is_flooded)
        for _ in range(4):
            clock.advance(BODY_IDLE_SECONDS)
            one.server.sweep()
        taker.may.set()
        assert await eventually(lambda: taker.size == 2_000_000)
        clock.advance(BODY_IDLE_SECONDS - 1)
        one.server.sweep()
        await sending
        await client.send(bytes(100_000))
        reply = await client.reply()

    assert (200, b"2100000") == (reply.status, reply.body)


async def test_time_begins_when_the_body_is_asked_for():
    """A client that waits for the 100 sends nothing, and that is right."""
    clock, go_on = Clock(), asyncio.Event()

    async def serve(client: ClientRequest) -> None:
        await go_on.wait()
        answer(client, b"".join([piece async for piece in client.body_pieces(MOST_BYTES)]))

    async with served(serve, now=clock) as one, one.connected() as client:
        await client.send(sized(5, EXPECTS))
        await one.requests(1)
        clock.advance(BODY_IDLE_SECONDS)
        one.server.sweep()
        go_on.set()
        await client._until(b"\r\n\r\n")
        clock.advance(BODY_IDLE_SECONDS)
        one.server.sweep()
        reply = await client.reply()

    assert 408 == reply.status


@pytest.mark.parametrize(
    "is_slow", [False, True], ids=["while it is waited for", "while we are slow"]
)
async def test_a_client_that_leaves_ends_the_task(is_slow):
    taker = Taker()
    async with served(taker) as one:
        async with one.connected() as client:
            await client.send(sized(1000) + b"hello")
            assert await eventually(lambda: taker.size == 5)
            if is_slow:
                taker.may.clear()
                await client.send(b"more")
            client.close()
        assert await eventually(lambda: one.pipeline.ends == ["gone"])


async def test_cancels_at_any_time_leave_the_server_as_it_was():
    chance = random.Random(2)
    async with served(Taker()) as one:
        for _ in range(100):
            async with one.connected() as client:
                await client.send(sized(200_000) + bytes(chance.randrange(200_000)))
                for _ in range(chance.randrange(20)):
                    await asyncio.sleep(0)
                client.reset() if chance.random() < 0.5 else client.close()

        assert await eventually(lambda: not one.server.server_state.connections)
        assert await eventually(lambda: not one.server.server_state.tasks)


# --- cutting ----------------------------------------------------------------------------------------------------------


async def end_of(client: RawClient) -> str:
    try:
        while await client.more():
            pass
    except ConnectionResetError:
        return "reset"
    return "closed"


@pytest.mark.parametrize(
    ("version", "length", "end", "seen"),
    [
        (b"1.1", 10, "closed", b"\r\nhello"),
        (b"1.1", None, "closed", b"\r\n5\r\nhello\r\n"),
        (b"1.0", None, "reset", b""),
    ],
    ids=["with a length", "in chunks", "to the connection's end"],
)
async def test_a_reply_that_is_cut_never_looks_whole(version, length, end, seen):
    """Contract L10. What was written still leaves."""

    async def serve(client: ClientRequest) -> None:
        client.start(200, b"", length)
        client.write(b"hello")
        client.cut()
        client.cut()
        client.write(b" world")
        client.finish()
        await asyncio.sleep(0)

    async with served(serve) as one, one.connected() as client:
        await client.send(b"GET /v1/x HTTP/%b\r\nHost: x\r\n\r\n" % version)

        assert end == await end_of(client)
        assert client.buffer.endswith(seen)

    assert ["complete"] == one.pipeline.ends


async def test_a_cut_after_the_client_left_does_nothing():
    went_on = asyncio.Event()

    async def serve(client: ClientRequest) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            client.cut()
            went_on.set()

    async with served(serve) as one:
        async with one.connected() as client:
            await client.send(b"GET /v1/x HTTP/1.1\r\nHost: x\r\n\r\n")
            await one.requests(1)
        await went_on.wait()

        assert await eventually(lambda: one.pipeline.ends == ["gone"])


async def test_a_request_behind_a_cut_reply_is_not_served():
    async def serve(client: ClientRequest) -> None:
        client.start(200, b"", 10)
        client.write(b"hello")
        await asyncio.sleep(0)
        client.cut()

    async with served(serve) as one, one.connected() as client:
        await client.send(b"GET /v1/x HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
        await end_of(client)

    assert 1 == len(one.pipeline.clients)
