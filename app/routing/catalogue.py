"""
What each upstream serves: the names listed in the file and those its own list brought, kept in memory.

A look-up never waits for an upstream (contract K2): discovery replaces an upstream's entries when its answer
has come, and a dead upstream keeps the last ones it gave.
"""

import asyncio
from collections.abc import Iterable, Mapping

from app.upstreams.discovery import DiscoveredModel
from app.upstreams.model_requests import ModelList
from app.upstreams.openmind_providers import listed_models
from app.upstreams.upstream import Upstream


class Catalogue:
    """The entries of every upstream. *version* grows whenever what it says may have changed."""

    def __init__(self, upstreams: Iterable[Upstream]) -> None:
        self.version = 0
        self._listed = {upstream.name: _listed(upstream) for upstream in upstreams}
        self._entries: dict[str, Mapping[str, DiscoveredModel]] = dict(self._listed)
        self._paths: dict[str, str] = {}
        self._awaited: set[str] = set()
        self._all_asked = asyncio.Event()
        self._all_asked.set()

    def expect(self, upstream: str) -> None:
        """*upstream* is going to be asked: `first_round` waits for it."""
        self._awaited.add(upstream)
        self._all_asked.clear()

    def replace(self, upstream: str, found: ModelList) -> None:
        """*upstream* serves what was *found* now, and what the file lists."""
        models = {model.id: model for model in found.models}
        self._entries[upstream] = {**self._listed[upstream], **models}
        self._paths[upstream] = found.path
        self.asked(upstream)

    def list_paths(self, upstream: Upstream) -> tuple[str, ...]:
        """Where the list of *upstream* may be, where it was the last time first."""
        known = self._paths.get(upstream.name)
        paths = upstream.models_paths
        return paths if known is None else tuple(dict.fromkeys((known, *paths)))

    def asked(self, upstream: str) -> None:
        """*upstream* was asked, whatever came of it."""
        self.version += 1
        self._awaited.discard(upstream)
        if not self._awaited:
            self._all_asked.set()

    async def first_round(self, patience_seconds: float) -> None:
        """Returns when every upstream was asked once, at the latest after *patience_seconds*."""
        if self._all_asked.is_set():
            return
        try:
            async with asyncio.timeout(patience_seconds):
                await self._all_asked.wait()
        except TimeoutError:
            return

    @property
    def is_complete(self) -> bool:
        """True when every upstream was asked once."""
        return self._all_asked.is_set()

    def entries(self, upstream: str) -> Mapping[str, DiscoveredModel]:
        """The entries of *upstream* by id."""
        return self._entries.get(upstream, {})

    def find(self, upstream: Upstream, name: str) -> DiscoveredModel | None:
        """The entry called *name*; a Mind is found in any case (upstreams 4.2)."""
        entries = self.entries(upstream.name)
        found = entries.get(name)
        if found is None and upstream.dialect.ignores_case:
            wanted = name.casefold()
            return next((e for key, e in entries.items() if key.casefold() == wanted), None)
        return found


def _listed(upstream: Upstream) -> Mapping[str, DiscoveredModel]:
    entry = upstream.entry
    if upstream.dialect.path_providers:
        rows: Iterable[DiscoveredModel] = listed_models(
            catalogue=entry.catalogue,
            models=entry.models,
            providers=entry.providers,
            model_providers=entry.model_providers,
        )
    else:
        rows = (DiscoveredModel(name, 0, upstream.name) for name in entry.models if "*" not in name)
    return {row.id: row for row in rows}
