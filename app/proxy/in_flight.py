"""
The exchanges that are under way, and how they end when the gateway stops (contract J11, F43).

Draining, the gateway refuses what is new and lets what runs run on. When the time is up, `expire` cancels the
rest: the pipeline ends each with an error that says so, and settles it like any other.
"""

import asyncio
from typing import Final

from app.domain.errors import Draining
from app.proxy.client_connection import ClientConnection

_MESSAGE: Final = "The gateway is shutting down."
_RETRY_AFTER_SECONDS: Final = 1.0  # another replica, or the next start, takes it


class InFlight:
    """Counts exchanges, each by its client's connection, and can interrupt them."""

    def __init__(self) -> None:
        self._clients: set[ClientConnection] = set()
        self._is_empty = asyncio.Event()
        self._is_empty.set()
        self.is_draining = False
        self.has_expired = False

    def __len__(self) -> int:
        return len(self._clients)

    def enter(self, client: ClientConnection) -> None:
        """*client* is served from now on; `leave` is owed. Raises Draining when nothing new is taken."""
        if self.is_draining:
            raise stopped()
        self._clients.add(client)

    def leave(self, client: ClientConnection) -> None:
        """The exchange of *client* is over."""
        self._clients.discard(client)
        if self.is_draining and not self._clients:
            self._is_empty.set()

    def drain(self) -> None:
        """From now on nothing new is taken."""
        self.is_draining = True
        if self._clients:
            self._is_empty.clear()

    async def settled(self, patience_seconds: float) -> None:
        """Once draining: returns when no exchange is under way, at the latest after *patience_seconds*."""
        try:
            async with asyncio.timeout(patience_seconds):
                await self._is_empty.wait()
        except TimeoutError:
            return

    def expire(self) -> None:
        """Every exchange under way is interrupted now, once."""
        if not self.has_expired:
            self.has_expired = True
            for client in self._clients:
                client.interrupt()


def stopped() -> Draining:
    """The error of an exchange that a stopping gateway refuses or interrupts."""
    return Draining(_MESSAGE, retry_after_seconds=_RETRY_AFTER_SECONDS)
