"""A client in memory: keeps the contract of `app.proxy.client_connection` without a socket."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from app.domain.errors import RequestTooLarge
from app.protocol.headers import HeaderList, named
from app.wire.web_socket import WebSocket
from tests.fakes.sockets import FakeSocket, socket_pair


class FakeClient:
    """One request and what came back. *writes*: every piece as it was written. *is_full* is the test's to set.

    *pieces*: how its body comes to who takes it piece by piece; an exception among them is raised there. Without, it is
    *body* in one. *says_length*: whether the head says how long it is. *stays_silent*: behind the pieces nothing comes,
    and no end. *taken*: how many pieces were.
    """

    def __init__(
        self,
        method: str = "POST",
        path: str = "/v1/chat/completions",
        *,
        query: str = "",
        headers: HeaderList | None = None,
        body: bytes = b"",
        pieces: Sequence[bytes | Exception] | None = None,
        says_length: bool = True,
        stays_silent: bool = False,
    ) -> None:
        self.method, self.path, self.query = method, path, query
        self.address = "127.0.0.1"
        self.headers: HeaderList = headers or []
        self.named = named(self.headers)
        self.is_gone = False
        self.was_interrupted = False
        self.is_full = False
        self.head_sent = False
        self.is_finished = False
        self.status = 0
        self.length: int | None = None
        self.reply_headers: HeaderList = []
        self.writes: list[bytes] = []
        self._body = body
        self._pieces: Sequence[bytes | Exception] = (
            [body] if pieces is None and body else pieces or ()
        )
        size = sum(len(piece) for piece in self._pieces if isinstance(piece, bytes))
        self.body_bytes: int | None = size if says_length else None
        self._stays_silent = stays_silent
        self.taken = 0
        self.was_cut = False
        self.socket_fields: bytes | None = None
        self.socket_refusal: Exception | None = None
        self._sockets: tuple[FakeSocket, FakeSocket] | None = None
        self._when_room: Callable[[], None] | None = None

    def whole_body(self) -> bytes | None:
        return None  # so that it is read

    async def read_body(self) -> bytes:
        return self._body

    async def body_pieces(self, most_bytes: int) -> AsyncIterator[bytes]:
        if self.body_bytes is not None and self.body_bytes > most_bytes:
            raise RequestTooLarge(f"The request body is larger than {most_bytes} bytes.")
        size = 0
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            size += len(piece)
            if size > most_bytes:
                raise RequestTooLarge(f"The request body is larger than {most_bytes} bytes.")
            self.taken += 1
            yield piece
        if self._stays_silent:
            await asyncio.get_running_loop().create_future()

    def accept_socket(self, fields: bytes) -> WebSocket:
        """*socket_fields*: what left with the 101. *socket_refusal* is raised instead, where the test sets it."""
        if self.socket_refusal is not None:
            raise self.socket_refusal
        if self.head_sent:
            raise AssertionError("two heads")
        self.head_sent, self.status, self.socket_fields = True, 101, fields
        return self._pair()[0]

    @property
    def far_socket(self) -> FakeSocket:
        """The client's own side of the websocket, before and after it is accepted."""
        return self._pair()[1]

    def _pair(self) -> tuple[FakeSocket, FakeSocket]:
        if self._sockets is None:
            self._sockets = socket_pair()
        return self._sockets

    def cut(self) -> None:
        self.was_cut = True

    def start(self, status: int, fields: bytes, length: int | None) -> None:
        if self.head_sent:
            raise AssertionError("two heads")
        self.head_sent = True
        self.status, self.length = status, length
        lines = fields.removesuffix(b"\r\n").split(b"\r\n")
        pairs = [line.partition(b": ") for line in lines]
        self.reply_headers = [(name, value) for name, _, value in pairs]

    def write(self, piece: bytes) -> None:
        if self.was_cut:
            return
        if not self.head_sent or self.is_finished:
            raise AssertionError("a write outside the body")
        self.writes.append(piece)

    def finish(self, piece: bytes = b"") -> None:
        if self.was_cut:
            return
        if not self.head_sent or self.is_finished:
            raise AssertionError("an end outside the body")
        if piece:
            self.write(piece)
        self.is_finished = True

    def interrupt(self) -> None:
        self.was_interrupted = True

    def when_room(self, callback: Callable[[], None]) -> None:
        self._when_room = callback

    def has_room(self) -> None:
        """The client has taken what it was sent."""
        self.is_full = False
        callback, self._when_room = self._when_room, None
        if callback is not None:
            callback()

    def header(self, name: bytes) -> bytes | None:
        """The one header called *name*; None when there is none."""
        found = [value for key, value in self.reply_headers if key == name]
        if len(found) > 1:
            raise AssertionError(f"{name!r} stands {len(found)} times")
        return found[0] if found else None

    @property
    def body(self) -> bytes:
        return b"".join(self.writes)
