"""
The kinds of value a setting may hold, each with what would be right.

A check raises ValueError with a text that never holds the value itself: it may be a secret (reliability S19).
"""

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

_PRINTABLE = re.compile(r"[\x20-\x7e]+")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#@]+")
_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NATIVE_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "WS")
_PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")
_SHORTEST_PEPPER = 32
_LONGEST_LOGIN = 255  # RFC 1929: SOCKS counts them in one byte

# What frames a request, or is ours to say in each (upstreams G2, G3).
_RESERVED_HEADERS = {
    **dict.fromkeys(
        ("connection", "content-length", "content-type", "expect", "host", "keep-alive", "te"),
        "is set by the gateway itself",
    ),
    **dict.fromkeys(
        ("accept-encoding", "trailer", "transfer-encoding", "upgrade", "x-request-id"),
        "is set by the gateway itself",
    ),
    "user-agent": "has a setting of its own: user_agent",
}


def _number_not_bool(value: object) -> object:
    if isinstance(value, bool):
        # pydantic reports a ValueError, and lets a TypeError through.
        raise ValueError("needs a number")
    return value


def _text(value: str) -> str:
    stripped = value.strip()
    if not stripped:
        raise ValueError("must not be empty")
    if not stripped.isprintable():
        raise ValueError("must be one line of text")
    return stripped


def _header_text(value: str) -> str:
    stripped = value.strip()
    if not _PRINTABLE.fullmatch(stripped):
        raise ValueError("must be printable ASCII on one line, and not empty")
    return stripped


def _secret(value: SecretStr) -> SecretStr:
    return SecretStr(_header_text(value.get_secret_value()))


def _secret_text(value: SecretStr) -> SecretStr:
    return SecretStr(_text(value.get_secret_value()))


def _pepper(value: SecretStr) -> SecretStr:
    """Reliability S9."""
    secret = _secret_text(value)
    if len(secret.get_secret_value()) < _SHORTEST_PEPPER:
        raise ValueError(
            f"is shorter than {_SHORTEST_PEPPER} characters; make one with: openssl rand -hex 32"
        )
    return secret


def _folder(value: str) -> str:
    try:
        return str(Path(_text(value)).expanduser())
    except RuntimeError:
        raise ValueError("begins with ~ and a user that this machine does not have") from None


def _header_name(value: str) -> str:
    if not _TOKEN.fullmatch(value):
        raise ValueError("is not a header name")
    if reason := _RESERVED_HEADERS.get(value.lower()):
        raise ValueError(reason)
    return value


def _scheme(value: str) -> str:
    if value and not _TOKEN.fullmatch(value):
        raise ValueError('must be one word such as Bearer, or "" for the bare key')
    return value


def _host(value: str) -> str:
    host = _text(value)
    if host.startswith("[") and host.endswith("]"):
        return host[1:-1]
    if "/" in host or host.count(":") == 1:
        raise ValueError(
            "must be a bare host or address such as 127.0.0.1; the port is server.port"
        )
    return host


def _origin(value: str) -> str:
    if value != "*" and not _ORIGIN.fullmatch(value):
        raise ValueError("must be an origin such as https://app.example.com, without a path, or *")
    return value


def _url(value: str, schemes: tuple[str, str] = ("https", "http")) -> str:
    """Reliability S7."""
    url = _header_text(value)
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port != 0
    except ValueError:
        raise ValueError("is not a URL such as https://api.example.com/v1") from None
    if parts.scheme not in schemes:
        raise ValueError("must begin with {}:// or {}://".format(*schemes))
    if not parts.hostname or not port_is_valid or "\\" in url or " " in url:
        raise ValueError("is not a URL such as https://api.example.com/v1")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user or password; put the secret in api_key")
    if "#" in url:
        raise ValueError("must not hold a fragment (#…)")
    return url


def _proxy(value: SecretStr) -> SecretStr:
    """A proxy may ask for user and password, so its URL is a secret as a whole."""
    secret = _secret(value)
    wanted = "is not a proxy's URL such as http://proxy.example.com:3128"
    try:
        parts = urlsplit(secret.get_secret_value())
        port_is_valid = parts.port != 0
    except ValueError:
        raise ValueError(wanted) from None
    if parts.scheme not in _PROXY_SCHEMES:
        raise ValueError("must begin with http://, https://, socks5:// or socks5h://")
    if not parts.hostname or not port_is_valid or set(secret.get_secret_value()) & set(" \\"):
        raise ValueError(wanted)
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("must end behind the port")
    if any(len(part or "") > _LONGEST_LOGIN for part in (parts.username, parts.password)):
        raise ValueError(
            f"must not hold a user or password of more than {_LONGEST_LOGIN} characters"
        )
    return secret


def _base_url(value: str) -> str:
    url = _url(value)
    if urlsplit(url).path.rstrip("/").endswith("/chat/completions"):
        raise ValueError("must end before /chat/completions; the gateway adds the route's path")
    return url


def _socket_url(value: str) -> str:
    return _url(value, ("wss", "ws"))


def _native_path(value: str) -> str:
    """`METHOD /path`; `{x}` stands for one segment, a `*` at the end for the rest (upstreams N9)."""
    method, blank, path = value.strip().partition(" ")
    if method not in _NATIVE_METHODS or not blank:
        raise ValueError("must be a method and a path such as POST /api/v1/user/inference")
    _path(path)
    if "*" in path[:-1] or any(part in (".", "..") for part in path.split("/")):
        raise ValueError("may hold one *, as its end, and no . or .. for a segment")
    return f"{method} {path}"


def _path(value: str) -> str:
    if not value.startswith("/") or not _PRINTABLE.fullmatch(value) or set(value) & set("?#\\ "):
        raise ValueError("must be a path such as /v1/models")
    return value


def _path_or_url(value: str) -> str:
    return _path(value) if value.startswith("/") else _url(value)


def _segment(value: str) -> str:
    if not _SEGMENT.fullmatch(value):
        raise ValueError("must be letters, digits, dots, dashes and underscores")
    return value


def _body_member(value: str) -> str:
    if value in ("model", "messages"):
        raise ValueError(f"must not be {value}, which every request needs")
    return _text(value)


Whole = Annotated[int, BeforeValidator(_number_not_bool)]
Count = Annotated[Whole, Field(ge=1)]
Rate = Annotated[Whole, Field(ge=1, le=1_000_000_000)]
Tokens = Annotated[Whole, Field(ge=1, le=1_000_000_000_000_000)]  # sums of it fit into 64 bits
Number = Annotated[float, BeforeValidator(_number_not_bool), Field(allow_inf_nan=False)]
Seconds = Annotated[Number, Field(gt=0, le=86_400)]
SecondsOrZero = Annotated[Number, Field(ge=0, le=86_400)]
Megabytes = Annotated[Number, Field(gt=0, le=4_096)]

Text = Annotated[str, AfterValidator(_text)]
Folder = Annotated[str, AfterValidator(_folder)]
HeaderText = Annotated[str, AfterValidator(_header_text)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
Scheme = Annotated[str, AfterValidator(_scheme)]
Host = Annotated[str, AfterValidator(_host)]
Origin = Annotated[str, AfterValidator(_origin)]
ProxyUrl = Annotated[SecretStr, AfterValidator(_proxy)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
UrlPath = Annotated[str, AfterValidator(_path)]
UrlPathOrUrl = Annotated[str, AfterValidator(_path_or_url)]
SocketUrl = Annotated[str, AfterValidator(_socket_url)]
NativePath = Annotated[str, AfterValidator(_native_path)]
Segment = Annotated[str, AfterValidator(_segment)]
BodyMember = Annotated[str, AfterValidator(_body_member)]

# What is sent in a header, and what is only kept: a database URL may hold any character.
Secret = Annotated[SecretStr, AfterValidator(_secret)]
SecretText = Annotated[SecretStr, AfterValidator(_secret_text)]
Pepper = Annotated[SecretStr, AfterValidator(_pepper)]
