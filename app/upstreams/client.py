"""
The one seam between the gateway and an upstream's socket.

A `Sender` sends one request and hands back the response's head; the body is then read piece by piece. Who
sends (httpx2's connection pool today) is decided in `main`; everything above this file knows only these
types. Failures are the typed errors of `app.domain.errors`, never a library's.
"""

from dataclasses import dataclass, field
from typing import Protocol

from app.protocol.headers import HeaderList


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """One request, complete. *url* is absolute. *repeatable*: may be sent again when a reused connection died
    before a byte of the answer came (reliability R6, contract G9). Its `repr` holds neither secrets nor content."""

    method: str
    url: str = field(repr=False)
    headers: HeaderList = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    repeatable: bool = True


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

    async def read(self, patience_seconds: float) -> bytes | None:
        """The next bytes of the body; b"" at its clean end; None when *patience_seconds* passed without any.

        After None the response is still readable. Raises UpstreamDisconnected when the body was cut and
        UpstreamMalformed when its framing is broken.
        """
        ...

    async def aclose(self) -> None:
        """The response is given up or read to its end; an unread rest closes its connection at once."""
        ...


class Sender(Protocol):
    """Sends requests to one upstream over connections it keeps."""

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """The response's head. The caller bounds the wait; cancelling closes the connection.

        Raises UpstreamUnreachable, UpstreamDisconnected, UpstreamMalformed, UpstreamTimeout.
        """
        ...

    async def aclose(self) -> None:
        """Every connection is closed."""
        ...
