"""
Reads responses: bytes in; a head, its body and its end out. Knows no socket (reliability R15, S31).

However the bytes are cut, the same comes out. httptools finds the ends of lines, fields and chunks; what it lets pass
and two readers could read in two ways, is refused here. Bounded are the head (interim answers included), its fields,
the interim answers, and what may stand around a chunked body: chunk extensions and trailers.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NoReturn

import httptools

from app.wire.errors import HeadTooLarge, Malformed, TooManyFields, TooManyInterim
from app.wire.field_names import USUAL_NAMES
from app.wire.requests import Fields

_OPENINGS: Final = (b"HTTP/1.1 ", b"HTTP/1.0 ")
_OPENING_BYTES: Final = 9
_VERSIONS: Final = ("1.1", "1.0")
_SPACE: Final = ord(" ")  # behind which no blank stands
_INTERIM_BELOW: Final = 200
_SWITCHING_PROTOCOLS: Final = 101
_LOWEST_STATUS: Final = 100
_BODILESS: Final = (204, 304)
_NO_END: Final = float("inf")
_KEPT: Final = re.compile(rb"(?:^|[,\s])timeout\s*=\s*\"?(\d{1,9})", re.IGNORECASE)
_FAULTS: Final = (httptools.HttpParserError, httptools.HttpParserUpgrade)
_PADDING_PER_BYTE: Final = (
    16  # bytes of framing that one byte of a chunked body may bring, above the head's bound
)


@dataclass(frozen=True, slots=True)
class ReadingLimits:
    """What a response may bring (reliability R15). *head_bytes* bounds the padding of a chunked body as well."""

    head_bytes: int = 100 * 1024
    fields: int = 200
    interim: int = 10


class _Enough(Exception):
    """The parser has to read no further."""


class _Callbacks:
    """What httptools calls. It fetches each once, so that a list's `append` is called without a line of Python."""

    __slots__ = (
        "on_body",
        "on_header",
        "on_headers_complete",
        "on_message_begin",
        "on_message_complete",
    )

    on_body: Callable[[bytes], None]
    on_header: Callable[[bytes, bytes], None]
    on_headers_complete: Callable[[], None]
    on_message_begin: Callable[[], None]
    on_message_complete: Callable[[], None]


class ResponseReader:
    """The responses of one connection, one after the other: `expect` one, then `feed` until *is_over*.

    *status*: 0 until the head is complete; then *fields* are its fields, names in lower case.
    *failure*: why the response is over, when it is broken. *may_persist*: the connection may serve again after it.
    *head_bytes*: how much came until the head was complete. *kept_seconds*: how long the upstream says that it keeps
    an idle connection.
    """

    __slots__ = (
        "_body",
        "_collected",
        "_ends_with_connection",
        "_interim",
        "_is_head_request",
        "_limits",
        "_opening",
        "_padding_left",
        "_parse",
        "_parser",
        "failure",
        "fields",
        "head_bytes",
        "is_over",
        "kept_seconds",
        "may_persist",
        "status",
    )

    __deletable__ = ("_parse", "_parser")  # by `close`; compiled, only what is named here

    def __init__(self, limits: ReadingLimits) -> None:
        self._limits = limits
        self._body: list[bytes] = []
        self.fields: Fields = []
        self._collected: Fields = []
        callbacks = _Callbacks()
        callbacks.on_body = self._body.append
        callbacks.on_header = _collector(self._collected, limits.fields)
        callbacks.on_headers_complete = self._on_headers_complete
        callbacks.on_message_begin = self._on_message_begin
        callbacks.on_message_complete = self._on_message_complete
        self._parser = httptools.HttpResponseParser(callbacks)
        self._parse = self._parser.feed_data
        self.is_over = True
        self.may_persist = True
        self.kept_seconds = _NO_END
        self.expect("GET")

    def expect(self, method: str) -> None:
        """The next response answers a request of *method*; the last one is over and let the connection persist."""
        self.status = 0
        self.failure: Malformed | None = None
        self.is_over = False
        self._is_head_request = method == "HEAD"
        self._ends_with_connection = False
        self.head_bytes = 0
        self._interim = 0
        self._opening = b""
        self._collected.clear()  # the trailers of the last one

    def feed(self, data: bytes) -> bytes:
        """The bytes of the body within *data*, in one piece; b"" when there are none.

        What came before a fault is handed out with it. Nothing is raised; once *is_over*, nothing may be fed.
        """
        if not self.status:
            return self._feed_head(data)
        try:
            self._parse(data)
        except _FAULTS as fault:
            self._stopped_by(fault)
        piece = self._body.pop() if len(self._body) == 1 else self._joined()
        self._padding_left += (_PADDING_PER_BYTE + 1) * len(piece) - len(data)
        if self._padding_left < 0 and not self.is_over:
            self._fail(Malformed("a chunked body in too much padding"))
        return piece

    def eof(self) -> bool:
        """The connection ended. True when that is the response's proper end, which it then is."""
        if not self._ends_with_connection or self.is_over:
            return False
        self.is_over = True
        return True

    def close(self) -> None:
        """Nothing is fed any more; parser and reader let go of each other, so that no garbage collector has to."""
        del self._parser, self._parse

    def _feed_head(self, data: bytes) -> bytes:
        if len(self._opening) < _OPENING_BYTES:
            self._opening += data[: _OPENING_BYTES - len(self._opening)]
        self.head_bytes += len(data)
        excess = self.head_bytes - self._limits.head_bytes
        if excess > 0:
            return self._feed_last_of_head(data[:-excess], data[-excess:])
        try:
            self._parse(data)
        except _FAULTS as fault:
            self._stopped_by(fault)
        return self._body.pop() if len(self._body) == 1 else self._joined()

    def _feed_last_of_head(self, data: bytes, behind: bytes) -> bytes:
        """*data* ends where every head must have ended."""
        try:
            self._parse(data)
        except _FAULTS as fault:
            self._stopped_by(fault)
        piece = self._joined()
        if self.is_over:
            self.may_persist = False  # what is behind, is surplus
            return piece
        if not self.status:
            self._fail(HeadTooLarge())
            return b""
        return piece + self.feed(behind)

    def _stopped_by(self, fault: Exception) -> None:
        if self.is_over:
            self.may_persist = False  # the response is whole, and more than it came
        else:
            self._fail(Malformed(str(fault)))

    def _fail(self, failure: Malformed) -> None:
        self.failure = failure
        self.may_persist = False
        self.is_over = True

    def _joined(self) -> bytes:
        piece = b"".join(self._body)
        self._body.clear()
        return piece

    # --- called by httptools ------------------------------------------------------------------------------------------

    def _on_message_begin(self) -> None:
        if self.is_over:
            raise Malformed("more than the response")

    def _on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < _INTERIM_BELOW:
            self._check_interim(status)
            return
        self.fields = self._collected.copy()  # trailers are collected too, and seen by nobody
        self._collected.clear()
        names: dict[bytes, bytes] = {}
        for name, value in self.fields:
            names[name] = value  # noqa: PERF403  compiled, a third of what `dict` takes
        self._check_head(names)
        self.status = status
        self.may_persist = self._parser.should_keep_alive()
        self._padding_left = self._limits.head_bytes
        if b"keep-alive" in names:
            self.kept_seconds = _kept_seconds(names[b"keep-alive"])
        if self._is_head_request:
            self.is_over = True
            raise _Enough  # httptools cannot be told that no body follows
        if not self.may_persist:
            has_length = b"content-length" in names or b"transfer-encoding" in names
            self._ends_with_connection = not has_length and status not in _BODILESS

    def _on_message_complete(self) -> None:
        if self.status:
            self.is_over = True
            if not self._parser.should_keep_alive():
                self.may_persist = False  # a trailer may say so too, and the parser heeds it

    def _check_interim(self, status: int) -> None:
        names = dict(self._collected)
        self._collected.clear()
        self._interim += 1
        if names.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in names:
            self._refuse(Malformed("an interim answer with a body"))
        if status < _LOWEST_STATUS or status == _SWITCHING_PROTOCOLS:
            self._refuse(Malformed("a status that nobody asked for"))
        if self._interim > self._limits.interim:
            self._refuse(TooManyInterim())

    def _check_head(self, names: dict[bytes, bytes]) -> None:
        if self._opening not in _OPENINGS:
            self._refuse(Malformed("not HTTP/1.1"))
        if self._interim and self._parser.get_http_version() not in _VERSIONS:
            self._refuse(Malformed("not HTTP/1.1"))
        if len(self.fields) > self._limits.fields:
            self._refuse(TooManyFields())
        if b"transfer-encoding" in names and not self._is_plainly_chunked():
            self._refuse(Malformed("a transfer coding that nobody asked for"))

    def _is_plainly_chunked(self) -> bool:
        codings = [value.lower() for name, value in self.fields if name == b"transfer-encoding"]
        return codings == [b"chunked"] and self._parser.get_http_version() == "1.1"

    def _refuse(self, failure: Malformed) -> NoReturn:
        self._fail(failure)
        raise failure


def _collector(fields: Fields, most: int) -> Callable[[bytes, bytes], None]:
    """Adds to *fields*, up to one more than *most*. A closure, since it runs for each field: 0.12 µs, a method 0.15."""

    def collect(name: bytes, value: bytes) -> None:
        if len(fields) <= most:
            name = USUAL_NAMES.get(name) or name.lower()
            if value and value[-1] <= _SPACE:
                # httptools does not see "chunked" before a tab: left there, the coding is refused
                value = value.rstrip(b" " if name == b"transfer-encoding" else b" \t")
            fields.append((name, value))

    return collect


def _kept_seconds(keep_alive: bytes) -> float:
    """The `timeout` of a Keep-Alive field (RFC 2068, 19.7.1.1); without one, no end."""
    found = _KEPT.search(keep_alive)
    return int(found[1]) if found else _NO_END
