"""
Opening an upstream's websocket: one attempt, with all that an attempt means (reliability J1, R6; upstreams N13, A14).

It is asked once. What refuses the handshake is read as any refusal is, before the client is told that anything opened.
"""

from collections.abc import Callable
from typing import Protocol
from urllib.parse import urlsplit

from app.domain.errors import GatewayError, Overloaded, UnsupportedEndpoint, UpstreamUnreachable
from app.domain.exchange import Exchange
from app.domain.texts import shown
from app.protocol.headers import HeaderList
from app.proxy.attempts import reason_of
from app.proxy.billing import Billing
from app.telemetry.metrics import Metrics
from app.upstreams.refusals import refusal
from app.upstreams.socket_dialer import HandshakeRefused
from app.upstreams.upstream import Upstream
from app.wire.web_socket import WebSocket

_OPEN = 101
_ANSWER_SECONDS = 15.0  # no model works on a handshake


class Dialer(Protocol):
    """Who makes the connection: `app.upstreams.socket_dialer`."""

    async def dial(
        self,
        url: str,
        fields: HeaderList,
        *,
        name: str,
        connect_seconds: float,
        answer_seconds: float | None = None,
    ) -> WebSocket:
        """The open websocket at *url*. Raises HandshakeRefused, and the typed errors of an upstream *name*."""
        ...


class Dialing:
    """Opens websockets for exchanges. *now* is the monotonic clock of their times."""

    def __init__(
        self, dialer: Dialer, billing: Billing, metrics: Metrics, now: Callable[[], float]
    ) -> None:
        self._dialer = dialer
        self._billing = billing
        self._metrics = metrics
        self._now = now

    async def dial(
        self,
        upstream: Upstream,
        url: str,
        fields: HeaderList,
        exchange: Exchange,
        *,
        capability: str,
    ) -> WebSocket:
        """An open websocket of *upstream* at *url*, the caller's to close. *url* and *fields* may hold secrets.

        Raises the typed error of a refusal (401: upstreams E-C4) or of an upstream that cannot be reached, and
        UnsupportedEndpoint for one that may be reached by a proxy alone: no socket goes around it.
        """
        if upstream.entry.proxy is not None:
            raise UnsupportedEndpoint(
                f"Upstream '{upstream.name}' is reached by a proxy, and the gateway opens no websocket through one."
            )
        self._billing.attempt(exchange)
        exchange.attempts += 1
        exchange.sent_at = sent_at = self._now()
        timeouts = upstream.timeouts
        try:
            socket = await self._dialer.dial(
                url,
                fields,
                name=upstream.name,
                connect_seconds=timeouts.connect_seconds,
                answer_seconds=min(timeouts.first_byte_seconds, _ANSWER_SECONDS),
            )
        except HandshakeRefused as refused:
            error = _refusal(upstream, url, refused, exchange, capability)
            exchange.upstream_status = refused.status
            self._note_failed(exchange, error, sent_at)
            raise error from None
        except BaseException as error:
            if isinstance(error, UpstreamUnreachable | Overloaded):
                exchange.sent_at = None  # nobody was asked anything (reliability R6, J14)
            self._note_failed(exchange, error, sent_at)
            raise
        exchange.upstream_status = _OPEN
        exchange.upstream_first_at = self._now()
        self._metrics.attempt(upstream.name, "answered")
        return socket

    def _note_failed(self, exchange: Exchange, error: BaseException, began_at: float) -> None:
        reason = reason_of(error)
        self._metrics.attempt(exchange.upstream, reason)
        began, ended = (int((at - exchange.received_at) * 1e6) for at in (began_at, self._now()))
        exchange.trail += ((exchange.upstream, shown(exchange.model), reason, began, ended),)


def _refusal(
    upstream: Upstream, url: str, refused: HandshakeRefused, exchange: Exchange, capability: str
) -> GatewayError:
    fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in refused.headers]
    return refusal(
        upstream=upstream.name,
        dialect=upstream.dialect.name,
        status=refused.status,
        headers=fields,
        body=refused.body,
        model=exchange.model_requested,
        capability=capability,
        secrets=(*upstream.secrets(), urlsplit(url).netloc),
    )
