"""A recognition engine at the other end of a websocket, in memory and in a time that moves when it is slept."""

import asyncio
import json
from collections.abc import Callable

from typing_extensions import override

from app.protocol.headers import HeaderList
from app.proxy.billing import Billing
from app.wire.messages import Message
from tests.fakes.clock import Clock
from tests.fakes.sockets import FakeSocket


class FakeEngine(FakeSocket):
    """Our side of a socket. *told*: each message that was sent, and when; *on_told* is called with each.

    *ended_at*: when our close went out; *on_end* is called then, and by default the other side closes too.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.told: list[tuple[float, dict[str, object]]] = []
        self.on_told: Callable[[int], None] = lambda _: None
        self.on_end: Callable[[], None] = self.hang_up
        self.ended_at: float | None = None
        self.was_aborted = False

    def say(self, **message: object) -> None:
        """The engine says *message*."""
        self._came.put_nowait(Message(json.dumps(message).encode(), is_text=True))

    def hang_up(self, code: int = 1000, reason: str = "") -> None:
        """The engine closes."""
        self._end(code, reason)

    @override
    async def send(self, message: Message) -> None:
        if self.closed_with is not None:
            raise self.closed_with
        self.told.append((self.clock(), json.loads(message.payload)))
        self.on_told(len(self.told))

    @override
    def end(self) -> None:
        self.ended_at = self.clock()
        self.on_end()

    @override
    def abort(self) -> None:
        self.was_aborted = True
        super().abort()


class Sleeping:
    """Sleeps in the clock's own time: whoever waits for something else has its turn first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def __call__(self, seconds: float) -> None:
        self._clock.advance(seconds)
        for _ in range(5):
            await asyncio.sleep(0)


class FakeDialing:
    """Opens *engine*, or raises *refusal*. *urls*, *fields*: what was dialled."""

    def __init__(self, engine: FakeEngine, billing: Billing) -> None:
        self.engine = engine
        self.refusal: Exception | None = None
        self.urls: list[str] = []
        self.fields: list[HeaderList] = []
        self._billing = billing

    async def dial(self, upstream, url, fields, exchange, *, capability) -> FakeEngine:
        self.urls.append(url)
        self.fields.append(fields)
        self._billing.attempt(exchange)
        exchange.attempts += 1
        if self.refusal is not None:
            raise self.refusal
        exchange.sent_at = self.engine.clock()
        return self.engine
