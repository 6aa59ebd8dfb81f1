"""The simulators on one port: all upstreams, and the witness routes under `/_sim` (X5)."""

from __future__ import annotations

import asyncio
from types import TracebackType

from app.simulators import fourminds, minds, openai, openmind, openmind_sockets
from app.simulators.connection import READ_BYTES, Connection
from app.simulators.desk import Desk
from app.simulators.dialect import Ids
from app.simulators.keys import PREFIXES
from app.simulators.recording import SeenRequests
from app.simulators.sim_routes import SimRoutes

# asyncio takes four turns of its loop from accept() to the first line of a handler; what was
# accepted before the listener closed has registered after these
TURNS_TO_REGISTER = 8


class Simulators:
    """A listener and its connections. Build it with `start`; `close` awaits all it began."""

    def __init__(self, host: str) -> None:
        """Use `start`: this alone listens nowhere."""
        self.host = host
        self.port = 0
        self.seen = SeenRequests()
        self._server: asyncio.Server | None = None
        self._desk: Desk | None = None
        self._sim_routes = SimRoutes(self.seen)
        self._numbers = Ids()
        self._connections: dict[asyncio.Task[None], Connection] = {}

    @classmethod
    async def start(cls, host: str = "127.0.0.1", port: int = 0) -> Simulators:
        """Listen on *host* and *port*; 0 takes a free one, then found in `port`."""
        simulators = cls(host)
        await simulators._listen(port)
        return simulators

    def base_url(self, dialect: str) -> str:
        """The base URL of a dialect. Raises KeyError for an unknown one."""
        return self._origin() + PREFIXES[dialect]

    def socket_url(self, dialect: str) -> str:
        """The base URL of a dialect's websockets, as `ws:`. Raises KeyError for an unknown one."""
        return self.base_url(dialect).replace("http:", "ws:", 1)

    async def close(self) -> None:
        """Close the listener and every connection, and await their tasks; safe to call twice."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for _ in range(TURNS_TO_REGISTER):
            await asyncio.sleep(0)
        while self._connections:
            for connection in self._connections.values():
                connection.abort()
            await asyncio.wait(list(self._connections))
        await server.wait_closed()

    async def __aenter__(self) -> Simulators:
        """Itself, already started."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        await self.close()

    async def _listen(self, port: int) -> None:
        self._server = await asyncio.start_server(self._serve, self.host, port, limit=READ_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]
        dialects = (
            fourminds.build(),
            minds.build(),
            openmind.build(),
            openmind.build(later=True),
            *openmind_sockets.dialects(),
            openai.build(),
        )
        self._desk = Desk(dialects, self._origin())

    def _origin(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if self._server is None or self._desk is None or task is None:
            writer.transport.abort()
            return
        number = self._numbers.next_number()
        connection = Connection(
            (reader, writer), number, self.seen, self._desk.answer, self._sim_routes.answer
        )
        self._connections[task] = connection
        try:
            await connection.run()
        finally:
            del self._connections[task]
