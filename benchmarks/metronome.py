"""
Points in time at a constant rate, exact to some 50 µs.

The loop's own timers have steps of a millisecond, which would be most of what a fast server's latency seems to be; so
the kernel's timer wakes the loop through a file descriptor.
"""

import asyncio
import ctypes
import os
from collections.abc import Iterator
from contextlib import suppress
from time import perf_counter
from types import TracebackType

_CLOCK_MONOTONIC = 1
_NON_BLOCKING_AND_CLOSED_ON_EXEC = os.O_NONBLOCK | os.O_CLOEXEC
_NANOSECONDS = 1_000_000_000


class _Time(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Timer(ctypes.Structure):
    _fields_ = (("interval", _Time), ("first", _Time))


def _time(seconds: float) -> _Time:
    whole = int(seconds * _NANOSECONDS)
    return _Time(whole // _NANOSECONDS, whole % _NANOSECONDS)


class Metronome:
    """*rate* points in time a second, from now on. A context manager, inside a running loop."""

    def __init__(self, rate: int) -> None:
        self._interval = 1 / rate
        self._given = 0
        self._start = 0.0
        self._descriptor = -1
        self._woken = asyncio.Event()

    def __enter__(self) -> "Metronome":
        """The first point is now."""
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = libc.timerfd_create(_CLOCK_MONOTONIC, _NON_BLOCKING_AND_CLOSED_ON_EXEC)
        timer = _Timer(_time(self._interval), _time(self._interval))
        if self._descriptor < 0 or libc.timerfd_settime(
            self._descriptor, 0, ctypes.byref(timer), None
        ):
            raise OSError(ctypes.get_errno(), "no kernel timer")
        self._start = perf_counter()
        asyncio.get_running_loop().add_reader(self._descriptor, self._wake)
        self._woken.set()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """No further point comes."""
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)

    async def due(self) -> Iterator[float]:
        """Waits for the next point; then all that are due and were not given yet, on `perf_counter`."""
        await self._woken.wait()
        self._woken.clear()
        return self._passed(perf_counter())

    def _passed(self, now: float) -> Iterator[float]:
        while (point := self._start + self._given * self._interval) <= now:
            self._given += 1
            yield point

    def _wake(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._descriptor, 8)
        self._woken.set()
