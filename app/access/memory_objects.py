"""
Whose objects are, in memory alone: for a gateway that keeps nothing (`storage.url: null`), and for tests.

Law: the first who claims a name that is free keeps it until it is released, as `app.storage.object_store` has it.
"""

from collections import OrderedDict
from collections.abc import Sequence
from itertools import chain
from typing import TypeAlias

from app.domain.stored_objects import Claim, ObjectKind

MOST_OBJECTS = 100_000  # some 50 MB

_Claims: TypeAlias = "OrderedDict[tuple[ObjectKind, str], dict[str, Claim]]"


class MemoryObjects:
    """So many ids and no more: the one asked for longest ago is forgotten first, and is nobody's then.

    Models are never forgotten: one that is nobody's is everybody's, and each of them cost a training.
    """

    def __init__(self, most: int = MOST_OBJECTS) -> None:
        self._most = most
        self._others: _Claims = OrderedDict()
        self._models: _Claims = OrderedDict()

    def __len__(self) -> int:
        return len(self._others) + len(self._models)

    def _claims(self, kind: ObjectKind) -> _Claims:
        return self._models if kind == "model" else self._others

    def note(self, claim: Claim) -> None:
        """*claim* counts from now on, if its object is nobody's; or the object is free, if *claim* may release it."""
        claims, place = self._claims(claim.kind), (claim.kind, claim.object_id)
        at_upstreams = claims.setdefault(place, {})
        held = at_upstreams.get(claim.upstream)
        if not claim.is_gone:
            at_upstreams.setdefault(claim.upstream, claim)
        elif held is not None and claim.releases(held):
            del at_upstreams[claim.upstream]
        if not at_upstreams:
            del claims[place]
        elif len(self._others) > self._most:
            self._others.popitem(last=False)

    async def find(self, kind: ObjectKind, ids: Sequence[str]) -> list[Claim]:
        """Whose the objects of *ids* are, at whatever upstream; no row for one that is nobody's."""
        claims = self._claims(kind)
        found: list[Claim] = []
        for object_id in ids:
            place = kind, object_id
            if place in claims:
                claims.move_to_end(place)
                found += claims[place].values()
        return found

    async def models(self) -> list[Claim]:
        """Whose every fine-tuned model is."""
        return list(chain.from_iterable(one.values() for one in self._models.values()))

    async def has_any(self, upstream: str, kind: ObjectKind) -> bool:
        """True when somebody has an object of *kind* there."""
        claims = self._claims(kind)
        return any(upstream in one for place, one in claims.items() if place[0] == kind)

    async def models_mark(self) -> tuple[int, int]:
        """Another one when `models` says something else."""
        found = await self.models()
        return len(found), sum(claim.at_ms for claim in found)
