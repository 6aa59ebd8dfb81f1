"""What nobody settled ends by itself, and is counted (reliability J8)."""

import asyncio

import pytest

from app.domain.limits import Ask, Limits, Scope
from app.domain.principal import Principal
from app.limits.sweeping import Sweeper
from tests.fakes.billing import LEASE_SECONDS, admission_of
from tests.fakes.clock import Clock


async def test_a_lease_that_nobody_settled_is_free_and_counted():
    clock = Clock()
    admission = admission_of(clock)
    caller = Principal("ci", scopes=(Scope("key", "k", "ci", Limits(concurrency=1)),))
    admission.admit(caller, Ask(1, 0, 0, 1), "m", "req_1")
    rounds = iter((LEASE_SECONDS / 2, LEASE_SECONDS / 2, 1.0))

    async def sleep(_: float) -> None:
        passed = next(rounds, None)
        if passed is None:
            raise asyncio.CancelledError
        clock.advance(passed)

    sweeper = Sweeper(admission, sleep=sleep)
    with pytest.raises(asyncio.CancelledError):
        await sweeper.run()

    assert 1 == sweeper.expired
    assert [0] == [one.used for one in admission.standings(caller)]
