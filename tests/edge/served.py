"""A server of the edge alone: real sockets, and in the pipeline's place a function of the test."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, cast

from app.domain.errors import GatewayError
from app.edge.asgi_side import Receive, Scope, Send
from app.edge.client_request import ClientRequest
from app.edge.data_plane import DataPlane, is_data_plane
from app.edge.server import DrainingServer, make_server
from app.protocol.errors import error_body, error_headers
from app.proxy.in_flight import InFlight
from app.proxy.pipeline import Pipeline
from app.wire.requests import field_lines
from tests.fakes.raw_client import RawClient, Reply, eventually

Serve = Callable[[ClientRequest], Awaitable[None]]
LIMIT_BYTES = 1 << 20
JSON = b"content-type: application/json\r\n"


async def echo(client: ClientRequest) -> None:
    """Answers with the method, the path and the body."""
    body = await client.read_body()
    answer(client, b"%b %b %b" % (client.method.encode(), client.path.encode(), body))


def answer(client: ClientRequest, body: bytes, status: int = 200, fields: bytes = JSON) -> None:
    client.start(status, fields, len(body))
    client.write(body)
    client.finish()


class StubPipeline:
    """Runs *serve*, tells a client of its errors, and keeps how each exchange ended."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self.clients: list[ClientRequest] = []
        self.ends: list[str] = []

    async def serve(self, client: ClientRequest, request_id: str) -> None:
        self.clients.append(client)
        try:
            await self._serve(client)
        except GatewayError as error:
            self.ends.append(str(error.code))
            fields = [*error_headers(error), (b"x-request-id", request_id.encode())]
            answer(client, error_body(error), error.status, field_lines(fields))
        except asyncio.CancelledError:
            self.ends.append("gone" if client.is_gone else "cancelled")
            raise
        else:
            self.ends.append("complete")


@dataclass
class Served:
    """*pipeline*: what the data plane's requests met; *scopes*: of the control plane's requests."""

    port: int
    server: DrainingServer
    pipeline: StubPipeline
    in_flight: InFlight
    scopes: list[Scope] = field(default_factory=list)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[RawClient]:
        """A fresh connection."""
        loop = asyncio.get_running_loop()
        transport, client = await loop.create_connection(RawClient, "127.0.0.1", self.port)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            yield client
        finally:
            transport.abort()

    async def requests(self, count: int) -> list[ClientRequest]:
        """The data plane's requests, once there are *count*."""
        assert await eventually(lambda: count == len(self.pipeline.clients))
        return self.pipeline.clients

    async def settled_full(self, request: ClientRequest) -> bool:
        """True once nothing more goes into the sockets of a client that does not read."""
        rounds = 0
        while rounds < 5:  # the kernel takes what it can, a moment at a time
            await asyncio.sleep(0.01)
            rounds = rounds + 1 if request.is_full else 0
        return True

    async def ask(self, sent: bytes, *, is_head: bool = False) -> Reply:
        """The reply to *sent* on a connection of its own."""
        async with self.connected() as client:
            await client.send(sent)
            return await client.reply(is_head=is_head)


async def control_plane(scope: Scope, receive: Receive, send: Send) -> None:
    """Echoes the body in two messages, as ASGI applications do."""
    body = (await receive())["body"]
    headers = [(b"Content-Length", b"%d" % (len(body) + 1)), (b"X-Own", b"1")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"=", "more_body": True})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def served(
    serve: Serve = echo,
    *,
    app: Any = control_plane,
    now: Callable[[], float] = monotonic,
    max_body_bytes: int = LIMIT_BYTES,
    cors_origins: tuple[str, ...] = (),
    drain_seconds: float = 0.0,
) -> AsyncIterator[Served]:
    """A server on a free port, stopped and awaited at the end. *app* answers for the control plane."""
    pipeline = StubPipeline(serve)
    plane = DataPlane(
        cast(Pipeline, pipeline),
        max_body_bytes=max_body_bytes,
        cors_origins=cors_origins,
        new_request_id=lambda: "req_1",
    )

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await lifespan(receive, send)
        elif is_data_plane(scope["path"]):
            await plane(scope, receive, send)
        else:
            found.scopes.append(scope)
            await app(scope, receive, send)

    in_flight = InFlight()
    server = make_server(
        application,
        host="127.0.0.1",
        port=0,
        in_flight=in_flight,
        drain_seconds=drain_seconds,
        now=now,
    )
    listener = socket.create_server(("127.0.0.1", 0))
    found = Served(listener.getsockname()[1], server, pipeline, in_flight)
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(server._serve([listener]))
        await eventually(lambda: server.started)
        try:
            yield found
        finally:
            server.should_exit = True
            # Awaited here: a group that fails would cancel it, and uvloop waits for ever for a listener left open.
            await asyncio.wait([serving])


async def lifespan(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})
