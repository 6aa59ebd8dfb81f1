"""
uvicorn, and how it stops: what runs is given `drain_seconds`, then ended with an error that says so (contract
J11, law 1).
"""

import asyncio
import signal
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from time import monotonic
from typing import cast

import uvicorn
from typing_extensions import override

from app.edge.asgi_side import ASGIApplication
from app.edge.http_connection import HttpConnection
from app.edge.surroundings import Surroundings
from app.proxy.in_flight import InFlight

_STOPPING = (signal.SIGTERM, signal.SIGINT)
_GOODBYE_SECONDS = 5.0  # for error events to leave after the drain
_TICKS_PER_SECOND = 10  # uvicorn's
_LOOK_SECONDS = 0.2  # how often a second signal, which ends the wait, is looked for


class DrainingServer(uvicorn.Server):
    """A uvicorn server that drains *in_flight* between its last request and its end."""

    def __init__(
        self,
        config: uvicorn.Config,
        surroundings: Surroundings,
        in_flight: InFlight,
        drain_seconds: float,
    ) -> None:
        super().__init__(config)
        self._surroundings = surroundings
        self._in_flight = in_flight
        self._drain_seconds = drain_seconds

    @override
    async def on_tick(self, counter: int) -> bool:
        """True when it is time to stop. Once a second, connections whose deadlines have passed are told so."""
        should_exit = await super().on_tick(counter)
        if counter % _TICKS_PER_SECOND == 0:
            self._surroundings.refresh(self.server_state.default_headers)
            self.sweep()
        return should_exit

    def sweep(self) -> None:
        """Every connection that is past a deadline has been told so (reliability R1 to R3)."""
        now = self._surroundings.now()
        connections = cast("set[HttpConnection]", self.server_state.connections)
        late = [one for one in connections if one.due_at <= now or one.write_due_at <= now]
        for connection in late:
            connection.expire(now)

    @contextmanager
    @override
    def capture_signals(self) -> Generator[None, None, None]:
        """SIGTERM and SIGINT ask for the drain, a second one ends it; afterwards the process exits as it likes, with 0
        (reliability R13), where uvicorn would raise the signal once more."""
        loop = asyncio.get_running_loop()
        for number in _STOPPING:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in _STOPPING:
                loop.remove_signal_handler(number)

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """New exchanges are refused, running ones are waited for, then interrupted; then uvicorn closes."""
        self._in_flight.drain()
        self._surroundings.is_draining = True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._drain_seconds
        while len(self._in_flight) and loop.time() < deadline and not self.force_exit:
            await self._in_flight.settled(_LOOK_SECONDS)
            await self.on_tick(0)
        self._in_flight.expire()
        await super().shutdown(sockets)


def make_server(
    app: ASGIApplication,
    *,
    host: str,
    port: int,
    in_flight: InFlight,
    drain_seconds: float,
    now: Callable[[], float] = monotonic,
) -> DrainingServer:
    """A server for *app*, not yet started; port 0 takes a free one. *now* counts the connections' deadlines."""
    surroundings = Surroundings(now)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        interface="asgi3",  # else uvicorn looks for an `async def`
        http=partial(HttpConnection, surroundings=surroundings),  # type: ignore[arg-type] # it calls it
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=int(_GOODBYE_SECONDS),
    )
    return DrainingServer(config, surroundings, in_flight, drain_seconds)
