"""
The connections under httpx2's pool: made to checked addresses only, and watched for what the pool does not tell.
"""

import asyncio
import socket
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore2
from typing_extensions import override

from app.upstreams.addresses import is_forbidden


class StaleConnection(httpcore2.ReadError):
    """A connection that had served before ended without a byte of the next answer (contract G9)."""


class WatchedStream(httpcore2.AsyncNetworkStream):
    """A connection's bytes, and what the pool does not tell about them.

    *may_hold_more*: the last read was as long as it might be, so bytes behind it may wait below, unseen.
    """

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self.may_hold_more = False
        self._stream = stream
        self._heard_bytes = 0  # since the last write
        self._has_served = False

    @override
    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        is_stale = self._has_served and not self._heard_bytes
        try:
            data = await self._stream.read(max_bytes, timeout)
        except httpcore2.ReadError as error:
            if is_stale:
                raise StaleConnection(str(error)) from error
            raise
        if is_stale and not data:
            raise StaleConnection
        self._heard_bytes += len(data)
        self.may_hold_more = len(data) == max_bytes
        return data

    @override
    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._has_served = self._has_served or self._heard_bytes > 0
        self._heard_bytes = 0
        await self._stream.write(buffer, timeout)

    @override
    async def aclose(self) -> None:
        await self._stream.aclose()

    @override
    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        return WatchedStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    @override
    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Connects by checked address: the one choke point of reliability S7."""

    def __init__(self) -> None:
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
        try:
            async with asyncio.timeout(timeout):
                return await self._connect(host, port, local_address, socket_options)
        except TimeoutError:
            raise httpcore2.ConnectTimeout from None
        except OSError as error:
            raise httpcore2.ConnectError(str(error)) from error

    async def _connect(
        self,
        host: str,
        port: int,
        local_address: str | None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None,
    ) -> httpcore2.AsyncNetworkStream:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(row[4][0]) for row in found]
        failure: Exception = httpcore2.ConnectError("no address of the upstream may be used")
        for address in addresses:
            if is_forbidden(address):
                continue
            try:
                return WatchedStream(
                    await self._sockets.connect_tcp(
                        address, port, None, local_address, socket_options
                    )
                )
            except httpcore2.ConnectError as error:
                failure = error
        raise failure

    @override
    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
