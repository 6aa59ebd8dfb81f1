"""What the pipeline needs of the one who called: declared here, kept by `app.edge`."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Protocol

from app.protocol.headers import HeaderList
from app.wire.web_socket import WebSocket


class ClientConnection(Protocol):
    """One request of one client, and the way to answer it. Header names are lower case.

    Writing never waits: who writes a lot looks at `is_full` and stops until there is room. When the client leaves,
    the task that serves it is cancelled; what is written afterwards goes nowhere.
    """

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
    def named(self) -> Mapping[bytes, bytes]:
        """The first value of each header field, by name."""
        ...

    @property
    def address(self) -> str:
        """The address it calls from, "" where there is none."""
        ...

    @property
    def is_gone(self) -> bool:
        """True once the client has left."""
        ...

    @property
    def head_sent(self) -> bool:
        """True once a status has left for the client: from then on nothing can be taken back (law 2)."""
        ...

    @property
    def is_full(self) -> bool:
        """True while more waits to be sent than should (reliability R3, R4)."""
        ...

    def whole_body(self) -> bytes | None:
        """The whole body where it is here and there is nothing against it; None where `read_body` is to be asked.
        One of the two gives it, once."""
        ...

    async def read_body(self) -> bytes:
        """The whole body. Raises RequestTooLarge, UnsupportedMediaType."""
        ...

    @property
    def body_bytes(self) -> int | None:
        """How long the body is, as its head says; None where it does not."""
        ...

    def body_pieces(self, most_bytes: int) -> AsyncIterator[bytes]:
        """The body as it comes, instead of `read_body`. Little of it is held, so that a client is no faster than who
        takes the pieces. Raises RequestTooLarge above *most_bytes*, before the first piece where the head says it; and
        what `read_body` raises."""
        ...

    def accept_socket(self, fields: bytes) -> WebSocket:
        """The request was the opening of a websocket, and it is open now: 101 has left with *fields*, complete lines;
        a `sec-websocket-protocol` among them is the websocket's. Raises InvalidRequest for a handshake that is none,
        before 101.

        From here on a client that leaves does not cancel the task: the websocket's `receive` and `send` raise
        SocketClosed, and whoever relays closes the other side and ends. Of this connection's nothing but `is_gone`
        means anything any more, and the rest does nothing. When the task ends, the websocket is closed: with 1001 where
        the gateway stops, else with 1011, where it was not closed before.
        """
        ...

    def cut(self) -> None:
        """The connection ends here, so that nobody takes what was sent for whole (contract L10)."""
        ...

    def start(self, status: int, fields: bytes, length: int | None) -> None:
        """The head: *fields* are complete lines, each with its line end. *length*: of the body that follows, in bytes;
        None when it is not known yet. Framing, `date` and `connection` are the connection's own to add.
        It leaves with the first piece, or with the end."""
        ...

    def write(self, piece: bytes) -> None:
        """*piece* of the body goes out; to HEAD none does."""
        ...

    def finish(self, piece: bytes = b"") -> None:
        """The body is complete; *piece* is its last, and leaves in one write with the end."""
        ...

    def interrupt(self) -> None:
        """The task that serves it is cancelled."""
        ...

    def when_room(self, callback: Callable[[], None]) -> None:
        """*callback* is called once, as soon as `is_full` is False; never when the client leaves before that."""
        ...
