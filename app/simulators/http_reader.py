"""
A small, strict HTTP/1.1 request reader without I/O: bytes in, requests out.

It refuses what a sloppy gateway might send: bare line ends, folded or doubled framing headers, a
missing Host, another HTTP version. However the bytes are cut, the same requests come out.

A form is read as it comes and may be long: what is not kept of it is counted and hashed.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from app.simulators.form_reader import Form, FormReader

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 64 * 1024 * 1024
MAX_FORM_BYTES = 1024 * 1024 * 1024
KEPT_FORM_BYTES = 1024 * 1024  # of a form as it came; of a longer one remain size, hash and parts

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_REQUEST_LINE = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) (\S+) HTTP/1\.1")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class MalformedRequestError(Exception):
    """The bytes are no HTTP/1.1 request; the connection is of no further use."""


@dataclass(frozen=True, slots=True)
class Request:
    """One whole request as it came: header names in their own spelling, in order.

    *form* is what a multipart body held; of one above KEPT_FORM_BYTES *body* is empty. *size*
    and *sha256* are of the body as it came; it is not *is_whole* while more is to come.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    size: int
    sha256: str
    form: Form | None = None
    is_whole: bool = True

    def values(self, name: str) -> list[str]:
        """Every value of the header *name*, without regard to case, in order."""
        return [value for key, value in self.headers if key.lower() == name]

    def header(self, name: str) -> str | None:
        """The first value of the header *name* (lower case), or None."""
        return next(iter(self.values(name)), None)


@dataclass(frozen=True, slots=True)
class _Head:
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    length: int | None  # None: chunked
    expects_continue: bool


class _Body:
    """A body in the making: counted and hashed as it comes, a form read as well."""

    def __init__(self, head: _Head) -> None:
        content_type = next((v for n, v in head.headers if n.lower() == "content-type"), "")
        is_form = content_type.lower().startswith("multipart/form-data")
        self.most_bytes = MAX_FORM_BYTES if is_form else MAX_BODY_BYTES
        self._form = FormReader(content_type) if is_form else None
        self._kept = bytearray()
        self._digest = hashlib.sha256()
        self.size = 0

    def feed(self, piece: bytes) -> None:
        """Take what came. Raises MalformedRequestError when it is too much."""
        self.size += len(piece)
        if self.size > self.most_bytes:
            raise MalformedRequestError("request body too large")
        self._digest.update(piece)
        if self._form is not None:
            self._form.feed(piece)
        if self._form is None or self.size <= KEPT_FORM_BYTES:
            self._kept += piece
        else:
            self._kept.clear()

    def request(self, head: _Head, is_whole: bool) -> Request:
        """The request with what came of its body."""
        return Request(
            head.method,
            head.target,
            head.headers,
            bytes(self._kept),
            self.size,
            self._digest.hexdigest(),
            None if self._form is None else self._form.form(),
            is_whole,
        )


class RequestReader:
    """Collects bytes and gives whole requests, in order; safe for pipelining."""

    def __init__(self) -> None:
        """Begin between two requests."""
        self._buffer = bytearray()
        self._searched = 0
        self._head: _Head | None = None
        self._body: _Body | None = None
        self._left = 0  # bytes of a body with a length that are still to come
        self._chunks = _Chunks()
        self._continue_due = False

    def feed(self, data: bytes) -> None:
        """Append what arrived."""
        self._buffer += data

    def next_request(self) -> Request | None:
        """The next whole request; None when more bytes are needed. Raises MalformedRequestError."""
        if self._head is None and not self._read_head():
            return None
        head, body = self._head, self._body
        if head is None or body is None or not self._read_body(head, body):
            return None
        self._head = None
        self._continue_due = False
        return body.request(head, is_whole=True)

    def take_continue(self) -> bool:
        """True once for a request that waits for `100 Continue` before it sends its body."""
        due = self._continue_due
        self._continue_due = False
        return due

    def unfinished(self) -> Request | None:
        """The request whose body is still coming, with what came of it; None between two."""
        if self._head is None or self._body is None:
            return None
        return self._body.request(self._head, is_whole=False)

    def coming(self) -> tuple[tuple[tuple[str, str], ...], int] | None:
        """Headers of the request whose body is coming, and how much came; None between two."""
        if self._head is None or self._body is None:
            return None
        return self._head.headers, self._body.size

    def take_rest(self) -> bytes:
        """What came behind the last request, for another protocol."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n", max(0, self._searched - 3))
        if end < 0:
            self._searched = len(self._buffer)
        if (len(self._buffer) if end < 0 else end) > MAX_HEAD_BYTES:
            raise MalformedRequestError("request head too large")
        if end < 0:
            return False
        head = _parse_head(bytes(self._buffer[:end]).decode("latin-1"))
        del self._buffer[: end + 4]
        self._searched = 0
        self._head, self._body = head, _Body(head)
        self._left = head.length or 0
        if self._left > self._body.most_bytes:
            raise MalformedRequestError("request body too large")
        self._chunks = _Chunks()
        self._continue_due = head.expects_continue
        return True

    def _read_body(self, head: _Head, body: _Body) -> bool:
        """Whether the body is whole."""
        if head.length is None:
            return self._chunks.take(self._buffer, body)
        self._left -= _move(self._buffer, body, self._left)
        return self._left == 0


class _Chunks:
    """A chunked body in the making."""

    def __init__(self) -> None:
        self._left = 0  # bytes of this chunk that are still to come
        self._end_is_due = False
        self._last_seen = False

    def take(self, buffer: bytearray, body: _Body) -> bool:
        """Whether the last chunk and its trailers were in *buffer*."""
        while not self._last_seen:
            if not self._take_one(buffer, body):
                return False
        if buffer[:2] == b"\r\n":
            del buffer[:2]
            return True
        end = buffer.find(b"\r\n\r\n")
        if end < 0 and len(buffer) > MAX_HEAD_BYTES:
            raise MalformedRequestError("trailers too large")
        del buffer[: end + 4 if end >= 0 else 0]
        return end >= 0

    def _take_one(self, buffer: bytearray, body: _Body) -> bool:
        if self._left:
            self._left -= _move(buffer, body, self._left)
            return self._left == 0
        if self._end_is_due:
            return self._take_line_end(buffer)
        end = buffer.find(b"\r\n", 0, 1024)
        if end < 0:
            if len(buffer) > 1024:
                raise MalformedRequestError("chunk size line too long")
            return False
        size_text = bytes(buffer[:end]).split(b";")[0]
        if not _CHUNK_SIZE.fullmatch(size_text):
            raise MalformedRequestError("bad chunk size")
        del buffer[: end + 2]
        self._left = int(size_text, 16)
        if self._left > body.most_bytes:
            raise MalformedRequestError("request body too large")
        self._last_seen = self._left == 0
        self._end_is_due = not self._last_seen
        return True

    def _take_line_end(self, buffer: bytearray) -> bool:
        if len(buffer) < 2:
            return False
        if buffer[:2] != b"\r\n":
            raise MalformedRequestError("chunk without its line end")
        del buffer[:2]
        self._end_is_due = False
        return True


def _move(buffer: bytearray, body: _Body, most: int) -> int:
    """How many bytes went from *buffer* to *body*, *most* of them at most."""
    count = min(most, len(buffer))
    if count:
        body.feed(bytes(memoryview(buffer)[:count]))
        del buffer[:count]
    return count


def _parse_head(text: str) -> _Head:
    first, *lines = text.split("\r\n")
    line = _REQUEST_LINE.fullmatch(first)
    if line is None:
        raise MalformedRequestError("bad request line")
    headers = tuple(_parse_header(one) for one in lines)
    if sum(name.lower() == "host" for name, _ in headers) != 1:
        raise MalformedRequestError("exactly one Host header is needed")
    method, target = line.group(1), line.group(2)
    expects = any(n.lower() == "expect" and v.lower() == "100-continue" for n, v in headers)
    length = _body_length(headers)
    return _Head(method, target, headers, length, expects and length != 0)


def _parse_header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
        raise MalformedRequestError("bad header line")
    return name, value.strip(" \t")


def _body_length(headers: tuple[tuple[str, str], ...]) -> int | None:
    lengths = [value for name, value in headers if name.lower() == "content-length"]
    codings = [value.lower() for name, value in headers if name.lower() == "transfer-encoding"]
    if codings:
        if codings != ["chunked"] or lengths:
            raise MalformedRequestError("framing must be chunked or a length, once")
        return None
    if not lengths:
        return 0
    if len(lengths) > 1 or not re.fullmatch(r"[0-9]{1,12}", lengths[0]):
        raise MalformedRequestError("bad Content-Length")
    return int(lengths[0])
