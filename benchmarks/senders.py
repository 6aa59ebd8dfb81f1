"""
The ways of sending: each runs until it is stopped, and says what did not come back.

In an open loop a request's latency counts from the moment it was due, so a server that stalls pays for all that should
have been sent meanwhile (no coordinated omission).
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from time import monotonic_ns, perf_counter
from typing import Protocol

from benchmarks import bodies
from benchmarks.client import (
    Check,
    Client,
    CompletionCheck,
    burst_check,
    connect,
    request_for,
    resource_check,
    resource_request,
    trickle_check,
)
from benchmarks.metronome import Metronome
from benchmarks.plan import RESOURCE, Plan, Target
from benchmarks.tally import Tally

_RECONNECT_SECONDS = 0.05
_END_SECONDS = 3.0  # what is still on its way at the end of a window has this long
_BODY_SECONDS = 0.25  # from one large body to the next
_MOST_CONNECTIONS = 1024


class Sender(Protocol):
    """Puts load on a server."""

    async def run(self) -> None:
        """Sends until `stop`, or until it is cancelled."""
        ...

    async def stop(self) -> int:
        """Nothing more is sent, and what is under way was waited for: how many answers did not come even so."""
        ...


class ClosedLoop:
    """As many requests at a time as there are clients: each sends its next when the last is answered."""

    def __init__(self, target: Target, plan: Plan, tally: Tally) -> None:
        self._target, self._plan, self._tally = target, plan, tally
        self._request, self._check = _request_of(target, plan)
        self._clients: set[Client] = set()
        self._is_going = True

    async def run(self) -> None:
        """Sends until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._plan.clients):
                group.create_task(self._keep_one())

    async def stop(self) -> int:
        """What is under way is given up."""
        self._is_going = False
        for client in self._clients:
            client.give_up()
        return 0

    async def _keep_one(self) -> None:
        """One client, replaced whenever its connection is gone."""
        while self._is_going:
            gone = asyncio.Event()
            try:
                client = await connect(self._target, self._making(gone))
            except OSError:
                self._tally.wrong("refused")
            else:
                self._clients.add(client)
                client.send(perf_counter())
                await gone.wait()
                self._clients.discard(client)
            await asyncio.sleep(_RECONNECT_SECONDS)

    def _making(self, gone: asyncio.Event) -> Callable[[], Client]:
        def ended(client: Client, seconds: float, reason: str) -> None:
            if not self._is_going:
                return
            if reason:
                self._tally.wrong(reason)
            else:
                self._tally.right(seconds)
            if client.transport.is_closing():
                gone.set()
            else:
                client.send(perf_counter())

        return lambda: Client(self._request, self._check, ended)


def _request_of(target: Target, plan: Plan) -> tuple[bytes, Check]:
    if plan.task == RESOURCE:
        return resource_request(target), resource_check
    is_stream = bool(plan.task)
    body = bodies.chat(plan.task, model=target.model, stream=is_stream)
    return request_for(target, body), burst_check if is_stream else CompletionCheck()


class OpenLoop:
    """Requests at a constant rate. An idle connection is used again, the last one first; else one more is opened."""

    def __init__(self, target: Target, plan: Plan, tally: Tally) -> None:
        self._target, self._rate, self._tally = target, plan.rate, tally
        body = bodies.chat("", model=target.model, stream=False)
        self._request = request_for(target, body)
        self._check = CompletionCheck()
        self._idle: list[Client] = []
        self._waiting: deque[float] = deque()  # when each was due
        self._clients: set[Client] = set()
        self._connections = 0  # those that are being opened too
        self._under_way = 0
        self._is_going = True
        self._over = asyncio.Event()
        self._group: asyncio.TaskGroup

    async def run(self) -> None:
        """Sends until `stop`."""
        async with asyncio.TaskGroup() as self._group:
            with Metronome(self._rate) as metronome:
                while True:
                    points = await metronome.due()
                    if not self._is_going:
                        return
                    for due in points:
                        self._launch(due)

    async def stop(self) -> int:
        """What is under way may still come."""
        self._is_going = False
        self._over.clear()
        if self._under_way or self._waiting:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), _END_SECONDS)
        missing = self._under_way + len(self._waiting)
        for client in self._clients:
            client.give_up()
        return missing

    def _launch(self, due: float) -> None:
        if self._idle:
            self._under_way += 1
            self._idle.pop().send(due)
            return
        self._waiting.append(due)
        self._open_one()

    def _open_one(self) -> None:
        if self._is_going and self._connections < _MOST_CONNECTIONS:
            self._connections += 1
            self._group.create_task(self._connect())

    async def _connect(self) -> None:
        try:
            client = await connect(
                self._target, lambda: Client(self._request, self._check, self._ended)
            )
        except OSError:
            self._connections -= 1
            self._tally.wrong("refused")
        else:
            self._clients.add(client)
            self._next(client)

    def _ended(self, client: Client, seconds: float, reason: str) -> None:
        self._under_way -= 1
        if reason:
            self._tally.wrong(reason)
        else:
            self._tally.right(seconds)
        if client.transport.is_closing():
            self._clients.discard(client)
            self._connections -= 1
            if self._waiting:
                self._open_one()
        else:
            self._next(client)
        if not self._under_way and not self._waiting:
            self._over.set()

    def _next(self, client: Client) -> None:
        if self._waiting:
            self._under_way += 1
            client.send(self._waiting.popleft())
        else:
            self._idle.append(client)


class Streams:
    """Many streams at once, each with its events spread over time. All are read to their end."""

    def __init__(self, target: Target, plan: Plan, tally: Tally) -> None:
        self._target, self._plan, self._tally = target, plan, tally
        lasting = plan.ramp_seconds + plan.warm_seconds + plan.seconds + 1.0
        events = int(plan.rate * lasting)
        task = f"@trickle {plan.rate} {events}"
        self._request = request_for(target, bodies.chat(task, model=target.model, stream=True))
        self._check = trickle_check(events)
        self._running: set[Client] = set()
        self._over = asyncio.Event()

    async def run(self) -> None:
        """Opens the streams, evenly over the ramp."""
        start = perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(self._plan.clients):
                due = start + self._plan.ramp_seconds * number / self._plan.clients
                await asyncio.sleep(max(0.0, due - perf_counter()))
                group.create_task(self._open())

    async def stop(self) -> int:
        """Each stream has the time that it needs to end by itself, and some."""
        if self._running:
            with suppress(TimeoutError):
                patience = self._plan.ramp_seconds + 1.0 + _END_SECONDS
                await asyncio.wait_for(self._over.wait(), patience)
        unfinished = len(self._running)
        for client in self._running:
            client.give_up()
        return unfinished

    async def _open(self) -> None:
        def make() -> Client:
            return Client(self._request, self._check, self._ended, self._see)

        try:
            client = await connect(self._target, make)
        except OSError:
            self._tally.wrong("refused")
        else:
            self._running.add(client)
            client.send(perf_counter())

    def _see(self, data: bytes) -> None:
        """Counts each event as it comes, by the time that the upstream wrote into it."""
        now = monotonic_ns() // 1000
        place = data.find(bodies.STAMP)
        while place >= 0:
            start = place + len(bodies.STAMP)
            digits = data[start : start + bodies.STAMP_DIGITS]
            if (
                len(digits) == bodies.STAMP_DIGITS
            ):  # one that a read cut in two is checked, not timed
                self._tally.right((now - int(digits)) / 1e6)
            place = data.find(bodies.STAMP, start)

    def _ended(self, client: Client, seconds: float, reason: str) -> None:
        self._running.discard(client)
        if reason:
            self._tally.wrong(reason)
        client.transport.close()
        if not self._running:
            self._over.set()


class LargeBodies:
    """One client that sends a large body again and again, each on a connection of its own."""

    def __init__(self, target: Target, plan: Plan, tally: Tally) -> None:
        self._target, self._tally = target, tally
        body = bodies.chat_with_images(plan.body_bytes, model=target.model)
        self._request = request_for(target, body)
        self._check = CompletionCheck()

    async def run(self) -> None:
        """Sends until it is cancelled. Raises OSError."""
        while True:
            start, over = perf_counter(), asyncio.Event()
            client = await connect(self._target, self._making(over))
            try:
                client.send(start)
                await over.wait()
                await asyncio.sleep(max(0.0, start + _BODY_SECONDS - perf_counter()))
            finally:
                client.give_up()

    async def stop(self) -> int:
        """A body that is under way goes with the task."""
        return 0

    def _making(self, over: asyncio.Event) -> Callable[[], Client]:
        def ended(client: Client, seconds: float, reason: str) -> None:
            if reason:
                self._tally.wrong(f"large body: {reason}")
            over.set()

        return lambda: Client(self._request, self._check, ended)
