"""What is under way, and how it ends at a stop (contract J11, F43)."""

import asyncio

import pytest

from app.domain.errors import Draining, UpstreamTimeout
from app.proxy.in_flight import InFlight


async def held(in_flight: InFlight, begun: asyncio.Event, go_on: asyncio.Event) -> str:
    async with in_flight.exchange():
        begun.set()
        await go_on.wait()
    return "done"


async def test_an_exchange_counts_while_it_runs():
    in_flight = InFlight()

    async with in_flight.exchange(), in_flight.exchange():
        assert len(in_flight) == 2

    assert len(in_flight) == 0


async def test_f43_draining_it_takes_nothing_new():
    in_flight = InFlight()
    in_flight.drain()

    with pytest.raises(Draining) as caught:
        async with in_flight.exchange():
            raise AssertionError("it ran")

    assert (503, "shutting_down") == (caught.value.status, caught.value.code)
    assert (caught.value.retry_after_seconds or 0) > 0


async def test_j11_what_runs_runs_on_while_it_drains():
    in_flight, begun, go_on = InFlight(), asyncio.Event(), asyncio.Event()
    running = asyncio.ensure_future(held(in_flight, begun, go_on))
    await begun.wait()

    in_flight.drain()
    go_on.set()

    assert await running == "done"


async def test_j11_when_the_time_is_up_each_ends_with_an_error_that_says_so():
    in_flight, begun, never = InFlight(), asyncio.Event(), asyncio.Event()
    running = [asyncio.ensure_future(held(in_flight, begun, never)) for _ in range(3)]
    await begun.wait()
    await asyncio.sleep(0)

    in_flight.expire()
    in_flight.expire()
    found = await asyncio.gather(*running, return_exceptions=True)

    assert [Draining] * 3 == [type(one) for one in found]
    assert len(in_flight) == 0


@pytest.mark.parametrize("error", [TimeoutError, ValueError, UpstreamTimeout("m", phase="idle")])
async def test_any_other_end_stays_what_it_is_and_gives_the_place_back(error):
    in_flight = InFlight()

    with pytest.raises(error if isinstance(error, type) else type(error)):
        async with in_flight.exchange():
            raise error

    assert len(in_flight) == 0


async def test_a_cancelled_exchange_gives_its_place_back():
    in_flight, begun = InFlight(), asyncio.Event()
    running = asyncio.ensure_future(held(in_flight, begun, asyncio.Event()))
    await begun.wait()

    running.cancel()
    await asyncio.wait([running])

    assert running.cancelled()
    assert len(in_flight) == 0


async def test_waiting_for_the_last_one_ends_with_it_or_in_time():
    in_flight, begun, go_on = InFlight(), asyncio.Event(), asyncio.Event()
    await in_flight.settled(60)
    running = asyncio.ensure_future(held(in_flight, begun, go_on))
    await begun.wait()
    await in_flight.settled(0.01)
    assert len(in_flight) == 1

    go_on.set()
    await in_flight.settled(60)

    assert len(in_flight) == 0
    await running
