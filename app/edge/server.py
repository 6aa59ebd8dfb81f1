"""
uvicorn, and how it stops: what runs is given `drain_seconds`, then ended with an error that says so (contract
J11, law 1).
"""

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager

import uvicorn
from typing_extensions import override

from app.edge.asgi_client import Receive, Scope, Send
from app.edge.plain_http import PlainHttp
from app.proxy.in_flight import InFlight

ASGIApplication = Callable[[Scope, Receive, Send], Awaitable[None]]

_STOPPING = (signal.SIGTERM, signal.SIGINT)
_GOODBYE_SECONDS = 5.0  # for error events to leave after the drain
_LOOK_SECONDS = 0.2  # how often a second signal, which ends the wait, is looked for


class DrainingServer(uvicorn.Server):
    """A uvicorn server that drains *in_flight* between its last request and its end."""

    def __init__(self, config: uvicorn.Config, in_flight: InFlight, drain_seconds: float) -> None:
        super().__init__(config)
        self._in_flight = in_flight
        self._drain_seconds = drain_seconds

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
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._drain_seconds
        while len(self._in_flight) and loop.time() < deadline and not self.force_exit:
            await self._in_flight.settled(_LOOK_SECONDS)
        self._in_flight.expire()
        await super().shutdown(sockets)


def make_server(
    app: ASGIApplication,
    *,
    host: str,
    port: int,
    in_flight: InFlight,
    drain_seconds: float,
) -> DrainingServer:
    """A server for *app*, not yet started; port 0 takes a free one."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http=PlainHttp,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=int(_GOODBYE_SECONDS),
    )
    return DrainingServer(config, in_flight, drain_seconds)
