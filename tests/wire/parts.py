"""What stands around a connection in tests: a transport that keeps what it is given, and a keeper that takes notes."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

from typing_extensions import override

from app.wire.connection import Connection
from app.wire.outbox import Outbox
from app.wire.pool import Pool, PoolLimits
from app.wire.reading import ReadingLimits
from app.wire.requests import Origin, RequestHead
from app.wire.responses import Response
from tests.fakes.scripted_upstream import SECONDS, ScriptedUpstream

ORIGIN = Origin("http", "127.0.0.1", 80)
WRITE_SECONDS = 7.0


class FakeTransport(asyncio.Transport):
    """*written*: all of it. *unsent_bytes*: what its buffer says it holds."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.unsent_bytes = 0
        self.is_aborted = False
        self.has_paused = False

    @override
    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    @override
    def get_write_buffer_size(self) -> int:
        return self.unsent_bytes

    @override
    def abort(self) -> None:
        self.is_aborted = True

    @override
    def pause_reading(self) -> None:
        assert not self.has_paused
        self.has_paused = True

    @override
    def resume_reading(self) -> None:
        assert self.has_paused
        self.has_paused = False


class Notes:
    """Keeps a connection, and notes what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.dues: list[float] = []

    def on_free(self, connection: Connection) -> None:
        self.told.append("free")

    def on_closed(self, connection: Connection) -> None:
        self.told.append("closed")

    def on_lost(self, connection: Connection) -> None:
        self.told.append("lost")

    def on_due(self, at: float) -> None:
        self.dues.append(at)


def connected() -> tuple[Connection, FakeTransport, Notes]:
    """An open connection over fakes."""
    notes, transport = Notes(), FakeTransport()
    connection = Connection(ORIGIN, notes, Outbox(), ReadingLimits(), WRITE_SECONDS)
    connection.connection_made(transport)
    return connection, transport, notes


def limits(**other: Any) -> PoolLimits:
    """Limits with room for a test, but for *other*."""
    usual: dict[str, Any] = {
        "connections": 10,
        "waiting": 10,
        "wait_seconds": SECONDS,
        "connect_seconds": SECONDS,
        "write_seconds": SECONDS,
        "keepalive_seconds": SECONDS,
        "age_seconds": 60.0,
    }
    return PoolLimits(**{**usual, **other})


def pool_of(is_forbidden: Callable[[str], bool] = lambda _: False, **other: Any) -> Pool:
    """A pool with `limits` of *other*."""
    return Pool(limits(**other), ssl.create_default_context(), is_forbidden)


def head_of(upstream: ScriptedUpstream, method: str = "GET") -> RequestHead:
    """The head of a request to *upstream*."""
    return RequestHead(method, f"{upstream.url}/x", [])


async def read_all(response: Response) -> bytes:
    """The body, to its clean end."""
    pieces = []
    while piece := await response.read(SECONDS):
        pieces.append(piece)
    return b"".join(pieces)
