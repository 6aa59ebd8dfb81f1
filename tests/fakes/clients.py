"""A client in memory: keeps the contract of `app.proxy.client_connection` without a socket."""

from collections.abc import Callable

from app.protocol.headers import HeaderList, named


class FakeClient:
    """One request and what came back. *writes*: every piece as it was written. *is_full* is the test's to set."""

    def __init__(
        self,
        method: str = "POST",
        path: str = "/v1/chat/completions",
        *,
        query: str = "",
        headers: HeaderList | None = None,
        body: bytes = b"",
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
        self._when_room: Callable[[], None] | None = None

    def whole_body(self) -> bytes | None:
        return None  # so that it is read

    async def read_body(self) -> bytes:
        return self._body

    def start(self, status: int, fields: bytes, length: int | None) -> None:
        if self.head_sent:
            raise AssertionError("two heads")
        self.head_sent = True
        self.status, self.length = status, length
        lines = fields.removesuffix(b"\r\n").split(b"\r\n")
        pairs = [line.partition(b": ") for line in lines]
        self.reply_headers = [(name, value) for name, _, value in pairs]

    def write(self, piece: bytes) -> None:
        if not self.head_sent or self.is_finished:
            raise AssertionError("a write outside the body")
        self.writes.append(piece)

    def finish(self, piece: bytes = b"") -> None:
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
