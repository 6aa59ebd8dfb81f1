"""One request and its reply on the wire: bodies in, framing out (contract B9, B12, D8, F33; reliability R2, F3)."""

import asyncio
from collections.abc import Callable

import pytest

from app.edge.client_request import UNWANTED_BYTES, ClientRequest
from tests.edge.served import JSON, LIMIT_BYTES, answer, echo, served
from tests.fakes.raw_client import RawClient, eventually

CHUNKED = ["transfer-encoding: chunked"]


def head(*lines: str, method: str = "POST", version: str = "1.1", target: str = "/v1/x") -> bytes:
    return "\r\n".join([f"{method} {target} HTTP/{version}", "host: x", *lines, "", ""]).encode()


def post(body: bytes, *lines: str) -> bytes:
    return head(f"content-length: {len(body)}", *lines) + body


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


# --- bodies -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "body"),
    [
        pytest.param(post(b"abc"), b"abc", id="with a length"),
        pytest.param(head(*CHUNKED) + chunk(b"ab") + chunk(b"c") + chunk(b""), b"abc", id="in chunks"),
        pytest.param(post(b""), b"", id="B9: empty"),
        pytest.param(head(), b"", id="B9: none at all"),
        pytest.param(post(b"x", "content-encoding: Identity "), b"x", id="B12: said to be plain"),
        pytest.param(post(b"x", "content-encoding:"), b"x", id="B12: nothing said"),
        pytest.param(post(b"x" * LIMIT_BYTES), b"x" * LIMIT_BYTES, id="D8: just the bound"),
    ],
)  # fmt: skip
async def test_a_body_is_read_whole(sent: bytes, body: bytes) -> None:
    async with served() as found:
        assert b"POST /v1/x " + body == (await found.ask(sent)).body


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        pytest.param(
            head(f"content-length: {LIMIT_BYTES + 1}"), 413, "request_too_large", id="F33: told before it came"
        ),
        pytest.param(
            post(b"x" * (LIMIT_BYTES + 1)), 413, "request_too_large", id="D8: one byte more"
        ),
        pytest.param(
            head(*CHUNKED) + chunk(b"x" * LIMIT_BYTES) + chunk(b"y"), 413, "request_too_large", id="D8: in chunks"
        ),
        pytest.param(post(b"x", "content-encoding: gzip"), 415, "unsupported_media_type", id="B12"),
        pytest.param(post(b"x", "content-encoding: \xe9"), 415, "unsupported_media_type", id="B12: odd"),
    ],
)  # fmt: skip
async def test_a_body_that_is_refused(sent: bytes, status: int, code: str) -> None:
    async with served() as found:
        reply = await found.ask(sent)

    assert (status, code) == (reply.status, reply.error["code"])


@pytest.mark.parametrize(("limit", "megabytes"), [(64 << 20, "64"), (1 << 19, "0.5")])
async def test_f33_the_message_names_the_bound(limit: int, megabytes: str) -> None:
    async with served(max_body_bytes=limit) as found:
        reply = await found.ask(head(f"content-length: {limit + 1}"))

    assert f"The request body is larger than {megabytes} MB." == reply.error["message"]


async def test_r2_little_of_a_body_is_kept_before_anyone_asks_for_it() -> None:
    asked = asyncio.Event()

    async def later(client: ClientRequest) -> None:
        await asked.wait()
        answer(client, b"%d" % len(await client.read_body()))

    body = b"x" * LIMIT_BYTES
    async with served(later) as found, found.connected() as client:
        sending = asyncio.ensure_future(client.send(post(body)))
        await eventually(lambda: bool(found.pipeline.clients))
        (request,) = found.pipeline.clients
        await eventually(lambda: request.is_flooded)
        await asyncio.sleep(0.05)
        kept = request.size

        asked.set()
        assert b"%d" % len(body) == (await client.reply()).body
        await sending
    assert UNWANTED_BYTES < kept < LIMIT_BYTES


@pytest.mark.parametrize("size", [10, UNWANTED_BYTES + 1, 200_000])
async def test_a_body_that_nobody_read_does_not_stop_the_next_request(size: int) -> None:
    async def refuse(client: ClientRequest) -> None:
        await asyncio.sleep(0.02)
        answer(client, b"no", 401)

    async with served(refuse) as found, found.connected() as client:
        await client.send(post(b"x" * size))
        first = await client.reply()
        if first.header("connection") == "close":
            assert size > UNWANTED_BYTES
            assert await client.is_closed()
        else:
            await client.send(post(b""))
            assert 401 == (await client.reply()).status


# --- 100 Continue -------------------------------------------------------------------------------------------------


async def test_l7_a_body_that_is_wanted_is_asked_for() -> None:
    async with served() as found, found.connected() as client:
        await client.send(head("content-length: 3", "expect: 100-continue"))
        assert (await client.more()).startswith(b"HTTP/1.1 100 ")
        client.buffer = b""
        await client.send(b"abc")

        assert b"POST /v1/x abc" == (await client.reply()).body


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        pytest.param([f"content-length: {LIMIT_BYTES + 1}"], 413, id="R2: too large"),
        pytest.param(["content-length: 3", "content-encoding: br"], 415, id="packed"),
    ],
)
async def test_r2_one_that_is_not_gets_the_final_status_alone(
    lines: list[str], status: int
) -> None:
    async with served() as found, found.connected() as client:
        await client.send(head("expect: 100-continue", *lines))

        assert (await client.more()).startswith(b"HTTP/1.1 %d " % status)
        assert "close" == (await client.reply()).header("connection")


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(post(b"abc", "expect: 100-continue"), id="the body came along"),
        pytest.param(head("expect: 100-continue", "content-length: 0"), id="there is none"),
        pytest.param(
            head("expect: 100-continue", "content-length: 3", version="1.0") + b"abc", id="HTTP/1.0"
        ),
    ],
)
async def test_nobody_is_asked_for_what_is_here(sent: bytes) -> None:
    async with served() as found, found.connected() as client:
        await client.send(sent)

        assert (await client.more()).startswith(b"HTTP/1.1 200 ")


# --- replies ------------------------------------------------------------------------------------------------------

Write = Callable[[ClientRequest], None]


def whole(client: ClientRequest) -> None:
    client.start(200, JSON, 5)
    client.write(b"he")
    client.write(b"")
    client.write(b"llo")
    client.finish()


def open_ended(client: ClientRequest) -> None:
    client.start(200, JSON, None)
    client.write(b"he")
    client.write(b"")
    client.finish(b"llo")


def empty(client: ClientRequest) -> None:
    client.start(200, JSON, None)
    client.finish()


def nothing(client: ClientRequest) -> None:
    client.start(204, b"", 0)
    client.finish()


async def reply_to(sent: bytes, write: Write) -> bytes:
    """Every byte of the reply, up to the end of the connection."""

    async def serve(client: ClientRequest) -> None:
        await client.read_body()
        write(client)

    async with served(serve) as found, found.connected() as client:
        await client.send(sent)
        while await client.more():
            continue
        return b"".join(data for _, data in client.reads)


LAST = "connection: close"
STAY = "connection: keep-alive"
CHUNKS = [b"transfer-encoding: chunked"]


@pytest.mark.parametrize(
    ("sent", "write", "lines", "body"),
    [
        pytest.param(head(LAST), whole, [b"content-length: 5"], b"hello", id="a length"),
        pytest.param(head(LAST), open_ended, CHUNKS, b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", id="none: chunks"),
        pytest.param(head(LAST), empty, CHUNKS, b"0\r\n\r\n", id="empty chunks"),
        pytest.param(head(version="1.0"), whole, [b"content-length: 5"], b"hello", id="1.0, a length"),
        pytest.param(head(version="1.0"), open_ended, [], b"hello", id="1.0, none: to the end"),
        pytest.param(head(STAY, version="1.0"), open_ended, [], b"hello", id="1.0, none, asked to stay"),
        pytest.param(head(LAST, method="HEAD"), whole, [b"content-length: 5"], b"", id="A11: HEAD"),
        pytest.param(
            head(LAST, method="HEAD"), open_ended, CHUNKS, b"", id="A11: HEAD of a stream"
        ),
        pytest.param(head(LAST), nothing, [], b"", id="204"),
    ],
)  # fmt: skip
async def test_r3_how_a_reply_is_framed(
    sent: bytes, write: Write, lines: list[bytes], body: bytes
) -> None:
    head_bytes, _, found = (await reply_to(sent, write)).partition(b"\r\n\r\n")
    status, *fields = head_bytes.split(b"\r\n")
    framing = [one for one in fields if one.startswith((b"content-length", b"transfer-encoding"))]

    assert status.startswith(b"HTTP/1.1 20")
    assert (lines, body) == (framing, found)
    assert 1 == fields.count(b"connection: close")
    assert 1 == sum(one.startswith(b"date: ") and one.endswith(b" GMT") for one in fields)


async def test_h11_a_small_reply_comes_in_one_read() -> None:
    async with served(echo) as found, found.connected() as client:
        await client.send(post(b"abc"))
        await client.reply()

    assert 1 == len(client.reads)


@pytest.mark.parametrize("length", [None, 3 << 20])
async def test_a_large_piece_arrives_whole(length: int | None) -> None:
    piece = bytes(range(256)) * 4 * 1024

    async def large(client: ClientRequest) -> None:
        client.start(200, b"", length)
        client.write(piece)
        client.write(piece)
        client.finish(piece)

    async with served(large) as found, found.connected() as client:
        for _ in range(2):
            await client.send(head())
            assert piece * 3 == (await client.reply()).body


async def test_a_head_that_has_not_left_may_be_another() -> None:
    async def changes_its_mind(client: ClientRequest) -> None:
        client.start(200, b"a: 1\r\n", None)
        assert not client.head_sent
        answer(client, b"no", 503)
        assert client.head_sent

    async with served(changes_its_mind) as found:
        reply = await found.ask(head())

    assert (503, b"no", None) == (reply.status, reply.body, reply.header("a"))


async def test_one_that_has_left_may_not() -> None:
    async def twice(client: ClientRequest) -> None:
        client.start(200, b"", None)
        client.write(b"x")
        with pytest.raises(RuntimeError):
            client.start(500, b"", 0)
        client.finish()
        client.write(b"behind the end")
        client.finish()

    async with served(twice) as found, found.connected() as client:
        for _ in range(2):
            await client.send(head())
            assert b"x" == (await client.reply()).body


async def test_room_that_is_there_is_told_at_once() -> None:
    told = []

    async def ask(client: ClientRequest) -> None:
        client.when_room(lambda: told.append(client.is_full))
        answer(client, b"")

    async with served(ask) as found:
        await found.ask(head())

    assert [False] == told


async def test_r4_a_writer_is_told_of_room_once_the_client_reads() -> None:
    told: list[bool] = []

    async def fill(client: ClientRequest) -> None:
        client.start(200, b"", None)
        while not told:
            room = asyncio.Event()
            while not client.is_full:
                client.write(b"x" * 8192)
            client.when_room(room.set)
            await room.wait()
            if stopped.is_set():
                told.append(client.is_full)
        client.finish(b"end")

    stopped = asyncio.Event()
    async with served(fill) as found, found.connected() as client:
        await client.send(head())
        (request,) = await found.requests(1)
        assert await found.settled_full(request)
        stopped.set()
        assert [] == told

        assert (await client.reply()).body.endswith(b"xend")
    assert [False] == told


async def test_the_request_is_as_it_came() -> None:
    async with served() as found:
        await found.ask(head("X-Odd: \xe9", target="/v1/a%2Fb?q=%20", method="DELETE"))

    (client,) = found.pipeline.clients
    assert ("DELETE", "/v1/a%2Fb", "q=%20") == (client.method, client.path, client.query)
    assert [(b"host", b"x"), (b"x-odd", "\xe9".encode())] == client.headers


async def test_nothing_lasts_when_all_have_gone() -> None:
    async with served() as found:
        clients: list[RawClient] = []
        for _ in range(20):
            async with found.connected() as client:
                clients.append(client)
                await client.send(post(b"abc"))
                await client.reply()
        assert await eventually(lambda: not found.server.server_state.connections)
        assert set() == found.server.server_state.tasks
