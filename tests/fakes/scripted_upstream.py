"""
A raw TCP upstream that sends exactly the bytes it is told, and notes what it was sent and when its peer left.

What breaks below HTTP (a head cut in two, a reset, a lie about the length) no HTTP server can be asked to do. A script
is a sequence of steps; a test sets `script`, or `answer` where several requests want different ones.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from pydantic import SecretStr
from typing_extensions import override

from app.domain.configuration import Configuration, ServerOptions, UpstreamEntry
from tests.fakes.gateways import RunningGateway, running, upstream_at, with_keys

SECONDS = 5.0  # a deadline against a test that hangs, never a measure
_LINGER_ZERO = struct.pack("ii", 1, 0)  # close() then sends RST instead of FIN
_TURNS = 6  # turns of the loop in which a peer in the same loop has read what was written


class End(Enum):
    """How a script may end; without one the connection stays open for the next request."""

    CLOSE = auto()  # FIN
    RESET = auto()  # RST
    HOLD = auto()  # silence until the peer leaves


@dataclass(frozen=True)
class Pause:
    seconds: float


Step = bytes | Pause | asyncio.Event | End


@dataclass(eq=False)
class Seen:
    """One request as it came. *gone*: set when its peer ended the connection before the script was done.

    *late_bytes*: how much of its body came after it was answered.
    """

    connection: int
    head: bytes
    body: bytes
    arrived_at: float
    late_bytes: int = 0
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    gone_at: float | None = None

    @property
    def target(self) -> str:
        return self.head.split(b" ", 2)[1].decode("latin-1")

    @property
    def method(self) -> str:
        return self.head.split(b" ", 1)[0].decode("latin-1")

    @property
    def headers(self) -> list[tuple[str, str]]:
        lines = self.head.decode("latin-1").strip().split("\r\n")[1:]
        pairs = (line.partition(": ") for line in lines)
        return [(name.lower(), value) for name, _, value in pairs]

    def header(self, name: str) -> str | None:
        return dict(self.headers).get(name)


class ScriptedUpstream:
    """Listens on a loopback port, behind TLS with *tls*. *greeting*: steps to take on a new connection, before any
    request. *answers_heads*: a request is answered as soon as its head is there; *reads_on* False: and nothing more
    is read on its connection."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.tls = tls
        self.answers_heads = False
        self.reads_on = True
        self.script: Sequence[Step] = ()
        self.answer: Callable[[Seen], Iterable[Step]] = lambda _: self.script
        self.greeting: Sequence[Step] = ()
        self.seen: list[Seen] = []
        self.connections = 0
        self.port = 0
        self.group: asyncio.TaskGroup
        self.open: set[_Connection] = set()
        self.opened = asyncio.Event()
        self.closed = asyncio.Event()  # one of them
        self._arrived = asyncio.Event()

    @property
    def url(self) -> str:
        scheme, host = ("https", "localhost") if self.tls else ("http", "127.0.0.1")
        return f"{scheme}://{host}:{self.port}/v1"

    def tell(self, *script: Step) -> None:
        """From now on every request gets *script*, on connections of their own; what was seen is forgotten."""
        self.script, self.greeting = script, ()
        self.answer = lambda _: self.script
        self.seen.clear()
        for connection in list(self.open):
            connection.abort()

    async def request(self, number: int = 1) -> Seen:
        """Request number *number* since the last `tell`, once it is there."""
        async with asyncio.timeout(SECONDS):
            while len(self.seen) < number:
                self._arrived.clear()
                await self._arrived.wait()
        return self.seen[number - 1]

    async def all_gone(self) -> None:
        """No connection is open any more."""
        async with asyncio.timeout(SECONDS):
            while self.open:
                self.closed.clear()
                await self.closed.wait()

    def say(self, data: bytes) -> None:
        """*data* leaves on each open connection, whatever its script is at."""
        for connection in self.open:
            connection.transport.write(data)

    def read_on(self) -> None:
        """Whatever is not read any more is read again; a close is seen behind what came before it."""
        self.reads_on = True
        for connection in self.open:
            connection.transport.resume_reading()

    @property
    def waiting_bytes(self) -> int:
        """What was said and not taken, beyond what the kernel holds."""
        return sum(one.transport.get_write_buffer_size() for one in self.open)

    def arrived(self, seen: Seen) -> None:
        self.seen.append(seen)
        self._arrived.set()


class _Connection(asyncio.Protocol):
    def __init__(self, upstream: ScriptedUpstream) -> None:
        self.upstream = upstream
        upstream.connections += 1
        self.number = upstream.connections
        self.buffer = bytearray()
        self.coming: Seen | None = None  # its head is there, its body not yet
        self.current: Seen | None = None
        self.task: asyncio.Task[None] | None = None
        self.is_over = False  # we ended it ourselves

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):  # the loop's own class says it is none
            self.transport: Any = transport
        else:
            self.transport = transport
        self.upstream.open.add(self)
        self.upstream.opened.set()
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.upstream.greeting:
            self._start(self.upstream.greeting)

    @override
    def data_received(self, data: bytes) -> None:
        if self.current is not None and self.upstream.answers_heads:
            self.current.late_bytes += len(data)
            return
        self.buffer += data
        seen = self.coming = self.coming or self._next_head()
        if seen is None:
            return
        body = bytes(self.buffer) if self.upstream.answers_heads else self._body_of(seen)
        if body is None:
            return
        if not self.upstream.reads_on:
            self.transport.pause_reading()
        seen.body = body
        self.coming, self.current = None, seen
        self.upstream.arrived(seen)
        self._start(self.upstream.answer(seen))

    def _next_head(self) -> Seen | None:
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = bytes(self.buffer[: end + 4])
        del self.buffer[: end + 4]
        return Seen(self.number, head, b"", asyncio.get_running_loop().time())

    def _body_of(self, seen: Seen) -> bytes | None:
        """The body of *seen*, taken from the buffer; None until it is all there."""
        if seen.header("transfer-encoding") == "chunked":
            if not self.buffer.endswith(LAST_CHUNK):
                return None
            body = unchunked(bytes(self.buffer))
            self.buffer.clear()
            return body
        length = int(seen.header("content-length") or 0)
        if len(self.buffer) < length:
            return None
        body = bytes(self.buffer[:length])
        del self.buffer[:length]
        return body

    @override
    def eof_received(self) -> bool:
        self._peer_left()
        return False

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._peer_left()
        self.upstream.open.discard(self)
        self.upstream.closed.set()
        if self.task is not None:
            self.task.cancel()

    def abort(self) -> None:
        self.is_over = True
        self.transport.abort()

    def _peer_left(self) -> None:
        if self.current is not None and not self.is_over and not self.current.gone.is_set():
            self.current.gone_at = asyncio.get_running_loop().time()
            self.current.gone.set()

    def _start(self, steps: Iterable[Step]) -> None:
        self.task = self.upstream.group.create_task(self._perform(steps))

    async def _perform(self, steps: Iterable[Step]) -> None:
        for step in steps:
            match step:
                case bytes():
                    self.transport.write(step)
                    for _ in range(_TURNS):
                        await asyncio.sleep(0)
                case Pause(seconds):
                    await asyncio.sleep(seconds)
                case asyncio.Event():
                    await step.wait()
                case End.HOLD:
                    await asyncio.Event().wait()
                case End.CLOSE:
                    self.is_over = True
                    self.transport.close()
                    return
                case End.RESET:
                    sock = self.transport.get_extra_info("socket")
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
                    self.abort()
                    return
        self.current = None


@asynccontextmanager
async def scripted(tls: ssl.SSLContext | None = None) -> AsyncIterator[ScriptedUpstream]:
    """An upstream to be told what to send, every connection of it closed at the end."""
    upstream = ScriptedUpstream(tls)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(upstream), "127.0.0.1", 0, ssl=tls)
    upstream.port = server.sockets[0].getsockname()[1]
    async with asyncio.TaskGroup() as upstream.group:
        try:
            yield upstream
        finally:
            server.close()
            for connection in list(upstream.open):
                connection.abort()
            await upstream.all_gone()
    await server.wait_closed()


def entry_of(
    upstream: ScriptedUpstream | str, name: str = "scripted", **fields: Any
) -> UpstreamEntry:
    """An entry of the generic dialect that is asked for chats only."""
    url = upstream if isinstance(upstream, str) else upstream.url
    fields = {"capabilities": {"models.list": "-"}, "models": ("m", "m-*"), **fields}
    return upstream_at(url, name=name, **fields)


@asynccontextmanager
async def gateway_over(*entries: UpstreamEntry, **fields: Any) -> AsyncIterator[RunningGateway]:
    """A gateway with *entries* as upstreams that does not wait when it is stopped; *fields* of its configuration."""
    options = {"server": ServerOptions(drain_seconds=0), **fields}
    async with running(with_keys(Configuration(upstreams=entries, **options))) as gateway:
        yield gateway


# --- bytes to send ------------------------------------------------------------------------------------------------


def head(status: int = 200, headers: Mapping[str, str] | Sequence[tuple[str, str]] = ()) -> bytes:
    """A response's head with its blank line."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in pairs)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def whole(body: bytes, status: int = 200, **headers: str) -> bytes:
    """A whole JSON response; *headers* with underscores for hyphens."""
    pairs = {"content-type": "application/json", "content-length": str(len(body))}
    pairs |= {name.replace("_", "-"): value for name, value in headers.items()}
    return head(status, pairs) + body


def sse_head(**headers: str) -> bytes:
    """The head of a chunked event stream."""
    pairs = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
    return head(200, pairs | {name.replace("_", "-"): value for name, value in headers.items()})


LAST_CHUNK = b"0\r\n\r\n"


def chunked(data: bytes) -> bytes:
    """*data* as one HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def unchunked(data: bytes) -> bytes:
    """What the chunks of *data* hold together."""
    pieces: list[bytes] = []
    at = 0
    while at < len(data):
        end = data.index(b"\r\n", at)
        size = int(data[at:end], 16)
        pieces.append(data[end + 2 : end + 2 + size])
        at = end + 2 + size + 2
    return b"".join(pieces)


def sse(stream: bytes) -> bytes:
    """A whole event stream: head, one chunk, last chunk."""
    return sse_head() + chunked(stream) + LAST_CHUNK


def event(content: str | None = None, *, finish: str = "", first: bool = False) -> bytes:
    """One canonical event of a chat stream."""
    role = '"role":"assistant",' if first else ""
    delta = f'{{{role}"content":"{content}"}}' if content is not None else "{}"
    reason = f'"{finish}"' if finish else "null"
    return (
        'data: {"id":"c-1","object":"chat.completion.chunk","created":1,"model":"m",'
        f'"choices":[{{"index":0,"delta":{delta},"finish_reason":{reason}}}]}}\n\n'
    ).encode()


DONE = b"data: [DONE]\n\n"
USAGE = (
    b'data: {"id":"c-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],'
    b'"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}\n\n'
)
FIRST, SECOND, FINISH = event("one", first=True), event(" two"), event(finish="stop")
STREAM = FIRST + SECOND + FINISH + DONE
ANSWER = (
    b'{"id":"c-1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":"one two"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,'
    b'"completion_tokens":2,"total_tokens":5}}'
)
UPSTREAM_KEY = SecretStr("sk-upstream-0123456789")
