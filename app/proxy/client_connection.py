"""What the pipeline needs of the one who called: declared here, kept by `app.edge`."""

from typing import Protocol

from app.protocol.headers import HeaderList


class ClientConnection(Protocol):
    """One request of one client, and the way to answer it. Header names are lower case."""

    @property
    def method(self) -> str:
        """As it came, in upper case."""
        ...

    @property
    def path(self) -> str:
        """The raw path, percent-encoded as it came, without its query."""
        ...

    @property
    def query(self) -> str:
        """What stood behind the question mark, as it came."""
        ...

    @property
    def headers(self) -> HeaderList:
        """The request's header fields in order."""
        ...

    @property
    def is_gone(self) -> bool:
        """True once the client has left."""
        ...

    @property
    def head_sent(self) -> bool:
        """True once a status has left for the client: from then on nothing can be taken back (law 2)."""
        ...

    async def read_body(self) -> bytes:
        """The whole body. Raises RequestTooLarge, UnsupportedMediaType, ClientGone."""
        ...

    async def start(self, status: int, headers: HeaderList) -> None:
        """The head goes out."""
        ...

    async def write(self, piece: bytes) -> None:
        """*piece* goes out in one write; returns when there is room for more."""
        ...

    async def finish(self) -> None:
        """The body is complete."""
        ...
