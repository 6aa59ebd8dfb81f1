"""
Paths that are an upstream's own: an allow-list matched on a raw path, and the path that goes on (upstreams 8, G1).

Nothing a client writes walks: each segment is decoded once, checked and encoded again whole, so that it is one segment
upstream too. What a path of the list asks for is told by its row; no other path leads anywhere.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, unquote

from app.domain.errors import InvalidRequest
from app.domain.principal import Native

SOCKET = "WS"  # stands for a method where a websocket is opened

Place = Literal["base", "socket", "root", "host", "riva_asr", "vila"]
Meter = Literal["", "characters", "seconds"]

_PARAMETER = re.compile(r"\{\w+\}")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\/?#;]")


@dataclass(frozen=True, slots=True)
class NativeRoute:
    """One row. *kind*: its class (N12). *methods*: HTTP's, or SOCKET.

    *path*: `{x}` stands for one segment; a `*` at the end for the rest, at or below it. One that ends in `/` is sent
    so. *place*: what stands before the path upstream. *metered*: what it costs by. *is_shared*: what it touches may be
    anybody's on the upstream's account, so that a key with `resources: own` may not.
    """

    kind: Native
    methods: tuple[str, ...]
    path: str
    place: Place
    metered: Meter = ""
    is_shared: bool = False


@dataclass(frozen=True, slots=True)
class NativeMatch:
    """A path of the list. *routes*: the row of each method it takes. *segments*: as they came, none empty."""

    routes: Mapping[str, NativeRoute]
    segments: tuple[str, ...]
    ends_in_slash: bool = False

    def takes(self, method: str) -> bool:
        """True when the list has *method* here; SOCKET asks for a websocket."""
        return method in self.routes

    @property
    def methods(self) -> tuple[str, ...]:
        """The HTTP methods that the path takes, in a fixed order; none where it is a websocket's alone."""
        return tuple(sorted(method for method in self.routes if method != SOCKET))

    def path(self, route: NativeRoute) -> str:
        """The path that goes on, by *route*. Raises InvalidRequest for a segment that could walk (contract A12)."""
        path = "".join(f"/{quote(segment_text(one), safe='')}" for one in self.segments)
        return path + "/" if _Shape(route.path).sends_slash(self) else path

    def parameter(self, route: NativeRoute, name: str) -> str:
        """What stands for `{name}` of *route*, decoded. Raises InvalidRequest as `path` does."""
        return segment_text(self.segments[_Shape(route.path).parts.index(f"{{{name}}}")])


class NativePaths:
    """An upstream's allow-list. Of two rows that take the same method of a path, the first counts."""

    __slots__ = ("_anywhere", "_rows")

    def __init__(self, routes: Iterable[NativeRoute]) -> None:
        self._rows: dict[str, list[tuple[_Shape, NativeRoute]]] = {}
        self._anywhere: list[tuple[_Shape, NativeRoute]] = []
        for route in routes:
            shape = _Shape(route.path)
            first = shape.parts[0] if shape.parts else ""
            is_literal = bool(first) and not _PARAMETER.fullmatch(first)
            rows = self._rows.setdefault(first, []) if is_literal else self._anywhere
            rows.append((shape, route))

    def find(self, segments: tuple[str, ...], *, ends_in_slash: bool = False) -> NativeMatch | None:
        """What *segments*, raw and not empty, stand for; None for a path that is not of the list."""
        if not segments:
            return None
        rows = self._rows.get(unquote(segments[0]))
        if rows is None and not self._anywhere:
            return None
        routes: dict[str, NativeRoute] = {}
        for shape, route in (*(rows or ()), *self._anywhere):
            if shape.fits(segments):
                for method in route.methods:
                    routes.setdefault(method, route)
        return NativeMatch(routes, segments, ends_in_slash) if routes else None


class _Shape:
    """A row's path, read. *glob*: None without a `*`, else how the first segment of the rest must begin."""

    __slots__ = ("glob", "has_slash", "parts")

    def __init__(self, path: str) -> None:
        self.has_slash = path.endswith("/")
        parts = path.strip("/").split("/")
        self.glob: str | None = parts.pop()[:-1] if path.endswith("*") else None
        self.parts = tuple(part for part in parts if part)

    def fits(self, segments: tuple[str, ...]) -> bool:
        rest = segments[len(self.parts) :]
        if len(segments) < len(self.parts) or (rest and self.glob is None):
            return False
        if self.glob and not (rest and unquote(rest[0]).startswith(self.glob)):
            return False
        return all(
            _PARAMETER.fullmatch(part) or unquote(segment) == part
            for part, segment in zip(self.parts, segments, strict=False)
        )

    def sends_slash(self, match: NativeMatch) -> bool:
        """Behind a `*` the client's own; but a collection that a row names is sent as the row has it."""
        if self.glob is None:
            return self.has_slash
        return match.ends_in_slash or len(match.segments) == len(self.parts)


def segment_text(segment: str) -> str:
    """*segment* decoded once. Raises InvalidRequest for what could be more, or elsewhere, than one segment of a path:
    also where a second decoding, by whoever does that, would make it so (contract A12)."""
    try:
        text = unquote(segment, errors="strict")
    except UnicodeDecodeError:
        raise _refused() from None
    for one in (text, unquote(text)):
        if one in ("", ".", "..") or _FORBIDDEN.search(one):
            raise _refused()
    return text


def _refused() -> InvalidRequest:
    return InvalidRequest(
        "The path holds characters that no part of a path may hold.", param="path"
    )
