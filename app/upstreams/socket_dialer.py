"""
Opens websockets to upstreams: the addresses checked and tried as for any request (reliability S7), the handshake's
answer in the gateway's words. No redirect is followed.

A URL's query may hold a credential (upstreams N11): no error and no `repr` here shows one.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from app.domain.errors import GatewayError, UpstreamTimeout
from app.protocol.headers import HeaderList
from app.upstreams.addresses import is_forbidden
from app.upstreams.send_errors import cut, malformed, unreachable
from app.wire.connecting import Dialer, resolved
from app.wire.errors import Malformed, NotConnected, WireError
from app.wire.handshake import without_handshake
from app.wire.outbox import Outbox
from app.wire.reading import ReadingLimits
from app.wire.requests import Origin, RequestHead
from app.wire.socket_opening import Refusal, SocketOpening
from app.wire.web_socket import WebSocket

_SCHEMES = {"ws": "http", "wss": "https", "http": "http", "https": "https"}
_MOST_HEAD_BYTES: Final = 64 * 1024


class HandshakeRefused(Exception):
    """The upstream answered the handshake with another status than 101: it is up, and says no.

    *headers*: the answer's fields, names in lower case. *body*: its first 64 KB at most.
    """

    def __init__(self, status: int, headers: HeaderList, body: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers
        self.body = body


class SocketDialer:
    """Dials websockets; each has a connection of its own. *resolve*: how a name is looked up."""

    def __init__(
        self,
        ssl_context: ssl.SSLContext,
        resolve: Callable[[Origin], Awaitable[list[str]]] = resolved,
    ) -> None:
        self._dialer = Dialer(ssl_context, is_forbidden, resolve)
        self._outbox = Outbox()

    async def dial(
        self,
        url: str,
        fields: HeaderList,
        *,
        name: str,
        connect_seconds: float,
        answer_seconds: float | None = None,
        subprotocols: Sequence[str] = (),
        most_head_bytes: int = _MOST_HEAD_BYTES,
    ) -> WebSocket:
        """An open websocket to *url* (`ws`, `wss`, or the same as `http`, `https`) of the upstream called *name*.

        *fields* go out with the handshake, but for the handshake's own. *subprotocols*: those to offer; without any,
        the upstream may choose none. *answer_seconds*: for the handshake's answer, once connected; None: as long as for
        connecting. Cancelling closes whatever was opened.
        Raises HandshakeRefused, UpstreamUnreachable, UpstreamTimeout, UpstreamDisconnected, UpstreamMalformed; and
        ValueError for a URL that is none and for a field that holds a line break.
        """
        head = RequestHead("GET", _http_url(url), without_handshake(fields))
        limits = ReadingLimits(head_bytes=most_head_bytes)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(connect_seconds):
                opening = await self._dialer.dial(
                    head.origin, lambda: SocketOpening(self._outbox, limits)
                )
        except TimeoutError:
            raise unreachable(name) from None
        except WireError as error:
            raise _gateway_error(name, error) from error
        seconds = connect_seconds if answer_seconds is None else answer_seconds
        try:
            answer = await opening.open(head, subprotocols, loop.time() + seconds)
        except TimeoutError:
            raise UpstreamTimeout(
                f"Upstream '{name}' did not answer within {seconds:g} seconds.", phase="first_byte"
            ) from None
        except WireError as error:
            raise _gateway_error(name, error) from error
        if isinstance(answer, Refusal):
            raise HandshakeRefused(*answer)
        return answer


def _http_url(url: str) -> str:
    """*url* with the scheme that its connection has. Raises ValueError."""
    scheme, mark, rest = url.partition("://")
    if scheme.lower() not in _SCHEMES or not mark:
        raise ValueError("not a ws or wss URL")
    return f"{_SCHEMES[scheme.lower()]}://{rest}"


def _gateway_error(name: str, error: WireError) -> GatewayError:
    """What *error* is called above the wire."""
    if isinstance(error, NotConnected):
        return unreachable(name)
    if isinstance(error, Malformed):
        return malformed(name)
    return cut(name)  # of the rest, nothing else can happen on a connection of one's own
