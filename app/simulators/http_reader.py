"""
A small, strict HTTP/1.1 request reader without I/O: bytes in, requests out.

It refuses what a sloppy gateway might send: bare line ends, folded or doubled framing headers, a
missing Host, another HTTP version. However the bytes are cut, the same requests come out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 64 * 1024 * 1024

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_REQUEST_LINE = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) (\S+) HTTP/1\.1")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class MalformedRequestError(Exception):
    """The bytes are no HTTP/1.1 request; the connection is of no further use."""


@dataclass(frozen=True, slots=True)
class Request:
    """One whole request as it came: header names in their own spelling, in order."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

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


class RequestReader:
    """Collects bytes and gives whole requests, in order; safe for pipelining."""

    def __init__(self) -> None:
        """Begin between two requests."""
        self._buffer = bytearray()
        self._searched = 0
        self._head: _Head | None = None
        self._chunks = _Chunks()
        self._continue_due = False

    def feed(self, data: bytes) -> None:
        """Append what arrived."""
        self._buffer += data

    def next_request(self) -> Request | None:
        """The next whole request; None when more bytes are needed. Raises MalformedRequestError."""
        if self._head is None and not self._read_head():
            return None
        head = self._head
        body = None if head is None else self._read_body(head)
        if head is None or body is None:
            return None
        self._head = None
        self._continue_due = False
        return Request(head.method, head.target, head.headers, body)

    def take_continue(self) -> bool:
        """True once for a request that waits for `100 Continue` before it sends its body."""
        due = self._continue_due
        self._continue_due = False
        return due

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n", max(0, self._searched - 3))
        if end < 0:
            self._searched = len(self._buffer)
        if (len(self._buffer) if end < 0 else end) > MAX_HEAD_BYTES:
            raise MalformedRequestError("request head too large")
        if end < 0:
            return False
        self._head = _parse_head(bytes(self._buffer[:end]).decode("latin-1"))
        del self._buffer[: end + 4]
        self._searched = 0
        self._chunks = _Chunks()
        self._continue_due = self._head.expects_continue
        return True

    def _read_body(self, head: _Head) -> bytes | None:
        if head.length is None:
            return self._chunks.take(self._buffer)
        if len(self._buffer) < head.length:
            return None
        body = bytes(memoryview(self._buffer)[: head.length])
        del self._buffer[: head.length]
        return body


class _Chunks:
    """A chunked body in the making."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._total = 0
        self._last_seen = False

    def take(self, buffer: bytearray) -> bytes | None:
        """The whole body once its last chunk and trailers are in *buffer*, else None."""
        while not self._last_seen:
            if not self._take_one(buffer):
                return None
        if buffer[:2] == b"\r\n":
            del buffer[:2]
            return b"".join(self._parts)
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        del buffer[: end + 4]
        return b"".join(self._parts)

    def _take_one(self, buffer: bytearray) -> bool:
        end = buffer.find(b"\r\n", 0, 1024)
        if end < 0:
            if len(buffer) > 1024:
                raise MalformedRequestError("chunk size line too long")
            return False
        size_text = bytes(buffer[:end]).split(b";")[0]
        if not _CHUNK_SIZE.fullmatch(size_text):
            raise MalformedRequestError("bad chunk size")
        size = int(size_text, 16)
        self._last_seen = size == 0
        if self._last_seen:
            del buffer[: end + 2]
            return True
        if self._total + size > MAX_BODY_BYTES:
            raise MalformedRequestError("request body too large")
        start, stop = end + 2, end + 2 + size
        if len(buffer) < stop + 2:
            return False
        if buffer[stop : stop + 2] != b"\r\n":
            raise MalformedRequestError("chunk without its line end")
        self._parts.append(bytes(memoryview(buffer)[start:stop]))
        self._total += size
        del buffer[: stop + 2]
        return True


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
    if int(lengths[0]) > MAX_BODY_BYTES:
        raise MalformedRequestError("request body too large")
    return int(lengths[0])
