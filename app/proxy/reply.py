"""
The reply to one client: its headers, and the moments that count (contract C1, C3, C4, C8, D16).

The head waits until there is something to send, so that an error found before then has a status of its own
(contract F8, J10). Writing does not wait, but for the last of a reply that the client is slow to take.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final, Protocol
from urllib.parse import quote

from app.domain.errors import Draining, GatewayError
from app.domain.exchange import NOBODY, Exchange
from app.domain.limits import RateHeaders
from app.protocol.errors import error_body, error_event, error_headers
from app.protocol.headers import JSON_HEADERS, SSE_HEADERS, HeaderList
from app.proxy.client_connection import ClientConnection

_SMALL_BYTES: Final = 64 * 1024  # what a connection takes without being full
_TAIL_BYTES: Final = (
    512  # of a reply that the client is slow to take: held back until the exchange is booked
)
_PROGRESS_BYTES: Final = 64 * 1024  # of a stream, between two notes of how far it has come (J4)
# characters of a model's name in a header, and of one that is remembered
_LONGEST_MODEL: Final = 512
_HEADER_SAFE: Final = " !#$%&'()*+,/:;<=>?@[]^_`{|}~"


def _lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join([b"%b: %b\r\n" % (name, value) for name, value in headers])


_DONE_ONCE: Final = frozenset(("files", "fine_tuning", "fine_tuning.more", "datasets", "native"))
_RATE_LIMIT: Final = b"x-ratelimit-"
_JSON: Final = _lines(JSON_HEADERS)
_SSE: Final = _lines(SSE_HEADERS)


class Books(Protocol):
    """Where the exchange is charged."""

    def progress(self, exchange: Exchange) -> None:
        """What it would be charged if the gateway died now is kept."""
        ...

    def book(self, exchange: Exchange) -> Awaitable[None] | None:
        """It is charged; what is returned, if anything, is awaited before its last byte leaves."""
        ...


class Reply:
    """Writes one reply. *relayed*: the upstream's own headers that may pass; known once it has answered.

    *books*: the exchange is booked before the last byte of any reply is handed to the client, so that nobody has an
    answer whole that the ledger does not know (reliability J5).
    """

    __slots__ = (
        "_books",
        "_exchange",
        "_is_cuttable",
        "_note_at_bytes",
        "_now",
        "_tail",
        "client",
        "last_event_at",
        "last_sent_at",
        "relayed",
    )

    def __init__(
        self,
        client: ClientConnection,
        exchange: Exchange,
        now: Callable[[], float],
        books: Books,
    ) -> None:
        self.relayed: HeaderList = []
        self.last_sent_at = self.last_event_at = exchange.received_at
        self.client = client
        self._exchange = exchange
        self._now = now
        self._books = books
        self._note_at_bytes = _PROGRESS_BYTES
        self._is_cuttable = False  # a body with no place for an error in it
        self._tail: bytes | None = None  # what is left when all the rest waits for the client

    @property
    def has_begun(self) -> bool:
        """True once the status has left: from then on an error is an event in the stream."""
        return self.client.head_sent

    async def whole(self, body: bytes, status: int = 200) -> None:
        """The complete JSON reply, its length told (contract E8). Returns when the client has taken most of it: one
        that leaves before that is gone, not served."""
        self._start(status, _JSON, self.relayed, len(body))
        if self.client.method == "HEAD":
            body = b""
        else:
            self._note(body)
        if len(body) > _SMALL_BYTES or self.client.is_full:
            body = await self._hand_over(body, len(body) - _TAIL_BYTES)
        booking = self._end(body)
        if booking is not None:
            await booking

    def events(self, frames: bytes) -> None:
        """Whole events of a stream, in one write (contract H11); the first ones bring the head along."""
        if not self.client.head_sent:
            self._start(200, _SSE, self.relayed, None)
        exchange, now = self._exchange, self._now()
        if exchange.first_byte_at is None:
            exchange.first_byte_at = now
            if exchange.on_first is not None:
                exchange.on_first(frames)
        exchange.bytes_out += len(frames)
        self.last_event_at = self.last_sent_at = now
        self.client.write(frames)
        if exchange.bytes_out >= self._note_at_bytes:
            self._note_at_bytes = exchange.bytes_out + _PROGRESS_BYTES
            self._books.progress(exchange)

    def comment(self, line: bytes) -> None:
        """A comment of ours, in a write of its own; it is no content, so it does not count as first byte."""
        if not self.client.head_sent:
            self._start(200, _SSE, self.relayed, None)
        self.last_sent_at = self._now()
        self.client.write(line)

    async def end_of_stream(self, frames: bytes = b"") -> None:
        """The stream is complete; *frames* are its last, and leave in one write with the end. Returns as `whole`."""
        if frames:
            if not self.client.head_sent:
                self._start(200, _SSE, self.relayed, None)
            self._note(frames)
        if len(frames) > _SMALL_BYTES or self.client.is_full:
            last_event_at = frames.rfind(b"\n\n", 0, -2) + 2  # H11
            frames = await self._hand_over(frames, last_event_at)
        booking = self._end(frames)
        if booking is not None:
            await booking

    def begin(self, status: int, fields: HeaderList, length: int | None) -> None:
        """The head of a body that is passed on as it comes, by `piece` and `end_of_body`. *length* as in `start`."""
        self._is_cuttable = True
        self._start(status, _lines(fields), self.relayed, length)

    def piece(self, piece: bytes) -> None:
        """The next bytes of that body."""
        self._note(piece)
        self.client.write(piece)

    async def end_of_body(self, last: bytes = b"") -> None:
        """That body is complete with *last*, held back until the exchange is booked. Returns as `whole`."""
        if last:
            self._note(last)
        if len(last) > _SMALL_BYTES or self.client.is_full:
            last = await self._hand_over(last, 0)
        booking = self._end(last)
        if booking is not None:
            await booking

    def failure(self, error: GatewayError) -> None:
        """*error* as the whole reply, or as the stream's last event: then without `[DONE]` (law 7, contract J1). A body
        that is passed on as it comes is cut short instead (contract L10)."""
        if self._tail is not None:  # all there is was on its way
            self._books.book(self._exchange)
            self.client.finish(self._tail)
            return
        if self.client.head_sent:
            self._books.book(self._exchange)
            if self._is_cuttable:
                self.client.cut()
            else:
                self.client.finish(error_event(error))
            return
        if self._exchange.attempts > 1:
            error.should_retry = False  # the gateway has tried enough for both (contract G1)
        elif isinstance(error, Draining) and _may_be_done(self._exchange):
            error.should_retry = False
        body = error_body(error)
        self._start(error.status, _lines(error_headers(error)), error.relayed, len(body))
        self._books.book(self._exchange)
        self.client.finish(b"" if self.client.method == "HEAD" else body)

    async def _hand_over(self, last: bytes, tail_at: int) -> bytes:
        """What is left of *last*, with which a reply ends that takes a while: all before *tail_at* has gone ahead, and
        the client has taken most of that."""
        tail_at = max(tail_at, 0)
        self.client.write(last[:tail_at])
        tail = self._tail = last[tail_at:]
        if self.client.is_full:
            self._books.progress(self._exchange)  # all of it is known, and this may take long
            taken = asyncio.Event()
            self.client.when_room(taken.set)
            await taken.wait()
        return tail

    def _end(self, last: bytes) -> Awaitable[None] | None:
        """The reply ends with *last*, behind its booking: at once, or when what is returned has been awaited."""
        booked = self._books.book(self._exchange)
        if booked is not None:
            self._tail = last
            return self._end_behind(booked, last)
        self.client.finish(last)
        return None

    async def _end_behind(self, booked: Awaitable[None], last: bytes) -> None:
        await booked
        self.client.finish(last)

    def _start(
        self,
        status: int,
        fields: bytes,
        relayed: Sequence[tuple[bytes, bytes]],
        length: int | None,
    ) -> None:
        exchange = self._exchange
        exchange.status = status
        rate = exchange.rate
        lines = [fields]
        if rate is not None:
            lines.append(rate.lines)
        for name, value in relayed:
            if rate is None or not _is_replaced(name, rate):
                lines.append(b"%b: %b\r\n" % (name, value))
        lines.append(self._about_the_exchange())
        self.client.start(status, b"".join(lines), length)

    def _note(self, leaving: bytes) -> None:
        """*leaving*, of the body, is about to leave."""
        now = self._now()
        exchange = self._exchange
        if exchange.first_byte_at is None:
            exchange.first_byte_at = now
            if exchange.on_first is not None:
                exchange.on_first(leaving)
        self.last_sent_at = now
        exchange.bytes_out += len(leaving)

    def _about_the_exchange(self) -> bytes:
        exchange = self._exchange
        if not exchange.attempts or exchange.upstream == NOBODY:
            return b"x-request-id: %b\r\n" % exchange.request_id.encode()
        # A client may name any model, at any length, of an upstream that lists none.
        is_usual = len(exchange.model) <= _LONGEST_MODEL
        about = _about_a_known_upstream if is_usual else _about_the_upstream
        its_id, now = exchange.upstream_request_id, self._now()
        sent_at = exchange.sent_at if exchange.sent_at is not None else now
        upstream = (exchange.upstream_first_at or now) - sent_at
        if upstream < 0.0:
            upstream = 0.0
        gateway = now - exchange.received_at - upstream
        # In tenths of a millisecond, whole: a float takes three times as long to format.
        theirs = int(upstream * 10_000 + 0.5)
        ours = int(gateway * 10_000 + 0.5) if gateway > 0.0 else 0
        return (
            b"x-request-id: %b\r\n%b%bserver-timing: upstream;dur=%d.%d, gateway;dur=%d.%d\r\n"
            % (
                exchange.request_id.encode(),
                about(exchange.upstream, exchange.model, exchange.attempts, exchange.dropped),
                b"x-mindgate-upstream-request-id: %b\r\n" % _value(its_id) if its_id else b"",
                theirs // 10,
                theirs % 10,
                ours // 10,
                ours % 10,
            )
        )


def _may_be_done(exchange: Exchange) -> bool:
    """Whether the upstream may have what makes or changes a thing, and would do it twice (contract G3)."""
    has_left = exchange.method != "GET" and exchange.sent_at is not None
    return has_left and exchange.endpoint in _DONE_ONCE


def _is_replaced(name: bytes, rate: RateHeaders) -> bool:
    """Whether the key's own limits stand where the upstream would tell of its account's (contract C5)."""
    return name.startswith(_RATE_LIMIT) and (
        (rate.requests and name.endswith(b"-requests"))
        or (rate.tokens and name.endswith(b"-tokens"))
    )


def _about_the_upstream(
    upstream: str, model: str, attempts: int, dropped: tuple[str, ...]
) -> bytes:
    return _lines(
        [
            (b"x-mindgate-upstream", _value(upstream)),
            *([(b"x-mindgate-model", _value(model[:_LONGEST_MODEL]))] if model else []),
            (b"x-mindgate-attempts", b"%d" % attempts),
            *([(b"x-mindgate-dropped", _value(",".join(dropped)))] if dropped else []),
        ]
    )


_about_a_known_upstream = lru_cache(maxsize=1024)(_about_the_upstream)


def _value(text: str) -> bytes:
    """*text* as a header's value, whatever it holds."""
    if text.isascii() and text.replace("-", "").replace("_", "").isalnum():
        return text.encode()  # what an id usually is: a tenth of the time that quoting takes
    return quote(text, safe=_HEADER_SAFE).encode()
