"""
Where an upstream's websocket is, and what opens it: the upstream's key where its service wants it (upstreams N3, N4,
N11, 7.2).
"""

from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from app.protocol.headers import HeaderList
from app.upstreams.relayed_request import without_keys
from app.upstreams.upstream import Upstream

_KEY_PARAMETERS = {"openmind": "api_key"}  # the rest want their key where HTTP has it
_SCHEMES = {"http": "ws", "https": "wss"}
_HTTP_ONLY = (b"accept-encoding",)


@dataclass(frozen=True, slots=True)
class SocketAddress:
    """What a handshake is made of. Both hold secrets, so its `repr` shows neither."""

    url: str = field(repr=False)
    fields: HeaderList = field(repr=False)


def socket_address(
    upstream: Upstream, url: str, *, query: str = "", request_id: str = ""
) -> SocketAddress:
    """*url*, of a websocket of *upstream*, with its credential. *query*: the client's as it came; a key in it stays
    behind."""
    parameter = _KEY_PARAMETERS.get(upstream.entry.dialect)
    left_out: tuple[bytes, ...] = _HTTP_ONLY
    parts = [without_keys(query), upstream.query]
    if parameter is not None:
        credential = upstream.entry.credential or upstream.dialect.credential
        left_out = (*left_out, credential.header.lower().encode())
        key = upstream.entry.api_key
        parts.append(f"{parameter}={quote(key.get_secret_value(), safe='')}" if key else "")
    fields = [one for one in upstream.headers if one[0] not in left_out]
    if request_id:
        fields.append((b"x-request-id", request_id.encode()))
    joined = "&".join(part for part in parts if part)
    address = socket_url(url)
    return SocketAddress(f"{address}?{joined}" if joined else address, fields)


def socket_base(upstream: Upstream) -> str:
    """What stands before the path of *upstream*'s websockets (upstreams N3)."""
    return (upstream.entry.websocket_base or socket_url(upstream.base_url)).rstrip("/")


def socket_url(url: str) -> str:
    """*url* as a websocket's."""
    scheme = urlsplit(url).scheme
    return _SCHEMES.get(scheme, scheme) + url[len(scheme) :]
