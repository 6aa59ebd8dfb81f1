"""
Every key in memory, found by its digest: a request asks no database (reliability S9, S10, S11).

What the desks change here applies at once; what other processes change is read when the number of changes has grown.
A database that is down takes nothing away: the keys stay as they were last read.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from hmac import compare_digest
from typing import Final, Protocol

from app.access.file_keys import file_key_id
from app.access.pepper import Peppers
from app.domain.configuration import KeyEntry
from app.domain.errors import LedgerUnavailable
from app.domain.keys import Team, VirtualKey
from app.domain.limits import Limits, Scope
from app.domain.principal import Principal
from app.storage.key_rows import KeySnapshot, StoredKey, StoredTeam
from app.storage.key_store import KeyStore

POLL_SECONDS: Final = 2.0


class Warn(Protocol):
    """Says in the log that *event* happened."""

    def __call__(self, event: str, **fields: object) -> object: ...


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose key it is. *digest*: of the whole key. *expires_at*: seconds since 1970; None never ends."""

    principal: Principal
    expires_at: float | None
    digest: bytes


class KeyRing:
    """The keys of the file, and those of the snapshots applied. Without a snapshot: the file's alone."""

    def __init__(self, file_keys: Iterable[KeyEntry], peppers: Peppers) -> None:
        self.version = -1
        self._digest, *self._older_digests = peppers.digests
        self._holders: dict[bytes, Holder] = {}
        self._keys: dict[str, StoredKey] = {}
        self._teams: dict[str, StoredTeam] = {}
        self._team_scopes: dict[str, Scope] = {}
        self._file_keys = [(self._digest.of(one.key.get_secret_value()), one) for one in file_keys]
        self._hold_file_keys()

    def __len__(self) -> int:
        """How many digests open something, were none expired."""
        return len(self._holders)

    def find(self, key: str) -> Holder | None:
        """Who holds *key*, expired or not; None for one that is unknown or revoked."""
        digest = self._digest.of(key)
        holder = self._holders.get(digest)
        if holder is None:
            return self._find_older(key) if self._older_digests else None
        return holder if compare_digest(holder.digest, digest) else None

    def apply(self, snapshot: KeySnapshot) -> None:
        """What *snapshot* says holds from now on.

        A row older than the one already here changes nothing: what was read before a revocation and arrives after it
        does not bring the key back.
        """
        changed_teams = set()
        for team in snapshot.teams:
            if _is_newer(team, self._teams.get(team.team.id)):
                self._teams[team.team.id] = team
                self._team_scopes[team.team.id] = _team_scope(team.team, team.version)
                changed_teams.add(team.team.id)
        for key in snapshot.keys:
            if _is_newer(key, self._keys.get(key.key.id)):
                self._drop(self._keys.get(key.key.id))
                self._keys[key.key.id] = key
                self._hold(key)
        self._renew_keys_of(changed_teams)
        self._hold_file_keys()
        self.version = max(self.version, snapshot.version)

    async def watch(
        self,
        store: KeyStore,
        warn: Warn,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """Applies what others change, for ever, at most POLL_SECONDS after they did. Says once that it cannot."""
        is_down = False
        while True:
            await sleep(POLL_SECONDS)
            try:
                await self.refresh(store)
            except LedgerUnavailable as error:
                if not is_down:
                    warn(
                        "keys are not refreshed: the database does not answer", detail=error.message
                    )
                is_down = True
            else:
                if is_down:
                    warn("keys are refreshed again")
                is_down = False

    async def refresh(self, store: KeyStore) -> None:
        """Applies what changed since the last time. Raises LedgerUnavailable."""
        if await store.version() != self.version:
            self.apply(await store.load(since_version=self.version))

    def _find_older(self, key: str) -> Holder | None:
        for older in self._older_digests:
            digest = older.of(key)
            holder = self._holders.get(digest)
            if holder is not None and compare_digest(holder.digest, digest):
                return holder
        return None

    def _renew_keys_of(self, team_ids: set[str]) -> None:
        if not team_ids:
            return
        for key in self._keys.values():
            if key.key.team_id in team_ids:
                self._drop(key)
                self._hold(key)

    def _hold(self, stored: StoredKey) -> None:
        key = stored.key
        if key.revoked_at is not None or stored.digest is None:
            return
        team = None
        if key.team_id is not None:
            team = self._living_team(key.team_id)
            if team is None:
                return
        team_scope = self._team_scopes.get(key.team_id or "")
        principal = _principal_of(key, team, team_scope, stored.version)
        for digest, ends_at in _digests(stored):
            self._holders[digest] = Holder(principal, ends_at, digest)

    def _drop(self, stored: StoredKey | None) -> None:
        if stored is not None:
            for digest, _ in _digests(stored):
                self._holders.pop(digest, None)

    def _hold_file_keys(self) -> None:
        for digest, entry in self._file_keys:
            key_id = file_key_id(entry.name)
            row = self._keys.get(key_id)
            team = _unlisted_team(entry.team) if entry.team else None
            if row is not None and row.key.team_id is not None:
                team = self._living_team(row.key.team_id)
                if team is None:  # deleted by somebody whose file has no such key
                    self._holders.pop(digest, None)
                    continue
            scope = None if team is None else self._team_scopes.get(team.id) or _team_scope(team)
            principal = _principal_of(_key_of_entry(key_id, entry), team, scope)
            self._holders[digest] = Holder(principal, entry.expires_at, digest)

    def _living_team(self, team_id: str) -> Team | None:
        stored = self._teams.get(team_id)
        return None if stored is None or stored.team.deleted_at is not None else stored.team


def _is_newer(row: StoredKey | StoredTeam, held: StoredKey | StoredTeam | None) -> bool:
    return held is None or row.version > held.version


def _digests(stored: StoredKey) -> Iterator[tuple[bytes, float | None]]:
    """What opens it, each with its end."""
    expires_at = stored.key.expires_at
    if stored.digest is not None:
        yield stored.digest, expires_at
    if stored.old_digest is not None and stored.old_until is not None:
        until = stored.old_until
        yield stored.old_digest, until if expires_at is None else min(until, expires_at)


def _principal_of(
    key: VirtualKey, team: Team | None, team_scope: Scope | None, version: int = 0
) -> Principal:
    own = Scope("key", key.id, key.name, key.limits, version)
    return Principal(
        name=key.name,
        models=key.models,
        resources=key.resources,
        team="" if team is None else team.name,
        key_id=key.id,
        team_id="" if team is None else team.id,
        team_models=() if team is None else team.models,
        native=key.native,
        scopes=(own,) if team_scope is None else (own, team_scope),
        max_tokens=_lower(key.limits, None if team is None else team.limits),
    )


def _lower(own: Limits, team: Limits | None) -> int | None:
    if team is None or team.max_tokens is None:
        return own.max_tokens
    return team.max_tokens if own.max_tokens is None else min(own.max_tokens, team.max_tokens)


def _team_scope(team: Team, version: int = 0) -> Scope:
    return Scope("team", team.id, team.name, team.limits, version)


def _unlisted_team(name: str) -> Team:
    """The team of a file's key where nothing is kept: it has a name, and no limits."""
    return Team(f"team:{name}", name)


def _key_of_entry(key_id: str, entry: KeyEntry) -> VirtualKey:
    return VirtualKey(
        key_id,
        entry.name,
        prefix="",
        models=entry.models,
        limits=entry.limits,
        resources=entry.resources,
        native=entry.native,
        source="file",
    )
