"""
The exchanges that are under way, and how they end when the gateway stops (contract J11, F43).

Draining, the gateway refuses what is new and lets what runs run on. When the time is up, `expire` interrupts
the rest: each ends with an error that says so, and is settled like any other.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.domain.errors import Draining
from app.proxy.timers import ended_by

_MESSAGE = "The gateway is shutting down."
_RETRY_AFTER_SECONDS = 1.0  # another replica, or the next start, takes it


class InFlight:
    """Counts exchanges and can interrupt them."""

    def __init__(self) -> None:
        self._timers: set[asyncio.Timeout] = set()
        self._is_empty = asyncio.Event()
        self._is_empty.set()
        self.is_draining = False

    def __len__(self) -> int:
        return len(self._timers)

    @asynccontextmanager
    async def exchange(self) -> AsyncIterator[None]:
        """What runs inside is one exchange. Raises Draining: at once when nothing new is taken, or when time is up."""
        if self.is_draining:
            raise self._stopped()
        timer = asyncio.timeout(None)
        self._timers.add(timer)
        self._is_empty.clear()
        try:
            async with ended_by(timer, self._stopped):
                yield
        finally:
            self._timers.discard(timer)
            if not self._timers:
                self._is_empty.set()

    def drain(self) -> None:
        """From now on nothing new is taken."""
        self.is_draining = True

    async def settled(self, patience_seconds: float) -> None:
        """Returns when no exchange is under way, at the latest after *patience_seconds*."""
        try:
            async with asyncio.timeout(patience_seconds):
                await self._is_empty.wait()
        except TimeoutError:
            return

    def expire(self) -> None:
        """Every exchange under way is interrupted now."""
        now = asyncio.get_running_loop().time()
        for timer in self._timers:
            if not timer.expired():
                timer.reschedule(now)

    def _stopped(self) -> Draining:
        return Draining(_MESSAGE, retry_after_seconds=_RETRY_AFTER_SECONDS)
