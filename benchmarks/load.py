"""
The load generator: one process that puts one window of load on one server and says what it saw.

    python -m benchmarks.load ORDER      an Order as JSON; prints a Window as JSON

Every answer is checked. What the window is judged by, the processor time of the server's tree, is read in the same
moment as the window opens and closes.
"""

import asyncio
import gc
import os
import sys
from collections.abc import Sequence
from time import perf_counter

import msgspec
import uvloop

from benchmarks import processes
from benchmarks.plan import Order, Plan, Window
from benchmarks.senders import ClosedLoop, LargeBodies, OpenLoop, Sender, Streams
from benchmarks.tally import Tally

_MOST_SECONDS = 40.0  # of a closed loop's window that goes on until each client has had two answers
_REST_SECONDS = 1.0  # from the last large body to the reading of memory


class Watch:
    """Reads the processes at the window's start and at its end."""

    def __init__(self, order: Order) -> None:
        self._pid = order.target.pid
        self._load = [os.getpid(), *([order.upstream_pid] if order.upstream_pid else [])]
        self._cores = frozenset(order.cores)
        self._start = (0.0, 0.0, 0.0, 0.0)

    def begin(self) -> None:
        """The window opens."""
        self._start = self._read()

    def end(self, tally: Tally) -> Window:
        """The window is over."""
        now = self._read()
        seconds, cpu, load, busy = (b - a for a, b in zip(self._start, now, strict=True))
        return Window(
            seconds=seconds,
            done=len(tally.latencies),
            cpu_seconds=cpu,
            load_share=load / seconds,
            foreign_share=max(0.0, (busy - cpu) / seconds) if self._pid else 0.0,
        )

    def resident(self) -> int:
        """The server's memory, in bytes; 0 where nobody's is watched."""
        return processes.resident_bytes(self._pid) if self._pid else 0

    def _read(self) -> tuple[float, float, float, float]:
        cpu = processes.cpu_seconds(self._pid) if self._pid else 0.0
        load = sum(processes.cpu_seconds(pid) for pid in self._load)
        return perf_counter(), cpu, load, processes.busy_seconds(self._cores)


async def measure(order: Order) -> Window:
    """One window of load."""
    plan, tally, watch = order.plan, Tally(), Watch(order)
    before = watch.resident()
    senders = _senders(order, tally)
    running = [asyncio.ensure_future(sender.run()) for sender in senders]
    await asyncio.sleep(plan.ramp_seconds + plan.warm_seconds)
    tally.is_open = True
    watch.begin()
    await asyncio.sleep(plan.seconds)
    if plan.kind == "closed":
        await _wait_for_enough(plan, tally)
    window = watch.end(tally)
    window.resident_before, window.resident_during = before, watch.resident()
    # What was due in an open loop's window counts even where it comes after its end.
    tally.is_open = plan.kind in ("open", "images")
    await _stop(senders, running, tally)
    window.p50_ms, window.p99_ms, window.max_ms = tally.milliseconds(0.5, 0.99, 1.0)
    window.errors = dict(tally.errors)
    if plan.kind == "images":
        await asyncio.sleep(_REST_SECONDS)
        window.resident_after = watch.resident()
    return window


async def _wait_for_enough(plan: Plan, tally: Tally) -> None:
    """Where answers are slow and all clients began together, a window that ended earlier would count work of answers
    that it does not count."""
    deadline = perf_counter() + _MOST_SECONDS - plan.seconds
    for _ in range(int(_MOST_SECONDS * 10)):
        if len(tally.latencies) >= 2 * plan.clients or perf_counter() > deadline:
            return
        await asyncio.sleep(0.1)


async def _stop(
    senders: Sequence[Sender], running: Sequence[asyncio.Future[None]], tally: Tally
) -> None:
    for sender in senders:
        if missing := await sender.stop():
            tally.errors["unfinished"] += missing
    for task in running:
        task.cancel()
    for ended in await asyncio.gather(*running, return_exceptions=True):
        if isinstance(ended, Exception):
            tally.wrong(repr(ended)[:200])


def _senders(order: Order, tally: Tally) -> list[Sender]:
    plan, target = order.plan, order.target
    if plan.kind == "closed":
        return [ClosedLoop(target, plan, tally)]
    if plan.kind == "streams":
        return [Streams(target, plan, tally)]
    probe = OpenLoop(target, plan, tally)
    return [probe] if plan.kind == "open" else [probe, LargeBodies(target, plan, tally)]


def main() -> None:
    """The command."""
    order = msgspec.json.decode(sys.argv[1], type=Order)
    gc.disable()  # a pause of this process would count against the server
    window = uvloop.run(measure(order))
    sys.stdout.write(msgspec.json.encode(window).decode() + "\n")


if __name__ == "__main__":
    main()
