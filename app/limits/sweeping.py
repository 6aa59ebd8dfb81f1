"""Reservations that nobody settled end by themselves, and are counted: each is a defect (reliability J8)."""

import asyncio
from collections.abc import Awaitable, Callable

from app.limits.admission import Admission

_SWEEP_SECONDS = 10.0


class Sweeper:
    """*expired*: the leases that ended so, since the beginning."""

    def __init__(
        self,
        admission: Admission,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.expired = 0
        self._admission = admission
        self._sleep = sleep

    async def run(self) -> None:
        """For ever."""
        while True:
            await self._sleep(_SWEEP_SECONDS)
            self.expired += self._admission.sweep()
