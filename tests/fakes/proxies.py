"""A proxy on a loopback port that speaks CONNECT, plain forwarding and SOCKS5, and notes what it was asked."""

import asyncio
import ssl
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

_ENDED = (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError)


@dataclass
class FakeProxy:
    """*login*: the `user:password` it asks for. *leads_to*: where every name leads, whatever it is."""

    login: str | None = None
    leads_to: tuple[str, int] | None = None
    port: int = 0
    asked: list[str] = field(default_factory=list)
    connections: int = 0
    tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        self.connections += 1
        try:
            with suppress(*_ENDED, asyncio.CancelledError):
                first = await reader.readexactly(1)
                speak = self._speak_socks if first == b"\x05" else self._speak_http
                await speak(first, reader, writer)
        finally:
            writer.close()
            self.tasks.discard(task)

    async def _speak_http(
        self, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = first + await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.decode("latin-1").split(" ", 2)
        self.asked.append(f"{method} {target}")
        if self.login is not None and self._login_in(head) != self.login:
            writer.write(b"HTTP/1.1 407 Who\r\ncontent-length: 0\r\n\r\n")
            return
        if method == "CONNECT":
            host, _, number = target.rpartition(":")
            await self._join(
                host.strip("[]"), int(number), b"HTTP/1.1 200 Go\r\n\r\n", b"", reader, writer
            )
            return
        _, _, rest = target.partition("://")
        origin, slash, path = rest.partition("/")
        host, _, number = origin.rpartition(":")
        sent = head.replace(target.encode(), (slash + path).encode(), 1)
        await self._join(host, int(number), b"", sent, reader, writer)

    @staticmethod
    def _login_in(head: bytes) -> str:
        for line in head.decode("latin-1").split("\r\n"):
            name, _, value = line.partition(": ")
            if name.lower() == "proxy-authorization":
                return b64decode(value.removeprefix("Basic ")).decode()
        return ""

    async def _speak_socks(
        self, _: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        methods = await reader.readexactly((await reader.readexactly(1))[0])
        method = 0 if self.login is None else 2
        if method not in methods:
            writer.write(b"\x05\xff")
            return
        writer.write(bytes([5, method]))
        if self.login is not None:
            await reader.readexactly(1)
            user = await reader.readexactly((await reader.readexactly(1))[0])
            password = await reader.readexactly((await reader.readexactly(1))[0])
            is_right = self.login == f"{user.decode()}:{password.decode()}"
            writer.write(b"\x01\x00" if is_right else b"\x01\x01")
            if not is_right:
                return
        kind = (await reader.readexactly(4))[3]
        if kind == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            host = ".".join(map(str, await reader.readexactly(4)))
        port = int.from_bytes(await reader.readexactly(2), "big")
        self.asked.append(f"SOCKS {host}:{port}")
        # piece by piece: what reads it must not believe that one read is one message
        writer.write(b"\x05\x00")
        await asyncio.sleep(0.01)
        await self._join(host, port, b"\x00\x01\0\0\0\0\0\0", b"", reader, writer)

    async def _join(
        self,
        host: str,
        port: int,
        answer: bytes,
        sent: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        there, back = await asyncio.open_connection(*(self.leads_to or (host, port)))
        writer.write(answer)
        back.write(sent)
        ways = [
            asyncio.ensure_future(_pipe(reader, back)),
            asyncio.ensure_future(_pipe(there, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.wait(ways)
            back.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(*_ENDED):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def proxying(
    tls: ssl.SSLContext | None = None, login: str | None = None
) -> AsyncIterator[FakeProxy]:
    """A proxy, behind TLS with *tls*, gone with all its connections at the end."""
    proxy = FakeProxy(login)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, ssl=tls)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for task in proxy.tasks:
            task.cancel()
        if proxy.tasks:
            await asyncio.wait(set(proxy.tasks))
        await server.wait_closed()
