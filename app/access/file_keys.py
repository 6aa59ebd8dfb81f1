"""
The keys that stand in the configuration, as rows of the database: limits, ledger and lists know them like any other.

The file alone says what they may do and what opens them: a row has no digest, and the next start writes it anew.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from app.access.audit_log import audited
from app.access.drafts import check_names
from app.access.ids import new_id
from app.access.key_format import display_prefix
from app.domain.configuration import KeyEntry
from app.domain.errors import ConfigurationError, InvalidRequest, LedgerUnavailable
from app.domain.keys import Actor, Team, VirtualKey
from app.storage.key_rows import KeySnapshot, StoredKey
from app.storage.key_store import Change, KeyStore

_CONFIGURATION = Actor("configuration")
_MOST_TRIES = 10  # each lost to another process that changed something meanwhile
_ID_LETTERS = 24


class _Overtaken(Exception):
    """Somebody changed something since the plan was made."""


@dataclass(frozen=True, slots=True)
class _Plan:
    new_teams: list[Team]
    changed: list[VirtualKey]  # new ones too
    gone: list[VirtualKey]

    def is_empty(self) -> bool:
        return not (self.new_teams or self.changed or self.gone)


def file_key_id(name: str) -> str:
    """The id of the file's key of that name: the same at every start."""
    return "key_file_" + sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_ID_LETTERS]


async def adopt_file_keys(
    store: KeyStore, entries: Sequence[KeyEntry], now_seconds: float
) -> KeySnapshot:
    """All keys and teams, once the rows say what the file says: its teams are there, and who left the file is revoked.

    One change with one audit row, or none where nothing differs. Raises ConfigurationError for a name that a living key
    of the admin API has, or that no key may have, and for a key that would leave its team for one that is not there: a
    team that was renamed meanwhile would lose it, and its limits with it.
    """
    _check(entries)
    for _ in range(_MOST_TRIES):
        snapshot = await store.load()
        plan = _planned(snapshot, entries, now_seconds)
        if plan.is_empty():
            return snapshot
        try:
            async with store.changing(_CONFIGURATION, round(now_seconds * 1000)) as change:
                if change.version != snapshot.version + 1:
                    raise _Overtaken
                await _carry_out(plan, change, snapshot)
        except _Overtaken:
            continue
    raise LedgerUnavailable("Keys and teams change too often for the file's keys to be written.")


def _check(entries: Iterable[KeyEntry]) -> None:
    for entry in entries:
        try:
            check_names(entry.name, entry.models, entry.labels)
            if entry.team is not None:
                check_names(entry.team, (), {})
        except InvalidRequest as error:
            raise ConfigurationError(f"keys.{entry.name!r}: {error.message}") from error


def _planned(snapshot: KeySnapshot, entries: Sequence[KeyEntry], now_seconds: float) -> _Plan:
    rows = {one.key.id: one.key for one in snapshot.keys if one.key.source == "file"}
    _refuse_clashes(snapshot, entries)
    teams = {one.team.name: one.team for one in snapshot.teams if one.team.deleted_at is None}
    _refuse_strays(rows, entries, teams)
    new_teams: list[Team] = []
    changed: list[VirtualKey] = []
    for entry in entries:
        if entry.team is not None and entry.team not in teams:
            team = Team(new_id("team", now_seconds), entry.team, created_at=now_seconds)
            teams[entry.team] = team
            new_teams.append(team)
        row = rows.pop(file_key_id(entry.name), None)
        wanted = _row_of(entry, teams, now_seconds if row is None else row.created_at)
        if wanted != row:
            changed.append(wanted)
    gone = [replace(row, revoked_at=now_seconds) for row in rows.values() if row.revoked_at is None]
    return _Plan(new_teams, changed, gone)


def _refuse_clashes(snapshot: KeySnapshot, entries: Iterable[KeyEntry]) -> None:
    made = {
        one.key.name
        for one in snapshot.keys
        if one.key.source == "admin" and one.key.revoked_at is None
    }
    for entry in entries:
        if entry.name in made:
            raise ConfigurationError(
                f"keys: {entry.name!r} is also the name of a key made by the admin API; rename or revoke one"
            )


def _refuse_strays(
    rows: Mapping[str, VirtualKey], entries: Iterable[KeyEntry], teams: Mapping[str, Team]
) -> None:
    names = {team.id: team.name for team in teams.values()}
    for entry in entries:
        row = rows.get(file_key_id(entry.name))
        if row is None or row.revoked_at is not None or entry.team is None or entry.team in teams:
            continue
        name = names.get(row.team_id or "")
        if name is not None:
            raise ConfigurationError(
                f"keys.{entry.name!r}.team: there is no team {entry.team!r}, and the key is of team {name!r} so far; "
                f"name that one, or make {entry.team!r} first"
            )


def _row_of(entry: KeyEntry, teams: dict[str, Team], created_at: float) -> VirtualKey:
    return VirtualKey(
        id=file_key_id(entry.name),
        name=entry.name,
        prefix=display_prefix(entry.key.get_secret_value()),
        team_id=None if entry.team is None else teams[entry.team].id,
        models=entry.models,
        limits=entry.limits,
        resources=entry.resources,
        native=entry.native,
        labels=dict(entry.labels),
        created_at=created_at,
        expires_at=_as_stored(entry.expires_at),
        source="file",
    )


def _as_stored(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000) / 1000


async def _carry_out(plan: _Plan, change: Change, snapshot: KeySnapshot) -> None:
    was = {one.key.id: one.key for one in snapshot.keys}
    for team in plan.new_teams:
        await change.put_team(team)
    written = plan.gone + plan.changed
    for key in written:  # those gone first
        await change.put_key(StoredKey(key))
    change.audit(
        "file.adopt",
        "configuration",
        {"keys": [audited(was[key.id]) for key in written if key.id in was]},
        {
            "keys": [audited(key) for key in written],
            "teams": [audited(team) for team in plan.new_teams],
        },
    )
