"""A request that becomes a websocket, over real sockets (upstreams N13; reliability R3, R4, R12, R13)."""

import asyncio
import random
from typing import cast

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.streams import StreamReader
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from app.domain.errors import UpstreamUnreachable
from app.edge.client_request import ClientRequest
from app.edge.http_connection import HttpConnection
from app.edge.patience import IDLE_SECONDS, PING_SECONDS
from app.wire.messages import Message, SocketClosed
from app.wire.web_socket import WebSocket
from tests.edge.served import Served, answer, echo, served
from tests.fakes.clock import Clock
from tests.fakes.raw_client import RawClient, eventually

KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
VERSION = b"Sec-WebSocket-Version: 13\r\n"
OFFER = b"Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
REQUEST = b"GET /v1/asr HTTP/1.1\r\nHost: x\r\n"
OPENING = REQUEST + OFFER + KEY + VERSION + b"\r\n"
PLAIN = b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n"
FIELDS = b"x-request-id: req_1\r\n"


def frame(opcode: Opcode, payload: bytes = b"", *, fin: bool = True) -> bytes:
    return Frame(opcode, payload, fin).serialize(mask=True)


def text(payload: bytes) -> bytes:
    return frame(Opcode.TEXT, payload)


def close(code: int) -> bytes:
    return frame(Opcode.CLOSE, code.to_bytes(2, "big"))


async def read(client: RawClient) -> tuple[str, bytes]:
    """The next frame. Raises EOFError at the connection's end, ConnectionResetError."""
    while True:
        reader = StreamReader()
        reader.feed_data(client.buffer)
        parsing = Frame.parse(reader.read_exact, mask=False)
        try:
            next(parsing)
        except StopIteration as parsed:
            client.buffer = bytes(reader.buffer)
            return parsed.value.opcode.name, bytes(parsed.value.data)
        if not await client.more():
            raise EOFError


async def opened(client: RawClient, opening: bytes = OPENING) -> bytes:
    """The head of the 101."""
    await client.send(opening)
    return await client._until(b"\r\n\r\n")


def connection_of(one: Served) -> HttpConnection:
    return cast(HttpConnection, next(iter(one.server.server_state.connections)))


def socket_of(connection: HttpConnection) -> WebSocket:
    assert connection._socket is not None
    return connection._socket


class Echo:
    """Accepts, and sends everything back. *ends*: how each socket was closed."""

    def __init__(self, fields: bytes = FIELDS) -> None:
        self.fields = fields
        self.ends: list[int] = []

    async def __call__(self, client: ClientRequest) -> None:
        made = client.accept_socket(self.fields)
        try:
            while True:
                await made.send(await made.receive())
        except SocketClosed as end:
            self.ends.append(end.code)


# --- opening ----------------------------------------------------------------------------------------------------------


async def test_a_handshake_is_answered_with_101_and_the_fields():
    async with served(Echo()) as one, one.connected() as client:
        lines = (await opened(client)).split(b"\r\n")

        assert b"HTTP/1.1 101 Switching Protocols" == lines[0]
        assert b"sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in lines
        assert {b"x-request-id: req_1", b"upgrade: websocket"} <= set(lines)
        await client.send(text(b"hello"))
        assert ("TEXT", b"hello") == await read(client)


async def test_a_client_of_the_library_takes_it():
    protocol = ClientProtocol(parse_uri("ws://x/v1/asr"), subprotocols=[Subprotocol("chat")])
    protocol.send_request(protocol.connect())
    fields = FIELDS + b"sec-websocket-protocol: chat\r\n"
    subprotocols = []

    async def serve(client: ClientRequest) -> None:
        made = client.accept_socket(fields)
        subprotocols.append(made.subprotocol)
        await made.close()

    async with served(serve) as one, one.connected() as client:
        protocol.receive_data(await opened(client, b"".join(protocol.data_to_send())))

    assert (State.OPEN, ["chat"]) == (protocol.state, subprotocols)


@pytest.mark.parametrize("cut", [1, 3, 10, len(OPENING)])
async def test_frames_behind_the_handshake_belong_to_the_socket(cut):
    """Sent before the 101, in one read with the head or not."""
    sent = OPENING + text(b"a") + text(b"GET / HTTP/1.1\r\n\r\n" * 20) + text(b"c")
    async with served(Echo()) as one, one.connected() as client:
        for at in range(0, len(sent), cut):
            await client.send(sent[at : at + cut])
            await asyncio.sleep(0)
        await client._until(b"\r\n\r\n")

        seen = [await read(client) for _ in range(3)]

    assert [b"a", b"GET / HTTP/1.1\r\n\r\n" * 20, b"c"] == [payload for _, payload in seen]


async def test_a_socket_may_stand_behind_requests_sent_ahead():
    async def serve(client: ClientRequest) -> None:
        await (Echo()(client) if client.path == "/v1/asr" else echo(client))

    async with served(serve) as one, one.connected() as client:
        await client.send(PLAIN * 3 + OPENING + text(b"hello"))
        bodies = [(await client.reply()).body for _ in range(3)]
        await client._until(b"\r\n\r\n")

        assert [b"GET /v1/models "] * 3 == bodies
        assert ("TEXT", b"hello") == await read(client)


NO_HANDSHAKES = {
    "without an upgrade": PLAIN,
    "to something else": OPENING.replace(b"WebSocket", b"h2c"),
    "by a POST": OPENING.replace(b"GET", b"POST", 1),
    "of HTTP/1.0": OPENING.replace(b"HTTP/1.1", b"HTTP/1.0", 1),
    "that Connection does not name": OPENING.replace(b"keep-alive, Upgrade", b"keep-alive"),
    "without a key": OPENING.replace(KEY, b""),
    "with a key that is none": OPENING.replace(b"dGhl", b"!!!!"),
    "of an old version": OPENING.replace(b"13", b"8"),
    "with a body": OPENING.replace(VERSION, VERSION + b"Content-Length: 2\r\n") + b"{}",
}


@pytest.mark.parametrize("sent", NO_HANDSHAKES.values(), ids=NO_HANDSHAKES)
async def test_what_is_no_handshake_is_refused_before_101(sent):
    async with served(Echo()) as one, one.connected() as client:
        await client.send(sent)
        reply = await client.reply()

    assert (400, "invalid_request_error") == (reply.status, reply.error["type"])


async def test_a_handshake_that_is_refused_leaves_the_connection_to_the_next_request():
    async def serve(client: ClientRequest) -> None:
        if client.path == "/v1/asr":
            raise UpstreamUnreachable("Upstream 'x' could not be reached.")
        await echo(client)

    async with served(serve) as one, one.connected() as client:
        await client.send(OPENING + PLAIN * 20 + OPENING + PLAIN)
        statuses = [(await client.reply()).status for _ in range(23)]

    assert [502, *[200] * 20, 502, 200] == statuses


async def test_an_offer_of_h2c_is_ignored_as_before():
    async with served(echo) as one, one.connected() as client:
        await client.send(OPENING.replace(b"WebSocket", b"h2c") + PLAIN)

        assert [200, 200] == [(await client.reply()).status for _ in range(2)]


async def test_bytes_behind_a_handshake_nobody_answered_yet_are_not_collected():
    go_on = asyncio.Event()

    async def serve(client: ClientRequest) -> None:
        await go_on.wait()
        await Echo()(client)

    async with served(serve) as one, one.connected() as client:
        sending = asyncio.ensure_future(client.send(OPENING + frame(Opcode.BINARY, bytes(9 << 20))))
        await one.requests(1)
        connection = connection_of(one)
        assert await eventually(lambda: connection._intake.is_held)
        assert len(connection._ahead) <= 64 * 1024 + 256 * 1024
        go_on.set()
        await client._until(b"\r\n\r\n")
        assert 9 << 20 == len((await read(client))[1])
        await sending


# --- closing ----------------------------------------------------------------------------------------------------------


async def test_a_clients_close_is_answered_and_told_and_ends_the_connection():
    serve = Echo()
    async with served(serve) as one, one.connected() as client:
        await opened(client)
        await client.send(close(4001))

        assert ("CLOSE", b"\x0f\xa1") == await read(client)
        with pytest.raises(EOFError):
            await read(client)

    assert ([4001], ["complete"]) == (serve.ends, one.pipeline.ends)


@pytest.mark.parametrize("how", ["close", "reset", "half_close"])
async def test_a_client_that_leaves_is_told_by_the_socket_and_cancels_nothing(how):
    serve = Echo()
    async with served(serve) as one, one.connected() as client:
        await opened(client)
        getattr(client, how)()

        assert await eventually(lambda: serve.ends == [1006])
        assert ["complete"] == one.pipeline.ends
        assert await eventually(lambda: not one.server.server_state.connections)
        assert one.pipeline.clients[0].is_gone


async def test_a_client_that_leaves_before_it_was_accepted_cancels_as_any_other():
    async def serve(_: ClientRequest) -> None:
        await asyncio.get_running_loop().create_future()

    async with served(serve) as one:
        async with one.connected() as client:
            await client.send(OPENING)
            await one.requests(1)
        assert await eventually(lambda: one.pipeline.ends == ["gone"])


async def test_a_socket_that_is_accepted_after_its_client_left_is_closed():
    ends: list[int] = []

    async def serve(client: ClientRequest) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            try:
                await client.accept_socket(FIELDS).receive()
            except SocketClosed as end:
                ends.append(end.code)

    async with served(serve) as one:
        async with one.connected() as client:
            await client.send(OPENING)
            await one.requests(1)
        assert await eventually(lambda: ends == [1006])


@pytest.mark.parametrize("fails", [False, True])
async def test_a_socket_that_nobody_serves_any_more_is_closed_as_our_fault(fails):
    async def serve(client: ClientRequest) -> None:
        client.accept_socket(FIELDS)
        if fails:
            raise UpstreamUnreachable("Upstream 'x' could not be reached.")

    async with served(serve) as one, one.connected() as client:
        await opened(client)

        if not fails:
            assert ("CLOSE", b"\x03\xf3") == await read(client)


async def test_a_drain_interrupts_the_task_and_says_that_it_goes_away():
    """Reliability R13."""
    ended = asyncio.Event()

    async def serve(client: ClientRequest) -> None:
        made = client.accept_socket(FIELDS)
        one.in_flight.enter(client)
        try:
            await made.receive()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            assert task is not None
            task.uncancel()
        finally:
            one.in_flight.leave(client)
            ended.set()

    async with served(serve) as one, one.connected() as client:
        await opened(client)
        one.server.should_exit = True
        sent = await read(client)
        await client.send(close(1001))
        await ended.wait()

    assert ("CLOSE", b"\x03\xe9") == sent


async def test_a_stop_that_waits_for_nobody_says_so_too():
    async def serve(client: ClientRequest) -> None:
        await client.accept_socket(FIELDS).receive()

    async with served(serve) as one, one.connected() as client:
        await opened(client)
        one.server.should_exit = True
        assert await eventually(lambda: connection_of(one).is_stopping)
        for task in tuple(one.server.server_state.tasks):
            task.cancel()

        assert ("CLOSE", b"\x03\xe9") == await read(client)


# --- time -------------------------------------------------------------------------------------------------------------


async def test_an_idle_socket_is_asked_and_kept_while_it_answers():
    clock = Clock()
    async with served(Echo(), now=clock) as one, one.connected() as client:
        await opened(client)
        connection = connection_of(one)
        for number in range(int(4 * IDLE_SECONDS / PING_SECONDS)):
            clock.advance(PING_SECONDS)
            one.server.sweep()
            assert ("PING", b"") == await read(client), number
            await client.send(frame(Opcode.PONG))
            assert await eventually(lambda: socket_of(connection)._was_heard)


async def test_a_dead_client_is_given_up():
    clock, serve = Clock(), Echo()
    async with served(serve, now=clock) as one, one.connected() as client:
        await opened(client)
        for _ in range(2):
            clock.advance(PING_SECONDS)
            one.server.sweep()

        assert await eventually(lambda: serve.ends == [1006])


# --- back-pressure ----------------------------------------------------------------------------------------------------


async def test_a_client_that_reads_nothing_holds_up_who_sends():
    sent = 0

    async def serve(client: ClientRequest) -> None:
        nonlocal sent
        made = client.accept_socket(FIELDS)
        while sent < 400:
            await made.send(Message(bytes(50_000), False))
            sent += 1
        await made.close()

    async with served(serve) as one, one.connected() as client:
        await opened(client)
        connection = connection_of(one)
        assert await eventually(lambda: socket_of(connection)._is_full)
        assert connection.transport.get_write_buffer_size() < 200_000
        assert sent < 400
        for _ in range(400):
            assert 50_000 == len((await read(client))[1])

        assert ("CLOSE", b"\x03\xe8") == await read(client)


async def test_a_client_that_sends_more_than_is_taken_is_held_up():
    go_on = asyncio.Event()
    taken = 0

    async def serve(client: ClientRequest) -> None:
        nonlocal taken
        made = client.accept_socket(FIELDS)
        await go_on.wait()
        for _ in range(400):
            taken += len((await made.receive()).payload)
        await made.close()

    async with served(serve) as one, one.connected() as client:
        await opened(client)
        connection = connection_of(one)
        sending = asyncio.ensure_future(client.send(frame(Opcode.BINARY, bytes(50_000)) * 400))
        assert await eventually(lambda: socket_of(connection)._is_paused)
        assert socket_of(connection)._waiting_bytes <= 150_000
        assert len(socket_of(connection)._held) <= 256 * 1024
        go_on.set()

        assert ("CLOSE", b"\x03\xe8") == await read(client)
        await sending

    assert 20_000_000 == taken


async def test_a_message_that_is_too_large_is_refused_and_the_client_told():
    serve = Echo()
    async with served(serve) as one, one.connected() as client:
        await opened(client)
        await client.send(frame(Opcode.BINARY, bytes((16 << 20) + 1)))
        name, payload = await read(client)

    assert ("CLOSE", b"\x03\xf1") == (name, payload[:2])
    assert [1009] == serve.ends


# --- together ---------------------------------------------------------------------------------------------------------


async def test_a_thousand_clients_that_leave_at_any_time_leave_nothing():
    chance = random.Random(9)
    serve = Echo()
    async with served(serve) as one:
        for _ in range(50):
            async with asyncio.TaskGroup() as group:
                for _ in range(20):
                    group.create_task(_visit(one, chance))

        state = one.server.server_state
        assert await eventually(lambda: not state.connections and not state.tasks)


async def _visit(one, chance: random.Random) -> None:
    async with one.connected() as client:
        sent = OPENING + text(b"hello") * 5 + close(1000)
        await client.send(sent[: chance.randrange(1, len(sent))])
        for _ in range(chance.randrange(30)):
            await asyncio.sleep(0)
        if chance.random() < 0.5:
            client.reset()


async def test_an_http_answer_may_still_be_given_to_an_offer():
    async def serve(client: ClientRequest) -> None:
        answer(client, b"no", 404)

    async with served(serve) as one, one.connected() as client:
        await client.send(OPENING)

        assert 404 == (await client.reply()).status
