"""
The seam over our own HTTP/1.1 client, `app.wire`, with its errors in the gateway's words.
"""

import ssl
from collections.abc import Callable
from typing import Final

from app.domain.configuration import Timeouts
from app.domain.errors import GatewayError
from app.protocol.headers import HeaderList
from app.upstreams.addresses import is_forbidden
from app.upstreams.client import BodySink, UpstreamRequest
from app.upstreams.deadlines import Deadlines
from app.upstreams.send_errors import cut, malformed, no_slot, stuck, unreachable
from app.wire.connection import NEVER
from app.wire.errors import (
    Cut,
    CutBeforeHead,
    HeadLate,
    Late,
    Malformed,
    NoConnectionFree,
    NotConnected,
    TotalLate,
    WireError,
)
from app.wire.pool import Pool, PoolLimits
from app.wire.responses import Response

_MOST_WAITING: Final = 1000  # more than that never wait at a time: admission stops them before

ERRORS: dict[type[WireError], Callable[[str], GatewayError]] = {  # by branch of the wire's tree
    NotConnected: unreachable,
    NoConnectionFree: no_slot,
    Cut: cut,
    Malformed: malformed,
    Late: stuck,  # the two deadlines of a request have words of their own
}


class WireSender:
    """A pool of connections for one upstream and its credential (reliability R14)."""

    def __init__(
        self,
        name: str,
        timeouts: Timeouts,
        *,
        max_connections: int,
        keepalive_seconds: float,
        max_connection_age_seconds: float,
        ssl_context: ssl.SSLContext,
    ) -> None:
        self._name = name
        limits = PoolLimits(
            connections=max_connections,
            waiting=_MOST_WAITING,
            wait_seconds=timeouts.pool_wait_seconds,
            connect_seconds=timeouts.connect_seconds,
            write_seconds=timeouts.idle_seconds,
            keepalive_seconds=keepalive_seconds,
            age_seconds=max_connection_age_seconds,
        )
        self._pool = Pool(limits, ssl_context, is_forbidden)

    async def send(self, request: UpstreamRequest) -> "WireResponse":
        """Implements `client.Sender`: a request that died on a kept connection goes out once more, on a fresh one."""
        name, deadlines = self._name, request.deadlines
        head_at = total_at = NEVER
        if deadlines is not None:
            head_at, total_at = deadlines.first_byte_at, deadlines.total_at
        try:
            response = await self._pool.send(
                request.head,
                request.headers,
                request.body,
                head_at,
                total_at,
                on_leaving=request.leaves,
            )
        except WireError as error:
            if not _may_be_repeated(request, error):
                raise gateway_error(name, deadlines, error) from error
        else:
            return WireResponse(name, deadlines, response)
        try:
            response = await self._pool.send(
                request.head, request.headers, request.body, head_at, total_at, is_fresh=True
            )
        except WireError as error:
            raise gateway_error(name, deadlines, error) from error
        return WireResponse(name, deadlines, response)

    async def aclose(self) -> None:
        """Implements `client.Sender`."""
        await self._pool.aclose()


class WireResponse:
    """Implements `client.UpstreamResponse`. What needs no translation is the wire's own method: one call less."""

    __slots__ = (
        "_deadlines",
        "_name",
        "_response",
        "_sink",
        "headers",
        "release",
        "status",
        "whole",
    )

    def __init__(self, name: str, deadlines: Deadlines | None, response: Response) -> None:
        self._name = name
        self._deadlines = deadlines
        self._response = response
        self._sink: BodySink | None = None
        self.status = response.status
        self.headers: HeaderList = response.fields
        self.whole = response.whole
        self.release = response.release

    async def read(self, patience_seconds: float) -> bytes | None:
        """See `client.UpstreamResponse.read`."""
        try:
            return await self._response.read(patience_seconds)
        except WireError as error:
            raise gateway_error(self._name, self._deadlines, error) from error

    def pour(self, sink: BodySink) -> None:
        """See `client.UpstreamResponse.pour`."""
        self._sink = sink
        self._response.pour(sink.take, self._ended)

    def pause(self) -> None:
        """See `client.UpstreamResponse.pause`."""
        self._response.pause()

    def resume(self) -> None:
        """See `client.UpstreamResponse.resume`."""
        self._response.resume()

    async def aclose(self) -> None:
        """See `client.UpstreamResponse.aclose`."""
        self._response.close()

    def _ended(self, error: WireError | None) -> None:
        sink, self._sink = self._sink, None
        if sink is not None:
            failure = None if error is None else gateway_error(self._name, self._deadlines, error)
            sink.end(failure)


def gateway_error(name: str, deadlines: Deadlines | None, error: WireError) -> GatewayError:
    """What *error* is called above the seam; *name* is the upstream's, for the message."""
    if deadlines is not None and isinstance(error, HeadLate):
        return deadlines.first_byte_passed()
    if deadlines is not None and isinstance(error, TotalLate):
        return deadlines.total_passed()
    return next(make(name) for kind, make in ERRORS.items() if isinstance(error, kind))


def _may_be_repeated(request: UpstreamRequest, error: WireError) -> bool:
    """True when the request died on a connection that had served before, without a byte of an answer (contract G9)."""
    is_stale = isinstance(error, CutBeforeHead) and error.is_stale
    return is_stale and request.repeatable and isinstance(request.body, bytes)
