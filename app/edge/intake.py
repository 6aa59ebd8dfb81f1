"""
Whether a client's socket is read. While it is not, nobody would see the client leave: the kernel is asked then, ten
times a second (law 5, reliability R12).
"""

import asyncio
from collections.abc import Callable
from typing import Final

from app.wire.departures import has_left

_LOOK_SECONDS: Final = 0.1


class Intake:
    """Reading from *transport*. *on_left* is called once a client has left, or half-closed, that is not read."""

    __slots__ = ("_loop", "_on_left", "_timer", "_transport", "is_held")

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        on_left: Callable[[], None],
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._on_left: Callable[[], None] | None = on_left
        self._timer: asyncio.TimerHandle | None = None
        self.is_held = False

    def hold(self, is_held: bool) -> None:
        """Nothing is read while *is_held*."""
        if is_held == self.is_held or self._transport.is_closing():
            return
        self.is_held = is_held
        if not is_held:
            self._transport.resume_reading()
            return
        self._transport.pause_reading()
        if self._timer is None:  # it outlives short stops: a large upload makes hundreds a second
            self._timer = self._loop.call_later(_LOOK_SECONDS, self._look)

    def close(self) -> None:
        """The transport is gone, or somebody else's."""
        self._on_left = None
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = None
        if not self.is_held or self._on_left is None:
            return
        if has_left(self._transport):
            self._on_left()
        else:
            self._timer = self._loop.call_later(_LOOK_SECONDS, self._look)
