"""
The two senders, made alike, and what their tests share: one suite holds both to `app.upstreams.client`.

DIFFERENCES is all that one of them does not do, each with the reason that its library gives. A test that meets one is
skipped with that reason.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

import pytest

from app.domain.configuration import Timeouts
from app.domain.errors import GatewayError
from app.protocol.headers import HeaderList
from app.upstreams.client import Sender, UpstreamRequest, UpstreamResponse
from app.upstreams.deadlines import Deadlines
from app.upstreams.httpx_sender import HttpxSender, system_trust
from app.upstreams.wire_sender import WireSender
from app.wire.requests import RequestHead, Upload
from tests.fakes.scripted_upstream import SECONDS, ScriptedUpstream

BODY = b'{"a":1}'
TRUST = system_trust()
LIMITS = Timeouts(connect_seconds=SECONDS, pool_wait_seconds=0.05)
SENDERS: dict[str, Any] = {"httpx2": HttpxSender, "wire": WireSender}
DIFFERENCES = {
    ("httpx2", "last in, first out"): "its pool takes the idle connection that was made first",
    (
        "httpx2",
        "a line feed in a value",
    ): "h11 ends a line at a bare line feed, as RFC 9112 2.2 allows",
    ("httpx2", "a length twice"): "h11 takes equal lengths for one, as RFC 9110 8.6 allows",
    ("httpx2", "a folded line"): "h11 unfolds it, as RFC 9112 5.2 allows",
}


class Make(Protocol):
    """Makes a sender that the test's end closes."""

    def __call__(
        self,
        *,
        max_connections: int = 1,
        timeouts: Timeouts = LIMITS,
        keepalive_seconds: float = 30,
        max_connection_age_seconds: float = 300,
        ssl_context: ssl.SSLContext = TRUST,
    ) -> Sender: ...


async def makes(kind: str) -> AsyncIterator[Make]:
    """The one maker of senders of *kind*."""
    made: list[Sender] = []

    def make(
        *,
        max_connections: int = 1,
        timeouts: Timeouts = LIMITS,
        keepalive_seconds: float = 30,
        max_connection_age_seconds: float = 300,
        ssl_context: ssl.SSLContext = TRUST,
    ) -> Sender:
        sender: Sender = SENDERS[kind](
            "up",
            timeouts,
            max_connections=max_connections,
            keepalive_seconds=keepalive_seconds,
            max_connection_age_seconds=max_connection_age_seconds,
            ssl_context=ssl_context,
        )
        made.append(sender)
        return sender

    yield make
    for sender in made:
        await sender.aclose()


def same_for(kind: str, what: str) -> None:
    """Skips the test where *kind* differs in *what*."""
    if reason := DIFFERENCES.get((kind, what)):
        pytest.skip(f"{kind}: {reason}")


def request_of(
    upstream: ScriptedUpstream | str,
    method: str = "POST",
    *,
    body: bytes | Upload | None = None,
    headers: HeaderList | None = None,
    repeatable: bool = True,
    deadlines: Deadlines | None = None,
) -> UpstreamRequest:
    """A request to *upstream*, a POST of BODY unless told otherwise."""
    url = upstream if isinstance(upstream, str) else f"{upstream.url}/x?y=1"
    if body is None:
        body = BODY if method == "POST" else b""
    return UpstreamRequest(
        RequestHead(method, url, [(b"a", b"b")]), headers or [], body, deadlines, repeatable
    )


def within(first_byte_seconds: float = SECONDS, total_seconds: float = SECONDS) -> Deadlines:
    """Deadlines that begin now."""
    now = asyncio.get_running_loop().time()
    return Deadlines(
        upstream="up",
        first_byte_seconds=first_byte_seconds,
        first_byte_at=now + first_byte_seconds,
        idle_seconds=SECONDS,
        total_seconds=total_seconds,
        total_at=now + total_seconds,
    )


async def sent(sender: Sender, request: UpstreamRequest) -> UpstreamResponse:
    async with asyncio.timeout(SECONDS):
        return await sender.send(request)


async def read_all(sender: Sender, request: UpstreamRequest) -> tuple[int, bytes]:
    """Status and body of the answer, read piece by piece."""
    response = await sent(sender, request)
    pieces: list[bytes] = []
    try:
        while piece := await response.read(SECONDS):
            pieces.append(piece)
    finally:
        await response.aclose()
    return response.status, b"".join(pieces)


async def poured(sender: Sender, request: UpstreamRequest) -> tuple[int, bytes]:
    """Status and body of the answer, poured."""
    response = await sent(sender, request)
    sink = Sink()
    response.pour(sink)
    try:
        failure = await sink.failure()
    finally:
        await response.aclose()
    if failure is not None:
        raise failure
    return response.status, sink.body


TAKEN: dict[str, Callable[[Sender, UpstreamRequest], Any]] = {"read": read_all, "poured": poured}


class Sink:
    """Keeps what is poured into it. *on_piece* is called after each piece."""

    def __init__(self, on_piece: Callable[[], None] = lambda: None) -> None:
        self.pieces: list[bytes] = []
        self.ends: list[GatewayError | None] = []
        self.came = asyncio.Event()
        self._ended = asyncio.Event()
        self._on_piece = on_piece

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    def take(self, piece: bytes) -> None:
        assert piece
        assert not self.ends
        self.pieces.append(piece)
        self.came.set()
        self._on_piece()

    def end(self, failure: GatewayError | None) -> None:
        self.ends.append(failure)
        self._ended.set()

    async def failure(self) -> GatewayError | None:
        """How it ended, once it has."""
        async with asyncio.timeout(SECONDS):
            await self._ended.wait()
        [failure] = self.ends
        return failure

    async def until(self, size: int) -> None:
        """At least *size* bytes are here."""
        async with asyncio.timeout(SECONDS):
            while sum(map(len, self.pieces)) < size:
                self.came.clear()
                await self.came.wait()
