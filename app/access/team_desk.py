"""
Where teams are made, changed and deleted.

A team may be narrowed below what its keys were given: both are enforced when a key is used, so nothing has to be
changed on the keys, and they stand as they were when the team is widened again.
"""

from collections.abc import Callable
from dataclasses import replace

from app.access.audit_log import audited
from app.access.drafts import check_team_draft
from app.access.ids import may_be_id, new_id
from app.access.key_ring import KeyRing
from app.domain.errors import InvalidRequest, ObjectNotFound
from app.domain.keys import Actor, Team, TeamDraft
from app.domain.texts import shown
from app.storage.key_rows import KeySnapshot, StoredTeam
from app.storage.key_store import Change, KeyStore


class TeamDesk:
    """Teams of the database. *now_seconds* is wall time. Every call may raise LedgerUnavailable, as KeyDesk's."""

    def __init__(self, store: KeyStore, ring: KeyRing, now_seconds: Callable[[], float]) -> None:
        self._store = store
        self._ring = ring
        self._now_seconds = now_seconds

    async def create(self, draft: TeamDraft, by: Actor) -> Team:
        """A new team. Raises InvalidRequest for a *draft* that cannot be, or a name that is taken."""
        check_team_draft(draft)
        now = self._now()
        async with self._store.changing(by, round(now * 1000)) as change:
            await _refuse_taken(draft.name, change)
            team = _drawn(Team(new_id("team", now), "", created_at=now), draft)
            stored = await change.put_team(team)
            change.audit("team.create", team.id, None, audited(team))
        self._apply(stored)
        return team

    async def change(self, team_id: str, edit: Callable[[TeamDraft], TeamDraft], by: Actor) -> Team:
        """The team as *edit* makes it of what it is now; *edit* runs while nobody else changes teams.

        Its keys may be left with more than it has: they get what both allow. Raises ObjectNotFound, or InvalidRequest,
        for another name too while keys of the file are in it: the file says that name.
        """
        now = self._now()
        async with self._store.changing(by, round(now * 1000)) as change:
            held = await _living(team_id, change)
            draft = edit(_draft_of(held))
            check_team_draft(draft)
            if draft.name != held.name:
                await _refuse_named_in_file(held, change)
                await _refuse_taken(draft.name, change)
            team = _drawn(held, draft)
            stored = await change.put_team(team)
            change.audit("team.change", team.id, audited(held), audited(team))
        self._apply(stored)
        return team

    async def delete(self, team_id: str, by: Actor) -> Team:
        """The team, gone from lists; its name is free again. Raises ObjectNotFound, or InvalidRequest while it has keys
        that are not revoked."""
        now = self._now()
        async with self._store.changing(by, round(now * 1000)) as change:
            held = await _living(team_id, change)
            keys = await change.live_keys(held.id)
            if keys:
                raise InvalidRequest(
                    f"The team `{held.name}` has {keys} {'key' if keys == 1 else 'keys'} not revoked; revoke "
                    "them or move them to another team first.",
                    code="team_not_empty",
                )
            team = replace(held, deleted_at=now)
            stored = await change.put_team(team)
            change.audit("team.delete", team.id, audited(held), audited(team))
        self._apply(stored)
        return team

    async def get(self, id_or_name: str) -> Team:
        """The team of that id, deleted or not, else the one of that name that is not. Raises ObjectNotFound."""
        stored = await self._store.team(id_or_name) if id_or_name.isprintable() else None
        if stored is None:
            raise _unknown(id_or_name)
        return stored.team

    async def listing(self, *, after: str | None, limit: int) -> list[Team]:
        """At most *limit* teams that are not deleted, the oldest first, from the one that follows *after*, an id.

        Raises InvalidRequest for an id that cannot be."""
        if after is not None and not may_be_id(after):
            raise InvalidRequest(
                "`after` is the id of a team.", code="unsupported_value", param="after"
            )
        return [one.team for one in await self._store.teams(after=after, limit=limit)]

    def _now(self) -> float:
        return round(self._now_seconds(), 3)  # as it is stored

    def _apply(self, stored: StoredTeam) -> None:
        self._ring.apply(KeySnapshot(-1, [], [stored]))


def _draft_of(team: Team) -> TeamDraft:
    return TeamDraft(team.name, team.models, team.limits, team.labels)


def _drawn(team: Team, draft: TeamDraft) -> Team:
    return replace(
        team,
        name=draft.name,
        models=draft.models,
        limits=draft.limits,
        labels=dict(draft.labels),
    )


async def _living(id_or_name: str, change: Change) -> Team:
    stored = await change.team(id_or_name) if id_or_name.isprintable() else None
    if stored is None or stored.team.deleted_at is not None:
        raise _unknown(id_or_name)
    return stored.team


async def _refuse_taken(name: str, change: Change) -> None:
    if await change.team_named(name) is not None:
        raise InvalidRequest(f"There is a team `{name}` already.", code="name_taken", param="name")


async def _refuse_named_in_file(team: Team, change: Change) -> None:
    if await change.live_keys(team.id, source="file"):
        raise InvalidRequest(
            f"The team `{team.name}` has keys that stand in the gateway's configuration and name it; change them "
            "there first.",
            code="set_in_file",
            param="name",
        )


def _unknown(id_or_name: str) -> ObjectNotFound:
    return ObjectNotFound(f"There is no team `{shown(id_or_name)}`.")
