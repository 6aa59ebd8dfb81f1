"""Two sockets joined: everything passes, in order, as it is, until one side is closed (upstreams N13; law 5)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from typing_extensions import override

from app.domain.errors import InvalidRequest
from app.domain.exchange import Exchange
from app.proxy.socket_relay import Ended, check_opening, closing, join
from app.wire.messages import Message
from tests.fakes.natives import OPENING
from tests.fakes.sockets import FakeSocket, socket_pair

HELLO, BYTES = Message(b"hello", True), Message(b"\x00\xff", False)


class Joined:
    """Two sockets under relay. *client*, *upstream*: the far ends, which a test plays."""

    def __init__(self) -> None:
        self.ours, self.client = socket_pair()
        self.theirs, self.upstream = socket_pair()
        self.exchange = Exchange("req_1", "GET", "native", 0.0)
        self.ticks = 0

    def tick(self) -> None:
        self.ticks += 1

    async def run(self, seconds: float = 60.0) -> Ended:
        return await join(
            self.ours,
            self.theirs,
            self.exchange,
            seconds=seconds,
            on_tick=self.tick,
        )


@asynccontextmanager
async def joined() -> AsyncIterator[tuple[Joined, "asyncio.Task[Ended]"]]:
    at = Joined()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(at.run())
        try:
            async with asyncio.timeout(5):
                yield at, task
        finally:
            task.cancel()


async def received(socket: FakeSocket, count: int) -> list[Message]:
    return [await socket.receive() for _ in range(count)]


async def test_n13_messages_pass_both_ways_in_order_text_and_binary():
    said = [HELLO, BYTES, Message(b"", True), *(Message(b"%d" % n, n % 2 == 0) for n in range(50))]
    async with joined() as (at, _):
        for message in said:
            await at.client.send(message)
            await at.upstream.send(message)

        assert said == await received(at.upstream, len(said))
        assert said == await received(at.client, len(said))
        assert sum(len(one.payload) for one in said) == at.exchange.bytes_out


@pytest.mark.parametrize("code", [1000, 1001, 1005, 1006, 1008, 1011, 4000])
async def test_whoever_closes_first_is_told_apart(code):
    async with joined() as (at, task):
        await at.client.close(code, "bye")

        assert Ended("client", code, "bye") == await task

    async with joined() as (at, task):
        await at.upstream.close(code, "bye")

        assert Ended("upstream", code, "bye") == await task


async def test_what_was_said_before_a_close_arrives_before_it():
    async with joined() as (at, task):
        for _ in range(20):
            await at.upstream.send(HELLO)
        await at.upstream.close(1000, "done")
        ended = await task

        assert Ended("upstream", 1000, "done") == ended
        assert [HELLO] * 20 == await received(at.client, 20)


async def test_a_slow_side_holds_the_other_up():
    """R4: a message is not taken before the one ahead of it was."""
    async with joined() as (at, _):
        at.ours.stall()
        for _ in range(5):
            await at.upstream.send(HELLO)
        await asyncio.sleep(0.01)

        assert 4 == at.theirs._came.qsize()  # one is on its way
        assert [] == at.ours.sent
        at.ours.go_on()
        assert [HELLO] * 5 == await received(at.client, 5)


async def test_r4_the_other_way_too_and_nothing_is_said_twice():
    async with joined() as (at, _):
        at.theirs.stall()
        for _ in range(5):
            await at.client.send(HELLO)
        await asyncio.sleep(0.5)  # longer than a look takes

        assert 4 == at.ours._came.qsize()
        at.theirs.go_on()
        assert [HELLO] * 5 == await received(at.upstream, 5)
        assert [HELLO] * 5 == at.theirs.sent


async def test_law_5_a_client_that_leaves_while_its_words_are_stuck_is_seen_to_leave():
    async with joined() as (at, task):
        at.theirs.stall()
        await at.client.send(HELLO)
        await asyncio.sleep(0)
        at.ours.is_left = True
        async with asyncio.timeout(0.25):
            ended = await task

        assert Ended("client", 1006) == ended


async def test_last_words_of_a_side_that_is_found_closed_are_waited_for():
    """A final transcript may be on its way when the client's next piece meets a closed socket."""

    class Late(FakeSocket):
        """Says one more thing, and only then that it is closed."""

        @override
        async def send(self, message: Message) -> None:
            self._came.put_nowait(HELLO)
            self._end(1000, "done")
            await super().send(message)

    at = Joined()
    at.theirs = Late()
    at.theirs.join(at.upstream)
    at.upstream.join(at.theirs)
    await at.client.send(BYTES)

    assert Ended("upstream", 1000, "done") == await at.run()
    assert HELLO == await at.client.receive()


async def test_nobody_closes_and_the_time_is_over():
    ended = await Joined().run(seconds=0.02)

    assert (None, 1001) == (ended.by, ended.code)
    assert ended.reason


async def test_now_and_then_it_is_told(monkeypatch):
    monkeypatch.setattr("app.proxy.socket_relay._TICK_SECONDS", 0.01)
    at = Joined()
    await at.run(seconds=0.05)

    assert at.ticks >= 2


async def test_cancelled_it_passes_on_nothing_more():
    at = Joined()
    task = asyncio.get_running_loop().create_task(at.run())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await at.client.send(HELLO)
    await asyncio.sleep(0.01)

    assert [] == at.theirs.sent
    assert at.ours.closed_with is None


@pytest.mark.parametrize(
    ("ended", "told"),
    [
        pytest.param(Ended("client", 1000, "bye"), (1000, "bye"), id="as it is"),
        pytest.param(Ended("upstream", 1008, "quota"), (1008, "quota"), id="policy"),
        pytest.param(Ended("upstream", 4001, "x"), (4001, "x"), id="one of its own"),
        pytest.param(Ended("client", 1005), (1005, ""), id="without a code"),
        pytest.param(Ended("client", 1006), (1001, ""), id="a client that was cut"),
        pytest.param(Ended(None, 1001, "long"), (1001, "long"), id="the time"),
    ],
)
def test_what_the_other_side_is_told(ended, told):
    assert told == closing(ended)


def test_an_upstream_that_was_cut_is_a_failure():
    code, reason = closing(Ended("upstream", 1006))

    assert (1011, True) == (code, "upstream" in reason)


def without(name: bytes) -> list[tuple[bytes, bytes]]:
    return [field for field in OPENING if field[0] != name]


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(without(b"sec-websocket-key"), id="no key"),
        pytest.param([*OPENING, (b"sec-websocket-key", b"x")], id="two keys"),
        pytest.param(without(b"sec-websocket-version"), id="no version"),
        pytest.param(
            [*without(b"sec-websocket-version"), (b"sec-websocket-version", b"8")], id="an old one"
        ),
    ],
)
def test_what_opens_no_websocket_is_refused(headers):
    with pytest.raises(InvalidRequest):
        check_opening(headers)


def test_what_opens_one_is_not():
    check_opening(OPENING)
