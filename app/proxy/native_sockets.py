"""
Native websockets: the upstream's is opened first, then the client's, and both live and end together (upstreams N3, N4,
N11 to N14).

A socket lives no longer than an exchange may: its reservation would end, and it is closed with 1001 before that. How it
ended is told to the ledger before the client is told.
"""

import asyncio
from collections.abc import Callable

from app.domain.errors import ClientGone, GatewayError, UpstreamDisconnected, UpstreamTimeout
from app.domain.exchange import Exchange
from app.protocol.native_paths import NativeRoute
from app.protocol.scrubbing import scrub
from app.protocol.targets import NATIVE
from app.proxy.billing import Billing
from app.proxy.call import Call
from app.proxy.dialing import Dialing
from app.proxy.in_flight import stopped
from app.proxy.outcomes import outcome_of
from app.proxy.socket_relay import (
    CUT,
    GOING_AWAY,
    Ended,
    check_opening,
    closing,
    join,
)
from app.proxy.sound_billing import Asked, SoundBilling
from app.upstreams.native_routes import native_url
from app.upstreams.socket_addresses import socket_address
from app.upstreams.upstream import Upstream
from app.wire.web_socket import WebSocket

SWITCHED = 101
_CLOSING_SECONDS = 2.5  # what a closing handshake may take, and a little
_STOPPED = Ended(None, GOING_AWAY, "The gateway is shutting down.")


class NativeSockets:
    """Relays websockets. *now*: the monotonic clock of an exchange's times."""

    def __init__(
        self, dialing: Dialing, billing: Billing, sound: SoundBilling, now: Callable[[], float]
    ) -> None:
        self._dialing = dialing
        self._billing = billing
        self._sound = sound
        self._now = now

    async def serve(self, call: Call, upstream: Upstream, route: NativeRoute, path: str) -> None:
        """Both sockets have been open and are closed.

        Raises what refuses it, before 101; and behind that the error that says how it ended, unless it ended well.
        """
        check_opening(call.client.headers)
        exchange, longest = call.exchange, upstream.timeouts.total_seconds
        asked = Asked(upstream.name, exchange.model)
        most_ms = int(longest * 1000)
        await self._sound.admit(call.principal, exchange, [asked], audio_ms=most_ms)
        address = socket_address(
            upstream,
            native_url(upstream, route.place, path),
            query=call.client.query,
            request_id=exchange.request_id,
        )
        theirs = await self._dialing.dial(
            upstream, address.url, address.fields, exchange, capability=NATIVE
        )
        try:
            ours = call.client.accept_socket(_fields(exchange))
        except BaseException:
            theirs.abort()
            raise
        exchange.status = SWITCHED
        exchange.first_byte_at = self._now()
        try:
            await self._joined(call, upstream, ours, theirs)
        finally:
            ours.abort()
            theirs.abort()

    async def _joined(
        self, call: Call, upstream: Upstream, ours: WebSocket, theirs: WebSocket
    ) -> None:
        exchange, opened_at = call.exchange, self._now()

        def heard_ms() -> int:
            return int((self._now() - opened_at) * 1000)

        try:
            ended = await join(
                ours,
                theirs,
                exchange,
                seconds=upstream.timeouts.total_seconds,
                on_tick=lambda: self._went_on(exchange, heard_ms()),
            )
        except asyncio.CancelledError:  # the gateway stops: who leaves closes his socket, no more
            exchange.audio_ms = heard_ms()
            await self._book(exchange, stopped())
            await _close(ours, theirs, _STOPPED, upstream)
            raise
        exchange.audio_ms = heard_ms()
        error = _failure(ended, upstream)
        await self._book(exchange, error)
        await _close(ours, theirs, ended, upstream)
        if error is not None:
            raise error

    def _went_on(self, exchange: Exchange, audio_ms: int) -> None:
        exchange.audio_ms = audio_ms
        self._billing.progress(exchange)

    async def _book(self, exchange: Exchange, error: GatewayError | None) -> None:
        """The ledger knows how it ended, before anybody is told (reliability J5)."""
        if error is not None:
            exchange.outcome = outcome_of(error, was_asked=True)
            exchange.error_code = error.code or ""
            exchange.phase = getattr(error, "phase", "")
        booked = self._billing.book(exchange)
        if booked is not None:
            await booked


def _failure(ended: Ended, upstream: Upstream) -> GatewayError | None:
    """How it ended, where it did not end well."""
    name = upstream.name
    if ended.by is None:
        seconds = upstream.timeouts.total_seconds
        return UpstreamTimeout(f"A websocket may be open for {seconds:g} seconds.", phase="total")
    if ended.code != CUT:
        return None
    if ended.by == "client":
        return ClientGone("The client left.")
    return UpstreamDisconnected(f"Upstream '{name}' closed the connection without a word.")


async def _close(ours: WebSocket, theirs: WebSocket, ended: Ended, upstream: Upstream) -> None:
    """Both have been told, each at once, and have had a moment to answer; whoever told us hears our answer out."""
    code, reason = closing(ended)
    reason = scrub(reason, upstream.secrets())
    try:
        async with asyncio.timeout(_CLOSING_SECONDS), asyncio.TaskGroup() as group:
            for socket in (ours, theirs):
                group.create_task(socket.close(code, reason))
    except TimeoutError:
        return


def _fields(exchange: Exchange) -> bytes:
    """What stands on a 101 (contract C1, C4, C5)."""
    rate = exchange.rate
    sent_at, opened_at = exchange.sent_at, exchange.upstream_first_at
    upstream = (opened_at - sent_at) * 1000 if sent_at is not None and opened_at is not None else 0
    lines = b"x-request-id: %b\r\nx-mindgate-upstream: %b\r\nx-mindgate-model: %b\r\n" % (
        exchange.request_id.encode(),
        exchange.upstream.encode(),
        exchange.model.encode(),
    )
    lines += b"x-mindgate-attempts: %d\r\nserver-timing: upstream;dur=%.1f\r\n" % (
        exchange.attempts,
        upstream,
    )
    return lines + (rate.lines if rate is not None else b"")
