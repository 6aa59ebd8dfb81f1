"""How keys and teams stand in their tables: column by column, there and back."""

from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Row

from app.domain.keys import Team, VirtualKey
from app.domain.limits import NO_LIMITS, Limits, Period

TableRow = Row[*tuple[Any, ...]]

_TEXTS = msgspec.json.Decoder(tuple[str, ...])
_LABELS = msgspec.json.Decoder(dict[str, str])


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key and how it is found: *digest* is None for a file's key and for a revoked one. *old_digest* opens until
    *old_until*, seconds since 1970. *version*: of the change that wrote it."""

    key: VirtualKey
    digest: bytes | None = None
    old_digest: bytes | None = None
    old_until: float | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class StoredTeam:
    """A team, and the number of the change that wrote it."""

    team: Team
    version: int = 0


@dataclass(frozen=True, slots=True)
class KeySnapshot:
    """Keys and teams, revoked and deleted ones too, as they stood at *version* at the earliest."""

    version: int
    keys: list[StoredKey]
    teams: list[StoredTeam]


def key_of_row(row: TableRow) -> StoredKey:
    """The key of one row of `keys`, its columns in the order of the table: by name they would take five times as long,
    and a start waits for ten thousand."""
    key_id, name, prefix, team_id, models, *limits, resources, native, labels = row[:15]
    created_ms, expires_ms, revoked_ms, source, digest, old_digest, old_until_ms, version = row[15:]
    key = VirtualKey(
        id=key_id,
        name=name,
        prefix=prefix,
        team_id=team_id,
        models=_texts(models),
        limits=_limits(*limits),
        resources=resources,
        native=_texts(native),  # type: ignore[arg-type]  # written from the same literals
        labels=_LABELS.decode(labels),
        created_at=created_ms / 1000,
        expires_at=_seconds(expires_ms),
        revoked_at=_seconds(revoked_ms),
        source=source,
    )
    return StoredKey(key, digest, old_digest, _seconds(old_until_ms), version)


def team_of_row(row: TableRow) -> StoredTeam:
    """The team of one row of `teams`, likewise."""
    team_id, name, models, *limits, labels, created_ms, deleted_ms, version = row
    team = Team(
        id=team_id,
        name=name,
        models=_texts(models),
        limits=_limits(*limits),
        labels=_LABELS.decode(labels),
        created_at=created_ms / 1000,
        deleted_at=_seconds(deleted_ms),
    )
    return StoredTeam(team, version)


def key_columns(stored: StoredKey) -> dict[str, object]:
    """All of its row but the id."""
    key = stored.key
    return {
        "name": key.name,
        "prefix": key.prefix,
        "team_id": key.team_id,
        "models": as_json(key.models),
        **_limit_columns(key.limits),
        "resources": key.resources,
        "native": as_json(key.native),
        "labels": as_json(key.labels),
        "created_at_ms": _milliseconds(key.created_at),
        "expires_at_ms": _milliseconds(key.expires_at),
        "revoked_at_ms": _milliseconds(key.revoked_at),
        "source": key.source,
        "digest": stored.digest,
        "old_digest": stored.old_digest,
        "old_until_ms": _milliseconds(stored.old_until),
        "version": stored.version,
    }


def team_columns(stored: StoredTeam) -> dict[str, object]:
    """All of its row but the id."""
    team = stored.team
    return {
        "name": team.name,
        "models": as_json(team.models),
        **_limit_columns(team.limits),
        "labels": as_json(team.labels),
        "created_at_ms": _milliseconds(team.created_at),
        "deleted_at_ms": _milliseconds(team.deleted_at),
        "version": stored.version,
    }


def as_json(value: object) -> str:
    """*value* as a column keeps it: the members of an object in one order."""
    return msgspec.json.encode(value, order="sorted").decode()


def _limits(  # the columns that keys and teams both have
    rpm: int | None,
    tpm: int | None,
    concurrency: int | None,
    budget_nano: int | None,
    budget_tokens: int | None,
    max_tokens: int | None,
    budget_period: Period,
) -> Limits:
    limits = Limits(rpm, tpm, concurrency, budget_nano, budget_tokens, budget_period, max_tokens)
    return NO_LIMITS if limits == NO_LIMITS else limits  # thousands of keys share the one


def _limit_columns(limits: Limits) -> dict[str, object]:
    return {
        "rpm": limits.rpm,
        "tpm": limits.tpm,
        "concurrency": limits.concurrency,
        "budget_nano": limits.budget_nano,
        "budget_tokens": limits.budget_tokens,
        "budget_period": limits.budget_period,
        "max_tokens": limits.max_tokens,
    }


def _texts(text: str) -> tuple[str, ...]:
    return () if text == "[]" else _TEXTS.decode(text)


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
