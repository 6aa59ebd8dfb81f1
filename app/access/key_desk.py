"""
Where keys are made, changed, rotated and revoked. A secret is handed out once, and kept by nobody (reliability S8, S9).

A change is in the database and in this process's ring before it is answered; other processes learn of it by themselves.
"""

from collections.abc import Callable
from dataclasses import replace

from pydantic import SecretStr

from app.access.audit_log import audited
from app.access.derived_key import MADE_KEY_NAME
from app.access.drafts import check_expiry, check_key_draft, require_within_team
from app.access.ids import may_be_id, new_id
from app.access.key_format import display_prefix, new_key
from app.access.key_ring import KeyRing
from app.access.pepper import Peppers
from app.domain.errors import InvalidRequest, ObjectNotFound
from app.domain.keys import Actor, KeyDraft, VirtualKey
from app.domain.texts import shown
from app.storage.key_rows import KeySnapshot, StoredKey, StoredTeam
from app.storage.key_store import Change, KeyStore

LONGEST_GRACE_SECONDS = 30 * 86_400.0


class KeyDesk:
    """Keys of the database. *now_seconds* is wall time.

    Every call may raise LedgerUnavailable; then nothing was changed, or, at worst, it was and nobody was told.
    """

    def __init__(
        self, store: KeyStore, peppers: Peppers, ring: KeyRing, now_seconds: Callable[[], float]
    ) -> None:
        self._store = store
        self._peppers = peppers
        self._ring = ring
        self._now_seconds = now_seconds

    async def create(self, draft: KeyDraft, by: Actor) -> tuple[VirtualKey, SecretStr]:
        """A new key, which opens at once, and its secret, shown this once. Raises InvalidRequest for a *draft* that
        cannot be, a name that is taken, or what its team has not got."""
        now = self._now()
        check_key_draft(draft)
        check_expiry(draft.expires_at, now)
        secret = new_key()
        async with self._store.changing(by, round(now * 1000)) as change:
            team = await _team_for(draft, change)
            await _refuse_taken(draft.name, change)
            if team is not None:
                require_within_team(draft, team.team)
            blank = VirtualKey(new_id("key", now), "", display_prefix(secret), created_at=now)
            key = _drawn(blank, draft, team)
            stored = await change.put_key(StoredKey(key, self._peppers.digest(secret)))
            change.audit("key.create", key.id, None, audited(key))
        self._apply(stored, team)
        return key, SecretStr(secret)

    async def change(
        self, key_id: str, edit: Callable[[KeyDraft], KeyDraft], by: Actor
    ) -> VirtualKey:
        """The key as *edit* makes it of what it is now; *edit* runs while nobody else changes keys.

        Raises ObjectNotFound, or InvalidRequest for what cannot be."""
        now = self._now()
        async with self._store.changing(by, round(now * 1000)) as change:
            held = await _changeable(key_id, change)
            was = draft_of(held.key)
            draft = edit(was)
            check_key_draft(draft)
            if draft.expires_at != was.expires_at:
                check_expiry(draft.expires_at, now)
            if draft.name != was.name:
                await _refuse_taken(draft.name, change)
            team = await _team_for(draft, change)
            key = _drawn(held.key, draft, team)
            if team is not None and _grants(key) != _grants(held.key):
                require_within_team(draft, team.team)
            stored = await change.put_key(replace(held, key=key))
            change.audit("key.change", key.id, audited(held.key), audited(key))
        self._apply(stored, team)
        return key

    async def rotate(
        self, key_id: str, grace_seconds: float, by: Actor
    ) -> tuple[VirtualKey, SecretStr]:
        """The key with a new secret, shown this once. The one before it opens for *grace_seconds* more, 0 to 30 days;
        one before that, no longer. Raises ObjectNotFound or InvalidRequest."""
        if not 0 <= grace_seconds <= LONGEST_GRACE_SECONDS:
            days = LONGEST_GRACE_SECONDS / 86_400
            raise _invalid("grace_seconds", f"`grace_seconds` is between 0 and {days:.0f} days.")
        now = self._now()
        secret = new_key()
        async with self._store.changing(by, round(now * 1000)) as change:
            held = await _changeable(key_id, change)
            if held.key.expires_at is not None and held.key.expires_at <= now:
                raise InvalidRequest(
                    "The key has expired; move its `expires_at` before rotating it.",
                    code="key_expired",
                )
            key = replace(held.key, prefix=display_prefix(secret))
            until = round(now + grace_seconds, 3)
            rotated = StoredKey(key, self._peppers.digest(secret))
            if grace_seconds > 0:
                rotated = replace(rotated, old_digest=held.digest, old_until=until)
            stored = await change.put_key(rotated)
            after = {**audited(key), "old_secret_until": until}
            change.audit("key.rotate", key.id, audited(held.key), after)
            team = await _team_of(key, change)
        self._apply(stored, team)
        return key, SecretStr(secret)

    async def revoke(self, key_id: str, by: Actor) -> VirtualKey:
        """The key, which opens nothing any more, in this process from now on. One revoked before is as it was. Raises
        ObjectNotFound, or InvalidRequest for a key of the file."""
        known = await self.get(key_id)
        if known.revoked_at is not None:
            return known
        now = self._now()
        async with self._store.changing(by, round(now * 1000)) as change:
            held = await _changeable(key_id, change)
            key = replace(held.key, revoked_at=now)
            stored = await change.put_key(StoredKey(key))  # its digests go: nothing brings it back
            change.audit("key.revoke", key.id, audited(held.key), audited(key))
        self._apply(stored, None)
        return key

    async def get(self, key_id: str) -> VirtualKey:
        """The key, revoked or not. Raises ObjectNotFound."""
        stored = await self._store.key(key_id) if may_be_id(key_id) else None
        if stored is None:
            raise _unknown(key_id)
        return stored.key

    async def listing(
        self, *, after: str | None, limit: int, team: str | None = None
    ) -> list[VirtualKey]:
        """At most *limit* keys, revoked ones too, the oldest first, those of the file last; from the one that follows
        *after*, an id. *team*: a name or id. Raises InvalidRequest for an id that cannot be, or an unknown team."""
        if after is not None and not may_be_id(after):
            raise _invalid("after", "`after` is the id of a key.")
        team_id = None
        if team is not None:
            found = await self._store.team(team) if team.isprintable() else None
            if found is None:
                raise _no_team(team)
            team_id = found.team.id
        return [
            one.key for one in await self._store.keys(after=after, limit=limit, team_id=team_id)
        ]

    def _now(self) -> float:
        return round(self._now_seconds(), 3)  # as it is stored

    def _apply(self, stored: StoredKey, team: StoredTeam | None) -> None:
        self._ring.apply(KeySnapshot(-1, [stored], [] if team is None else [team]))


def draft_of(key: VirtualKey) -> KeyDraft:
    """What may be set on *key*, as it is set."""
    return KeyDraft(
        name=key.name,
        team=key.team_id,
        models=key.models,
        limits=key.limits,
        resources=key.resources,
        native=key.native,
        labels=key.labels,
        expires_at=key.expires_at,
    )


def _drawn(key: VirtualKey, draft: KeyDraft, team: StoredTeam | None) -> VirtualKey:
    expires_at = draft.expires_at
    return replace(
        key,
        name=draft.name,
        team_id=None if team is None else team.team.id,
        models=draft.models,
        limits=draft.limits,
        resources=draft.resources,
        native=draft.native,
        labels=dict(draft.labels),
        expires_at=None if expires_at is None else round(expires_at, 3),
    )


def _grants(key: VirtualKey) -> tuple[object, ...]:
    return key.team_id, key.models, key.limits


async def _changeable(key_id: str, change: Change) -> StoredKey:
    held = await change.key(key_id) if may_be_id(key_id) else None
    if held is None:
        raise _unknown(key_id)
    if held.key.source == "file":
        raise InvalidRequest(
            f"The key `{held.key.name}` stands in the gateway's configuration; change it there.",
            code="set_in_file",
        )
    if held.key.revoked_at is not None:
        raise InvalidRequest("The key is revoked; make a new one.", code="key_revoked")
    return held


async def _refuse_taken(name: str, change: Change) -> None:
    if name == MADE_KEY_NAME:
        raise _invalid(
            "name",
            f"`{name}` is the name of the key that a gateway without keys makes for itself.",
            code="name_taken",
        )
    if await change.key_named(name) is not None:
        raise _invalid("name", f"There is a key `{name}` already.", code="name_taken")


async def _team_for(draft: KeyDraft, change: Change) -> StoredTeam | None:
    if draft.team is None:
        return None
    team = await change.team(draft.team) if draft.team.isprintable() else None
    if team is None or team.team.deleted_at is not None:
        raise _no_team(draft.team)
    return team


async def _team_of(key: VirtualKey, change: Change) -> StoredTeam | None:
    return None if key.team_id is None else await change.team(key.team_id)


def _invalid(field: str, message: str, *, code: str = "unsupported_value") -> InvalidRequest:
    return InvalidRequest(message, code=code, param=field)


def _no_team(name: str) -> InvalidRequest:
    return _invalid("team", f"There is no team `{shown(name)}`.", code="team_not_found")


def _unknown(key_id: str) -> ObjectNotFound:
    return ObjectNotFound(f"There is no key `{shown(key_id)}`.")
