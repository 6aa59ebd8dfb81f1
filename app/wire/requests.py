"""A request as it goes onto the wire. What is the same each time is rendered once: a `RequestHead`."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from typing_extensions import override

Fields = list[tuple[bytes, bytes]]

_BODILESS: Final = ("GET", "HEAD", "DELETE", "OPTIONS")  # without a body they state no length
_BREAKS: Final = b"\r\n\0"
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """Where a request goes: connections are shared within one origin."""

    scheme: str
    host: str
    port: int


class RequestHead:
    """The unchanging part of a request: method, address and the fields that each one carries.

    *block* is it as bytes, open for further fields. Raises ValueError for an address that is no HTTP URL and for a
    field that holds a line break.
    """

    __slots__ = ("block", "fields", "method", "origin", "url")

    def __init__(self, method: str, url: str, fields: Fields) -> None:
        parts = urlsplit(url)
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
            raise ValueError("not an http or https URL")
        self.method = method
        self.url = url
        self.fields = fields
        self.origin = Origin(
            parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme]
        )
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        host = parts.netloc.rpartition("@")[2]
        if not target.isprintable() or " " in target + host:
            raise ValueError("not an http or https URL: it holds a blank")
        start = f"{method} {target} HTTP/1.1\r\nhost: {host}\r\n".encode("ascii")
        self.block = start + field_lines(fields)

    @override
    def __repr__(self) -> str:
        """Without the address and the fields, which hold secrets."""
        return f"RequestHead({self.method!r})"


def field_lines(fields: Fields) -> bytes:
    """The lines of *fields*. Raises ValueError for one that holds a line break: it would smuggle another field in."""
    lines = b""
    for name, value in fields:  # a few at most
        lines += b"%b: %b\r\n" % (name, value)
    if len(lines) - len(lines.translate(None, _BREAKS)) != 2 * len(fields):
        raise ValueError("a header field holds a line break")
    return lines


def opening(head: RequestHead, fields: Fields, body: "bytes | Upload") -> bytes:
    """All that comes before *body*: the head with *fields* and the body's framing. A POST has a length, be it 0.

    Raises ValueError for a field that holds a line break.
    """
    start = head.block + field_lines(fields) if fields else head.block
    if isinstance(body, bytes):
        if not body and head.method in _BODILESS:
            return start + b"\r\n"
        return b"%bcontent-length: %d\r\n\r\n" % (start, len(body))
    if body.length is None:
        return start + b"transfer-encoding: chunked\r\n\r\n"
    return b"%bcontent-length: %d\r\n\r\n" % (start, body.length)


@dataclass(frozen=True, slots=True)
class Upload:
    """A body that comes piece by piece. *length* in bytes; None: it is sent in chunks."""

    pieces: AsyncIterator[bytes]
    length: int | None = None
