"""What a request and the connection that it came by need of each other."""

from collections.abc import Callable
from typing import Protocol

from app.edge.surroundings import Surroundings
from app.wire.outbox import Outgoing
from app.wire.web_socket import WebSocket


class Answered(Protocol):
    """A request that has its reply. *is_whole*: its body has come. *keep_alive*: the connection outlives its reply.
    *is_offer*: it might have become a websocket."""

    is_offer: bool
    is_whole: bool
    keep_alive: bool


class Wire(Protocol):
    """What a request needs of the connection that it came by."""

    @property
    def is_full(self) -> bool:
        """True while more waits to be sent than should."""
        ...

    @property
    def is_stopping(self) -> bool:
        """True when it takes no further request."""
        ...

    @property
    def surroundings(self) -> Surroundings:
        """What it shares with the others."""
        ...

    @property
    def out(self) -> Outgoing:
        """Where replies go."""
        ...

    @property
    def address(self) -> str:
        """Where the other side is, "" where that has no address."""
        ...

    def mind_reading(self) -> None:
        """Reading stops, or goes on, as `ClientRequest.is_flooded` says."""
        ...

    def await_body(self) -> None:
        """More of a body is waited for: from now on the client has to be in time."""
        ...

    def when_room(self, callback: Callable[[], None]) -> None:
        """See `ClientConnection.when_room`."""
        ...

    def finished(self, request: Answered) -> None:
        """The reply to *request* is complete."""
        ...

    def cut(self) -> None:
        """The connection ends here and now, so that nobody takes what was sent for whole."""
        ...

    def cut_short(self, *, is_framed: bool) -> None:
        """The connection ends behind what was written, before the reply's end. *is_framed*: that shows; else the
        client is shown it by a reset."""
        ...

    def give_over(self, subprotocol: str) -> WebSocket:
        """The connection is a websocket from now on; the handshake's answer is on its way."""
        ...
