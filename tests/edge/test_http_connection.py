"""A connection: order, staying open, leaving, deadlines, the end, over real sockets (reliability R1-R3, R12, R13)."""

import asyncio
import json
from functools import partial

import pytest

from app.edge import patience
from app.edge.client_request import ClientRequest
from app.edge.patience import (
    BODY_IDLE_SECONDS,
    HEADER_SECONDS,
    IDLE_SECONDS,
    LINGER_SECONDS,
    MOST_AHEAD,
    WRITE_STALL_SECONDS,
)
from tests.edge.served import Served, answer, echo, served
from tests.fakes.clock import Clock
from tests.fakes.raw_client import RawClient, eventually

KIB = 1024


def post(body: bytes = b"", target: str = "/v1/x", *lines: str, version: str = "1.1") -> bytes:
    head = [f"POST {target} HTTP/{version}", "host: x", f"content-length: {len(body)}", *lines]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def get(target: str = "/v1/x", *lines: str, version: str = "1.1") -> bytes:
    return "\r\n".join([f"GET {target} HTTP/{version}", "host: x", *lines, "", ""]).encode()


class Gate:
    """Serves nobody until it is told to: *arrived* of them wait. Reads the body first."""

    def __init__(self) -> None:
        self.arrived: list[str] = []
        self.opened = asyncio.Event()

    async def __call__(self, client: ClientRequest) -> None:
        self.arrived.append(client.path)
        await client.read_body()
        await self.opened.wait()
        answer(client, client.path.encode())


def is_open(found: Served) -> bool:
    return bool(found.server.server_state.connections)


# --- order --------------------------------------------------------------------------------------------------------


async def test_requests_sent_ahead_are_answered_in_order() -> None:
    async def slow_first(client: ClientRequest) -> None:
        body = await client.read_body()
        await asyncio.sleep(0.02 if client.path == "/v1/0" else 0)
        answer(client, body)

    async with served(slow_first) as found, found.connected() as client:
        await client.send(b"".join(post(b"%d" % n, f"/v1/{n}") for n in range(5)))
        replies = [await client.reply() for _ in range(5)]

    assert [b"0", b"1", b"2", b"3", b"4"] == [reply.body for reply in replies]


async def test_one_task_at_a_time_serves_a_connection() -> None:
    gate = Gate()
    async with served(gate) as found, found.connected() as client:
        await client.send(post(b"a", "/v1/1") + post(b"b", "/v1/2"))
        await eventually(lambda: bool(gate.arrived))
        await asyncio.sleep(0)

        assert ["/v1/1"] == gate.arrived

        gate.opened.set()
        assert [b"/v1/1", b"/v1/2"] == [(await client.reply()).body for _ in range(2)]


@pytest.mark.parametrize(
    "per_write", [pytest.param(10000, id="in one write"), pytest.param(7, id="in many")]
)
async def test_s2_thousands_sent_ahead_wait_outside_and_all_are_answered(per_write: int) -> None:
    count = 2000
    ahead: list[int] = []

    async def serve(client: ClientRequest) -> None:
        (connection,) = found.server.server_state.connections
        ahead.append(len(connection._queue))  # type: ignore[union-attr] # ours
        answer(client, client.path.encode())

    requests = [get(f"/v1/{n}") for n in range(count)]
    async with served(serve) as found, found.connected() as client:
        writes = [
            b"".join(requests[at : at + per_write]) for at in range(0, len(requests), per_write)
        ]
        async with asyncio.TaskGroup() as group:
            group.create_task(_send_all(client, writes))
            replies = [await client.reply() for _ in range(count)]

    assert [f"/v1/{n}".encode() for n in range(count)] == [reply.body for reply in replies]
    assert max(ahead) <= MOST_AHEAD


async def _send_all(client: RawClient, writes: list[bytes]) -> None:
    for write in writes:
        await client.send(write)


async def test_s2_reading_stops_while_eight_wait() -> None:
    gate = Gate()
    async with served(gate) as found, found.connected() as client:
        sending = asyncio.ensure_future(_send_all(client, [get() * 100] * 1000))
        await eventually(lambda: bool(gate.arrived))
        (connection,) = found.server.server_state.connections
        await asyncio.sleep(0.05)

        assert not connection.transport.is_reading()
        sending.cancel()
        gate.opened.set()


async def test_law_5_who_leaves_with_many_requests_in_line_is_noticed() -> None:
    gate = Gate()
    async with served(gate) as found:
        async with found.connected() as client:
            await client.send(get() * 100)
            await eventually(lambda: bool(gate.arrived))

        assert await eventually(lambda: ["gone"] == found.pipeline.ends, 1.0)
    assert 1 == len(gate.arrived)


# --- staying open -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "stays", "says"),
    [
        pytest.param(get(), True, None, id="1.1"),
        pytest.param(get("/v1/x", "connection: close"), False, "close", id="1.1, close"),
        pytest.param(get("/v1/x", "connection: Close, te"), False, "close", id="1.1, a list"),
        pytest.param(get(version="1.0"), False, "close", id="1.0"),
        pytest.param(
            get("/v1/x", "connection: keep-alive", version="1.0"), True, "keep-alive", id="1.0, asked for"
        ),
        pytest.param(post(b"abc"), True, None, id="a body that was read"),
    ],
)  # fmt: skip
async def test_r3_who_stays(sent: bytes, stays: bool, says: str | None) -> None:
    async with served() as found, found.connected() as client:
        await client.send(sent)
        reply = await client.reply()
        await client.send(get("/v1/again"))

        assert says == reply.header("connection")
        if stays:
            assert b"GET /v1/again " == (await client.reply()).body
        else:
            assert await client.is_closed()


async def refuse(client: ClientRequest) -> None:
    answer(client, b"no", 401)


async def test_an_unread_body_that_is_here_already_costs_nothing() -> None:
    async with served(refuse) as found, found.connected() as client:
        for _ in range(3):
            await client.send(post(b"x" * 1000))
            reply = await client.reply()

            assert (401, None) == (reply.status, reply.header("connection"))


@pytest.mark.parametrize(
    "size", [pytest.param(10, id="small"), pytest.param(8 << 20, id="large"), ]
)  # fmt: skip
async def test_who_still_sends_sees_the_reply_and_then_the_end(size: int) -> None:
    async with served(refuse) as found, found.connected() as client:
        body = b"x" * size
        sent = post(body)
        await client.send(sent[:-5])
        reply = await client.reply()

        assert (401, "close", b"no") == (reply.status, reply.header("connection"), reply.body)
        assert await client.is_closed()


async def test_bytes_behind_the_last_request_are_ignored() -> None:
    async with served() as found, found.connected() as client:
        await client.send(get("/v1/x", "connection: close") + b"rubbish" + get())

        assert 200 == (await client.reply()).status
        assert await client.is_closed()
    assert 1 == len(found.pipeline.clients)


# --- refusals -----------------------------------------------------------------------------------------------------


async def test_f10_a_refusal_has_the_envelope_an_id_and_is_the_last_reply() -> None:
    async with served() as found, found.connected() as client:
        await client.send(b"GET /v1/x HTTP/1.1\r\nbad\r\n\r\n")
        reply = await client.reply()

        assert 400 == reply.status
        assert {"error"} == set(reply.json())
        assert "close" == reply.header("connection")
        assert (reply.header("x-request-id") or "").startswith("req_")
        assert reply.header("date")
        assert await client.is_closed()
    assert [] == found.pipeline.clients


async def test_a_refusal_waits_until_what_came_before_is_answered() -> None:
    async with served() as found, found.connected() as client:
        await client.send(post(b"1") + post(b"2") + b"rubbish\r\n\r\n" + post(b"3"))
        replies = [await client.reply() for _ in range(3)]

        assert [200, 200, 400] == [reply.status for reply in replies]
        assert await client.is_closed()


async def test_a_body_that_breaks_is_a_400_to_who_reads_it() -> None:
    sent = b"POST /v1/x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n"
    async with served() as found, found.connected() as client:
        await client.send(sent[:-4])
        await eventually(lambda: bool(found.pipeline.clients))
        await client.send(sent[-4:])
        reply = await client.reply()

        assert (400, "close") == (reply.status, reply.header("connection"))
        assert await client.is_closed()


# --- leaving ------------------------------------------------------------------------------------------------------

LEAVE = [
    pytest.param(RawClient.close, id="closes"),
    pytest.param(RawClient.reset, id="resets"),
    pytest.param(RawClient.half_close, id="half-closes"),
]


@pytest.mark.parametrize("leave", LEAVE)
@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(post(b"abc"), id="waiting for the answer"),
        pytest.param(post(b"abc")[:-1], id="inside the body"),
        pytest.param(post(b"abc") + post(b"d") * 3, id="with requests in line"),
    ],
)
async def test_law_5_the_task_is_cancelled_at_once(sent, leave) -> None:
    gate = Gate()
    async with served(gate) as found:
        async with found.connected() as client:
            await client.send(sent)
            await eventually(lambda: bool(gate.arrived))
            leave(client)

            assert await eventually(lambda: ["gone"] == found.pipeline.ends, 1.0)
            assert found.pipeline.clients[0].is_gone
            assert await eventually(lambda: not is_open(found))
        assert set() == found.server.server_state.tasks
    assert 1 == len(gate.arrived)


@pytest.mark.parametrize("leave", [RawClient.close, RawClient.half_close])
async def test_law_1_a_client_that_only_rings_is_settled_too(leave) -> None:
    """The end comes in the same turn as the request: the task begins before it is cancelled."""
    async with served() as found:
        for _ in range(20):
            async with found.connected() as client:
                await client.send(post(b"abc")[:-1])
                leave(client)
                await eventually(lambda: not is_open(found))

        assert await eventually(lambda: 20 == len(found.pipeline.ends))
    assert ["gone"] * 20 == found.pipeline.ends


async def test_law_1_one_who_is_reset_inside_a_turn_keeps_no_other_reply_back(faults) -> None:
    """The socket goes between a write and the turn's end, when all that was written leaves."""
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    gate = asyncio.Event()
    arrived: list[str] = []

    async def both(client: ClientRequest) -> None:
        arrived.append(client.path)
        if client.path == "/v1/stays":
            await gate.wait()
            answer(client, b"ok")
            return
        client.start(200, b"", None)
        await gate.wait()
        client._wire.transport.abort()  # type: ignore[attr-defined] # as the loop does on a reset
        client.write(b"a piece")
        await asyncio.Event().wait()

    async with served(both) as found, found.connected() as leaver, found.connected() as stayer:
        await leaver.send(post(b"", "/v1/leaves"))
        await eventually(lambda: 1 == len(arrived))
        await stayer.send(post(b"", "/v1/stays"))
        await eventually(lambda: 2 == len(arrived))
        gate.set()

        assert b"ok" == (await stayer.reply()).body
    assert [] == faults


async def test_a_client_that_rings_with_expect_is_told_nothing(faults) -> None:
    """Its task begins when its socket is gone already."""
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    async with served() as found:
        for _ in range(20):
            async with found.connected() as client, found.connected() as other:
                await client.send(post(b"abc", "/v1/x", "expect: 100-continue")[:-3])
                client.half_close()
                await other.send(post(b"d"))
                assert b"POST /v1/x d" == (await other.reply()).body
    assert [] == faults


async def test_what_is_written_to_one_who_has_left_goes_nowhere() -> None:
    async def stubborn(client: ClientRequest) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            answer(client, b"too late")

    async with served(stubborn) as found:
        async with found.connected() as client:
            await client.send(get())
            await eventually(lambda: bool(found.pipeline.clients))
        assert await eventually(lambda: ["gone"] == found.pipeline.ends)
    assert not found.pipeline.clients[0].head_sent


async def test_j12_a_reply_that_is_complete_is_not_called_gone() -> None:
    settled = asyncio.Event()

    async def settle_later(client: ClientRequest) -> None:
        answer(client, b"all")
        await settled.wait()

    async with served(settle_later) as found:
        async with found.connected() as client:
            await client.send(get())
            await client.reply()
        await eventually(lambda: not is_open(found))
        settled.set()

        assert await eventually(lambda: ["complete"] == found.pipeline.ends)


async def test_a_request_behind_one_that_is_still_settling_is_served() -> None:
    settled = asyncio.Event()

    async def settle_later(client: ClientRequest) -> None:
        answer(client, b"all")
        await settled.wait()

    async with served(settle_later) as found, found.connected() as client:
        await client.send(get() + get())

        assert [200, 200] == [(await client.reply()).status for _ in range(2)]
        settled.set()


# --- faults of ours -----------------------------------------------------------------------------------------------


@pytest.fixture
def faults() -> list[dict[str, object]]:
    """What the loop was told of, kept instead of printed. Use it inside the loop."""
    return []


async def test_an_application_that_fails_is_a_500(faults) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))

    async def fail(client: ClientRequest) -> None:
        raise ZeroDivisionError

    async with served(fail) as found, found.connected() as client:
        await client.send(get())
        reply = await client.reply()
        await client.send(get())

        assert (500, "internal_error") == (reply.status, json.loads(reply.body)["error"]["code"])
        assert 500 == (await client.reply()).status
    assert [ZeroDivisionError] * 2 == [type(fault["exception"]) for fault in faults]


async def test_j3_one_that_fails_inside_its_reply_is_cut(faults) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))

    async def fail(client: ClientRequest) -> None:
        client.start(200, b"", None)
        client.write(b"half of it")
        raise ZeroDivisionError

    async with served(fail) as found, found.connected() as client:
        await client.send(get())
        reply = await client.reply()

    assert reply.end in ("closed", "reset")


async def test_a_reply_shorter_than_it_said_is_cut() -> None:
    async def short(client: ClientRequest) -> None:
        client.start(200, b"", 10)
        client.write(b"half")
        client.finish()

    async with served(short) as found, found.connected() as client:
        await client.send(get())

        assert (await client.reply()).end in ("closed", "reset")


# --- deadlines ----------------------------------------------------------------------------------------------------


async def swept(found: Served, clock: Clock, seconds: float) -> None:
    clock.advance(seconds)
    found.server.sweep()


async def arrived(found: Served, count: int = 1) -> None:
    """The server has the connection."""
    assert await eventually(lambda: count == len(found.server.server_state.connections))


async def test_r1_who_says_nothing_is_closed_without_a_word() -> None:
    clock = Clock()
    async with served(now=clock) as found, found.connected() as client:
        await arrived(found)
        await swept(found, clock, HEADER_SECONDS - 1)
        assert is_open(found)
        await swept(found, clock, 1)

        assert await client.is_closed()


@pytest.mark.parametrize(
    ("before", "begun"),
    [
        pytest.param(b"", 25, id="the first"),
        pytest.param(b"", 1, id="one byte of it"),
        pytest.param(get(), 25, id="a later one"),
    ],
)
async def test_r1_half_a_head_is_a_408_and_bytes_do_not_extend_it(
    before: bytes, begun: int
) -> None:
    clock, sent = Clock(), get()
    async with served(now=clock) as found, found.connected() as client:
        if before:
            await client.send(before)
            await client.reply()
            await swept(found, clock, IDLE_SECONDS - 1)
        await arrived(found)
        (connection,) = found.server.server_state.connections
        await client.send(sent[:begun])
        await eventually(lambda: not connection._reader.is_between)  # type: ignore[union-attr] # ours
        for at in range(begun, begun + 3):
            clock.advance(HEADER_SECONDS / 4)
            await client.send(sent[at : at + 1])
            await asyncio.sleep(0.01)
        await swept(found, clock, HEADER_SECONDS / 4 - 0.5)
        assert not connection._is_over  # type: ignore[union-attr] # ours
        await swept(found, clock, 0.5)
        reply = await client.reply()

        assert (408, "request_timeout") == (reply.status, reply.error["code"])
        assert await client.is_closed()


async def test_r1_between_requests_there_is_more_time() -> None:
    clock = Clock()
    async with served(now=clock) as found, found.connected() as client:
        await client.send(get())
        await client.reply()
        await swept(found, clock, IDLE_SECONDS - 1)
        await client.send(get())
        assert 200 == (await client.reply()).status
        await swept(found, clock, IDLE_SECONDS)

        assert await client.is_closed()


async def test_r1_a_head_that_began_behind_a_running_request_has_its_time_from_the_reply_on() -> (
    None
):
    clock, gate = Clock(), Gate()
    async with served(gate, now=clock) as found, found.connected() as client:
        await client.send(get() + b"GET /v1/y HTT")
        await eventually(lambda: bool(gate.arrived))
        await swept(found, clock, 1000)
        gate.opened.set()
        assert 200 == (await client.reply()).status
        await swept(found, clock, HEADER_SECONDS)

        assert 408 == (await client.reply()).status


async def test_r2_a_body_that_stops_coming_is_a_408() -> None:
    clock = Clock()
    async with served(now=clock) as found, found.connected() as client:
        await client.send(post(b"abcdef")[:-4])
        await eventually(lambda: bool(found.pipeline.clients))
        await swept(found, clock, BODY_IDLE_SECONDS - 1)
        (request,) = found.pipeline.clients
        await client.send(b"c")
        await eventually(lambda: 3 == request.size)
        await swept(found, clock, BODY_IDLE_SECONDS - 1)
        assert [] == found.pipeline.ends
        await swept(found, clock, 1)
        reply = await client.reply()

        assert (408, "request_timeout") == (reply.status, reply.error["code"])
        assert await client.is_closed()


async def test_a_long_answer_is_no_reason_to_close() -> None:
    clock, gate = Clock(), Gate()
    async with served(gate, now=clock) as found, found.connected() as client:
        await client.send(post(b"abc"))
        await eventually(lambda: bool(gate.arrived))
        await swept(found, clock, 10000)
        gate.opened.set()

        assert 200 == (await client.reply()).status


def wake(room: asyncio.Future[None]) -> None:
    if not room.done():
        room.set_result(None)


async def pour(client: ClientRequest) -> None:
    """Writes until there is no room, again and again."""
    client.start(200, b"", None)
    while True:
        room = asyncio.get_running_loop().create_future()
        while not client.is_full:
            client.write(b"x" * 8 * KIB)
        client.when_room(partial(wake, room))
        await room


async def test_r3_a_client_that_does_not_read_is_cut_and_its_task_cancelled() -> None:
    clock = Clock()
    async with served(pour, now=clock) as found, found.connected() as client:
        await client.send(get())
        (request,) = await found.requests(1)
        assert await found.settled_full(request)
        (connection,) = found.server.server_state.connections
        await swept(found, clock, WRITE_STALL_SECONDS - 1)
        assert [] == found.pipeline.ends
        await swept(found, clock, 1)

        assert await eventually(lambda: ["gone"] == found.pipeline.ends)
        assert await eventually(lambda: not is_open(found))
    assert connection not in found.server.server_state.connections


async def test_r3_a_slow_reader_of_a_large_answer_is_borne() -> None:
    clock, size = Clock(), 4 << 20

    async def large(client: ClientRequest) -> None:
        answer(client, b"x" * size)

    async with served(large, now=clock) as found, found.connected() as client:
        await client.send(get())
        reply = await client.begin()
        while len(client.buffer) < size:
            await client.more()
            found.server.sweep()
            clock.advance(0.1)
            if len(client.buffer) > size // 2:
                clock.advance(1)

    assert 200 == reply.status


async def test_r3_little_waits_in_user_space() -> None:
    async with served(pour) as found, found.connected() as client:
        await client.send(get())
        (request,) = await found.requests(1)
        assert await found.settled_full(request)
        (connection,) = found.server.server_state.connections

        waiting = connection.transport.get_write_buffer_size()
        assert waiting <= patience.HIGH_WATER_BYTES + 9 * KIB


async def test_r3_so_is_one_who_leaves_the_last_reply_where_it_is() -> None:
    clock = Clock()

    async def large(client: ClientRequest) -> None:
        answer(client, b"x" * (8 << 20))

    async with served(large, now=clock) as found, found.connected() as client:
        await client.send(get("/v1/x", "connection: close"))
        assert await eventually(lambda: ["complete"] == found.pipeline.ends)
        for _ in range(3):  # what the kernel takes at first counts as progress
            await asyncio.sleep(0.02)
            await swept(found, clock, WRITE_STALL_SECONDS)

        assert await eventually(lambda: not is_open(found))


async def test_lingering_ends() -> None:
    clock = Clock()
    async with served(refuse, now=clock) as found, found.connected() as client:
        await client.send(post(b"abcdef")[:-4])
        await client.reply()
        assert is_open(found)
        await swept(found, clock, LINGER_SECONDS)

        assert await eventually(lambda: not is_open(found))


# --- the drain ----------------------------------------------------------------------------------------------------


async def test_r13_what_runs_ends_and_says_it_was_the_last() -> None:
    gate = Gate()
    async with served(gate) as found, found.connected() as client, found.connected() as idle:
        await client.send(post(b"a") + post(b"never asked"))
        await eventually(lambda: bool(gate.arrived))
        await arrived(found, 2)
        found.server.should_exit = True
        assert await idle.is_closed()
        gate.opened.set()
        reply = await client.reply()

        assert (200, "close") == (reply.status, reply.header("connection"))
        assert await client.is_closed()
    assert 1 == len(gate.arrived)


async def test_r13_one_that_does_not_end_is_cancelled() -> None:
    gate = Gate()
    async with served(gate) as found, found.connected() as client:
        found.server.config.timeout_graceful_shutdown = 0
        await client.send(post(b"a"))
        await eventually(lambda: bool(gate.arrived))
        found.server.should_exit = True

        assert await client.is_closed()
        assert await eventually(lambda: ["cancelled"] == found.pipeline.ends)


async def test_echo_is_what_the_others_rest_on() -> None:
    async with served(echo) as found:
        assert b"POST /v1/x abc" == (await found.ask(post(b"abc"))).body
