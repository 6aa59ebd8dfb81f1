"""
uvicorn's HTTP, with the bounds of a head that it lacks, our error shape, and no upgrade.

An offered upgrade is one more header to ignore (RFC 9110 7.8; contract B8, R4): httptools takes what follows such
a head for another protocol's bytes, so the body was lost, or read as the next request. Java's HttpClient offers
`h2c` with every POST. A target above 8 KiB and a header block above 64 KiB are refused (contract A13, F34), and
what is no HTTP is told so in the one envelope (contract F10).
"""

from array import array
from http import HTTPStatus
from typing import Any

import httptools
from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.domain.errors import ClientError, HeadersTooLarge, InvalidRequest, TargetTooLong
from app.edge.request_ids import new_request_id
from app.protocol.errors import error_body, error_headers

MAX_TARGET_BYTES = 8 * 1024
MAX_HEADER_BYTES = 64 * 1024
_FIELD_FRAMING = len(b": \r\n")
_FRAMING = (b"content-length", b"transfer-encoding")


class _Parser(httptools.HttpRequestParser):
    """A parser that hands the bytes behind an offered upgrade back to its *protocol*."""

    def __init__(self, protocol: "PlainHttp") -> None:
        super().__init__(protocol)
        self._protocol = protocol

    @override
    def feed_data(self, data: "bytes | bytearray | memoryview | array[int]") -> None:
        try:
            super().feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._protocol.stay(bytes(data)[offer.args[0] :])


class PlainHttp(HttpToolsProtocol):
    """One connection that stays HTTP/1.1 whatever a request offers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.parser = _Parser(self)
        self._is_head_known = False
        self._is_in_head = False
        self._header_bytes = 0
        self._unread_bytes = 0  # of a head that goes on from read to read
        self._is_refused = False

    @override
    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        self._unset_keepalive_if_required()
        was_in_head = self._is_in_head
        try:
            self.parser.feed_data(data)
            self._bound_head(len(data) if was_in_head else 0)
        except httptools.HttpParserCallbackError as error:
            if not isinstance(error.__context__, ClientError):
                raise
            self._refuse(error.__context__)
        except httptools.HttpParserError:
            self._refuse(InvalidRequest("The request is not valid HTTP/1.1."))
        except ClientError as error:
            self._refuse(error)

    def _bound_head(self, read_bytes: int) -> None:
        """Raises HeadersTooLarge for a field that never ends: the parser shows it only when it is complete."""
        self._unread_bytes = self._unread_bytes + read_bytes if self._is_in_head else 0
        if self._unread_bytes > MAX_TARGET_BYTES + MAX_HEADER_BYTES:
            raise _headers_too_large()

    def _refuse(self, error: ClientError) -> None:
        """The connection's last reply; none where another is on its way, whose bytes it would be mistaken for."""
        self._is_refused = True
        is_replying = self.cycle is not None and not self.cycle.response_complete  # type: ignore[redundant-expr] # None until the first
        if not is_replying:
            body = error_body(error)
            fields = [
                *error_headers(error),
                (b"content-length", b"%d" % len(body)),
                (b"x-request-id", new_request_id().encode()),
                (b"connection", b"close"),
            ]
            phrase = HTTPStatus(error.status).phrase.encode()
            lines = b"".join(b"%b: %b\r\n" % pair for pair in fields)
            self.transport.write(
                b"HTTP/1.1 %d %b\r\n%b\r\n%b" % (error.status, phrase, lines, body)
            )
        self.transport.close()

    def stay(self, rest: bytes) -> None:
        """*rest*, behind a head that offered an upgrade, is that request's body and whatever follows it."""
        framing = [pair for pair in self.headers if pair[0] in _FRAMING]
        self.parser = _Parser(self)
        if framing:
            self.cycle.more_body = True
            self._is_head_known = True  # until a fresh parser has been told how the body is framed
            lines = b"".join(b"%b: %b\r\n" % pair for pair in framing)
            self.parser.feed_data(b"POST / HTTP/1.1\r\n" + lines + b"\r\n")
        if rest:
            self.parser.feed_data(rest)

    @override
    def on_message_begin(self) -> None:
        if not self._is_head_known:
            self._is_in_head = True
            self._header_bytes = self._unread_bytes = 0
            super().on_message_begin()

    @override
    def on_url(self, url: bytes) -> None:
        if not self._is_head_known:
            super().on_url(url)
            if len(self.url) > MAX_TARGET_BYTES:
                raise TargetTooLong(
                    f"The request target is longer than {MAX_TARGET_BYTES // 1024} KiB."
                )

    @override
    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._is_head_known:
            self._header_bytes += len(name) + len(value) + _FIELD_FRAMING
            if self._header_bytes > MAX_HEADER_BYTES:
                raise _headers_too_large()
            super().on_header(name, value)

    @override
    def on_headers_complete(self) -> None:
        self._is_in_head = False
        if not self._is_head_known:
            super().on_headers_complete()
        self._is_head_known = False


def _headers_too_large() -> HeadersTooLarge:
    return HeadersTooLarge(f"The request headers are larger than {MAX_HEADER_BYTES // 1024} KiB.")
