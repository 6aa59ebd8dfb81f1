"""
From the path a client asked for to the endpoint it means (contract A1 to A7, A12; upstreams O-P2, G8, section 8).

`/v1/models`, `/models`, `/v1/v1/models/`, `//v1//models` and `/v1/chat/completions/models` are one route; a
first segment that names an upstream pins it. Below a pin the upstream's own routes come first. Works on the raw path:
each segment is decoded once, and only where its text is needed.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from app.domain.errors import InvalidRequest
from app.protocol.endpoints import LITERAL_PATHS, Endpoint, find_endpoint
from app.protocol.native_paths import SOCKET, NativeMatch, NativePaths

_FORBIDDEN: Final = re.compile(r"[\x00-\x1f\x7f\\?#]")
_CHAT: Final = ("chat", "completions")
_NO_NATIVES: Final[Mapping[str, NativePaths]] = {}
NATIVE: Final = "native"  # the capability of every native route (upstreams N14)


@dataclass(frozen=True, slots=True)
class Target:
    """What a request line means. *endpoint* None: no such path on `/v1`. *provider*: the one in an OpenMind path.

    *native*: what the path is among the pinned upstream's own routes; None where it is none of them.
    """

    pin: str | None
    endpoint: Endpoint | None
    provider: str | None = None
    native: NativeMatch | None = None

    def capability(self, method: str) -> str | None:
        """What *method*, as `asked` has it, asks for here; None where the path does not take it.

        A native route wins over one of `/v1`.
        """
        if self.native is not None and self.native.takes(method):
            return NATIVE
        return self.endpoint.capabilities.get(method) if self.endpoint else None

    def asked(self, method: str, named: Mapping[bytes, bytes]) -> str:
        """*method* as the tables of routes have it: GET for HEAD (contract A11), SOCKET for the opening of a websocket
        where there is one, else GET too. *named*: the request's headers."""
        if method == "HEAD":
            return "GET"
        if method == "GET" and _wants_socket(named) and self.capability(SOCKET) is not None:
            return SOCKET
        return method

    @property
    def methods(self) -> tuple[str, ...]:
        """The HTTP methods that the path takes, in a fixed order; none for an unknown path, or one that is a
        websocket's alone (upstreams U2)."""
        own = self.native.methods if self.native else ()
        usual = self.endpoint.methods if self.endpoint else ()
        return tuple(sorted({*own, *usual} - {SOCKET}))


# Behind /v1 stands no pin, so a path of this table means the same whatever the upstreams are called.
_USUAL: Final = {
    f"/v1/{path}": Target(None, find_endpoint(tuple(path.split("/")))) for path in LITERAL_PATHS
}


def read_target(
    raw_path: str,
    upstreams: Collection[str],
    natives: Mapping[str, NativePaths] = _NO_NATIVES,
) -> Target:
    """The meaning of *raw_path*, percent-encoded as it came, where *upstreams* are the configured names and *natives*
    the routes of their own that some have."""
    return _USUAL.get(raw_path) or _target(raw_path, upstreams, natives)


def _wants_socket(named: Mapping[bytes, bytes]) -> bool:
    if b"upgrade" not in named or named[b"upgrade"].strip().lower() != b"websocket":
        return False
    tokens = named.get(b"connection", b"").lower().split(b",")
    return b"upgrade" in [token.strip() for token in tokens]


def _target(
    raw_path: str, upstreams: Collection[str], natives: Mapping[str, NativePaths]
) -> Target:
    segments = tuple(segment for segment in raw_path.split("/") if segment)
    pin: str | None = None
    native: NativeMatch | None = None
    if segments and segments[0] != "v1":
        first = unquote(segments[0])
        if first in upstreams:
            pin, segments = first, segments[1:]
            paths = natives.get(first)
            if paths is not None:
                native = paths.find(segments, ends_in_slash=raw_path.endswith("/"))
    while segments and segments[0] == "v1":
        segments = segments[1:]
    if segments == (*_CHAT, "models"):  # a whole endpoint as base URL (contract A5)
        segments = ("models",)
    endpoint = find_endpoint(segments)
    if endpoint is None and pin is not None and segments[1:] == _CHAT:
        return Target(pin, find_endpoint(_CHAT), unquote(segments[0]), native)
    return Target(pin, endpoint, native=native)


def path_text(segments: tuple[str, ...]) -> str:
    """A path parameter decoded once. Raises InvalidRequest on what could walk out of its place (contract A12)."""
    text = unquote("/".join(segments))
    if _FORBIDDEN.search(text) or any(part in (".", "..") for part in text.split("/")):
        raise InvalidRequest("The id in the path holds characters that no id may hold.", param="id")
    return text
