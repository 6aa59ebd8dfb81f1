"""Slots: first come, first served, and none is ever lost."""

import asyncio

import pytest

from app.wire.connection import NEVER
from app.wire.errors import PoolClosed, PoolQueueFull, PoolWaitOver
from app.wire.slots import Slots


def waiting(slots: Slots, due: float = NEVER) -> asyncio.Task[None]:
    return asyncio.ensure_future(slots.wait(due, PoolWaitOver))


async def turn() -> None:
    """Whatever is ready has run."""
    for _ in range(3):
        await asyncio.sleep(0)


def test_as_many_as_there_are_may_be_taken():
    slots = Slots(2, 0)

    assert [True, True, False] == [slots.take() for _ in range(3)]
    slots.give_back()
    assert [True, False] == [slots.take() for _ in range(2)]


async def test_who_came_first_is_served_first_and_nobody_overtakes():
    slots = Slots(1, 9)
    slots.take()
    line = [waiting(slots) for _ in range(3)]
    await turn()

    slots.give_back()

    assert not slots.take()
    await turn()
    assert [True, False, False] == [one.done() for one in line]
    assert slots.used == 1
    for _ in range(3):
        slots.give_back()
    await asyncio.gather(*line)
    assert slots.used == 0


async def test_a_full_line_is_told_so_at_once():
    slots = Slots(1, 1)
    slots.take()
    first = waiting(slots)
    await turn()

    with pytest.raises(PoolQueueFull):
        await slots.wait(NEVER, PoolWaitOver)

    slots.give_back()
    await first


async def test_who_waited_too_long_is_told_its_own_failure_and_the_next_due_is_known():
    slots = Slots(1, 9)
    slots.take()
    early, late = waiting(slots, 10.0), waiting(slots, 20.0)
    await turn()

    assert slots.expire(9.9) == 10.0
    assert slots.expire(10.0) == 20.0
    with pytest.raises(PoolWaitOver):
        await early
    slots.give_back()
    await late
    assert slots.expire(99.0) == NEVER


async def test_who_leaves_the_line_leaves_no_place_behind():
    slots = Slots(1, 9)
    slots.take()
    leaving, staying = waiting(slots), waiting(slots)
    await turn()

    leaving.cancel()
    await turn()
    slots.give_back()
    await staying

    assert slots.used == 1


async def test_a_turn_that_comes_behind_a_leaving_one_goes_to_the_next():
    slots = Slots(1, 9)
    slots.take()
    leaving, staying = waiting(slots), waiting(slots)
    await turn()

    leaving.cancel()
    slots.give_back()
    await staying

    assert leaving.cancelled()
    assert slots.used == 1


async def test_who_leaves_in_the_moment_of_its_turn_passes_it_on():
    slots = Slots(1, 9)
    slots.take()
    leaving, staying = waiting(slots), waiting(slots)
    await turn()

    slots.give_back()
    leaving.cancel()
    await staying

    assert leaving.cancelled()
    assert slots.used == 1
    slots.give_back()
    assert slots.used == 0


async def test_who_leaves_in_the_moment_it_is_too_late_takes_nothing_along():
    slots = Slots(1, 9)
    slots.take()
    leaving = waiting(slots, 10.0)
    await turn()

    slots.expire(10.0)
    leaving.cancel()
    await turn()

    assert leaving.cancelled()
    assert slots.used == 1


async def test_all_in_line_are_dismissed():
    slots = Slots(1, 9)
    slots.take()
    line = [waiting(slots) for _ in range(2)]
    await turn()

    slots.dismiss(PoolClosed)

    assert [PoolClosed] * 2 == [
        type(error) for error in await asyncio.gather(*line, return_exceptions=True)
    ]
