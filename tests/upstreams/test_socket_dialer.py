"""Websockets to upstreams: what is dialled, what answers, and in whose words it fails (upstreams N13; S7)."""

import asyncio
import random
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from app.domain.errors import (
    GatewayError,
    UpstreamDisconnected,
    UpstreamMalformed,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from app.upstreams.socket_dialer import HandshakeRefused, SocketDialer
from app.wire.handshake import acceptance
from app.wire.messages import Message
from app.wire.web_socket import WebSocket
from tests.fakes.certificates import server_tls, trust
from tests.fakes.raw_client import eventually

SECRET = "sk-secret"
TRUST = trust()
FIELDS = [(b"user-agent", b"robot/1"), (b"x-request-id", b"req_1")]


class Server:
    """*heads*: of the handshakes that came. *open*: how many connections are."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.open = 0
        self.port = 0
        self.gone = asyncio.Event()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/asr?api_key={SECRET}"


Answer = Callable[[bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.open += 1
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            server.heads.append(head)
            await answer(head, reader, writer)
            await reader.read()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            server.open -= 1
            if not server.open:
                server.gone.set()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        await listening.wait_closed()


def accepting(head: bytes, *lines: bytes) -> bytes:
    fields = [line.split(b": ", 1) for line in head.split(b"\r\n")[1:-2]]
    ends = acceptance([(name.lower(), value) for name, value in fields])
    return b"HTTP/1.1 101 Switching Protocols\r\n" + b"".join(lines) + ends


async def accept(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(accepting(head))


def replying(answer: bytes, *, ends: bool = False) -> Answer:
    async def reply(head: bytes, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        if ends:
            writer.close()

    return reply


def dialer() -> SocketDialer:
    return SocketDialer(TRUST)


async def dial(url: str, **options) -> WebSocket:
    options = {"name": "openmind", "connect_seconds": 5.0, **options}
    return await dialer().dial(url, FIELDS, **options)


async def test_an_accepted_handshake_is_an_open_websocket():
    async with serving(accept) as server:
        made = await dial(server.url)
        made.abort()

    lines = server.heads[0].split(b"\r\n")
    assert b"GET /asr?api_key=sk-secret HTTP/1.1" == lines[0]
    assert b"host: 127.0.0.1:%d" % server.port in lines
    assert {b"user-agent: robot/1", b"x-request-id: req_1"} <= set(lines)
    assert "" == made.subprotocol


async def test_bytes_behind_the_answer_are_the_websockets():
    async def greet(head: bytes, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 103 Early\r\nx: y\r\n\r\n" + accepting(head) + b"\x81\x05hello")

    async with serving(greet) as server:
        made = await dial(server.url)

        assert Message(b"hello", True) == await made.receive()
        made.abort()


async def test_an_answer_may_come_byte_by_byte():
    async def drip(head: bytes, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in accepting(head) + b"\x81\x05hello":
            writer.write(bytes([byte]))
            await asyncio.sleep(0)

    async with serving(drip) as server:
        made = await dial(server.url)

        assert Message(b"hello", True) == await made.receive()
        made.abort()


async def test_subprotocols_are_offered_and_the_chosen_one_told():
    async def choose(head: bytes, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(accepting(head, b"sec-websocket-protocol: v2\r\n"))

    async with serving(choose) as server:
        made = await dial(server.url, subprotocols=("v1", "v2"))
        made.abort()

    assert "v2" == made.subprotocol
    assert b"sec-websocket-protocol: v1, v2\r\n" in server.heads[0]


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (b"HTTP/1.1 401 No\r\nContent-Length: 4\r\nX-A: b\r\n\r\nnope", 401, b"nope"),
        (
            b"HTTP/1.1 403 No\r\nX-A: b\r\ntransfer-encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
            403,
            b"no",
        ),
        (b"HTTP/1.1 500 No\r\nX-A: b\r\ncontent-length: 0\r\n\r\n", 500, b""),
        (b"HTTP/1.1 302 Go\r\nX-A: b\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n", 302, b""),
        (
            b"HTTP/1.1 200 OK\r\nX-A: b\r\ncontent-length: 90000\r\n\r\n" + b"x" * 90_000,
            200,
            b"x" * 65536,
        ),
        (b"HTTP/1.1 429 Wait\r\nX-A: b\r\ncontent-length: 9\r\n\r\nslow", 429, b"slow"),
    ],
    ids=[
        "with a length",
        "in chunks",
        "without a body",
        "to another place",
        "with a body of which the first bytes are kept",
        "with a body that never ends",
    ],
)
async def test_a_refused_handshake_says_how(answer, status, body):
    async with serving(replying(answer)) as server:
        with pytest.raises(HandshakeRefused) as caught:
            await dial(server.url, answer_seconds=0.3)
        await server.gone.wait()

    assert (status, body) == (caught.value.status, caught.value.body)
    assert (b"x-a", b"b") in caught.value.headers
    assert SECRET not in repr(caught.value)


async def test_a_refused_handshake_whose_body_the_end_delimits_says_how():
    async with serving(replying(b"HTTP/1.1 401 No\r\n\r\nnope", ends=True)) as server:
        with pytest.raises(HandshakeRefused) as caught:
            await dial(server.url)

    assert (401, b"nope") == (caught.value.status, caught.value.body)


FAILURES: dict[str, tuple[Answer, type[GatewayError]]] = {
    "garbage": (replying(b"SSH-2.0-OpenSSH\r\n"), UpstreamMalformed),
    "a wrong acceptance": (
        replying(
            b"HTTP/1.1 101 X\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
            b"sec-websocket-accept: x\r\n\r\n"
        ),
        UpstreamMalformed,
    ),
    "a head without an end": (
        replying(b"HTTP/1.1 101 X\r\nx: " + b"y" * 80_000),
        UpstreamMalformed,
    ),
    "a refusal that is no HTTP": (
        replying(b"HTTP/1.1 403 No\r\nno field\r\n\r\n"),
        UpstreamMalformed,
    ),
    "the end of the connection": (replying(b"HTTP/1.1 101", ends=True), UpstreamDisconnected),
    "nothing": (replying(b""), UpstreamTimeout),
}


@pytest.mark.parametrize(("answer", "error"), FAILURES.values(), ids=FAILURES)
async def test_an_answer_that_is_none_fails_in_our_words_and_closes(answer, error):
    async with serving(answer) as server:
        with pytest.raises(error) as caught:
            await dial(server.url, answer_seconds=0.3)
        await server.gone.wait()

    assert "'openmind'" in str(caught.value)
    assert SECRET not in f"{caught.value!r} {caught.value.__cause__!r}"


async def test_a_port_that_nobody_listens_on_is_unreachable():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(UpstreamUnreachable):
        await dial(f"ws://127.0.0.1:{port}/")


@pytest.mark.parametrize("url", ["ws://169.254.169.254/", "wss://[::ffff:169.254.169.254]/x"])
async def test_an_address_that_is_forbidden_is_not_dialled(url):
    """Reliability S7."""
    with pytest.raises(UpstreamUnreachable):
        await dial(url)


async def test_a_name_that_takes_too_long_is_unreachable():
    async def never(_: object) -> list[str]:
        await asyncio.get_running_loop().create_future()
        return []

    slow = SocketDialer(TRUST, never)
    with pytest.raises(UpstreamUnreachable):
        await slow.dial("ws://robot.example/", [], name="openmind", connect_seconds=0.05)


@pytest.mark.parametrize("url", ["ftp://x/", "127.0.0.1:80", "ws://", "ws:///x", "ws://h/a b"])
async def test_what_is_no_url_of_a_websocket_is_a_fault_of_ours(url):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 the words are the wire's
        await dial(url)

    assert url not in str(caught.value)


async def test_a_field_cannot_bring_another():
    with pytest.raises(ValueError, match="line break"):
        await dialer().dial(
            "ws://127.0.0.1/", [(b"x", b"y\r\nz: 1")], name="openmind", connect_seconds=1.0
        )


async def test_a_dead_upstream_is_the_kernels_to_find():
    async with serving(accept) as server:
        made = await dial(server.url)
        sock = made._transport.get_extra_info("socket")

        assert 1 == sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        made.abort()


async def test_a_close_is_shaken_over_a_real_connection():
    async def close(
        head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(accepting(head))
        sent = await reader.readexactly(2 + 4 + 2)
        mask = sent[2:6]
        code = bytes(byte ^ key for byte, key in zip(sent[6:], mask, strict=False))
        writer.write(b"\x88\x02" + code)
        writer.close()

    async with serving(close) as server:
        made = await dial(server.url)
        await made.close(4001)


async def test_a_websocket_goes_through_tls():
    async def greet(head: bytes, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(accepting(head) + b"\x81\x05hello")

    async with serving(greet, server_tls()) as server:
        url = server.url.replace("ws://127.0.0.1", "wss://localhost")
        made = await SocketDialer(trust()).dial(url, [], name="openmind", connect_seconds=5.0)

        assert Message(b"hello", True) == await made.receive()
        await made.send(Message(bytes(300_000), False))
        made.abort()


async def test_a_certificate_that_is_not_theirs_is_refused():
    async with serving(accept, server_tls(by="theirs")) as server:
        url = server.url.replace("ws://", "wss://")
        with pytest.raises(UpstreamUnreachable):
            await SocketDialer(trust()).dial(url, [], name="openmind", connect_seconds=5.0)

    assert [] == server.heads


async def test_a_thousand_cancels_leave_no_connection():
    chance = random.Random(3)
    async with serving(accept) as server:
        for _ in range(20):
            dials = [asyncio.ensure_future(dial(server.url)) for _ in range(50)]
            for one in dials:
                asyncio.get_running_loop().call_later(chance.random() * 0.02, one.cancel)
            await asyncio.wait(dials)
            for one in dials:
                if not one.cancelled():
                    one.result().abort()
        assert await eventually(lambda: server.open == 0)
