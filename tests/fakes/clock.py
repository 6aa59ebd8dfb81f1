"""Time that moves when told."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(eq=False)
class FakeTimer:
    """Due at *when*."""

    when: float
    callback: Callable[[], Any]
    is_cancelled: bool = False

    def cancel(self) -> None:
        self.is_cancelled = True


class Clock:
    """Call it for the seconds it shows. Moved on, it calls whatever is due, in order."""

    def __init__(self, seconds: float = 1000.0) -> None:
        self.seconds = seconds
        self._timers: list[FakeTimer] = []

    def __call__(self) -> float:
        return self.seconds

    def call_later(self, delay: float, callback: Callable[[], Any]) -> FakeTimer:
        """As the loop's own."""
        timer = FakeTimer(self.seconds + delay, callback)
        self._timers.append(timer)
        return timer

    def advance(self, seconds: float) -> None:
        until = self.seconds + seconds
        while due := [one for one in self.timers() if one.when <= until]:
            first = min(due, key=lambda timer: timer.when)
            self._timers.remove(first)
            self.seconds = max(self.seconds, first.when)
            first.callback()
        self.seconds = until

    def timers(self) -> list[FakeTimer]:
        """Those set and not cancelled."""
        return [one for one in self._timers if not one.is_cancelled]
