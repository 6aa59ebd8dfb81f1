"""
The seam's first transport: httpx2's connection pool, httpcore2.

The pool itself, not the client above it: so there is no cookie jar shared by all users, no redirect, no proxy
taken from the environment and no default header (reliability F, S7, contract C9), and the address is checked
where it is connected.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpcore2
import httpx2

from app.domain.configuration import Timeouts
from app.domain.errors import (
    GatewayError,
    Overloaded,
    UpstreamDisconnected,
    UpstreamMalformed,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from app.protocol.headers import HeaderList
from app.upstreams.client import UpstreamRequest
from app.upstreams.guarded_sockets import GuardedBackend, StaleConnection, WatchedStream

_PIECE_BYTES = 256 * 1024
_UNREACHABLE = "Upstream '{name}' could not be reached."
_CUT = "Upstream '{name}' closed the connection before its answer was complete."
_STUCK = "Upstream '{name}' took nothing of the request in time."
_MALFORMED = "Upstream '{name}' sent an answer that is not valid HTTP."
_NO_SLOT = (
    "The engine is currently overloaded, please try again later. "
    "No connection to upstream '{name}' became free in time."
)
# httpcore2 has one error for a broken answer and a cut one; these are its and h11's words for the cut.
_CUT_WORDS = ("disconnected", "peer closed connection", "peer unexpectedly closed")


def _unreachable(name: str, _: Exception) -> GatewayError:
    return UpstreamUnreachable(_UNREACHABLE.format(name=name))


def _cut(name: str, _: Exception) -> GatewayError:
    return UpstreamDisconnected(_CUT.format(name=name))


def _protocol(name: str, error: Exception) -> GatewayError:
    if any(words in str(error) for words in _CUT_WORDS):
        return _cut(name, error)
    return UpstreamMalformed(_MALFORMED.format(name=name))


def _stuck(name: str, _: Exception) -> GatewayError:
    return UpstreamTimeout(_STUCK.format(name=name), phase="idle")  # contract F48: it is connected


def _no_slot(name: str, _: Exception) -> GatewayError:
    return Overloaded(_NO_SLOT.format(name=name), retry_after_seconds=1.0)


_ERRORS = {  # the first row that fits
    httpcore2.ConnectTimeout: _unreachable,
    httpcore2.ConnectError: _unreachable,
    httpcore2.PoolTimeout: _no_slot,
    httpcore2.ProxyError: _unreachable,
    httpcore2.UnsupportedProtocol: _unreachable,
    httpcore2.ConnectionNotAvailable: _unreachable,
    httpcore2.ProtocolError: _protocol,
    httpcore2.TimeoutException: _stuck,
    httpcore2.NetworkError: _cut,
    ssl.SSLError: _cut,
}


@contextmanager
def typed_errors(name: str) -> Iterator[None]:
    """httpcore2's errors become the gateway's; *name* is the upstream's, for the message."""
    try:
        yield
    except tuple(_ERRORS) as error:
        for kind, make in _ERRORS.items():
            if isinstance(error, kind):
                raise make(name, error) from error
        raise


def system_trust() -> ssl.SSLContext:
    """TLS as the machine trusts it, certificates and names checked; made once, for all senders."""
    return httpx2.create_ssl_context()


class HttpxSender:
    """A pool of connections for one upstream and its credential (reliability R14)."""

    def __init__(
        self,
        name: str,
        timeouts: Timeouts,
        *,
        max_connections: int,
        keepalive_seconds: float,
        ssl_context: ssl.SSLContext,
    ) -> None:
        self._name = name
        self._patience = {
            "connect": timeouts.connect_seconds,
            "pool": timeouts.pool_wait_seconds,
            "read": None,  # the caller bounds whole phases: a limit per read never trips on a drip
            "write": timeouts.idle_seconds,
        }
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=ssl_context,
            max_connections=max_connections,
            keepalive_expiry=keepalive_seconds,
            network_backend=GuardedBackend(),
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        )

    async def send(self, request: UpstreamRequest) -> "HttpxResponse":
        """Implements `client.Sender`: a request that died on a kept connection goes out once more, on a fresh one."""
        try:
            return await self._send_once(request)
        except UpstreamDisconnected as error:
            if not (isinstance(error.__cause__, StaleConnection) and request.repeatable):
                raise
        await self._drop_idle()  # the others are as old, and the second attempt is the last
        return await self._send_once(request)

    async def _send_once(self, request: UpstreamRequest) -> "HttpxResponse":
        with typed_errors(self._name):
            response = await self._pool.handle_async_request(
                httpcore2.Request(
                    request.method,
                    request.url,
                    headers=[*_framing(request), *request.headers],
                    content=_pieces(request.body),
                    extensions={"timeout": self._patience},
                )
            )
        answer = HttpxResponse(self._name, response)
        if {b"content-length", b"transfer-encoding"} <= {name for name, _ in answer.headers}:
            await answer.aclose()  # two readers may see two ends of such a body (reliability H6)
            raise UpstreamMalformed(_MALFORMED.format(name=self._name))
        return answer

    async def _drop_idle(self) -> None:
        for connection in self._pool.connections:
            if connection.is_idle():
                await connection.aclose()

    async def aclose(self) -> None:
        """Implements `client.Sender`."""
        await self._pool.aclose()


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    """*body* in pieces that the loop can take other turns between (contract D9)."""
    for start in range(0, len(body), _PIECE_BYTES):
        yield body[start : start + _PIECE_BYTES]


def _framing(request: UpstreamRequest) -> HeaderList:
    host = urlsplit(request.url).netloc.encode("ascii")
    if request.method == "POST" or request.body:
        return [(b"host", host), (b"content-length", b"%d" % len(request.body))]
    return [(b"host", host)]


class HttpxResponse:
    """Implements `client.UpstreamResponse`."""

    def __init__(self, name: str, response: httpcore2.Response) -> None:
        self._name = name
        self._response = response
        self._pieces = response.aiter_stream()
        self._pending: asyncio.Task[bytes] | None = None
        self.status: int = response.status
        self.headers: HeaderList = [(key.lower(), value) for key, value in response.headers]

    async def read(self, patience_seconds: float) -> bytes | None:
        """See `client.UpstreamResponse.read`. The pending read outlives a None, so that no byte is lost to a timer."""
        if self._pending is None:
            self._pending = asyncio.ensure_future(_next(self._pieces))
        done, _ = await asyncio.wait({self._pending}, timeout=max(patience_seconds, 0))
        if not done:
            return None
        pending, self._pending = self._pending, None
        with typed_errors(self._name):
            return pending.result()

    async def aclose(self) -> None:
        """See `client.UpstreamResponse.aclose`."""
        if self._pending is not None:
            pending, self._pending = self._pending, None
            pending.cancel()
            await asyncio.wait({pending})
            if not pending.cancelled():
                pending.exception()  # retrieved: an answer that broke while it was given up is nobody's news
        with typed_errors(self._name):
            if _has_surplus(self._response):
                await self._response.extensions["network_stream"].aclose()
            await self._response.aclose()


def _has_surplus(response: httpcore2.Response) -> bool:
    """True when more came than the answer: the pool would take it for the next one's (reliability R15)."""
    # httpcore2 shows its parser to nobody; the wire transport will own its own.
    parser = response.stream._stream._connection._h11_state  # type: ignore[union-attr]
    stream: WatchedStream = response.extensions["network_stream"]
    return bool(parser.trailing_data[0]) or stream.may_hold_more


async def _next(pieces: AsyncIterator[bytes]) -> bytes:
    async for piece in pieces:
        if piece:
            return piece
    return b""
