"""
The connections under httpx2's pool: made to checked addresses only, and watched for what the pool does not tell.
"""

import asyncio
import socket
import ssl
from collections.abc import Coroutine, Iterable
from time import monotonic
from typing import Any, TypeVar

import httpcore2
from typing_extensions import override

from app.upstreams.addresses import is_forbidden
from app.upstreams.interim_heads import InterimHeads
from app.upstreams.proxy_tunnel import ProxyTunnel

T = TypeVar("T")

_READ_BYTES = 64 * 1024


class StaleConnection(httpcore2.ReadError):
    """A connection that had served before ended without a byte of the next answer (contract G9)."""


class Patience(float):
    """The seconds one exchange's writes may take, and the connection they went out on.

    The pool tells nobody which connection a request got, but hands its timeouts down as they are.
    """

    stream: "WatchedStream | None" = None


class WatchedStream(httpcore2.AsyncNetworkStream):
    """A connection's bytes, and what the pool does not tell about them.

    *may_hold_more*: the last read was as long as it might be, so bytes behind it may wait below, unseen.
    *expires_at*: from then on, on the monotonic clock, the pool is told that it is of no more use (reliability R14).
    """

    def __init__(self, stream: httpcore2.AsyncNetworkStream, expires_at: float) -> None:
        self.may_hold_more = False
        self.expires_at = expires_at
        self.is_http2 = _speaks_http2(stream)
        self._stream = stream
        self._heard_bytes = 0  # since the last write
        self._has_served = False
        self._interim = InterimHeads()
        self._ahead: asyncio.Task[bytes] | None = None  # reads while an upload is written

    @override
    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        # over HTTP/2 bytes belong to no one answer, and the upstream says itself what it has not read
        is_stale = self._has_served and not self._heard_bytes and not self.is_http2
        try:
            if self._ahead is None:
                data = await self._stream.read(max_bytes, timeout)
            else:
                ahead, self._ahead = self._ahead, None
                data = await ahead
        except httpcore2.ReadError as error:
            if is_stale:
                raise StaleConnection(str(error)) from error
            raise
        if is_stale and not data:
            raise StaleConnection
        self._heard_bytes += len(data)
        self.may_hold_more = len(data) == max_bytes
        if not self.is_http2:
            self._interim.feed(data)
        return data

    @override
    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Writes *buffer*. While somebody listens, raises WriteError as soon as the answer has begun."""
        if self._heard_bytes:
            self._has_served, self._heard_bytes = True, 0
            self._interim = InterimHeads()
        if isinstance(timeout, Patience):
            timeout.stream = self
        if buffer:
            await self.unless_answered(self._stream.write(buffer, timeout))

    def listen(self) -> None:
        """From now until the next read, an answer is heard while the request is still being written."""
        self._ahead = asyncio.ensure_future(self._stream.read(_READ_BYTES))

    async def unless_answered(self, step: Coroutine[Any, Any, T]) -> T:
        """What *step* gives. While somebody listens, WriteError instead once the answer has begun.

        The pool takes that error as a hint to read the answer, and does not use the connection again.
        """
        ahead = self._ahead
        if ahead is None:
            return await step
        task = asyncio.ensure_future(step)
        try:
            if not ahead.done():
                await asyncio.wait({task, ahead}, return_when=asyncio.FIRST_COMPLETED)
                if task.done():
                    return task.result()
            raise httpcore2.WriteError("answered before the upload ended")
        finally:
            await stopped(task)

    @override
    async def aclose(self) -> None:
        if self._ahead is not None:
            ahead, self._ahead = self._ahead, None
            await stopped(ahead)
        await self._stream.aclose()

    @override
    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        try:
            inside = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:
            await self._stream.aclose()  # a cancelled handshake leaves it open
            raise
        return WatchedStream(inside, self.expires_at)

    @override
    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable" and monotonic() >= self.expires_at:
            return True  # what the pool asks an idle connection; readable means that it is of no more use
        return self._stream.get_extra_info(info)


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Connects by checked address: the one choke point of reliability S7. *proxy* stands between, when there is one."""

    def __init__(
        self, max_age_seconds: float = float("inf"), proxy: ProxyTunnel | None = None
    ) -> None:
        self._max_age_seconds = max_age_seconds
        self._proxy = proxy
        self._sockets = httpcore2.AnyIOBackend()

    @override
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """A connection to the first address of *host* that may be used and answers, within *timeout* seconds."""
        options = list(socket_options or ())
        try:
            async with asyncio.timeout(timeout):
                stream = await self._reach(host, port, options)
        except TimeoutError:
            raise httpcore2.ConnectTimeout from None
        except (OSError, httpcore2.ReadError, httpcore2.WriteError) as error:
            raise httpcore2.ConnectError(str(error)) from error
        return WatchedStream(stream, monotonic() + self._max_age_seconds)

    async def _reach(
        self, host: str, port: int, options: list[httpcore2.SOCKET_OPTION]
    ) -> httpcore2.AsyncNetworkStream:
        proxy = self._proxy
        if proxy is None or (host, port) == (proxy.host, proxy.port):
            return await self._connect(host, port, options)
        proxy.check(host)
        stream = await self._connect(proxy.host, proxy.port, options)
        try:
            return await proxy.open(stream, host, port)
        except BaseException:
            await stream.aclose()
            raise

    async def _connect(
        self, host: str, port: int, options: list[httpcore2.SOCKET_OPTION]
    ) -> httpcore2.AsyncNetworkStream:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(row[4][0]) for row in found]
        failure: Exception = httpcore2.ConnectError("no address of the upstream may be used")
        for address in addresses:
            if is_forbidden(address):
                continue
            try:
                return await self._sockets.connect_tcp(address, port, None, None, options)
            except httpcore2.ConnectError as error:
                failure = error
        raise failure

    @override
    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def _speaks_http2(stream: httpcore2.AsyncNetworkStream) -> bool:
    tls = stream.get_extra_info("ssl_object")
    return tls is not None and tls.selected_alpn_protocol() == "h2"


async def stopped(task: "asyncio.Task[Any]") -> None:
    """*task* is over, and nobody has to ask how it ended."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()
