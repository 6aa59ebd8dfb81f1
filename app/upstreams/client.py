"""
The one seam between the gateway and an upstream's socket.

A `Sender` sends one request and hands back the response's head; the body is then read piece by piece, or poured
into a sink as it comes. Two keep this contract, and one suite of tests holds both to it: `wire_sender`, and
`httpx_sender` for an upstream behind a proxy or with HTTP/2. Who sends is decided in `main`; everything above this
file knows only these types. Failures are the typed errors of `app.domain.errors`, never a library's.
"""

from typing import Protocol

from typing_extensions import override

from app.domain.errors import GatewayError
from app.protocol.headers import HeaderList
from app.upstreams.deadlines import Deadlines
from app.wire.requests import RequestHead, Upload


class UpstreamRequest:
    """One request, complete.

    *head*: prepared once, wherever it can be. *headers*: this request's own fields beside it; framing is the sender's.
    *deadlines*: the response's head must have come by the first-byte one and all of it by the total one, or
    UpstreamTimeout is raised; None leaves the wait to the caller. *repeatable*: may be sent again when a reused
    connection died before a byte of the answer came (reliability R6, contract G9); an `Upload` never is.
    *has_left*: set by the sender before the first byte of it may reach the upstream.
    Its `repr` holds neither secrets nor content.
    """

    __slots__ = ("body", "deadlines", "has_left", "head", "headers", "repeatable")

    def __init__(
        self,
        head: RequestHead,
        headers: HeaderList | None = None,
        body: bytes | Upload = b"",
        deadlines: Deadlines | None = None,
        repeatable: bool = True,
    ) -> None:
        self.head = head
        self.headers: HeaderList = [] if headers is None else headers
        self.body = body
        self.deadlines = deadlines
        self.repeatable = repeatable
        self.has_left = False

    def leaves(self) -> None:
        """There is a connection, and it is about to go."""
        self.has_left = True

    @override
    def __repr__(self) -> str:
        return f"UpstreamRequest({self.head!r})"


class BodySink(Protocol):
    """Takes a response's body as it comes. Neither method may raise."""

    def take(self, piece: bytes) -> None:
        """The next bytes, never empty."""
        ...

    def end(self, failure: GatewayError | None) -> None:
        """The body is over: complete, or by *failure*. Called once, and nothing after it."""
        ...


class UpstreamResponse(Protocol):
    """A response whose head has come. Header names are lower case."""

    @property
    def status(self) -> int:
        """The HTTP status, 200 or above."""
        ...

    @property
    def headers(self) -> HeaderList:
        """The head's fields in order, repetitions kept."""
        ...

    def whole(self) -> bytes | None:
        """The whole body, where all of it has come and none was read; None where it has to be waited for."""
        ...

    async def read(self, patience_seconds: float) -> bytes | None:
        """The next bytes of the body; b"" at its clean end; None when *patience_seconds* passed without any.

        After None the response is still readable. Raises UpstreamDisconnected when the body was cut,
        UpstreamMalformed when its framing is broken, UpstreamTimeout past the total deadline.
        """
        ...

    def pour(self, sink: BodySink) -> None:
        """From now on *sink* is handed what comes, as it comes; what is here already, before this returns.

        `read` is not called any more. The failures that `read` raises reach `sink.end`.
        """
        ...

    def pause(self) -> None:
        """While poured: nothing more is read until `resume`; a piece that was read already may still come."""
        ...

    def resume(self) -> None:
        """Reading goes on."""
        ...

    def release(self) -> None:
        """The answer is over as far as anyone cares: what still comes of it is discarded, within bounds of size and
        time, so that its connection may serve again. Nothing is handed to anyone after this."""
        ...

    async def aclose(self) -> None:
        """The response is given up or read to its end; an unread rest closes its connection at once.

        Nothing is handed to anyone after this. A second call, or one after `release`, does nothing.
        """
        ...


class Sender(Protocol):
    """Sends requests to one upstream over connections it keeps."""

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """The response's head. Cancelling closes the connection, before this returns.

        An answer may come before an `Upload` has ended: what is left of the upload is then not sent, and the
        connection does not serve again.
        Raises UpstreamUnreachable, UpstreamDisconnected, UpstreamMalformed, UpstreamTimeout, Overloaded (no
        connection became free in time); and whatever an `Upload`'s own iterator raises.
        """
        ...

    async def aclose(self) -> None:
        """Every connection is closed."""
        ...
