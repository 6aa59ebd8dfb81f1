"""The load generator counts what came, and times it from when it was due."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from time import perf_counter

import msgspec
import pytest

from benchmarks import bodies, sockets, uploading
from benchmarks.load import measure
from benchmarks.plan import RESOURCE, Order, Plan, Target, Window
from benchmarks.uploading import UploadOrder
from benchmarks.upstream import Clockwork, Upstream

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc and timerfd")

COMPLETION = bodies.whole_answer(bodies.completion())
REFUSAL = b"HTTP/1.1 503 X\r\ncontent-length: 0\r\n\r\n"

Answer = Callable[[int], bytes | None]
"""What the request of a number is answered with; None: the connection is closed instead."""


@asynccontextmanager
async def answering(answer: Answer) -> AsyncIterator[Target]:
    """A server on loopback that answers small requests as told."""
    seen = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
                await reader.readexactly(int(length or 0))
                seen += 1
                reply = answer(seen)
                if reply is None:
                    break
                writer.write(reply)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield Target(server.sockets[0].getsockname()[1], "m")


@asynccontextmanager
async def upstream() -> AsyncIterator[Target]:
    """The benchmarks' own upstream, in this process."""
    clockworks: dict[int, Clockwork] = {}

    def clockwork(rate: int) -> Clockwork:
        return clockworks.setdefault(rate, Clockwork(rate))

    loop = asyncio.get_running_loop()
    server = await loop.create_server(partial(Upstream, clockwork), "127.0.0.1", 0)
    async with server:
        yield Target(server.sockets[0].getsockname()[1], "m")


async def window(target: Target, plan: Plan) -> Window:
    return await measure(Order(plan, target))


async def test_a_closed_loop_counts_the_answers():
    async with upstream() as target:
        seen = await window(target, Plan("closed", clients=4, seconds=0.2, warm_seconds=0.1))

    assert seen.done > 8
    assert {} == seen.errors
    assert 0 < seen.p50_ms <= seen.p99_ms <= seen.max_ms


async def test_a_closed_loop_of_files_counts_the_files():
    async with upstream() as target:
        plan = Plan("closed", task=RESOURCE, clients=2, seconds=0.2, warm_seconds=0.1)
        seen = await window(target, plan)

    assert seen.done > 4
    assert {} == seen.errors


async def test_an_upload_is_counted_by_who_gets_it():
    async with upstream() as target:
        own = msgspec.structs.replace(target, pid=os.getpid())
        found = await asyncio.to_thread(uploading.measure, UploadOrder(own, 3 * 1024 * 1024))

    assert found.seconds > 0


async def test_an_idle_socket_is_open():
    async with upstream() as target:
        line = await asyncio.to_thread(sockets.opened, target)
        line.close()


async def test_a_socket_that_is_refused_is_no_socket():
    async with answering(lambda _: REFUSAL) as target:
        with pytest.raises(ValueError, match="refused"):
            await asyncio.to_thread(sockets.opened, target)


async def test_a_closed_loop_counts_what_fails_and_goes_on():
    def answer(number: int) -> bytes | None:
        return {3: REFUSAL, 5: None}.get(number, COMPLETION)

    async with answering(answer) as target:
        seen = await window(target, Plan("closed", clients=1, seconds=0.2, warm_seconds=0.0))

    assert {"status 503": 1, "cut": 1} == seen.errors
    assert seen.done > 2


async def test_a_wrong_body_is_no_answer():
    wrong = bodies.whole_answer(bodies.completion().replace(b"gateway", b"getaway"))

    async with answering(lambda _: wrong) as target:
        plan = Plan("open", rate=50, seconds=0.2, warm_seconds=0.0)
        seen = await window(target, plan)

    assert 0 == seen.done
    assert {"status 200"} == set(seen.errors)


async def test_a_stall_counts_for_every_request_that_was_due_meanwhile():
    """No coordinated omission: a closed loop would have one slow answer here, and call the rest fast."""
    begun: list[float] = []

    def answer(number: int) -> bytes:
        if number == 20:
            begun.append(perf_counter())
            while perf_counter() < begun[0] + 0.2:
                pass
        return COMPLETION

    async with answering(answer) as target:
        plan = Plan("open", rate=200, seconds=0.6, warm_seconds=0.0)
        seen = await window(target, plan)

    # 200 ms at 200 a second: some 40 were due, and half of them waited for more than half of it.
    assert {} == seen.errors
    assert seen.max_ms >= 195
    assert seen.p99_ms > 100
    assert seen.done > 50


async def test_an_open_loop_goes_on_when_nothing_comes_back():
    enough = asyncio.Event()

    def answer(number: int) -> bytes:
        if number == 20:
            enough.set()
        return b""

    async with answering(answer) as target:
        plan = Plan("open", rate=200, seconds=20.0, warm_seconds=0.0)
        task = asyncio.ensure_future(measure(Order(plan, target)))
        async with asyncio.timeout(10):
            await enough.wait()
        task.cancel()
        await asyncio.wait([task])


async def test_a_burst_is_read_to_its_end():
    async with upstream() as target:
        plan = Plan("closed", task="@burst", clients=2, seconds=0.2, warm_seconds=0.0)
        seen = await window(target, plan)

    assert seen.done > 2
    assert {} == seen.errors


async def test_streams_count_their_events_and_are_read_to_their_end():
    plan = Plan("streams", clients=4, rate=50, seconds=0.4, warm_seconds=0.1, ramp_seconds=0.1)

    async with upstream() as target:
        seen = await window(target, plan)

    assert {} == seen.errors
    assert 40 <= seen.done <= 120  # 80, but for what the window's edges cut off on a slow computer
    assert seen.p50_ms > 0


async def test_a_large_body_arrives_whole_beside_small_requests():
    plan = Plan("images", rate=50, body_bytes=400_000, seconds=0.3, warm_seconds=0.0)

    async with upstream() as target:
        seen = await window(target, plan)

    assert {} == seen.errors
    assert seen.done > 2
