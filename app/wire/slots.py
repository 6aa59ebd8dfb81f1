"""
How many exchanges may be under way at a time, and who is next when one ends: first come, first served.

A slot is taken before a connection is chosen or dialled, and given back when the connection is idle or closed. Given
back while somebody waits, it passes to the first in line and is never free in between, so nobody overtakes.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from app.wire.connection import NEVER
from app.wire.errors import PoolQueueFull, WireError


@dataclass(slots=True, eq=False)
class _Waiter:
    turn: asyncio.Future[None]
    due: float
    failure: Callable[[], WireError]


class Slots:
    """*most* exchanges at a time, and *most_waiting* in line. *used*: how many are under way."""

    __slots__ = ("_line", "_most", "_most_waiting", "used")

    def __init__(self, most: int, most_waiting: int) -> None:
        self._most = most
        self._most_waiting = most_waiting
        self._line: deque[_Waiter] = deque()
        self.used = 0

    def take(self) -> bool:
        """True when a slot was free and nobody waited for it: it is taken."""
        if self.used >= self._most or self._line:
            return False
        self.used += 1
        return True

    async def wait(self, due: float, failure: Callable[[], WireError]) -> None:
        """A slot is taken. Raises *failure* when `expire` finds *due* passed, PoolQueueFull when the line is full.

        Cancelled, it leaves the line, or passes on the slot that it was given in the same moment.
        """
        if len(self._line) >= self._most_waiting:
            raise PoolQueueFull
        waiter = _Waiter(asyncio.get_running_loop().create_future(), due, failure)
        self._line.append(waiter)
        try:
            await waiter.turn
        except asyncio.CancelledError:
            if waiter in self._line:
                self._line.remove(waiter)
            elif not waiter.turn.cancelled() and waiter.turn.exception() is None:
                self.give_back()
            raise

    def give_back(self) -> None:
        """An exchange is over: its slot is the next one's, or free."""
        while self._line:
            turn = self._line.popleft().turn
            if not turn.done():
                turn.set_result(None)
                return
        self.used -= 1

    def expire(self, now: float) -> float:
        """Whoever waited until *now* in vain is told. When the next one's time is up; NEVER when nobody waits."""
        for waiter in [each for each in self._line if each.due <= now]:
            self._line.remove(waiter)
            if not waiter.turn.done():
                waiter.turn.set_exception(waiter.failure())
        return min((waiter.due for waiter in self._line), default=NEVER)

    def dismiss(self, failure: Callable[[], WireError]) -> None:
        """Nobody waits any more: all in line are told *failure*."""
        while self._line:
            turn = self._line.popleft().turn
            if not turn.done():
                turn.set_exception(failure())
