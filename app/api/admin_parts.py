"""What the admin API stands on: the desks of keys, teams and audit, and what reads the ledger. It has no state."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic import SecretStr

from app.domain.keys import Actor, KeyDraft, Team, TeamDraft, VirtualKey
from app.domain.ledger import UsageRecord
from app.domain.limits import Standing
from app.domain.prices import Price
from app.domain.principal import Principal
from app.usage.reports import UsageQuery, UsageReport

# What is done to a draft inside the transaction that changes it.
KeyEdit = Callable[[KeyDraft], KeyDraft]
TeamEdit = Callable[[TeamDraft], TeamDraft]


class KeyDesk(Protocol):
    """Virtual keys. Everything raises ObjectNotFound, InvalidRequest or LedgerUnavailable, having changed nothing."""

    async def create(self, draft: KeyDraft, by: Actor) -> tuple[VirtualKey, SecretStr]:
        """A new key, and its secret, which nobody can be shown again."""

    async def change(self, key_id: str, edit: KeyEdit, by: Actor) -> VirtualKey:
        """The key as *edit* leaves it."""

    async def rotate(
        self, key_id: str, grace_seconds: float, by: Actor
    ) -> tuple[VirtualKey, SecretStr]:
        """The key with a new secret; the old one opens for *grace_seconds* more."""

    async def revoke(self, key_id: str, by: Actor) -> VirtualKey:
        """The key, which opens nothing any more."""

    async def get(self, key_id: str) -> VirtualKey:
        """One key, revoked or not."""

    async def listing(
        self, *, after: str | None, limit: int, team: str | None = None
    ) -> list[VirtualKey]:
        """Keys by id, revoked ones too; *team*: its id or name."""


class TeamDesk(Protocol):
    """Teams, likewise."""

    async def create(self, draft: TeamDraft, by: Actor) -> Team:
        """A new team."""

    async def change(self, team_id: str, edit: TeamEdit, by: Actor) -> Team:
        """The team as *edit* leaves it."""

    async def delete(self, team_id: str, by: Actor) -> Team:
        """The team, whose keys open nothing any more."""

    async def get(self, id_or_name: str) -> Team:
        """One team, deleted or not."""

    async def listing(self, *, after: str | None, limit: int) -> list[Team]:
        """Teams by id, without deleted ones."""


class AuditRow(Protocol):
    """One row of the audit log; *before* and *after* are JSON without secrets."""

    @property
    def seq(self) -> int: ...
    @property
    def at_ms(self) -> int: ...
    @property
    def actor(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def action(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def before(self) -> str: ...
    @property
    def after(self) -> str: ...
    @property
    def hash(self) -> str: ...


class Verdict(Protocol):
    """Whether the chain of the audit log is whole; else where it breaks first, and how."""

    @property
    def ok(self) -> bool: ...
    @property
    def rows(self) -> int: ...
    @property
    def first_bad_seq(self) -> int | None: ...
    @property
    def reason(self) -> str: ...


class AuditLog(Protocol):
    """The audit log, to read."""

    async def rows(self, *, after: int | None, limit: int) -> Sequence[AuditRow]:
        """The next rows in the log's own order."""

    async def verify(self) -> Verdict:
        """Goes through all of it."""


class Reports(Protocol):
    """Sums over the ledger."""

    async def usage(self, query: UsageQuery) -> UsageReport:
        """What *query* asks for. Raises LedgerUnavailable."""


class Records(Protocol):
    """The ledger itself, to read."""

    async def records(  # noqa: PLR0913 one for each filter of the admin API
        self,
        *,
        after: str | None = None,
        limit: int,
        key_id: str | None = None,
        team_id: str | None = None,
        model: str | None = None,
        upstream: str | None = None,
        outcome: str | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
    ) -> list[UsageRecord]:
        """Exchanges, the newest first; a filter that is None lets everything through. Raises LedgerUnavailable."""


class PriceBook(Protocol):
    """The operator's prices."""

    def rows(self) -> Sequence[tuple[str, Price]]:
        """Each `upstream/model` or pattern with its price, in their order."""


@dataclass(frozen=True, slots=True)
class AdminParts:
    """*flush*: afterwards all that was settled is in the ledger that *reports* and *records* read. *standings*: where
    the limits of a principal's scopes stand."""

    keys: KeyDesk
    teams: TeamDesk
    audit: AuditLog
    reports: Reports
    records: Records
    prices: PriceBook
    standings: Callable[[Principal], tuple[Standing, ...]]
    flush: Callable[[], Awaitable[None]]
