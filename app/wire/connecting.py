"""
Makes connections: name to addresses, each checked (reliability S7), the first that answers taken, TLS on it.

An address that says nothing does not use up the time of the others: the next is tried beside it after a quarter of a
second (RFC 8305, 5).
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from app.wire.errors import AddressRefused, ConnectFailed, NameUnknown, TlsFailed
from app.wire.requests import Origin

_HEAD_START_SECONDS: Final = 0.25


class Dialled(asyncio.Protocol):
    """What a `Dialer` connects. *is_open*: from `connection_made` until it is closed, by whichever side."""

    __slots__ = ()

    transport: asyncio.Transport
    is_open: bool

    def close(self) -> None:
        """Ended at once; does nothing where it was not made yet."""
        raise NotImplementedError


_Made = TypeVar("_Made", bound=Dialled)


def system_trust() -> ssl.SSLContext:
    """TLS as the machine trusts it, certificates and names checked; made once, for all pools."""
    return ssl.create_default_context()


async def resolved(origin: Origin) -> list[str]:
    """The addresses of *origin*'s host, in the order to try them. Raises NameUnknown."""
    loop = asyncio.get_running_loop()
    try:
        rows = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # UnicodeError: a label too long for a name
        raise NameUnknown from error
    return list(dict.fromkeys(str(row[4][0]) for row in rows))


class Dialer:
    """Connects to origins. *is_forbidden* tells of a resolved address whether it may not be connected to."""

    def __init__(
        self,
        ssl_context: ssl.SSLContext,
        is_forbidden: Callable[[str], bool],
        resolve: Callable[[Origin], Awaitable[list[str]]] = resolved,
    ) -> None:
        self._ssl_context = ssl_context
        self._is_forbidden = is_forbidden
        self._resolve = resolve

    async def dial(self, origin: Origin, make: Callable[[], _Made]) -> _Made:
        """An open connection to *origin*, TLS done where it has any; *make* makes each that is tried.

        Whatever else was tried is closed, on cancelling as well. Raises NotConnected.
        """
        found = await self._resolve(origin)
        addresses = [address for address in found if not self._is_forbidden(address)]
        if not addresses:
            raise AddressRefused
        if len(addresses) == 1:
            return await self._connect(addresses[0], origin, make)
        return await self._first(addresses, origin, make)

    async def _first(
        self, addresses: list[str], origin: Origin, make: Callable[[], _Made]
    ) -> _Made:
        loop = asyncio.get_running_loop()
        attempts: list[asyncio.Task[_Made]] = []
        opened: _Made | None = None
        try:
            for address in addresses:
                attempts.append(loop.create_task(self._connect(address, origin, make)))
                opened = await _opened(attempts, _HEAD_START_SECONDS)
                if opened is not None:
                    return opened
            while opened is None and not all(attempt.done() for attempt in attempts):
                opened = await _opened(attempts, None)
        finally:
            for attempt in attempts:
                attempt.cancel()
                attempt.add_done_callback(lambda ended: _discard(ended, opened))
        if opened is None:
            raise _kindest(attempts)
        return opened

    async def _connect(self, address: str, origin: Origin, make: Callable[[], _Made]) -> _Made:
        connection = make()
        is_tls = origin.scheme == "https"
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: connection,
                address,
                origin.port,
                ssl=self._ssl_context if is_tls else None,
                server_hostname=origin.host if is_tls else None,
            )
        except ssl.SSLError as error:
            raise TlsFailed from error
        except OSError as error:
            raise ConnectFailed from error
        except asyncio.CancelledError:
            connection.close()  # where it had been made already
            raise
        if is_tls and _is_for_another_protocol(connection):
            connection.close()
            raise TlsFailed("the other side chose a protocol that is not HTTP/1.1")
        return connection


def _is_for_another_protocol(connection: Dialled) -> bool:
    tls = connection.transport.get_extra_info("ssl_object") if connection.is_open else None
    return tls is not None and tls.selected_alpn_protocol() not in (None, "http/1.1")


async def _opened(
    attempts: list[asyncio.Task[_Made]], patience_seconds: float | None
) -> _Made | None:
    """The connection that one of *attempts* made; None when one failed, or none ended within *patience_seconds*."""
    pending = [attempt for attempt in attempts if not attempt.done()]
    await asyncio.wait(pending, timeout=patience_seconds, return_when=asyncio.FIRST_COMPLETED)
    made = (attempt for attempt in pending if attempt.done() and attempt.exception() is None)
    return next((attempt.result() for attempt in made), None)


def _kindest(attempts: list[asyncio.Task[_Made]]) -> BaseException:
    """The failure that says most: of TLS, where one got that far."""
    failures = [failure for attempt in attempts if (failure := attempt.exception()) is not None]
    return next((each for each in failures if isinstance(each, TlsFailed)), failures[0])


def _discard(attempt: asyncio.Task[_Made], opened: _Made | None) -> None:
    """An attempt that lost: had it made a connection all the same, that is closed."""
    if attempt.cancelled() or attempt.exception() is not None:
        return
    connection = attempt.result()
    if connection is not opened:
        connection.close()
