"""
The opening handshake of a websocket, as bytes (RFC 6455, 4): what a server answers, and what a client asks and checks.
"""

import base64
import binascii
import logging
import re
from collections.abc import Mapping, Sequence
from typing import Final

from websockets.client import ClientProtocol
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI
from websockets.utils import accept_key

from app.wire.errors import Malformed
from app.wire.requests import Fields

_KEY_BYTES = 16
_NOWHERE = WebSocketURI(False, "", 80, "/", "")  # the library's part begins behind the request
_OWN = frozenset(
    (
        *(b"host", b"connection", b"upgrade", b"content-length", b"transfer-encoding"),
        *(b"sec-websocket-key", b"sec-websocket-version", b"sec-websocket-accept"),
        *(b"sec-websocket-protocol", b"sec-websocket-extensions"),
    )
)
_SUBPROTOCOL = re.compile(rb"(?:^|\n)sec-websocket-protocol:[ \t]*([^\r\n]*)", re.IGNORECASE)
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")

# For the library: what it logs holds heads and frames, so secrets and content (reliability S20).
SILENT: Final = logging.getLogger("mindgate.websockets")
SILENT.disabled = True


class BadHandshake(Exception):
    """What a client asked is no opening of a websocket; *args[0]* is a sentence about it."""


# --- the server's end -------------------------------------------------------------------------------------------------


def is_offer(named: Mapping[bytes, bytes]) -> bool:
    """True for the fields of a request that wants to become a websocket; that the connection's own field says so,
    too, is for the parser to see."""
    return named.get(b"upgrade", b"").strip().lower() == b"websocket"


def acceptance(fields: Fields) -> bytes:
    """The lines by which a server accepts the request with *fields*. Raises BadHandshake."""
    values: dict[bytes, list[bytes]] = {}
    for name, value in fields:
        values.setdefault(name, []).append(value.strip())
    if values.get(b"sec-websocket-version") != [b"13"]:
        raise BadHandshake("Sec-WebSocket-Version has to be 13")
    keys = values.get(b"sec-websocket-key", [])
    if len(keys) != 1 or not _is_key(keys[0]):
        raise BadHandshake("Sec-WebSocket-Key has to be 16 bytes in base64")
    accept = accept_key(keys[0].decode("ascii")).encode("ascii")
    return b"upgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: %b\r\n\r\n" % accept


def chosen_subprotocol(lines: bytes) -> str:
    """The subprotocol that a server's *lines* name, "" where they name none."""
    found = _SUBPROTOCOL.search(lines)
    return found[1].strip().decode("latin-1") if found else ""


def _is_key(key: bytes) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == _KEY_BYTES
    except binascii.Error:
        return False


# --- the client's end -------------------------------------------------------------------------------------------------


class ClientHandshake:
    """One opening by a client. *fields*: its own fields of the request. *subprotocol*: as the server chose, once
    checked."""

    __slots__ = ("_protocol", "fields", "subprotocol")

    def __init__(self, subprotocols: Sequence[str]) -> None:
        names = [Subprotocol(name) for name in subprotocols]
        self._protocol = ClientProtocol(_NOWHERE, subprotocols=names or None, logger=SILENT)
        self.subprotocol = ""
        self.fields: Fields = [
            (b"upgrade", b"websocket"),
            (b"connection", b"Upgrade"),
            (b"sec-websocket-key", self._protocol.key.encode("ascii")),
            (b"sec-websocket-version", b"13"),
        ]
        if names:
            self.fields.append((b"sec-websocket-protocol", ", ".join(names).encode("latin-1")))

    def check(self, head: bytes) -> None:
        """*head*, a whole answer with 101, opens the websocket. Raises Malformed for one that does not."""
        self._protocol.receive_data(head)
        if self._protocol.handshake_exc is not None:
            raise Malformed("an answer to the opening of a websocket that does not open it")
        self.subprotocol = self._protocol.subprotocol or ""
        self._protocol.parser.close()  # its frame refers to it


def without_handshake(fields: Fields) -> Fields:
    """*fields* but for those that a handshake writes itself."""
    return [pair for pair in fields if pair[0].lower() not in _OWN]


def status_of(head: bytes) -> int:
    """The status of a whole *head*. Raises Malformed for one that is no answer."""
    found = _STATUS.match(head)
    if found is None:
        raise Malformed("not HTTP/1.1")
    return int(found[1])
