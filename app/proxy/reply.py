"""
The reply to one client: its headers, and the moments that count (contract C1, C3, C4, C8, D16).

The head waits until there is something to send, so that an error found before then has a status of its own
(contract F8, J10).
"""

from collections.abc import Callable
from urllib.parse import quote

from app.domain.errors import GatewayError
from app.domain.exchange import NOBODY, Exchange
from app.protocol.errors import error_body, error_event, error_headers
from app.protocol.headers import JSON_HEADERS, SSE_HEADERS, HeaderList
from app.proxy.client_connection import ClientConnection

_HEADER_SAFE = " !#$%&'()*+,/:;<=>?@[]^_`{|}~"


class Reply:
    """Writes one reply. *relayed*: the upstream's own headers that may pass; known once it has answered."""

    def __init__(
        self, client: ClientConnection, exchange: Exchange, now: Callable[[], float]
    ) -> None:
        self.relayed: HeaderList = []
        self.last_sent_at = self.last_event_at = now()
        self._client = client
        self._exchange = exchange
        self._now = now

    @property
    def has_begun(self) -> bool:
        """True once the status has left: from then on an error is an event in the stream."""
        return self._client.head_sent

    async def whole(self, body: bytes, status: int = 200) -> None:
        """The complete JSON reply, its length told (contract E8)."""
        length = (b"content-length", b"%d" % len(body))
        await self._start(status, [*JSON_HEADERS, *self.relayed, length])
        if self._client.method != "HEAD":
            await self._write(body)
        await self._client.finish()

    async def events(self, frames: bytes) -> None:
        """Whole events of a stream, in one write (contract H11); the first ones bring the head along."""
        if not self._client.head_sent:
            await self._start(200, [*SSE_HEADERS, *self.relayed])
        await self._write(frames)
        self.last_event_at = self.last_sent_at

    async def comment(self, line: bytes) -> None:
        """A comment of ours, in a write of its own; it is no content, so it does not count as first byte."""
        if not self._client.head_sent:
            await self._start(200, [*SSE_HEADERS, *self.relayed])
        self.last_sent_at = self._now()
        await self._client.write(line)

    async def end_of_stream(self) -> None:
        """The stream is complete."""
        await self._client.finish()

    async def failure(self, error: GatewayError) -> None:
        """*error* as the whole reply, or as the stream's last event: then without `[DONE]` (law 7, contract J1)."""
        if self._client.head_sent:
            await self._client.write(error_event(error))
            await self._client.finish()
            return
        if self._exchange.attempts > 1:
            error.should_retry = False  # the gateway has tried enough for both (contract G1)
        body = error_body(error)
        length = (b"content-length", b"%d" % len(body))
        await self._start(error.status, [*error_headers(error), *error.relayed, length])
        if self._client.method != "HEAD":
            await self._client.write(body)
        await self._client.finish()

    async def _start(self, status: int, headers: HeaderList) -> None:
        self._exchange.status = status
        await self._client.start(status, [*headers, *self._about_the_exchange()])

    async def _write(self, piece: bytes) -> None:
        now = self._now()
        if self._exchange.first_byte_at is None:
            self._exchange.first_byte_at = now
        self.last_sent_at = now
        self._exchange.bytes_out += len(piece)
        await self._client.write(piece)

    def _about_the_exchange(self) -> HeaderList:
        exchange = self._exchange
        fields = [(b"x-request-id", exchange.request_id)]
        if exchange.attempts and exchange.upstream != NOBODY:
            fields += [
                (b"x-mindgate-upstream", exchange.upstream),
                (b"x-mindgate-model", exchange.model),
                (b"x-mindgate-attempts", str(exchange.attempts)),
                (b"x-mindgate-upstream-request-id", exchange.upstream_request_id),
                (b"x-mindgate-dropped", ",".join(exchange.dropped)),
                (b"server-timing", self._timing()),
            ]
        return [(name, quote(value, safe=_HEADER_SAFE).encode()) for name, value in fields if value]

    def _timing(self) -> str:
        exchange, now = self._exchange, self._now()
        sent_at = exchange.sent_at if exchange.sent_at is not None else now
        answered_at = exchange.upstream_first_at or now
        upstream = max(answered_at - sent_at, 0.0)
        gateway = max(now - exchange.received_at - upstream, 0.0)
        return f"upstream;dur={upstream * 1000:.1f}, gateway;dur={gateway * 1000:.1f}"
