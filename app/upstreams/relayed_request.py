"""
A client's request as it goes on to an upstream, where nothing but its address and its credential changes (upstreams G1,
G2, N10).
"""

from typing import NamedTuple
from urllib.parse import quote, unquote_plus

from app.protocol.headers import HeaderList
from app.upstreams.client import UpstreamRequest
from app.upstreams.upstream import Upstream
from app.wire.requests import RequestHead, Upload

# A key may stand in the query, under this name or one much like it; it never goes on.
_KEY_PARAMETERS = frozenset({"key", "apikey", "xapikey", "accesstoken"})
_NO_LETTERS = str.maketrans("", "", "_-[] ")


class Relayed(NamedTuple):
    """What goes on. *path*: encoded, behind the base URL, or a whole URL. *query*: the client's, as it came."""

    method: str
    path: str
    query: str = ""
    body: bytes | Upload = b""
    content_type: bytes = b""


def relayed_request(
    upstream: Upstream, relayed: Relayed, *, headers: HeaderList, request_id: str
) -> UpstreamRequest:
    """*relayed* for *upstream*, with those of the client's *headers* that may pass. A GET alone may be repeated
    (upstreams G7)."""
    fields = [field for field in headers if field[0] in upstream.client_headers]
    if relayed.content_type:
        fields.append((b"content-type", relayed.content_type))
    fields.append((b"x-request-id", request_id.encode()))
    url = upstream.url(relayed.path, without_keys(relayed.query))
    head = RequestHead(relayed.method, url, upstream.headers)
    is_repeatable = relayed.method in ("GET", "HEAD")
    return UpstreamRequest(head, fields, relayed.body, repeatable=is_repeatable)


def without_keys(query: str) -> str:
    """*query* as it came, but for the parameters that carry a key."""
    if not query:
        return ""
    parts = query.split("&")
    return "&".join([part for part in parts if not _carries_key(part)])


def _carries_key(part: str) -> bool:
    name = unquote_plus(part.partition("=")[0])
    return name.translate(_NO_LETTERS).lower() in _KEY_PARAMETERS


def segment(text: str) -> str:
    """*text* as one segment of a path."""
    return quote(text, safe="")
