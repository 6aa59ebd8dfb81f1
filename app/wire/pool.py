"""
The connections of one upstream and its credential: how many, which is used next, and when each is given up.

Within an origin the one used last is used next, so that the others grow old and go (reliability R14). Idle ones give
way when a new one would be one too many. One timer watches every deadline here: it is set for the next one and, when
it has rung, for the one after that.
"""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import attrgetter, itemgetter
from typing import Final

from app.wire.connecting import Dialer
from app.wire.connection import NEVER, Connection
from app.wire.errors import (
    ClosedBeforeUse,
    ConnectTimedOut,
    HeadLate,
    PoolClosed,
    PoolWaitOver,
    TotalLate,
    WireError,
)
from app.wire.outbox import Outbox
from app.wire.reading import ReadingLimits
from app.wire.requests import Fields, Origin, RequestHead, Upload, opening
from app.wire.responses import Response
from app.wire.sending import SMALL_BYTES, deliver
from app.wire.slots import Slots

_MARGIN_SECONDS: Final = 1.0  # a request that is on its way then still finds the connection open
# No more often than that; a deadline is noticed this much late at most.
_SWEEP_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """What a pool may use (reliability R5, R14). *waiting*: requests that may wait for a connection at a time.

    *keepalive_seconds*: an idle connection is kept that long, or less where the upstream keeps it less.
    *age_seconds*: an older one does not serve again. *write_seconds*: the other side may read nothing for that long.
    """

    connections: int
    waiting: int
    wait_seconds: float
    connect_seconds: float
    write_seconds: float
    keepalive_seconds: float
    age_seconds: float
    reading: ReadingLimits = field(default_factory=ReadingLimits)


class Pool:
    """Sends requests. It belongs to the event loop of its first request."""

    def __init__(
        self,
        limits: PoolLimits,
        ssl_context: ssl.SSLContext,
        is_forbidden: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._limits = limits
        self._outbox = Outbox()
        self._dialer = Dialer(ssl_context, is_forbidden)
        self._slots = Slots(limits.connections, limits.waiting)
        self._idle: dict[Origin, list[Connection]] = {}
        self._open: set[Connection] = set()
        self._lost: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._sweep_at = NEVER
        self._is_closed = False

    async def send(
        self,
        head: RequestHead,
        fields: Fields,
        body: bytes | Upload,
        head_at: float = NEVER,
        total_at: float = NEVER,
        *,
        is_fresh: bool = False,
        on_leaving: Callable[[], None] | None = None,
    ) -> Response:
        """A response whose head has come; it is late when that is not whole at *head_at*, or it is not at *total_at*.

        *is_fresh*: on a new connection, and the idle ones are closed. *on_leaving* is called when there is a connection
        and before the first byte goes. Cancelling closes the connection.
        Raises WireError, ValueError for a field that holds a line break, and what an upload raises.
        """
        first = opening(head, fields, body)
        if not self._slots.take():
            await self._wait_for_slot(head_at, total_at)
        if is_fresh:
            self._drop_idle(head.origin)
        connection = self._idle_one(head.origin)
        if connection is None:
            connection = await self._dial(head.origin, head_at, total_at)
        if on_leaving is not None:
            on_leaving()
        response = connection.begin(head.method, head_at, total_at)
        if connection.due < self._sweep_at:
            self._sweep_by(connection.due)
        try:
            if isinstance(body, bytes) and len(body) <= SMALL_BYTES:
                connection.out.write(first + body)
                connection.request_is_whole = True
                await response.head_came
            else:
                await deliver(connection, response, first, body)
        except BaseException:
            response.close()
            raise
        if response.failure is not None and not response.status:
            raise response.failure
        return response

    async def aclose(self) -> None:
        """Every connection is closed, whatever is under way on it, and its socket gone; nothing is sent any more."""
        self._is_closed = True
        self._slots.dismiss(PoolClosed)
        for connection in tuple(self._open):
            connection.cut()
        if self._open and self._lost is None:
            self._lost = asyncio.get_running_loop().create_future()
            await self._lost
        if self._timer is not None:
            self._timer.cancel()

    # --- what its connections tell it (connection.Keeper) -------------------------------------------------------------

    def on_free(self, connection: Connection) -> None:
        """See `connection.Keeper.on_free`."""
        limits, now = self._limits, connection.loop.time()
        due = now + limits.keepalive_seconds
        ends = now + connection.kept_seconds - _MARGIN_SECONDS  # before the other side ends it
        due = ends if ends < due else due
        old = connection.born_at + limits.age_seconds
        due = old if old < due else due
        if due <= now or self._is_closed:
            connection.close()
            return
        connection.due = due
        connection.is_idle = True
        self._idle[connection.origin].append(connection)
        if due < self._sweep_at:
            self._sweep_by(due)
        self._slots.give_back()

    def on_closed(self, connection: Connection) -> None:
        """See `connection.Keeper.on_closed`."""
        if connection.is_idle:
            self._idle[connection.origin].remove(connection)
        elif connection in self._open:
            self._slots.give_back()

    def on_lost(self, connection: Connection) -> None:
        """See `connection.Keeper.on_lost`."""
        self._open.discard(connection)
        if self._lost is not None and not self._open and not self._lost.done():
            self._lost.set_result(None)

    def on_due(self, at: float) -> None:
        """See `connection.Keeper.on_due`."""
        if at < self._sweep_at:
            self._sweep_by(at)

    # --- which connection ---------------------------------------------------------------------------------------------

    def _idle_one(self, origin: Origin) -> Connection | None:
        stack = self._idle.get(origin)
        if not stack:
            return None
        now = stack[-1].loop.time()  # cheaper than to ask which loop runs, which is a system call
        while stack:
            connection = stack[-1]
            if connection.due > now:
                return stack.pop()
            connection.close()  # the sweep is late
        return None

    # --- a new connection ---------------------------------------------------------------------------------------------

    async def _wait_for_slot(self, head_at: float, total_at: float) -> None:
        now = asyncio.get_running_loop().time()
        due, failure = _first_of(
            (now + self._limits.wait_seconds, PoolWaitOver),
            (head_at, HeadLate),
            (total_at, TotalLate),
        )
        self._sweep_by(due)
        await self._slots.wait(due, failure)

    async def _dial(self, origin: Origin, head_at: float, total_at: float) -> Connection:
        now = asyncio.get_running_loop().time()
        due, failure = _first_of(
            (now + self._limits.connect_seconds, ConnectTimedOut),
            (head_at, HeadLate),
            (total_at, TotalLate),
        )
        try:
            if self._is_closed:
                raise PoolClosed
            self._make_room()
            async with asyncio.timeout_at(due):
                made = await self._dialer.dial(origin, lambda: self._new(origin))
            return self._admitted(made)
        except BaseException as error:  # a slot is of a connection, and there is none
            self._slots.give_back()
            if isinstance(error, TimeoutError):
                raise failure() from None
            raise

    def _new(self, origin: Origin) -> Connection:
        limits = self._limits
        return Connection(origin, self, self._outbox, limits.reading, limits.write_seconds)

    def _admitted(self, connection: Connection) -> Connection:
        if not connection.is_open:
            raise connection.failure or ClosedBeforeUse()
        if self._is_closed:
            connection.close()
            raise PoolClosed
        self._open.add(connection)
        self._idle.setdefault(connection.origin, [])
        return connection

    def _make_room(self) -> None:
        """Of the idle ones, those that have been so for longest are closed, until one more may be."""
        idle = [connection for stack in self._idle.values() for connection in stack]
        excess = self._slots.used + len(idle) - self._limits.connections
        for connection in sorted(idle, key=attrgetter("due"))[: max(excess, 0)]:
            connection.close()

    def _drop_idle(self, origin: Origin) -> None:
        for connection in tuple(self._idle.get(origin, ())):
            connection.close()

    # --- deadlines ----------------------------------------------------------------------------------------------------

    def _sweep_by(self, at: float) -> None:
        if at >= self._sweep_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._sweep_at = at
        self._timer = asyncio.get_running_loop().call_at(at, self._sweep)

    def _sweep(self) -> None:
        now = asyncio.get_running_loop().time()
        self._timer = None
        self._sweep_at = NEVER
        for connection in tuple(self._open):
            if connection.due <= now:
                connection.expire(now)
        dues = [connection.due for connection in self._open]
        due = min(self._slots.expire(now), *dues) if dues else self._slots.expire(now)
        if due < NEVER:
            self._sweep_by(max(due, now + _SWEEP_SECONDS))


def _first_of(
    *deadlines: tuple[float, Callable[[], WireError]],
) -> tuple[float, Callable[[], WireError]]:
    return min(deadlines, key=itemgetter(0))
