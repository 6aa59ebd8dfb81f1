"""
From the path a client asked for to the endpoint it means (contract A1 to A7, A12; upstreams O-P2, G8).

`/v1/models`, `/models`, `/v1/v1/models/`, `//v1//models` and `/v1/chat/completions/models` are one route; a
first segment that names an upstream pins it. Works on the raw path: each segment is decoded once, and only
where its text is needed.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import unquote

from app.domain.errors import InvalidRequest
from app.protocol.endpoints import LITERAL_PATHS, Endpoint, find_endpoint

_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\?#]")
_CHAT = ("chat", "completions")


@dataclass(frozen=True, slots=True)
class Target:
    """What a request line means. *endpoint* None: no such path. *provider*: the one in an OpenMind path."""

    pin: str | None
    endpoint: Endpoint | None
    provider: str | None = None


# Behind /v1 stands no pin, so a path of this table means the same whatever the upstreams are called.
_USUAL = {
    f"/v1/{path}": Target(None, find_endpoint(tuple(path.split("/")))) for path in LITERAL_PATHS
}


def read_target(raw_path: str, upstreams: Collection[str]) -> Target:
    """The meaning of *raw_path*, percent-encoded as it came, where *upstreams* are the configured names."""
    return _USUAL.get(raw_path) or _target(raw_path, upstreams)


def _target(raw_path: str, upstreams: Collection[str]) -> Target:
    segments = tuple(segment for segment in raw_path.split("/") if segment)
    pin: str | None = None
    if segments and segments[0] != "v1":
        first = unquote(segments[0])
        if first in upstreams:
            pin, segments = first, segments[1:]
    while segments and segments[0] == "v1":
        segments = segments[1:]
    if segments == (*_CHAT, "models"):  # a whole endpoint as base URL (contract A5)
        segments = ("models",)
    endpoint = find_endpoint(segments)
    if endpoint is None and pin is not None and segments[1:] == _CHAT:
        return Target(pin, find_endpoint(_CHAT), provider=unquote(segments[0]))
    return Target(pin, endpoint)


def path_text(segments: tuple[str, ...]) -> str:
    """A path parameter decoded once. Raises InvalidRequest on what could walk out of its place (contract A12)."""
    text = unquote("/".join(segments))
    if _FORBIDDEN.search(text) or any(part in (".", "..") for part in text.split("/")):
        raise InvalidRequest("The id in the path holds characters that no id may hold.", param="id")
    return text
