"""Virtual keys and teams: what we issue, without the secret itself (architecture 4, reliability S8, S9)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from app.domain.limits import NO_LIMITS, Limits
from app.domain.principal import Native, Resources


@dataclass(frozen=True, slots=True)
class Team:
    """*models*: patterns, none for all; its keys may use what both allow. Times are seconds since 1970.

    *deleted_at*: then its keys open nothing.
    """

    id: str
    name: str
    models: tuple[str, ...] = ()
    limits: Limits = NO_LIMITS
    labels: Mapping[str, str] = field(default_factory=dict)
    created_at: float = 0.0
    deleted_at: float | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes something, for the audit log: *name* is `admin`, `viewer`, `command` or `configuration`."""

    name: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class TeamDraft:
    """What an admin may set on a team."""

    name: str
    models: tuple[str, ...] = ()
    limits: Limits = NO_LIMITS
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeyDraft:
    """What an admin may set on a key. *team*: its name or id."""

    name: str
    team: str | None = None
    models: tuple[str, ...] = ()
    limits: Limits = NO_LIMITS
    resources: Resources = "own"
    native: tuple[Native, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class VirtualKey:
    """*prefix*: the first letters and the last four, by which a person knows it. *team_id*: None for a key of its own.

    *source* `file`: it stands in the configuration, which alone may change it.
    """

    id: str
    name: str
    prefix: str
    team_id: str | None = None
    models: tuple[str, ...] = ()
    limits: Limits = NO_LIMITS
    resources: Resources = "own"
    native: tuple[Native, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    created_at: float = 0.0
    expires_at: float | None = None
    revoked_at: float | None = None
    source: Literal["admin", "file"] = "admin"
