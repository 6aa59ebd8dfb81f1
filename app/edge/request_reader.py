"""
Bytes in, requests out: one connection's input, in order.

A request is handed on when its head is complete and checked; its body goes into it as it comes. Headers are final
from then on: trailer fields reach nobody (reliability F7). An offered upgrade is one more header to ignore (RFC 9110
7.8; contract B8, R4): the parser takes what follows such a head for another protocol's bytes, where it is that
request's body. Java's HttpClient offers `h2c` with every POST. Only behind the opening of a websocket, which may be
accepted, nothing is read before it was answered.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

import httptools

from app.edge.client_request import ClientRequest
from app.edge.head_rules import (
    MAX_FIELDS,
    MAX_HEADER_BYTES,
    MAX_TARGET_BYTES,
    check_framing,
    check_size,
    fields_by_name,
    headers_too_large,
    not_http,
    read_target,
    refusal,
    target_too_long,
    too_many_headers,
    without_underscores,
)
from app.edge.wire_side import Wire
from app.protocol.headers import HeaderList
from app.wire.field_names import USUAL_NAMES
from app.wire.handshake import is_offer

_FRAMING: Final = (b"content-length", b"transfer-encoding")
_METHODS: Final = {
    name.encode(): name for name in ("GET", "POST", "DELETE", "HEAD", "OPTIONS", "PUT")
}
# What chunks may cost beside their content: six times for single bytes, and room for trailers and extensions.
_CHUNK_COST: Final = 8
_CHUNK_ROOM_BYTES: Final = 64 * 1024
_UNDERSCORE: Final = ord("_")
_MOST_HEADS: Final = 64  # in one read: behind a chunked body nobody has counted them before


class RequestReader:
    """Reads requests for *wire* and hands each to *take*.

    *is_between*: no byte of a further request has come. *request*: the one whose body is not complete yet.
    *offer*: the one that wants to become a websocket; *behind*: what came behind its head in the same read. Whose those
    bytes are, its reply decides: nothing more may be fed before *offer* was set back to None.
    """

    __slots__ = (
        "_body_bytes",
        "_fields",
        "_has_underscore",
        "_head_bytes",
        "_head_reads",
        "_heads",
        "_is_head_known",
        "_is_last",
        "_is_offer",
        "_named",
        "_parser",
        "_pieces",
        "_read_bytes",
        "_take",
        "_url",
        "_wire",
        "behind",
        "is_between",
        "offer",
        "on_body",
        "on_message_begin",
        "on_url",
        "request",
    )

    __deletable__ = ("_parser", "on_message_begin")  # by `close`; compiled, only what is named here

    def __init__(self, wire: Wire, take: Callable[[ClientRequest], None]) -> None:
        self._wire = wire
        self._take = take
        self.request: ClientRequest | None = None
        self.offer: ClientRequest | None = None
        self.behind = b""
        self.is_between = True
        self._is_last = False  # the client said so: what follows is no request
        self._url: list[bytes] = []
        self._pieces: list[bytes] = []  # of a body, from this read
        self._fields: HeaderList = []
        self._named: dict[bytes, bytes] = {}  # the last one of each name
        self._has_underscore = False  # in one of the names
        self._is_offer = False
        self._is_head_known = False
        self._read_bytes = 0  # of this read
        self._heads = 0  # in it
        self._head_reads = 0  # that ended inside this head
        self._head_bytes = 0  # of them, without the first
        self._body_bytes = 0  # read since this head, framing included
        # What the parser calls to no other end than to leave something here: no Python runs for it.
        self.on_message_begin = partial(setattr, self, "is_between", False)
        self.on_url = self._url.append
        self.on_body = self._pieces.append
        self._parser = httptools.HttpRequestParser(self)

    def feed(self, data: bytes, heads: int = 0) -> None:
        """*data* is read. Raises ClientError for what is refused; nothing can be read behind it. *heads*: how many the
        same read held before."""
        self._read_bytes = len(data)
        self._heads = heads
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            rest = data[offer.args[0] :]
        except httptools.HttpParserError as error:
            if self._is_last:
                return
            raise refusal(error) from None
        else:
            if not self.is_between:
                self._bound()
            return
        self._stay(
            rest
        )  # not while that is handled: what is refused in the rest would be taken for its consequence

    def close(self) -> None:
        """Nothing is read any more. The parser holds this object, and this one the parser."""
        del self._parser, self.on_message_begin

    def _bound(self) -> None:
        """This read ended inside a request. Raises ClientError for a field, or trailers, that never end: the parser
        shows a field when it is complete."""
        request = self.request
        if request is not None:
            request.add(self._pieces, is_last=False)
            self._pieces.clear()
            self._body_bytes += self._read_bytes
            if self._body_bytes > request.size * _CHUNK_COST + _CHUNK_ROOM_BYTES:
                raise not_http("its chunks hold too little")
            return
        self._url[:] = [b"".join(self._url)]
        if len(self._url[0]) > MAX_TARGET_BYTES:
            raise target_too_long()
        if self._head_reads:
            self._head_bytes += self._read_bytes
            if self._head_bytes > MAX_TARGET_BYTES + MAX_HEADER_BYTES:
                raise headers_too_large()
        self._head_reads += 1

    # --- called by the parser, in this order, beside `on_message_begin`, `on_url` and `on_body` -------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head; or of the trailers, which `on_message_complete` drops."""
        usual = USUAL_NAMES.get(name)
        if usual is None:
            usual = name.lower()
            if _UNDERSCORE in usual:
                self._has_underscore = True
        self._fields.append((usual, value))
        self._named[usual] = value

    def on_headers_complete(self) -> None:
        """The head is complete."""
        url, fields, named = b"".join(self._url), self._fields, self._named
        has_underscore = self._has_underscore
        self._url.clear()
        self._fields, self._named, self._has_underscore = [], {}, False
        if self._is_head_known:
            self._is_head_known = False
            return
        self._heads += 1
        if self._heads > _MOST_HEADS:
            raise not_http("it stands behind too many others")
        if len(url) > MAX_TARGET_BYTES:
            raise target_too_long()
        if len(fields) > MAX_FIELDS:
            raise too_many_headers()
        if self._head_reads or self._read_bytes > MAX_HEADER_BYTES:
            check_size(fields)
            self._head_reads = self._head_bytes = 0
        if len(named) != len(fields):
            named = fields_by_name(fields)
        if has_underscore:
            fields = without_underscores(fields)
        parser = self._parser
        version, target = parser.get_http_version(), read_target(url)
        coding, host = named.get(b"transfer-encoding"), named.get(b"host")
        check_framing(version, coding, host, target.authority)
        method = parser.get_method()
        self.request = request = ClientRequest(
            self._wire,
            _METHODS.get(method) or _rare_method(method),
            target,
            fields,
            named,
            version,
            parser.should_keep_alive(),
        )
        self._body_bytes = -self._read_bytes
        self._is_offer = b"upgrade" in named and parser.should_upgrade()
        self._take(request)

    def on_message_complete(self) -> None:
        """The request is complete, unless what follows an offered upgrade is its body."""
        if self._is_offer:
            return
        if self._fields:  # trailers
            self._fields, self._named, self._has_underscore = [], {}, False
        request, self.request = self.request, None
        self.is_between = True
        if request is not None:
            self._is_last = not request.keep_alive
            request.add(self._pieces, is_last=True)
            self._pieces.clear()

    def _stay(self, rest: bytes) -> None:
        """*rest*, behind a head that offered an upgrade, is that request's body and whatever follows it."""
        request = self.request
        self._parser = httptools.HttpRequestParser(self)
        self._is_offer = False
        framing = [pair for pair in request.headers if pair[0] in _FRAMING] if request else []
        if framing:
            self._is_head_known = True  # until a fresh parser has been told how the body is framed
            lines = b"".join(b"%b: %b\r\n" % pair for pair in framing)
            self._parser.feed_data(b"POST / HTTP/1.1\r\nhost: x\r\n" + lines + b"\r\n")
        else:
            self.on_message_complete()
        if request is not None and not framing and _is_socket(request):
            self.offer, self.behind, request.is_offer = request, rest, True
        elif rest:
            self.feed(rest, self._heads)


def _is_socket(request: ClientRequest) -> bool:
    return request.method == "GET" and request.version == "1.1" and is_offer(request.named)


def _rare_method(method: bytes) -> str:
    """Raises InvalidRequest for CONNECT, behind which stands no HTTP."""
    if method == b"CONNECT":
        raise not_http("this is no tunnel")
    return method.decode("ascii")
