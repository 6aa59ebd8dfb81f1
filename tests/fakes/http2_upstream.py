"""An upstream that speaks HTTP/2 over TLS: answers when it is told to, and notes which streams were reset."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import h2.config
import h2.connection
import h2.events
from typing_extensions import override

from tests.fakes.certificates import server_tls
from tests.fakes.scripted_upstream import SECONDS


@dataclass(eq=False)
class Stream:
    """One request, and the way to answer it. *ended*: all of it is here. *reset*: the code it was given up with."""

    connection: "_Connection"
    number: int
    headers: list[tuple[str, str]]
    body: bytearray = field(default_factory=bytearray)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    reset: asyncio.Event = field(default_factory=asyncio.Event)
    code: int | None = None
    waiting: bytearray = field(default_factory=bytearray)
    is_last: bool = False

    def start(self, status: int = 200, *fields: tuple[str, str]) -> None:
        self.connection.h2.send_headers(self.number, [(":status", str(status)), *fields])
        self.connection.flush()

    def send(self, data: bytes, *, is_last: bool = False) -> None:
        """*data* leaves as the window lets it."""
        self.waiting += data
        self.is_last = self.is_last or is_last
        self.connection.pump(self)

    def answer(self, data: bytes) -> None:
        self.start()
        self.send(data, is_last=True)


class Http2Upstream:
    """Listens on a loopback port. *on_request* is called with each request, once all of it is there."""

    def __init__(self) -> None:
        self.on_request: Callable[[Stream], None] = lambda stream: stream.answer(b"{}")
        self.streams: list[Stream] = []
        self.connections: list[_Connection] = []
        self.port = 0
        self._came = asyncio.Event()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/v1"

    async def request(self, number: int = 1) -> Stream:
        """Request *number*, once its head is there."""
        async with asyncio.timeout(SECONDS):
            while len(self.streams) < number:
                self._came.clear()
                await self._came.wait()
        return self.streams[number - 1]

    def came(self, stream: Stream) -> None:
        self.streams.append(stream)
        self._came.set()


class _Connection(asyncio.Protocol):
    def __init__(self, upstream: Http2Upstream) -> None:
        self.upstream = upstream
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        )
        self.streams: dict[int, Stream] = {}
        self.lost = asyncio.Event()

    @override
    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.upstream.connections.append(self)
        self.h2.initiate_connection()
        self.flush()

    @override
    def data_received(self, data: bytes) -> None:
        for event in self.h2.receive_data(data):
            self._take(event)
        self.flush()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()

    def flush(self) -> None:
        self.transport.write(self.h2.data_to_send())

    def pump(self, stream: Stream) -> None:
        """As much of what waits as the window takes."""
        while stream.waiting and stream.code is None:
            room = min(
                self.h2.local_flow_control_window(stream.number), self.h2.max_outbound_frame_size
            )
            if room <= 0:
                break
            self.h2.send_data(stream.number, bytes(stream.waiting[:room]))
            del stream.waiting[:room]
        if stream.is_last and not stream.waiting and stream.code is None:
            stream.is_last = False
            self.h2.end_stream(stream.number)
        self.flush()

    def _take(self, event: Any) -> None:
        match event:
            case h2.events.RequestReceived():
                stream = Stream(self, event.stream_id, _text(event.headers))
                self.streams[event.stream_id] = stream
                self.upstream.came(stream)
            case h2.events.DataReceived():
                self.streams[event.stream_id].body += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamEnded():
                self.streams[event.stream_id].ended.set()
                self.upstream.on_request(self.streams[event.stream_id])
            case h2.events.StreamReset():
                stream = self.streams[event.stream_id]
                stream.code = int(event.error_code)
                stream.reset.set()
            case h2.events.WindowUpdated():
                for stream in self.streams.values():
                    if stream.waiting:
                        self.pump(stream)


def _text(headers: Any) -> list[tuple[str, str]]:
    return [(str(name), str(value)) for name, value in headers]


def _tls() -> ssl.SSLContext:
    context = server_tls()
    context.set_alpn_protocols(["h2"])
    return context


@asynccontextmanager
async def speaking_http2() -> AsyncIterator[Http2Upstream]:
    """An upstream with HTTP/2, gone with all its connections at the end."""
    upstream = Http2Upstream()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(upstream), "127.0.0.1", 0, ssl=_tls())
    upstream.port = server.sockets[0].getsockname()[1]
    try:
        yield upstream
    finally:
        server.close()
        for connection in upstream.connections:
            connection.transport.abort()
        for connection in upstream.connections:
            await connection.lost.wait()
        await server.wait_closed()
