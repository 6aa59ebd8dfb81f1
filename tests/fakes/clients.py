"""A client in memory: keeps the contract of `app.proxy.client_connection` without a socket."""

from app.protocol.headers import HeaderList


class FakeClient:
    """One request and what came back. *writes*: every piece as it was written."""

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
        self.headers: HeaderList = headers or []
        self.is_gone = False
        self.head_sent = False
        self.is_finished = False
        self.status = 0
        self.reply_headers: HeaderList = []
        self.writes: list[bytes] = []
        self._body = body

    async def read_body(self) -> bytes:
        return self._body

    async def start(self, status: int, headers: HeaderList) -> None:
        if self.head_sent:
            raise AssertionError("two heads")
        self.head_sent = True
        self.status, self.reply_headers = status, headers

    async def write(self, piece: bytes) -> None:
        if not self.head_sent or self.is_finished:
            raise AssertionError("a write outside the body")
        self.writes.append(piece)

    async def finish(self) -> None:
        if not self.head_sent or self.is_finished:
            raise AssertionError("an end outside the body")
        self.is_finished = True

    def header(self, name: bytes) -> bytes | None:
        """The one header called *name*; None when there is none."""
        found = [value for key, value in self.reply_headers if key == name]
        if len(found) > 1:
            raise AssertionError(f"{name!r} stands {len(found)} times")
        return found[0] if found else None

    @property
    def body(self) -> bytes:
        return b"".join(self.writes)
