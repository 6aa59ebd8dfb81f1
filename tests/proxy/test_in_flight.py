"""What is under way, and how it ends at a stop (contract J11, F43)."""

import asyncio

import pytest

from app.domain.errors import Draining
from app.proxy.in_flight import InFlight
from tests.fakes.clients import FakeClient


class Held:
    """An exchange that goes on until it is told."""

    def __init__(self, in_flight: InFlight) -> None:
        self.go_on = asyncio.Event()
        self.client = FakeClient()
        self._in_flight = in_flight
        self.task = asyncio.get_running_loop().create_task(self._serve())

    async def _serve(self) -> str:
        self._in_flight.enter(self.client)
        try:
            await self.go_on.wait()
        finally:
            self._in_flight.leave(self.client)
        return "done"


async def held(in_flight: InFlight) -> Held:
    one = Held(in_flight)
    await asyncio.sleep(0)
    return one


async def test_an_exchange_counts_while_it_runs():
    in_flight = InFlight()
    both = [await held(in_flight), await held(in_flight)]
    assert len(in_flight) == 2

    for one in both:
        one.go_on.set()
        await one.task

    assert len(in_flight) == 0


async def test_f43_draining_it_takes_nothing_new():
    in_flight = InFlight()
    in_flight.drain()

    with pytest.raises(Draining) as caught:
        await Held(in_flight).task

    assert (503, "shutting_down") == (caught.value.status, caught.value.code)
    assert (caught.value.retry_after_seconds or 0) > 0


async def test_j11_what_runs_runs_on_while_it_drains():
    in_flight = InFlight()
    one = await held(in_flight)

    in_flight.drain()
    one.go_on.set()

    assert await one.task == "done"
    assert not in_flight.has_expired


async def test_j11_when_the_time_is_up_each_is_interrupted_once():
    in_flight = InFlight()
    running = [await held(in_flight) for _ in range(3)]

    in_flight.expire()
    for one in running:
        assert one.client.was_interrupted
        one.client.was_interrupted = False
    in_flight.expire()

    assert [False] * 3 == [one.client.was_interrupted for one in running]
    assert in_flight.has_expired
    for one in running:
        one.task.cancel()


async def test_a_cancelled_exchange_gives_its_place_back():
    in_flight = InFlight()
    one = await held(in_flight)

    one.task.cancel()
    await asyncio.wait([one.task])

    assert one.task.cancelled()
    assert len(in_flight) == 0


async def test_waiting_for_the_last_one_ends_with_it_or_in_time():
    in_flight = InFlight()
    one = await held(in_flight)
    in_flight.drain()
    await in_flight.settled(0.01)
    assert len(in_flight) == 1

    one.go_on.set()
    await in_flight.settled(60)

    assert len(in_flight) == 0


async def test_with_nothing_under_way_there_is_nothing_to_wait_for():
    in_flight = InFlight()
    in_flight.drain()

    async with asyncio.timeout(1):
        await in_flight.settled(60)
