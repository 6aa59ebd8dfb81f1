"""
What the head of a request must be, and what it is refused with.

The parser takes more than HTTP/1.1 allows: other versions, no Host or two, a coding besides `chunked`, a target with
a fragment (reliability F4). What is missing stands here, and is asked before a task begins (F6). Bounds: contract
A13, F34; reliability R1.
"""

import re
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

import httptools

from app.domain.errors import (
    ClientError,
    HeadersTooLarge,
    InvalidRequest,
    RequestTimedOut,
    RequestTooLarge,
    TargetTooLong,
    UnsupportedMediaType,
)
from app.protocol.headers import HeaderList, named

MAX_TARGET_BYTES: Final = 8 * 1024
MAX_HEADER_BYTES: Final = 64 * 1024
MAX_FIELDS: Final = 100

_FIELD_FRAMING: Final = len(b": \r\n")
# RFC 3986: a bracketed address or a name, and perhaps a port. An empty one names nobody.
_HOST: Final = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~%!$&'()*+,;=]+)(:[0-9]*)?")
_NO_HTTP: Final = "The request is not valid HTTP/1.1"


class Target:
    """What is asked for. *path* and *query*: as they came; *plain_path*: percent-decoded.

    *authority*: of an absolute target; b"" when it had none.
    """

    __slots__ = ("authority", "path", "plain_path", "query", "raw_path", "raw_query")

    def __init__(self, raw_path: bytes, raw_query: bytes, authority: bytes) -> None:
        self.raw_path = raw_path
        self.path = path = raw_path.decode("latin-1")
        self.plain_path = unquote(path) if "%" in path else path
        self.raw_query = raw_query
        self.query = raw_query.decode("latin-1")
        self.authority = authority


@lru_cache(maxsize=64)  # a client asks for the same few again and again
def read_target(url: bytes) -> Target:
    """The request target *url*. Raises InvalidRequest for one that is no path and no http address."""
    authority, rest = b"", url
    if not url.startswith(b"/") and url != b"*":
        authority, rest = _absolute(url)
    if b"#" in rest:
        raise not_http("a request target has no fragment")
    raw_path, _, raw_query = rest.partition(b"?")
    return Target(raw_path, raw_query, authority)


def _absolute(url: bytes) -> tuple[bytes, bytes]:
    scheme, _, rest = url.partition(b"://")
    if scheme.lower() not in (b"http", b"https"):
        raise not_http("its target is neither a path nor an http address")
    authority, mark, query = rest.partition(b"?")
    authority, slash, path = authority.partition(b"/")
    return authority, b"/" + path + mark + query if slash or mark else b"/"


@lru_cache(maxsize=64)  # what passes is the same few again and again; what is refused is not kept
def check_framing(version: str, coding: bytes | None, host: bytes | None, authority: bytes) -> None:
    """Raises InvalidRequest for what two readers could understand in two ways (reliability S1, S2).

    *coding* and *host*: the values of Transfer-Encoding and Host. *authority*: the target's. Content-Length beside
    Transfer-Encoding, and either of them twice, the parser refuses.
    """
    if version != "1.1" and version != "1.0":
        raise not_http(f"its version is {version}")
    if coding is not None and (version == "1.0" or coding.lower() != b"chunked"):
        raise not_http("Transfer-Encoding may only be chunked")
    if host is None:
        if version == "1.1":
            raise not_http("it has no Host")
    elif not is_host(host):
        raise not_http("its Host names no host")
    if authority and authority.lower() != (host or authority).lower():
        raise not_http("its target and its Host differ")


def is_host(value: bytes) -> bool:
    """True for a host as RFC 3986 writes it, with or without a port."""
    return _HOST.fullmatch(value) is not None


def fields_by_name(fields: HeaderList) -> dict[bytes, bytes]:
    """The first value of each name. Raises InvalidRequest for two Hosts."""
    if sum(name == b"host" for name, _ in fields) > 1:
        raise not_http("it has more than one Host")
    return named(fields)


def without_underscores(fields: HeaderList) -> HeaderList:
    """*fields* but for names with `_`, which another server might read as `-` (reliability S3)."""
    return [pair for pair in fields if b"_" not in pair[0]]


def check_size(fields: HeaderList) -> None:
    """Raises HeadersTooLarge for a block above 64 KiB."""
    size = sum(len(name) + len(value) + _FIELD_FRAMING for name, value in fields)
    if size > MAX_HEADER_BYTES:
        raise headers_too_large()


def check_coding(coding: bytes) -> None:
    """Raises UnsupportedMediaType for a Content-Encoding that changes the bytes."""
    name = coding.strip().lower()
    if name not in (b"identity", b""):
        raise UnsupportedMediaType(
            f"Content-Encoding '{name.decode('latin-1')[:40]}' is not supported: "
            "send the request uncompressed."
        )


def body_too_large(most_bytes: int) -> RequestTooLarge:
    """Contract F33."""
    return RequestTooLarge(f"The request body is larger than {most_bytes / 1024 / 1024:g} MB.")


def not_http(reason: str = "") -> InvalidRequest:
    """What is no HTTP/1.1, or is it in two ways at once (contract F10)."""
    return InvalidRequest(f"{_NO_HTTP}: {reason}." if reason else f"{_NO_HTTP}.")


def target_too_long() -> TargetTooLong:
    """Contract F34."""
    return TargetTooLong(f"The request target is longer than {MAX_TARGET_BYTES // 1024} KiB.")


def headers_too_large() -> HeadersTooLarge:
    """Contract F34."""
    return HeadersTooLarge(f"The request headers are larger than {MAX_HEADER_BYTES // 1024} KiB.")


def too_many_headers() -> HeadersTooLarge:
    """Reliability R1."""
    return HeadersTooLarge(f"The request has more than {MAX_FIELDS} header fields.")


def request_timed_out() -> RequestTimedOut:
    """Contract F32."""
    return RequestTimedOut("The request was not received in time.")


def refusal(error: Exception) -> ClientError:
    """What the client is told for *error*, which the parser raised. A defect of ours is raised again."""
    if isinstance(error, ClientError):
        return error
    if isinstance(error, httptools.HttpParserCallbackError):
        if isinstance(error.__context__, ClientError):
            return error.__context__
        raise error
    return not_http()
