"""
A model name → the Route that serves it, in the order of architecture 5.

1, 2 a pin · 3 `upstream/model` · 4 a route or alias · 5 a catalogue · 6 patterns · 7 the default upstream.
Only upstreams that have the capability asked for are looked at (upstreams G8).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from app.domain.configuration import RouteEntry
from app.domain.errors import InvalidRequest, UnsupportedEndpoint, unknown_model
from app.domain.routes import OTHER, Deployment, Route
from app.routing.catalogue import Catalogue
from app.upstreams.upstream import Upstream

_AUDIO: Final = frozenset(("audio.speech", "audio.transcriptions", "realtime.transcription"))  # G8


@dataclass(frozen=True, slots=True)
class Operation:
    """What is asked for: a capability of the matrix, and the words for it, as `POST /v1/chat/completions`."""

    capability: str
    words: str


class RoutingTable:
    """What the configuration says about names, over what the catalogue knows."""

    def __init__(
        self,
        upstreams: Mapping[str, Upstream],
        routes: tuple[RouteEntry, ...],
        default_upstream: str | None,
        catalogue: Catalogue,
    ) -> None:
        self._upstreams = upstreams
        self._routes = {entry.name: entry for entry in routes if "*" not in entry.name}
        self._patterns = [entry for entry in routes if "*" in entry.name]
        self._default = default_upstream
        self._catalogue = catalogue
        self._configured = frozenset(target for entry in routes for target in entry.targets)

    @property
    def names(self) -> tuple[str, ...]:
        """The routes and aliases that stand for themselves: those without a wildcard."""
        return tuple(self._routes)

    def named(self, name: str) -> Route:
        """The Route of one of `names`."""
        return self._route_of(name, self._routes[name].targets)

    def resolve(self, name: str, *, operation: Operation, pin: str | None) -> Route:
        """The Route of *name*. Raises ModelNotFound; UnsupportedEndpoint where no upstream meant can do *operation*."""
        if pin is not None:
            upstream = self.pinned(pin, operation)
            return Route(name, (self._deployment(upstream, name.removeprefix(f"{pin}/")),))
        prefix, slash, rest = name.partition("/")
        if slash and rest and prefix in self._upstreams:
            return Route(name, (self._deployment(self.pinned(prefix, operation), rest),))
        return self._named(name, operation) or self._claimed(name, operation)

    def pinned(self, pin: str, operation: Operation) -> Upstream:
        """The upstream called *pin*. Raises InvalidRequest when there is none, UnsupportedEndpoint (U1)."""
        upstream = self._upstreams.get(pin)
        if upstream is None:
            raise InvalidRequest(
                f"The upstream '{pin}' is not configured here. Known: {', '.join(self._upstreams)}.",
                code="unknown_upstream",
            )
        if not upstream.supports(operation.capability):
            raise UnsupportedEndpoint(f"Upstream '{pin}' does not support {operation.words}.")
        return upstream

    def able(self, operation: Operation) -> list[Upstream]:
        """The upstreams that can do *operation*, as configured. Raises UnsupportedEndpoint when there is none (U1)."""
        found = [one for one in self._upstreams.values() if one.supports(operation.capability)]
        if not found:
            raise UnsupportedEndpoint(f"No configured upstream supports {operation.words}.")
        return found

    def is_settled(self, name: str, pin: str | None) -> bool:
        """True when no catalogue that is still to come could change who serves *name*."""
        if self._catalogue.is_complete or pin is not None or name in self._routes:
            return True
        return name.partition("/")[0] in self._upstreams or any(
            self._catalogue.find(one, name) for one in self._upstreams.values()
        )

    def _named(self, name: str, operation: Operation) -> Route | None:
        entry = self._routes.get(name)
        if entry is None:
            matching = (row for row in self._patterns if fnmatchcase(name, row.name))
            entry = next(matching, None)
        if entry is None:
            return None
        able = tuple(
            target
            for target in entry.targets
            if self._upstreams[target.partition("/")[0]].supports(operation.capability)
        )
        if not able:
            raise UnsupportedEndpoint(
                f"No upstream of the model `{name}` supports {operation.words}."
            )
        return self._route_of(name, able)

    def _route_of(self, name: str, targets: tuple[str, ...]) -> Route:
        parts = (target.partition("/") for target in targets)
        deployments = tuple(
            self._deployment(self._upstreams[upstream], model) for upstream, _, model in parts
        )
        return Route(name, deployments, is_named=True)

    def _claimed(self, name: str, operation: Operation) -> Route:
        able = self.able(operation)
        for upstream in self._claims(name, able, operation):
            return Route(name, (self._deployment(upstream, name),))
        raise unknown_model(name)

    def _claims(self, name: str, able: list[Upstream], operation: Operation) -> Iterator[Upstream]:
        yield from (one for one in able if self._catalogue.find(one, name) is not None)
        yield from (one for one in able if _claims_by_pattern(one, name, operation))
        yield from (one for one in able if one.name == self._default)

    def _deployment(self, upstream: Upstream, model: str) -> Deployment:
        is_known = (
            f"{upstream.name}/{model}" in self._configured
            or self._catalogue.find(upstream, model) is not None
        )
        return Deployment(upstream.name, model, model if is_known else OTHER)


def _claims_by_pattern(upstream: Upstream, name: str, operation: Operation) -> bool:
    dialect = upstream.dialect
    patterns = [*(row for row in upstream.entry.models if "*" in row), *dialect.claims]
    if operation.capability in _AUDIO:
        patterns += dialect.audio_claims
    return any(fnmatchcase(name, pattern) for pattern in patterns)
