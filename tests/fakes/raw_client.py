"""
A client on a plain socket: it sends exact bytes, and sees each read, each HTTP chunk and how the connection ended.

SDKs hide all three, and the contract speaks of them (contract H11, J3).
"""

import asyncio
import json
import re
import socket
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from typing_extensions import override

from tests.fakes.gateways import KEY, RunningGateway

SECONDS = 10.0  # a deadline against a test that hangs, never a measure
_LINGER_ZERO = struct.pack("ii", 1, 0)
Pairs = Sequence[tuple[str, str]]


@dataclass
class Reply:
    """A reply as it came. *end*: whole, closed (before it was complete), reset. *chunks*: the HTTP chunks."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    chunks: list[bytes] = field(default_factory=list)
    end: str = "whole"

    def header(self, name: str) -> str | None:
        return dict(self.headers).get(name)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """The error of an envelope, or of a stream's last event."""
        text = self.body.removesuffix(b"\n\n").rpartition(b"data: ")[2]
        found: dict[str, Any] = json.loads(text)["error"]
        return found


class RawClient(asyncio.Protocol):
    """One connection. *reads*: what each read brought, and when. Reads only when it is asked for more.

    A transport, not `loop.sock_recv`: on uvloop a bare socket that is closed under a pending read takes the events
    of whoever gets its number next.
    """

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.buffer = b""
        self.reads: list[tuple[float, bytes]] = []
        self.is_chunked = False
        self._arrived: list[bytes] = []
        self._failure: Exception | None = None
        self._is_over = False
        self._news = asyncio.Event()
        self._may_send = asyncio.Event()
        self._may_send.set()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment] # a TCP one
        self.transport.pause_reading()

    @override
    def data_received(self, data: bytes) -> None:
        self.transport.pause_reading()
        self.reads.append((self.loop.time(), data))
        self._arrived.append(data)
        self._news.set()

    @override
    def eof_received(self) -> bool:
        self._is_over = True
        self._news.set()
        return True  # this side closes when the test says so

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._failure, self._is_over = exc, True
        self._may_send.set()
        self._news.set()

    @override
    def pause_writing(self) -> None:
        self._may_send.clear()

    @override
    def resume_writing(self) -> None:
        self._may_send.set()

    async def send(self, data: bytes) -> None:
        self.transport.write(data)
        await self._may_send.wait()
        if self._failure is not None:
            raise self._failure

    async def reply(self, *, is_head: bool = False) -> Reply:
        """The next reply; *is_head*: to a HEAD, so without a body."""
        reply = Reply()
        try:
            await self._head(reply)
            if not is_head:
                await self._body(reply)
        except EOFError:
            reply.end = "closed"
        except ConnectionResetError:
            reply.end = "reset"
        return reply

    async def begin(self) -> Reply:
        """The head of the next reply; its body is then read chunk by chunk."""
        reply = Reply()
        await self._head(reply)
        return reply

    async def chunk(self) -> bytes:
        """The next HTTP chunk; empty for the last one. Raises EOFError, ConnectionResetError."""
        size = int(await self._until(b"\r\n"), 16)
        return (await self._exactly(size + 2))[:-2]

    async def is_closed(self) -> bool:
        """True when the other side ends the connection without another byte."""
        try:
            return not self.buffer and not await self.more()
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self.transport.abort()

    def reset(self) -> None:
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self.transport.abort()

    def half_close(self) -> None:
        self.transport.write_eof()

    async def _head(self, reply: Reply) -> None:
        while reply.status < 200:
            head = (await self._until(b"\r\n\r\n")).decode("latin-1").strip()
            first, *lines = head.split("\r\n")
            reply.status = int(first.split(" ")[1])
            pairs = (line.partition(": ") for line in lines)
            reply.headers = [(name.lower(), value) for name, _, value in pairs]

    async def _body(self, reply: Reply) -> None:
        if reply.header("transfer-encoding") == "chunked":
            while piece := await self.chunk():
                reply.chunks.append(piece)
                reply.body += piece
        elif reply.status not in (204, 304):
            reply.body = await self._exactly(int(reply.header("content-length") or 0))

    async def _until(self, mark: bytes) -> bytes:
        while mark not in self.buffer:
            if not await self.more():
                raise EOFError(self.buffer)
        found, _, self.buffer = self.buffer.partition(mark)
        return found + mark

    async def _exactly(self, count: int) -> bytes:
        while len(self.buffer) < count:
            if not await self.more():
                raise EOFError(self.buffer)
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    async def more(self) -> bytes:
        """What the next read brings; empty at the end. Raises ConnectionResetError."""
        while not self._arrived and not self._is_over:
            self._news.clear()
            self.transport.resume_reading()
            async with asyncio.timeout(SECONDS):
                await self._news.wait()
        if not self._arrived and self._failure is not None:
            raise self._failure
        data = self._arrived.pop(0) if self._arrived else b""
        self.buffer += data
        return data


@asynccontextmanager
async def connected(
    gateway: RunningGateway, address: str | None = None
) -> AsyncIterator[RawClient]:
    """A fresh connection to *gateway*, from *address*, one of 127.0.0.0/8."""
    loop = asyncio.get_running_loop()
    transport, client = await loop.create_connection(
        RawClient, "127.0.0.1", gateway.port, local_addr=(address, 0) if address else None
    )
    transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        yield client
    finally:
        transport.abort()


async def ask(
    gateway: RunningGateway, request: bytes, *, is_head: bool = False, address: str | None = None
) -> Reply:
    """The reply to *request* on a connection of its own, from *address*."""
    async with connected(gateway, address) as client:
        await client.send(request)
        return await client.reply(is_head=is_head)


def request(
    method: str,
    target: str,
    body: bytes | None = None,
    headers: Pairs = (),
    *,
    key: str | None = KEY,
) -> bytes:
    """A whole request; *key* None sends none. A header given here replaces the usual one of that name."""
    usual = [("host", "127.0.0.1")]
    usual += [("authorization", f"Bearer {key}")] if key is not None else []
    if body is not None:
        usual += [("content-type", "application/json"), ("content-length", str(len(body)))]
    own = {name.lower() for name, _ in headers}
    pairs = [pair for pair in usual if pair[0] not in own] + [*headers]
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in pairs)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (body or b"")


def chat_body(model: str = "m", **members: Any) -> bytes:
    messages = [{"role": "user", "content": "Hello"}]
    return json.dumps({"model": model, "messages": messages, **members}).encode()


def chat(
    model: str = "m", headers: Pairs = (), *, target: str = "/v1/chat/completions", **members: Any
) -> bytes:
    """A whole chat completion request."""
    return request("POST", target, chat_body(model, **members), headers)


async def eventually(holds: Callable[[], bool], seconds: float = SECONDS) -> bool:
    """True as soon as *holds*; False after *seconds*."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not holds():
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(0.002)
    return True


async def line_of(gateway: RunningGateway, reply: Reply) -> dict[str, Any]:
    """The log's line about *reply*, which may come a moment after its last byte."""
    wanted = reply.header("x-request-id")

    def found() -> list[dict[str, Any]]:
        return [line for line in gateway.lines() if line["request_id"] == wanted]

    await eventually(lambda: bool(found()))
    (line,) = found()  # one, whatever happened (law 1)
    return line


async def metrics(gateway: RunningGateway) -> str:
    return (await ask(gateway, request("GET", "/metrics"))).body.decode()


async def in_flight(gateway: RunningGateway) -> float:
    """The sum of the in-flight gauge over all endpoints."""
    page = await metrics(gateway)
    return sum(
        float(value)
        for value in re.findall(r"^mindgate_requests_in_flight\{.*\} (\S+)$", page, re.MULTILINE)
    )


def is_envelope(reply: Reply) -> bool:
    """True when *reply* is OpenAI's error envelope, complete (contract F1, F2, C1, C7)."""
    found = reply.json()
    error = found.get("error")
    return (
        reply.header("content-type") == "application/json"
        and bool(reply.header("x-request-id"))
        and set(found) == {"error"}
        and set(error) == {"message", "type", "param", "code"}
        and isinstance(error["message"], str)
        and error["message"] != ""
        and isinstance(error["type"], str)
        and isinstance(error["param"], str | None)
        and isinstance(error["code"], str | None)
    )
