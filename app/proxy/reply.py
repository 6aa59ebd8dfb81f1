"""
The reply to one client: its headers, and the moments that count (contract C1, C3, C4, C8, D16).

The head waits until there is something to send, so that an error found before then has a status of its own
(contract F8, J10). Nothing here waits: the connection takes what it is given, and tells when that is too much.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from urllib.parse import quote

from app.domain.errors import GatewayError
from app.domain.exchange import NOBODY, Exchange
from app.protocol.errors import error_body, error_event, error_headers
from app.protocol.headers import JSON_HEADERS, SSE_HEADERS, HeaderList
from app.proxy.client_connection import ClientConnection

_HEADER_SAFE = " !#$%&'()*+,/:;<=>?@[]^_`{|}~"


def _lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join([b"%b: %b\r\n" % pair for pair in headers])


_JSON = _lines(JSON_HEADERS)
_SSE = _lines(SSE_HEADERS)


class Reply:
    """Writes one reply. *relayed*: the upstream's own headers that may pass; known once it has answered."""

    __slots__ = ("_client", "_exchange", "_now", "last_event_at", "last_sent_at", "relayed")

    def __init__(
        self, client: ClientConnection, exchange: Exchange, now: Callable[[], float]
    ) -> None:
        self.relayed: HeaderList = []
        self.last_sent_at = self.last_event_at = exchange.received_at
        self._client = client
        self._exchange = exchange
        self._now = now

    @property
    def has_begun(self) -> bool:
        """True once the status has left: from then on an error is an event in the stream."""
        return self._client.head_sent

    @property
    def is_full(self) -> bool:
        """True while the client takes less than it is sent (reliability R4)."""
        return self._client.is_full

    def when_room(self, callback: Callable[[], None]) -> None:
        """*callback* is called once, as soon as `is_full` is False."""
        self._client.when_room(callback)

    def whole(self, body: bytes, status: int = 200) -> None:
        """The complete JSON reply, its length told (contract E8)."""
        self._start(status, _JSON, self.relayed, len(body))
        if self._client.method == "HEAD":
            self._client.finish()
        else:
            self._finish(body)

    def events(self, frames: bytes) -> None:
        """Whole events of a stream, in one write (contract H11); the first ones bring the head along."""
        if not self._client.head_sent:
            self._start(200, _SSE, self.relayed, None)
        self._write(frames)
        self.last_event_at = self.last_sent_at

    def comment(self, line: bytes) -> None:
        """A comment of ours, in a write of its own; it is no content, so it does not count as first byte."""
        if not self._client.head_sent:
            self._start(200, _SSE, self.relayed, None)
        self.last_sent_at = self._now()
        self._client.write(line)

    def end_of_stream(self, frames: bytes = b"") -> None:
        """The stream is complete; *frames* are its last, and leave in one write with the end."""
        if not frames:
            self._client.finish()
            return
        if not self._client.head_sent:
            self._start(200, _SSE, self.relayed, None)
        self._finish(frames)

    def failure(self, error: GatewayError) -> None:
        """*error* as the whole reply, or as the stream's last event: then without `[DONE]` (law 7, contract J1)."""
        if self._client.head_sent:
            self._client.finish(error_event(error))
            return
        if self._exchange.attempts > 1:
            error.should_retry = False  # the gateway has tried enough for both (contract G1)
        body = error_body(error)
        self._start(error.status, _lines(error_headers(error)), error.relayed, len(body))
        self._client.finish(b"" if self._client.method == "HEAD" else body)

    def _start(
        self,
        status: int,
        fields: bytes,
        relayed: Iterable[tuple[bytes, bytes]],
        length: int | None,
    ) -> None:
        self._exchange.status = status
        self._client.start(status, fields + _lines(relayed) + self._about_the_exchange(), length)

    def _write(self, piece: bytes) -> None:
        self._note(piece)
        self._client.write(piece)

    def _finish(self, piece: bytes) -> None:
        self._note(piece)
        self._client.finish(piece)

    def _note(self, piece: bytes) -> None:
        now = self._now()
        exchange = self._exchange
        if exchange.first_byte_at is None:
            exchange.first_byte_at = now
        self.last_sent_at = now
        exchange.bytes_out += len(piece)

    def _about_the_exchange(self) -> bytes:
        exchange = self._exchange
        if not exchange.attempts or exchange.upstream == NOBODY:
            return b"x-request-id: %b\r\n" % exchange.request_id.encode()
        its_id = exchange.upstream_request_id
        return b"x-request-id: %b\r\n%b%bserver-timing: %b\r\n" % (
            exchange.request_id.encode(),
            _about_the_upstream(
                exchange.upstream, exchange.model, exchange.attempts, exchange.dropped
            ),
            b"x-mindgate-upstream-request-id: %b\r\n" % _value(its_id) if its_id else b"",
            self._timing(),
        )

    def _timing(self) -> bytes:
        exchange, now = self._exchange, self._now()
        sent_at = exchange.sent_at if exchange.sent_at is not None else now
        answered_at = exchange.upstream_first_at or now
        upstream = max(answered_at - sent_at, 0.0)
        gateway = max(now - exchange.received_at - upstream, 0.0)
        return b"upstream;dur=%.1f, gateway;dur=%.1f" % (upstream * 1000, gateway * 1000)


@lru_cache(maxsize=1024)  # a client may name any model of an upstream that lists none
def _about_the_upstream(
    upstream: str, model: str, attempts: int, dropped: tuple[str, ...]
) -> bytes:
    return _lines(
        [
            (b"x-mindgate-upstream", _value(upstream)),
            *([(b"x-mindgate-model", _value(model))] if model else []),
            (b"x-mindgate-attempts", b"%d" % attempts),
            *([(b"x-mindgate-dropped", _value(",".join(dropped)))] if dropped else []),
        ]
    )


def _value(text: str) -> bytes:
    """*text* as a header's value, whatever it holds."""
    if text.isascii() and text.replace("-", "").replace("_", "").isalnum():
        return text.encode()  # what an id usually is: a tenth of the time that quoting takes
    return quote(text, safe=_HEADER_SAFE).encode()
