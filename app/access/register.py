"""
Whose is it: what clients made at upstreams, so that a key sees only what its team made (reliability S16, upstreams G7).

Law: the journal tells the database, and only the database tells whose an object is: the first who claimed it while it
was nobody's. A claim that is not there yet is shipped before anybody is answered, so the creator finds what it made at
once, and whoever makes an upstream echo the id of another's object gets nothing by it, not even for a moment. What is
unknown is nobody's: only keys with `resources: all` see it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from math import inf
from time import monotonic
from typing import NamedTuple, Protocol

from app.access.key_ring import POLL_SECONDS
from app.domain.errors import LedgerUnavailable
from app.domain.principal import Principal
from app.domain.stored_objects import Claim, ObjectKind, ObjectName, may_be_object_id

# How long an answer of the database is taken for true: other gateways on it change it too.
FRESH_SECONDS = POLL_SECONDS
_MOST_REMEMBERED = 20_000  # some 15 MB
_DOWN = "The ledger's database cannot be used at the moment. Try again later."
# Between two shipments of claims: a transaction costs as much as a hundred records.
_PAUSE_SECONDS = 0.1


class Objects(Protocol):
    """Where claims end up; `app.storage.object_store`. Each call may raise LedgerUnavailable."""

    async def find(self, kind: ObjectKind, ids: Sequence[str]) -> list[Claim]:
        """Whose the objects of *ids* are, at whatever upstream; no row for one that is nobody's."""
        ...

    async def models(self) -> list[Claim]:
        """Whose every fine-tuned model is."""
        ...

    async def has_any(self, upstream: str, kind: ObjectKind) -> bool:
        """True when somebody has an object of *kind* there."""
        ...

    async def models_mark(self) -> tuple[int, int]:
        """Another one when `models` says something else."""
        ...


_Place = tuple[ObjectKind, str]
_ClaimsById = dict[str, tuple[Claim, ...]]
_Lookalikes = dict[tuple[str, str], tuple[Claim, ...]]  # by upstream and what a name looks like


class _Answer(NamedTuple):
    """What the database said of one id: its claims at all upstreams, none for an id that nobody claimed."""

    claims: tuple[Claim, ...]
    read_at: float


async def _nothing_to_ship() -> None:
    return


class Register:
    """Remembers who made what. *note*: takes a claim into the journal; *flush*: afterwards all that was noted is among
    *objects*. *models*: what `objects.models` said at start. *now* never goes back.

    Questions of a key with `resources: own` may ask the database and raise LedgerUnavailable; what was asked before is
    answered from memory, also while the database is down. Memory is bounded but for fine-tuned models, each of which
    cost a training.
    """

    def __init__(
        self,
        objects: Objects,
        note: Callable[[Claim], None],
        flush: Callable[[], Awaitable[None]] = _nothing_to_ship,
        *,
        models: Iterable[Claim] = (),
        now: Callable[[], float] = monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        most_remembered: int = _MOST_REMEMBERED,
    ) -> None:
        self._objects = objects
        self._note = note
        self._flush = flush
        self._now = now
        self._sleep = sleep
        self._most_remembered = most_remembered
        self._answers: OrderedDict[_Place, _Answer] = OrderedDict()
        self._asking: dict[_Place, object] = {}  # and nothing noted of it since
        self._noted = self._shipped = self._failures = 0
        self._shipping = asyncio.Lock()
        self._is_noted = asyncio.Event()
        self._models = {claim.name: claim for claim in models}
        self._lookalikes: _Lookalikes | None = None  # of those models; None: out of date
        self._models_mark: tuple[int, int] | None = None
        self._model_changes = 0

    async def upstream_of(
        self, principal: Principal, kind: ObjectKind, object_id: str
    ) -> str | None:
        """Where the object was made; None when it is unknown, or not for *principal* to see.

        Of an id that exists at several upstreams: what is its own before others', then the one made last.
        """
        key_id, team_id = principal.key_id, principal.team_id
        seen = [
            (not claim.is_of(key_id, team_id), -claim.at_ms, claim.upstream)
            for claim in await self._claims_of(kind, object_id)
            if principal.resources == "all" or claim.is_of(key_id, team_id)
        ]
        return min(seen)[-1] if seen else None

    async def has_any(self, upstream: str, kind: ObjectKind) -> bool:
        """True when somebody is known to have made an object of *kind* there. Raises LedgerUnavailable."""
        await self._ship()
        return await self._objects.has_any(upstream, kind)

    async def may_touch(self, principal: Principal, name: ObjectName) -> bool:
        """True when *principal*'s team made it, without a team its key; and for `resources: all`."""
        if principal.resources == "all":
            return True
        return _is_among(await self._claims_of(name.kind, name.id), name.upstream, principal)

    async def visible(
        self, principal: Principal, upstream: str, kind: ObjectKind, ids: Sequence[str]
    ) -> frozenset[str]:
        """Which of *ids*, as *upstream* lists them, *principal* may touch; all of them for `resources: all`."""
        if principal.resources == "all":
            return frozenset(ids)
        # What the upstream has and nobody claimed was made elsewhere: it need not be asked for each time.
        claims = await self._claims(kind, ids, counts_none=True)
        return frozenset(one for one in claims if _is_among(claims[one], upstream, principal))

    def claim(
        self, principal: Principal, name: ObjectName, *, exchange_id: str, at_ms: int
    ) -> None:
        """*principal* made *name*, unless that is somebody's already: then nothing changes. It stands in the journal
        when this returns: call it before the creating reply goes out.

        An id that no upstream should give is not taken note of, hence nobody's.
        """
        self._put(Claim(exchange_id, *name, principal.key_id, principal.team_id, at_ms))

    async def claim_result(
        self, name: ObjectName, source: ObjectName, *, exchange_id: str, at_ms: int
    ) -> bool:
        """*name* came out of *source*, as a model out of a job, and is whose *source* is, whoever looks first. False
        where nothing changes: it is somebody's, or *source* nobody's. Raises LedgerUnavailable."""
        if name in self._models:  # asked at each look at a finished job
            return False
        known = await self._claims_of(name.kind, name.id)
        if any(claim.upstream == name.upstream for claim in known):
            return False
        for claim in await self._claims_of(source.kind, source.id):
            if claim.upstream == source.upstream:
                self._put(Claim(exchange_id, *name, claim.key_id, claim.team_id, at_ms))
                return True
        return False

    def disclaim(
        self, principal: Principal, name: ObjectName, *, exchange_id: str, at_ms: int
    ) -> None:
        """*name* was deleted by *principal*: it is nobody's, and free for who is given its id next. What became
        another's meanwhile stays that one's, unless *principal* has `resources: all`."""
        key_id, team_id = principal.key_id, principal.team_id
        if principal.resources == "all":
            key_id = team_id = ""
        elif not (key_id or team_id):  # nothing is its own
            return
        self._put(Claim(exchange_id, *name, key_id, team_id, at_ms, is_gone=True))

    def may_use_model(self, principal: Principal, upstream: str, model: str) -> bool:
        """False for a fine-tuned model that another team is known to have made, and for another spelling of its name
        that a lax upstream may take for it. Asks nobody."""
        if not self._models or principal.resources == "all":
            return True
        claim = self._models.get(ObjectName(upstream, "model", model))
        claims = self._alike(upstream, model) if claim is None else (claim,)
        return all(one.is_of(principal.key_id, principal.team_id) for one in claims)

    def _alike(self, upstream: str, model: str) -> tuple[Claim, ...]:
        if self._lookalikes is None:
            self._lookalikes = {}
            for claim in self._models.values():
                place = claim.upstream, _look(claim.object_id)
                self._lookalikes[place] = (*self._lookalikes.get(place, ()), claim)
        return self._lookalikes.get((upstream, _look(model)), ())

    async def run(self) -> None:
        """Ships claims as they come, so that other gateways on the database see them in moments, and reads whose the
        models are that those made. Never returns; cancel it."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._ship_for_ever())
            group.create_task(self._refresh_for_ever())

    async def refresh(self) -> None:
        """Models are whose the database says. Raises LedgerUnavailable."""
        await self._ship()
        changes, mark = self._model_changes, await self._objects.models_mark()
        if mark == self._models_mark:
            return
        found = await self._objects.models()
        if self._model_changes == changes:  # else the next time
            self._models = {claim.name: claim for claim in found}
            self._lookalikes, self._models_mark = None, mark

    async def _ship_for_ever(self) -> None:
        while True:
            await self._is_noted.wait()
            self._is_noted.clear()
            with suppress(LedgerUnavailable):  # the recorder goes on trying, and says so
                await self._ship()
            await self._sleep(_PAUSE_SECONDS)

    async def _refresh_for_ever(self) -> None:
        while True:
            await self._sleep(POLL_SECONDS)
            with suppress(LedgerUnavailable):
                await self.refresh()

    def _put(self, claim: Claim) -> None:
        if not may_be_object_id(claim.object_id) or not self._is_news(claim):
            return
        self._note(claim)
        self._noted += 1
        self._is_noted.set()
        self._answers.pop((claim.kind, claim.object_id), None)
        self._asking.pop((claim.kind, claim.object_id), None)

    def _is_news(self, claim: Claim) -> bool:
        """False for a model that is somebody's already: whoever looks at a finished job tells of it again."""
        if claim.kind != "model":
            return True
        held = self._models.get(claim.name)
        if not claim.is_gone:
            if held is not None:
                return False
            self._models[claim.name] = claim
        elif held is not None and claim.releases(held):
            del self._models[claim.name]
        self._model_changes += 1
        self._lookalikes = self._models_mark = None
        return True

    async def _claims_of(self, kind: ObjectKind, object_id: str) -> tuple[Claim, ...]:
        """Whose the id is, at each upstream. Where nobody's, the database was asked now: another gateway may have told
        it a moment ago."""
        return (await self._claims(kind, (object_id,), counts_none=False)).get(object_id, ())

    async def _claims(
        self, kind: ObjectKind, ids: Iterable[str], *, counts_none: bool
    ) -> _ClaimsById:
        """Whose each of *ids* is; those that can be none are left out. *counts_none*: that one was nobody's a moment
        ago is an answer too. Raises LedgerUnavailable."""
        possible = dict.fromkeys(filter(may_be_object_id, ids))
        found = self._remembered(kind, possible, FRESH_SECONDS, counts_none)
        unknown = [one for one in possible if one not in found]
        if not unknown:
            return found
        try:
            return found | await self._ask(kind, unknown, counts_none)
        except LedgerUnavailable:
            # What was true stays true, but for what other gateways did since the database went down.
            found = self._remembered(kind, possible, inf, counts_none)
            if len(found) < len(possible):
                raise
            return found

    def _remembered(
        self, kind: ObjectKind, ids: Iterable[str], longest_seconds: float, counts_none: bool
    ) -> _ClaimsById:
        oldest = self._now() - longest_seconds
        found: _ClaimsById = {}
        for one in ids:
            answer = self._answers.get((kind, one))
            if answer and answer.read_at >= oldest and (answer.claims or counts_none):
                self._answers.move_to_end((kind, one))
                found[one] = answer.claims
        return found

    async def _ask(self, kind: ObjectKind, ids: Sequence[str], counts_none: bool) -> _ClaimsById:
        """What the database says, once all is there that was noted before. It is remembered where nothing was noted
        meanwhile; that an id is nobody's only if that counts, for clients can make up many."""
        question = object()
        self._asking.update(dict.fromkeys(((kind, one) for one in ids), question))
        found: _ClaimsById = dict.fromkeys(ids, ())
        try:
            await self._ship()
            read_at = self._now()
            for claim in await self._objects.find(kind, ids):
                found[claim.object_id] += (claim,)
            for one in ids:
                is_true = self._asking.get((kind, one)) is question
                if is_true and (found[one] or counts_none):
                    self._remember((kind, one), _Answer(found[one], read_at))
        finally:
            for one in ids:
                if self._asking.get((kind, one)) is question:
                    del self._asking[kind, one]
        return found

    def _remember(self, place: _Place, answer: _Answer) -> None:
        self._answers[place] = answer
        self._answers.move_to_end(place)
        if len(self._answers) > self._most_remembered:
            self._answers.popitem(last=False)

    async def _ship(self) -> None:
        """All that was noted before the call is among the objects. Raises LedgerUnavailable. Nothing is done where
        nothing was noted, and once for all who wait for it."""
        wanted, failures = self._noted, self._failures
        if self._shipped >= wanted:
            return
        async with self._shipping:
            if self._shipped >= wanted:
                return
            # It failed while this one waited: not again, else so many would wait so many times.
            if self._failures != failures:
                raise LedgerUnavailable(_DOWN)
            noted = self._noted
            try:
                await self._flush()
            except LedgerUnavailable:
                self._failures += 1
                raise
            self._shipped = noted


def _is_among(claims: Iterable[Claim], upstream: str, principal: Principal) -> bool:
    """True when the object of *claims* at *upstream* is *principal*'s."""
    key_id, team_id = principal.key_id, principal.team_id
    return any(claim.upstream == upstream and claim.is_of(key_id, team_id) for claim in claims)


def _look(model: str) -> str:
    """What is the same of two names that an upstream may take for one: not their case, and no blanks around."""
    return model.strip().casefold()
