"""The pool: which connection is next, how many there are, and that none is left behind (reliability R14)."""

import asyncio
import gc
import time

import pytest

from app.wire.errors import (
    AddressRefused,
    ClosedBeforeUse,
    ConnectFailed,
    ConnectTimedOut,
    CutBeforeHead,
    CutBody,
    HeadLate,
    Malformed,
    PoolClosed,
    PoolQueueFull,
    PoolWaitOver,
    TotalLate,
    WireError,
)
from app.wire.pool import Pool
from app.wire.requests import RequestHead
from app.wire.responses import Response
from tests.fakes.scripted_upstream import (
    SECONDS,
    End,
    ScriptedUpstream,
    head,
    scripted,
    whole,
)
from tests.wire.parts import head_of, pool_of, read_all


@pytest.fixture
async def upstream():
    async with scripted() as one:
        one.tell(whole(b"{}"))
        yield one


@pytest.fixture
async def make():
    made: list[Pool] = []

    def make(*rest, **other):
        made.append(pool_of(*rest, **other))
        return made[-1]

    yield make
    for pool in made:
        await pool.aclose()


async def exchange(pool: Pool, upstream: ScriptedUpstream, **how) -> bytes:
    async with asyncio.timeout(SECONDS):
        return await read_all(await pool.send(head_of(upstream), [], b"", **how))


def connections(upstream: ScriptedUpstream) -> list[int]:
    """Which connection each request came on, numbered from the first."""
    numbers = [seen.connection for seen in upstream.seen]
    return [number - numbers[0] for number in numbers]


async def until(is_so) -> None:
    async with asyncio.timeout(SECONDS):
        while not is_so():  # noqa: ASYNC110  what is polled tells nobody
            await asyncio.sleep(0.005)


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_the_connection_used_last_is_used_next(upstream, make):
    pool = make()
    gate = asyncio.Event()
    upstream.answer = lambda seen: [head(200, {"content-length": "2"}), gate, b"{}"]
    both = [await pool.send(head_of(upstream), [], b"") for _ in range(2)]
    gate.set()
    for response in both:
        await read_all(response)

    await exchange(pool, upstream)
    last = connections(upstream)[-1]
    for _ in range(3):
        await exchange(pool, upstream)

    assert [0, 1] == connections(upstream)[:2]
    assert {last} == set(connections(upstream)[2:])


async def test_an_origin_has_connections_of_its_own(upstream, make):
    pool = make()
    async with scripted() as other:
        other.tell(whole(b"{}"))
        await exchange(pool, upstream)
        await exchange(pool, other)
        await exchange(pool, upstream)

        assert ([0, 0], [0]) == (connections(upstream), connections(other))


async def test_an_idle_connection_gives_way_to_another_origin_s(upstream, make):
    pool = make(connections=1)
    async with scripted() as other:
        other.tell(whole(b"{}"))
        await exchange(pool, upstream)

        assert await exchange(pool, other) == b"{}"
        await until(lambda: not upstream.open)


async def test_an_idle_connection_is_closed_when_its_time_is_over(upstream, make):
    pool = make(keepalive_seconds=0.03)

    await exchange(pool, upstream)

    await until(lambda: not upstream.open)
    await exchange(pool, upstream)
    assert [0, 1] == connections(upstream)


async def test_a_connection_is_not_kept_as_long_as_the_upstream_keeps_it(upstream, make):
    """Reliability R14: else a request meets the end of it on its way."""
    upstream.tell(whole(b"{}", keep_alive="timeout=1"))
    pool = make()

    for _ in range(2):
        await exchange(pool, upstream)

    assert [0, 1] == connections(upstream)


async def test_an_old_connection_does_not_serve_again(upstream, make):
    pool = make(age_seconds=0)

    for _ in range(3):
        await exchange(pool, upstream)

    assert [0, 1, 2] == connections(upstream)


async def test_an_idle_connection_is_closed_when_it_has_grown_old(upstream, make):
    pool = make(age_seconds=0.03)

    await exchange(pool, upstream)

    await until(lambda: not upstream.open)


async def test_a_sweep_that_is_late_hands_out_no_connection_past_its_time(upstream, make):
    pool = make(keepalive_seconds=0.02)
    await exchange(pool, upstream)
    time.sleep(0.03)  # noqa: ASYNC251  the loop is busy, and its timers with it

    await exchange(pool, upstream)

    assert [0, 1] == connections(upstream)


async def test_a_connection_that_was_seen_to_end_is_not_used(upstream, make):
    pool = make()
    upstream.tell(whole(b"{}"), End.CLOSE)
    await exchange(pool, upstream)
    await until(lambda: not upstream.open)

    upstream.tell(whole(b"{}"))

    assert await exchange(pool, upstream) == b"{}"


async def test_a_fresh_connection_is_asked_for_when_the_idle_ones_are_not_trusted(upstream, make):
    pool = make()
    await exchange(pool, upstream)

    await exchange(pool, upstream, is_fresh=True)

    assert [0, 1] == connections(upstream)
    await until(lambda: len(upstream.open) == 1)


async def test_who_waits_is_served_by_the_connection_that_becomes_free(upstream, make):
    pool = make(connections=1)
    gate = asyncio.Event()
    upstream.tell(gate, whole(b"{}"))
    all_three = [asyncio.ensure_future(exchange(pool, upstream)) for _ in range(3)]
    await upstream.request()

    gate.set()

    assert [b"{}"] * 3 == await asyncio.gather(*all_three)
    assert [0, 0, 0] == connections(upstream)


async def test_who_waits_is_served_when_the_connection_is_closed_instead(upstream, make):
    pool = make(connections=1)
    upstream.tell(head(200, {"content-length": "9"}), End.HOLD)
    first = await pool.send(head_of(upstream), [], b"")
    second = asyncio.ensure_future(exchange(pool, upstream))
    await asyncio.sleep(0)
    upstream.answer = lambda _: [whole(b"{}")]

    first.close()

    assert await second == b"{}"


async def test_a_line_has_an_end_and_waiting_in_it_as_well(upstream, make):
    pool = make(connections=1, waiting=1, wait_seconds=0.03)
    upstream.tell(head(200, {"content-length": "9"}), End.HOLD)
    first = await pool.send(head_of(upstream), [], b"")
    second = asyncio.ensure_future(exchange(pool, upstream))
    await asyncio.sleep(0)

    with pytest.raises(PoolQueueFull):
        await exchange(pool, upstream)
    with pytest.raises(PoolWaitOver):
        await second
    first.close()


async def test_the_head_s_deadline_counts_while_waiting_in_line(upstream, make):
    pool = make(connections=1)
    upstream.tell(head(200, {"content-length": "9"}), End.HOLD)
    first = await pool.send(head_of(upstream), [], b"")

    with pytest.raises(HeadLate):
        await exchange(pool, upstream, head_at=now() + 0.02)

    first.close()


# --- deadlines (reliability R5) -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([End.HOLD], id="silence"),
        pytest.param([b"HTTP/1.1 200 OK\r\nx: ", End.HOLD], id="half a head"),
        pytest.param([b"HTTP/1.1 100 Continue\r\n\r\n", End.HOLD], id="an interim answer"),
    ],
)
async def test_a_late_head(upstream, make, script):
    pool = make(connections=1)
    upstream.tell(*script)

    with pytest.raises(HeadLate):
        await exchange(pool, upstream, head_at=now() + 0.03)

    await upstream.seen[0].gone.wait()
    upstream.tell(whole(b"{}"))
    assert await exchange(pool, upstream) == b"{}"


async def test_a_late_end(upstream, make):
    pool = make()
    upstream.tell(head(200, {"content-length": "9"}) + b"half", End.HOLD)

    with pytest.raises(TotalLate):
        await exchange(pool, upstream, total_at=now() + 0.05)


async def test_the_next_deadline_is_not_missed_behind_a_far_one(upstream, make):
    pool = make()
    upstream.tell(End.HOLD)
    far = asyncio.ensure_future(exchange(pool, upstream, head_at=now() + 60))
    await upstream.request()

    with pytest.raises(HeadLate):
        await exchange(pool, upstream, head_at=now() + 0.03)

    far.cancel()


async def test_no_timer_is_left_when_nothing_is_awaited(upstream, make):
    pool = make(keepalive_seconds=0.02)
    await exchange(pool, upstream, head_at=now() + 0.03)

    await until(lambda: not upstream.open)
    await until(lambda: pool._timer is None)


# --- what may go wrong before the request ---------------------------------------------------------------------------


async def test_a_port_where_nobody_listens(make):
    pool = make(connections=1)

    for _ in range(3):
        with pytest.raises(ConnectFailed):
            await pool.send(RequestHead("GET", "http://127.0.0.1:1/", []), [], b"")


async def test_s7_an_address_that_is_forbidden_is_not_connected_to(upstream, make):
    pool = make(lambda address: address == "127.0.0.1", connections=1)

    for _ in range(2):
        with pytest.raises(AddressRefused):
            await exchange(pool, upstream)

    assert upstream.connections == 0


async def test_a_connection_ended_before_its_use_was_not_asked_anything(upstream, make):
    """Reliability H1. Whether its end is seen before the request is written is the kernel's to say."""
    upstream.greeting = [End.RESET]
    pool = make(connections=1)

    for _ in range(20):
        with pytest.raises((ClosedBeforeUse, CutBeforeHead)):
            await exchange(pool, upstream)


async def test_an_upstream_that_speaks_first(upstream, make):
    upstream.tell(End.HOLD)
    upstream.greeting = [b"220 smtp.example ready\r\n"]
    pool = make(connections=1)

    for _ in range(3):
        with pytest.raises(Malformed):
            await exchange(pool, upstream)


async def test_a_connection_that_is_not_made_in_time(make):
    pool = make(connections=1, connect_seconds=0.03)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        asyncio.Protocol, "127.0.0.1", 0
    )  # says nothing to a handshake
    port = server.sockets[0].getsockname()[1]
    silent = RequestHead("GET", f"https://127.0.0.1:{port}/", [])

    for _ in range(2):
        with pytest.raises(ConnectTimedOut):
            await pool.send(silent, [], b"")
    with pytest.raises(HeadLate):
        await pool.send(silent, [], b"", head_at=now() + 0.01)

    server.close()


async def test_a_field_with_a_line_break_takes_no_slot(upstream, make):
    pool = make(connections=1)

    for _ in range(2):
        with pytest.raises(ValueError, match="line break"):
            await pool.send(head_of(upstream), [(b"a", b"b\r\nc: d")], b"")

    assert await exchange(pool, upstream) == b"{}"


# --- cancelling -----------------------------------------------------------------------------------------------------


async def test_cancelled_while_waiting_in_line(upstream, make):
    pool = make(connections=1)
    upstream.tell(head(200, {"content-length": "9"}), End.HOLD)
    first = await pool.send(head_of(upstream), [], b"")
    waiting = asyncio.ensure_future(exchange(pool, upstream))
    await asyncio.sleep(0)

    await cancelled(waiting)
    first.close()

    await still_serves(pool, upstream)


async def test_cancelled_while_connecting(upstream, make):
    """At every turn of the loop that connecting takes, the one in which it is done included."""
    pool = make(connections=1)
    for turns in range(12):
        sending = asyncio.ensure_future(exchange(pool, upstream, is_fresh=True))
        for _ in range(turns):
            await asyncio.sleep(0)
        await cancelled(sending)

    await still_serves(pool, upstream)
    await until(lambda: len(upstream.open) == 1)


async def test_cancelled_while_the_head_is_awaited(upstream, make):
    pool = make(connections=1)
    upstream.tell(End.HOLD)
    sending = asyncio.ensure_future(exchange(pool, upstream))
    seen = await upstream.request()

    await cancelled(sending)

    await seen.gone.wait()
    await still_serves(pool, upstream)


async def test_cancelled_in_the_moment_the_answer_comes_it_harms_no_other(upstream, make):
    """Its connection may be another's by then: at whichever turn of the loop it is cancelled."""
    pool = make(connections=1)
    for turns in range(40):
        sending = asyncio.ensure_future(exchange(pool, upstream))
        waiting = asyncio.ensure_future(exchange(pool, upstream))
        for _ in range(turns):
            await asyncio.sleep(0)
        await cancelled(sending)

        assert await waiting == b"{}"


async def cancelled(task: asyncio.Future[bytes]) -> None:
    task.cancel()
    [result] = await asyncio.gather(task, return_exceptions=True)
    assert isinstance(result, asyncio.CancelledError) or result == b"{}"


async def still_serves(pool: Pool, upstream: ScriptedUpstream) -> None:
    """The one slot of *pool* is free."""
    upstream.answer = lambda _: [whole(b"{}")]
    assert await exchange(pool, upstream) == b"{}"


# --- its end --------------------------------------------------------------------------------------------------------


async def test_closed_nothing_stays_open_and_nothing_is_sent(upstream, make):
    pool = make(connections=2)
    upstream.answer = lambda seen: [head(200, {"content-length": "9"}), End.HOLD]
    answered = await pool.send(head_of(upstream), [], b"")
    upstream.answer = lambda seen: [End.HOLD]
    asked = asyncio.ensure_future(exchange(pool, upstream))
    await upstream.request(2)
    waiting = asyncio.ensure_future(exchange(pool, upstream))
    await asyncio.sleep(0)

    await pool.aclose()

    assert [CutBeforeHead, PoolClosed] == [
        type(each) for each in await asyncio.gather(asked, waiting, return_exceptions=True)
    ]
    with pytest.raises(CutBody):
        await read_all(answered)
    with pytest.raises(PoolClosed):
        await exchange(pool, upstream)
    await until(lambda: not upstream.open)


async def test_an_exchange_leaves_nothing_to_the_garbage_collector(upstream, make):
    """On a warm connection: what a thousand requests leave is collected at once, not in a pause of some other one."""
    pool = make()
    await exchange(pool, upstream)
    gc.collect()
    gc.disable()
    try:
        before = responses()
        for _ in range(20):
            await exchange(pool, upstream)
        left = responses() - before
    finally:
        gc.enable()

    assert left <= 1


def responses() -> int:
    return sum(type(each) is Response for each in gc.get_objects())


@pytest.mark.parametrize("seed", range(5))
async def test_after_any_faults_no_slot_and_no_socket_is_left(upstream, make, seed):
    """Reliability R14: what a thousand mixed faults leave behind is nothing."""
    pool = make(connections=4, waiting=100, keepalive_seconds=0.02)
    scripts = [
        [whole(b"{}")],
        [whole(b"{}"), End.CLOSE],
        [whole(b"{}") + b"surplus"],
        [End.CLOSE],
        [End.RESET],
        [b"HTTP/1.1 200 O", End.RESET],
        [head(200, {"content-length": "9"}) + b"half", End.CLOSE],
        [b"no HTTP\r\n\r\n"],
        [End.HOLD],
    ]
    upstream.answer = lambda seen: scripts[(len(upstream.seen) * 7 + seed) % len(scripts)]

    async def one(number: int) -> None:
        try:
            async with asyncio.timeout(0.02 if number % 3 else SECONDS):
                response = await pool.send(head_of(upstream), [], b"", head_at=now() + 0.05)
                if number % 5:
                    await read_all(response)
                (response.release if number % 2 else response.close)()
        except (WireError, TimeoutError):
            pass

    async with asyncio.timeout(SECONDS):
        await asyncio.gather(*(one(number) for number in range(60)))

    await until(lambda: not upstream.open and not pool._open)
    assert pool._slots.used == 0
