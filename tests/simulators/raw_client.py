"""A raw client on plain sockets: it sees each byte, and how the connection ended."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from app.simulators.server import Simulators

SECONDS = 5  # a deadline against a test that hangs, never a measure
CREDENTIALS = {
    "/4minds/": ("authorization", "Bearer sim-4minds"),
    "/minds/": ("authorization", "Bearer sim-minds"),
    "/openmind/api/core/v1/": ("authorization", "Bearer sim-openmind"),
    "/openmind/": ("x-api-key", "sim-openmind"),
    "/openai/": ("authorization", "Bearer sim-openai"),
}
CHAT = {
    "4minds": "/4minds/v1/chat/completions",
    "minds": "/minds/chat/completions",
    "minds-v1": "/minds/v1/chat/completions",
    "minds-api": "/minds/api/v1/chat/completions",
    "openmind": "/openmind/api/core/openai/chat/completions",
    "xai": "/openmind/api/core/xai/chat/completions",
    "openai": "/openai/v1/chat/completions",
}
MODELS = {
    "4minds": "4minds-model-123",
    "minds": "sales_mind",
    "minds-v1": "sales_mind",
    "minds-api": "sales_mind",
    "openmind": "gpt-4o",
    "xai": "grok-2-latest",
    "openai": "sim-gpt",
}


@dataclass
class Seen:
    """A reply as it came. *end*: whole, closed (before or where no length told), reset."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    chunks: list[bytes] = field(default_factory=list)
    end: str = ""
    raw: bytes = b""

    def header(self, name: str) -> str | None:
        return {key.lower(): value for key, value in self.headers}.get(name)

    def json(self) -> Any:
        return json.loads(self.body)

    def data(self) -> list[str]:
        """What stood behind `data:`, in order."""
        text = self.body.decode()
        return [line[6:] for line in text.split("\n") if line.startswith("data: ")]

    def payloads(self) -> list[Any]:
        return [json.loads(one) for one in self.data() if one != "[DONE]"]

    def deltas(self) -> list[Any]:
        return [one["choices"][0]["delta"] for one in self.payloads() if one.get("choices")]

    def text(self) -> str:
        return "".join(one.get("content") or "" for one in self.deltas())

    def finishes(self) -> list[str]:
        rows = [one["choices"][0] for one in self.payloads() if one.get("choices")]
        return [row["finish_reason"] for row in rows if row["finish_reason"]]


class Peer:
    """One connection to the simulators."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Streams, not `loop.sock_recv`: on uvloop a bare socket that is closed under a pending read takes the events
        # of whoever gets its number next.
        self.reader, self.writer = reader, writer
        self.buffer = b""

    @classmethod
    async def open(cls, simulators: Simulators) -> "Peer":
        return cls(*await asyncio.open_connection(simulators.host, simulators.port))

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def more(self) -> bytes:
        """What comes next; empty at the end. Raises ConnectionResetError."""
        async with asyncio.timeout(SECONDS):
            data = await self.reader.read(65536)
        self.buffer += data
        return data

    async def until(self, mark: bytes) -> bytes:
        """Everything up to and with *mark*."""
        while mark not in self.buffer:
            if not await self.more():
                raise EOFError(self.buffer)
        head, _, self.buffer = self.buffer.partition(mark)
        return head + mark

    async def exactly(self, count: int) -> bytes:
        while len(self.buffer) < count:
            if not await self.more():
                raise EOFError(self.buffer)
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    async def rest(self) -> bytes:
        while await self.more():
            pass
        data, self.buffer = self.buffer, b""
        return data

    async def reply(self) -> Seen:
        seen = Seen()
        try:
            await self._read(seen)
            seen.end = "whole"
        except EOFError:
            seen.end = "closed"
        except ConnectionResetError:
            seen.end = "reset"
        if seen.end != "whole":
            seen.body += self.buffer if seen.header("content-length") else b""
            seen.raw += self.buffer
        return seen

    async def _read(self, seen: Seen) -> None:
        while seen.status < 200:
            head = await self.until(b"\r\n\r\n")
            seen.raw += head
            first, *lines = head.decode("latin-1").strip().split("\r\n")
            seen.status = int(first.split(" ")[1])
            seen.headers = [tuple(line.split(": ", 1)) for line in lines]  # type: ignore[misc]
        if seen.header("transfer-encoding") != "chunked":
            seen.body = await self.exactly(int(seen.header("content-length") or 0))
            seen.raw += seen.body
            return
        while size := int(await self.until(b"\r\n"), 16):
            chunk = (await self.exactly(size + 2))[:-2]
            seen.chunks.append(chunk)
            seen.body += chunk
        await self.until(b"\r\n")

    def close(self) -> None:
        self.writer.transport.abort()


def head_of(
    method: str, target: str, body: bytes | None, headers: list[tuple[str, str]] | None, bare: bool
) -> bytes:
    pairs = [("Host", "sim"), ("User-Agent", "Mozilla/5.0 (test)")]
    if not bare:
        pairs += [pair for prefix, pair in CREDENTIALS.items() if target.startswith(prefix)][:1]
    pairs += headers or []
    if body is not None:
        pairs += [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in pairs)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def request_bytes(
    method: str,
    target: str,
    payload: Any = None,
    headers: list[tuple[str, str]] | None = None,
    bare: bool = False,
) -> bytes:
    """A whole request, with the right key unless *bare*."""
    body = None if payload is None else json.dumps(payload).encode()
    return head_of(method, target, body, headers, bare) + (body or b"")


def chat_body(model: str, text: str = "one two", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


def chat_bytes(site: str, suffix: str = "", text: str = "one two", **more: Any) -> bytes:
    """A chat completion for one of the CHAT paths, its model followed by *suffix*."""
    return request_bytes("POST", CHAT[site], chat_body(MODELS[site] + suffix, text, **more))
