"""
The seam over httpx2's connection pool, httpcore2: for an upstream behind a proxy, or with HTTP/2.

The pool itself, not the client above it: so there is no cookie jar shared by all users, no redirect, no proxy
taken from the environment and no default header (reliability F, S7, contract C9), and the address is checked
where it is connected.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import httpcore2
import httpx2
from pydantic import SecretStr

from app.domain.configuration import Timeouts
from app.domain.errors import UpstreamDisconnected
from app.protocol.headers import HeaderList
from app.upstreams.client import UpstreamRequest
from app.upstreams.guarded_sockets import GuardedBackend, Patience, StaleConnection, stopped
from app.upstreams.http2_streams import reset_unfinished, retire
from app.upstreams.httpx_errors import typed_errors
from app.upstreams.httpx_response import HttpxResponse, Tasks
from app.upstreams.proxy_tunnel import ProxyTunnel
from app.upstreams.send_errors import malformed
from app.wire.requests import Upload, field_lines

_PIECE_BYTES = 256 * 1024
_MOST_HEAD_BYTES = 100 * 1024
_MOST_FIELDS = 200
_PROXY_REFUSES = 407


def system_trust() -> ssl.SSLContext:
    """TLS as the machine trusts it, for one sender: the pool writes on it what it offers."""
    return httpx2.create_ssl_context()


class HttpxSender:
    """A pool of connections for one upstream and its credential (reliability R14).

    *ssl_context*: with *http2* no other sender may have it, since the pool writes on it what it offers. *proxy*: a
    URL as `ProxyTunnel` takes it. The pool takes the connection that was made first, not the one used last.
    What HTTP/2 is short of: an upload is sent whole before its answer is read; interim answers are bounded by the
    deadline alone; and what an upstream sends of an answer that nobody takes is bounded by its window of 16 MiB.
    """

    def __init__(  # noqa: PLR0913 what the configuration says of one upstream
        self,
        name: str,
        timeouts: Timeouts,
        *,
        max_connections: int,
        keepalive_seconds: float,
        max_connection_age_seconds: float,
        ssl_context: ssl.SSLContext,
        proxy: SecretStr | None = None,
        http2: bool = False,
    ) -> None:
        self._name = name
        self._patience = {
            "connect": timeouts.connect_seconds,
            "pool": timeouts.pool_wait_seconds,
            "read": None,  # whole phases are bounded: a limit per read never trips on a drip
        }
        self._write_seconds = timeouts.idle_seconds
        self._http2 = http2
        self._proxy = ProxyTunnel(proxy, ssl_context) if proxy else None
        self._tasks: Tasks = set()
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=ssl_context,
            max_connections=max_connections,
            keepalive_expiry=keepalive_seconds,
            http2=http2,
            network_backend=GuardedBackend(max_connection_age_seconds, self._proxy),
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        )

    async def send(self, request: UpstreamRequest) -> HttpxResponse:
        """Implements `client.Sender`."""
        request.leaves()  # when it does, this client does not say
        deadlines = request.deadlines
        limit = asyncio.timeout_at(deadlines.first_byte_at if deadlines else None)
        try:
            async with limit:
                return await self._send(request)
        except TimeoutError:
            if deadlines is None or not limit.expired():
                raise  # an upload's own
            raise deadlines.first_byte_passed() from None

    async def _send(self, request: UpstreamRequest) -> HttpxResponse:
        """A request that died on a kept connection goes out once more, on a fresh one."""
        may_repeat = request.repeatable and isinstance(request.body, bytes)
        try:
            return await self._send_once(request)
        except UpstreamDisconnected as error:
            if not (isinstance(error.__cause__, StaleConnection) and may_repeat):
                raise
        await self._drop_idle()  # the others are as old, and the second attempt is the last
        return await self._send_once(request)

    async def _send_once(self, request: UpstreamRequest) -> HttpxResponse:
        if self._http2:
            await retire(self._pool)
        with typed_errors(self._name):
            rendered = self._rendered(request)
            response = await self._pool.handle_async_request(rendered)
            if response.status == _PROXY_REFUSES and self._proxy:
                await response.aclose()
                raise httpcore2.ProxyError("the proxy refused user or password")
        answer = HttpxResponse(self._name, response, request.deadlines, self._tasks)
        if not _is_sound(answer.status, answer.headers):
            await answer.aclose()
            raise malformed(self._name)
        return answer

    def _rendered(self, request: UpstreamRequest) -> httpcore2.Request:
        field_lines(request.headers)  # for its ValueError, which both senders raise
        head, patience = request.head, Patience(self._write_seconds)
        headers = [*_framing(request), *head.fields, *request.headers]
        to = self._proxy and self._proxy.forwarded(head.url, headers)
        url, headers = to or (head.url, headers)
        extensions: dict[str, Any] = {"timeout": {**self._patience, "write": patience}}
        rendered = httpcore2.Request(
            head.method,
            url,
            headers=headers,
            content=_Body(request.body, patience),
            extensions=extensions,
        )
        if self._http2:
            extensions["trace"] = self._watch(rendered)
        return rendered

    def _watch(self, request: httpcore2.Request) -> Callable[[str, Any], Awaitable[None]]:
        async def on_event(event: str, info: Any) -> None:
            if event == "http2.response_closed.started":
                await reset_unfinished(self._pool, request, info["stream_id"])

        return on_event

    async def _drop_idle(self) -> None:
        for connection in self._pool.connections:
            if connection.is_idle():
                await connection.aclose()

    async def aclose(self) -> None:
        """Implements `client.Sender`."""
        for task in list(self._tasks):
            await stopped(task)
        await self._pool.aclose()


def _is_sound(status: int, headers: HeaderList) -> bool:
    """False for a head that no honest upstream sends, and that two readers may read in two ways (reliability R15)."""
    names = {name for name, _ in headers}
    size = sum(len(name) + len(value) + 4 for name, value in headers)
    return (
        status >= 200
        and not {b"content-length", b"transfer-encoding"} <= names
        and len(headers) <= _MOST_FIELDS
        and size <= _MOST_HEAD_BYTES
    )


def _framing(request: UpstreamRequest) -> HeaderList:
    host = urlsplit(request.head.url).netloc.rpartition("@")[2].encode("ascii")
    body = request.body
    if isinstance(body, Upload):
        if body.length is None:
            return [(b"host", host), (b"transfer-encoding", b"chunked")]
        return [(b"host", host), (b"content-length", b"%d" % body.length)]
    if request.head.method == "POST" or body:
        return [(b"host", host), (b"content-length", b"%d" % len(body))]
    return [(b"host", host)]


class _Body:
    """A request's body as the pool wants it: from its beginning each time it is asked, since over HTTP/2 the pool sends
    a request again that the upstream has refused unread. An upload's pieces come once only."""

    def __init__(self, body: bytes | Upload, patience: Patience) -> None:
        self._body = body
        self._patience = patience
        self._has_begun = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        body = self._body
        if isinstance(body, bytes):
            return _pieces(body)
        if self._has_begun:
            raise httpcore2.ReadError("refused in the midst of an upload")
        self._has_begun = True
        return _uploaded(body, self._patience)


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    """*body* in pieces that the loop can take other turns between (contract D9)."""
    for start in range(0, len(body), _PIECE_BYTES):
        yield body[start : start + _PIECE_BYTES]


async def _uploaded(upload: Upload, patience: Patience) -> AsyncIterator[bytes]:
    """The pieces of *upload*, for as long as no answer has come. The head is out, so its connection is known."""
    stream = patience.stream
    if stream is None or stream.is_http2:
        async for piece in upload.pieces:
            yield piece
        return
    stream.listen()
    sent_bytes = 0
    while sent_bytes != upload.length:
        found = await stream.unless_answered(_next(upload.pieces))
        if found is None:
            return
        sent_bytes += len(found)
        yield found


async def _next(pieces: AsyncIterator[bytes]) -> bytes | None:
    return await anext(pieces, None)
