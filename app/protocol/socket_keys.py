"""
The key of a client that opens a websocket: a browser's, and many a vendor's, can set no header, so that it may stand in
the URL (upstreams N11). Of no other request is a URL looked at for a key.
"""

from urllib.parse import unquote_plus

from app.protocol.headers import HeaderList, client_key

_PARAMETER = "api_key"
_CARRIER = b"x-api-key"


def with_query_key(headers: HeaderList, query: str) -> HeaderList:
    """*headers*, and the key that *query* carries where they carry none, in a carrier of theirs."""
    if client_key(headers):
        return headers
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if value and unquote_plus(name) == _PARAMETER:
            return [*headers, (_CARRIER, unquote_plus(value).encode("latin-1", "replace"))]
    return headers
