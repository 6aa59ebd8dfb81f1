"""A control plane with the admin API, over desks that keep everything in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import httpx2
import msgspec
from fastapi import FastAPI
from pydantic import SecretStr

from app.api.admin_door import AdminKeys
from app.api.admin_parts import AdminParts, KeyEdit, TeamEdit
from app.api.control_plane import ControlPlaneParts, RequestIds, add_control_plane
from app.api.gatekeeper import Gatekeeper
from app.domain.errors import InvalidRequest, LedgerUnavailable, ObjectNotFound
from app.domain.keys import Actor, KeyDraft, Team, TeamDraft, VirtualKey
from app.domain.ledger import UsageRecord
from app.domain.limits import Limits, Standing
from app.domain.prices import Price
from app.domain.principal import Principal
from app.storage.sums import SumRow
from app.usage.reports import UsageQuery, UsageReport
from tests.fakes.records import RECORD as RECORD_OF_ALL

ADMIN, VIEWER = "admin-0123456789abcdef", "viewer-0123456789abcdef"
VIRTUAL = "sk-mg-0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
CREATED = 1_790_000_000.0

RECORD = msgspec.structs.replace(
    RECORD_OF_ALL,
    at_ms=1_790_000_000_123,
    upstream="openmind",
    upstream_model="gpt-4o",
    cost_nano=2500,
    ttft_us=250_000,
)


@dataclass(frozen=True, slots=True)
class FakeChange:
    """A row of the audit log."""

    seq: int
    actor: str
    address: str
    action: str
    target: str
    before: str = "null"
    after: str = '{"name": "n"}'
    at_ms: int = 1_790_000_000_000
    hash: str = "0f"


@dataclass(frozen=True, slots=True)
class FakeVerdict:
    """A log that is whole."""

    ok: bool = True
    rows: int = 3
    first_bad_seq: int | None = None
    reason: str = ""


def sums_of(*values: str | int, cost_nano: int = 2500) -> SumRow:
    """One row of sums."""
    return SumRow(values, 1, 10, 0, 20, cost_nano, 0, 0)


@dataclass
class FakeDesks:
    """Keys, teams, audit log, ledger and prices of one gateway. *is_down*: the database cannot be used."""

    held: dict[str, VirtualKey | Team] = field(default_factory=dict)
    changes: list[FakeChange] = field(default_factory=list)
    sums: list[SumRow] = field(default_factory=list)
    records: list[UsageRecord] = field(default_factory=list)
    prices: list[tuple[str, Price]] = field(default_factory=list)
    standings: tuple[Standing, ...] = ()
    is_down: bool = False
    flushed: int = 0
    asked: list[dict[str, Any]] = field(default_factory=list)
    looked_up: list[str] = field(default_factory=list)

    def snapshot(self) -> tuple[object, ...]:
        """All that a call could have written."""
        return dict(self.held), list(self.changes)

    def parts(self) -> AdminParts:
        return AdminParts(
            keys=FakeKeyDesk(self),
            teams=FakeTeamDesk(self),
            audit=FakeAuditLog(self),
            reports=FakeReports(self),
            records=FakeReports(self),
            prices=FakePrices(self),
            standings=self._standings,
            flush=self._flush,
        )

    def check(self) -> None:
        if self.is_down:
            raise LedgerUnavailable("The database cannot be used now.")

    def named(self, kind: type, name: str) -> None:
        """Raises where *name* is taken."""
        if any(isinstance(one, kind) and one.name == name for one in self.held.values()):
            raise InvalidRequest("The name is taken.", code="name_taken", param="name")

    def tell(self, by: Actor, action: str, target: str) -> None:
        self.changes.append(FakeChange(len(self.changes) + 1, by.name, by.address, action, target))

    def key(self, key_id: str) -> VirtualKey:
        found = self.held.get(key_id)
        if not isinstance(found, VirtualKey):
            raise ObjectNotFound("No such key.", param="id")
        return found

    def team(self, id_or_name: str) -> Team:
        for one in self.held.values():
            if isinstance(one, Team) and id_or_name in (one.id, one.name):
                return one
        raise ObjectNotFound("No such team.", param="id")

    def new_id(self, kind: str) -> str:
        return f"{kind}_{len(self.held) + 1:04}"

    def _standings(self, principal: Principal) -> tuple[Standing, ...]:
        (scope,) = principal.scopes
        return tuple(standing._replace(scope=scope) for standing in self.standings)

    async def _flush(self) -> None:
        self.flushed += 1


@dataclass(frozen=True)
class FakeKeyDesk:
    """As `app.access.key_desk`."""

    desks: FakeDesks

    async def create(self, draft: KeyDraft, by: Actor) -> tuple[VirtualKey, SecretStr]:
        self.desks.check()
        self.desks.named(VirtualKey, draft.name)
        made = self._as_drafted(VirtualKey(self.desks.new_id("key"), "", "sk-mg-01…DEFG"), draft)
        made = replace(made, created_at=CREATED)
        self.desks.held[made.id] = made
        self.desks.tell(by, "key.create", made.id)
        return made, SecretStr(VIRTUAL)

    async def change(self, key_id: str, edit: KeyEdit, by: Actor) -> VirtualKey:
        self.desks.check()
        key = self.desks.key(key_id)
        changed = self._as_drafted(key, edit(self._draft(key)))
        self.desks.held[key_id] = changed
        self.desks.tell(by, "key.change", key_id)
        return changed

    async def rotate(
        self, key_id: str, grace_seconds: float, by: Actor
    ) -> tuple[VirtualKey, SecretStr]:
        self.desks.check()
        key = self.desks.key(key_id)
        self.desks.asked.append({"grace_seconds": grace_seconds})
        self.desks.tell(by, "key.rotate", key_id)
        return key, SecretStr(VIRTUAL)

    async def revoke(self, key_id: str, by: Actor) -> VirtualKey:
        self.desks.check()
        key = replace(self.desks.key(key_id), revoked_at=CREATED + 1)
        self.desks.held[key_id] = key
        self.desks.tell(by, "key.revoke", key_id)
        return key

    async def get(self, key_id: str) -> VirtualKey:
        self.desks.check()
        self.desks.looked_up.append(key_id)
        return self.desks.key(key_id)

    async def listing(
        self, *, after: str | None, limit: int, team: str | None = None
    ) -> list[VirtualKey]:
        self.desks.check()
        team_id = None if team is None else self.desks.team(team).id
        found = [
            one
            for one in self.desks.held.values()
            if isinstance(one, VirtualKey)
            and one.id > (after or "")
            and team_id in (None, one.team_id)
        ]
        return sorted(found, key=lambda key: key.id)[:limit]

    def _as_drafted(self, key: VirtualKey, draft: KeyDraft) -> VirtualKey:
        team_id = None if draft.team is None else self._team_id(draft.team)
        return replace(
            key,
            name=draft.name,
            team_id=team_id,
            models=draft.models,
            limits=draft.limits,
            resources=draft.resources,
            native=draft.native,
            labels=dict(draft.labels),
            expires_at=draft.expires_at,
        )

    def _team_id(self, team: str) -> str:
        try:
            return self.desks.team(team).id
        except ObjectNotFound:
            raise InvalidRequest("No such team.", code="unsupported_value", param="team") from None

    def _draft(self, key: VirtualKey) -> KeyDraft:
        return KeyDraft(
            key.name,
            key.team_id,
            key.models,
            key.limits,
            key.resources,
            key.native,
            key.labels,
            key.expires_at,
        )


@dataclass(frozen=True)
class FakeTeamDesk:
    """As `app.access.team_desk`."""

    desks: FakeDesks

    async def create(self, draft: TeamDraft, by: Actor) -> Team:
        self.desks.check()
        self.desks.named(Team, draft.name)
        made = Team(
            self.desks.new_id("team"),
            draft.name,
            draft.models,
            draft.limits,
            draft.labels,
            CREATED,
        )
        self.desks.held[made.id] = made
        self.desks.tell(by, "team.create", made.id)
        return made

    async def change(self, team_id: str, edit: TeamEdit, by: Actor) -> Team:
        self.desks.check()
        team = self.desks.team(team_id)
        draft = edit(TeamDraft(team.name, team.models, team.limits, team.labels))
        changed = replace(
            team,
            name=draft.name,
            models=draft.models,
            limits=draft.limits,
            labels=draft.labels,
        )
        self.desks.held[team.id] = changed
        self.desks.tell(by, "team.change", team.id)
        return changed

    async def delete(self, team_id: str, by: Actor) -> Team:
        self.desks.check()
        team = replace(self.desks.team(team_id), deleted_at=CREATED + 1)
        self.desks.held[team.id] = team
        self.desks.tell(by, "team.delete", team.id)
        return team

    async def get(self, id_or_name: str) -> Team:
        self.desks.check()
        return self.desks.team(id_or_name)

    async def listing(self, *, after: str | None, limit: int) -> list[Team]:
        self.desks.check()
        found = [
            one
            for one in self.desks.held.values()
            if isinstance(one, Team) and one.id > (after or "") and one.deleted_at is None
        ]
        return sorted(found, key=lambda team: team.id)[:limit]


@dataclass(frozen=True)
class FakeAuditLog:
    """As `app.access.audit_log`."""

    desks: FakeDesks

    async def rows(self, *, after: int | None, limit: int) -> Sequence[FakeChange]:
        return [row for row in self.desks.changes if row.seq > (after or 0)][:limit]

    async def verify(self) -> FakeVerdict:
        return FakeVerdict()


@dataclass(frozen=True)
class FakeReports:
    """As `app.usage.reports` and `app.storage.record_store`; filters are noted and not applied."""

    desks: FakeDesks

    async def usage(self, query: UsageQuery) -> UsageReport:
        self.desks.check()
        self.desks.asked.append(query._asdict())
        assert query.limit is not None
        end = query.after + query.limit
        rows = self.desks.sums[query.after : end]
        return UsageReport(0, 3_600_000, rows, len(self.desks.sums) > end)

    async def records(
        self, *, after: str | None = None, limit: int, **asked: Any
    ) -> list[UsageRecord]:
        self.desks.check()
        self.desks.asked.append({**asked, "after": after, "limit": limit})
        newest = sorted(self.desks.records, key=lambda record: record.id, reverse=True)
        return [record for record in newest if after is None or record.id < after][:limit]


@dataclass(frozen=True)
class FakePrices:
    """As `app.usage.price_book`."""

    desks: FakeDesks

    def rows(self) -> Sequence[tuple[str, Price]]:
        return self.desks.prices


class AdminPlane:
    """A control plane with an admin API over *parts*, or over *desks*."""

    def __init__(
        self,
        parts: AdminParts | None = None,
        *,
        admin: str | None = ADMIN,
        viewer: str | None = VIEWER,
        is_open: bool = True,
        with_admin: bool = True,
    ) -> None:
        self.desks = FakeDesks()
        self.ids = 0
        self.app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, title="t", version="9")
        self.keys = AdminKeys(*(None if key is None else SecretStr(key) for key in (admin, viewer)))
        gatekeeper = Gatekeeper(is_open, None, self.keys.admin, self.keys.viewer)
        behind = (self.desks.parts() if parts is None else parts, self.keys)
        plane = ControlPlaneParts("9", lambda: "ok", lambda: b"", gatekeeper, self._next_id)
        self.shown = replace(plane, admin=behind) if with_admin else plane
        add_control_plane(self.app, self.shown)
        self.served = RequestIds(self.app, self._next_id)

    def _next_id(self) -> str:
        self.ids += 1
        return f"req_{self.ids}"

    def seed(self) -> None:
        """Something of everything: `key_1` of `team_1`, limits, sums, records, prices, changes."""
        team = Team("team_1", "research", created_at=CREATED)
        limits = Limits(rpm=600, budget_nano=25_000_000_001, budget_period="month")
        key = VirtualKey(
            "key_1", "ci", "sk-mg-01…DEFG", "team_1", limits=limits, created_at=CREATED
        )
        self.desks.held = {"team_1": team, "key_1": key}
        self.desks.records = [RECORD]
        self.desks.prices = [("openmind/gpt-4o", Price(2_500_000, 10_000_000, 1_250_000))]
        self.desks.changes = [FakeChange(1, "admin", "127.0.0.1", "key.create", "key_1")]

    async def ask(
        self,
        path: str,
        method: str = "GET",
        *,
        key: str | None = ADMIN,
        body: object = None,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx2.Response:
        """The reply to one request; *path* as below `/admin/v1`, unless it begins there or is `/…` in full."""
        sent = dict(headers or {})
        if key is not None:
            sent.setdefault("authorization", f"Bearer {key}")
        if content is not None:
            sent.setdefault("content-type", "application/json")
        target = path if path.startswith("/") else f"/admin/v1/{path}"
        transport = httpx2.ASGITransport(
            self.served, raise_app_exceptions=False, client=("198.51.100.7", 4711)
        )
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            if body is not None:
                return await client.request(method, target, headers=sent, json=body)
            return await client.request(method, target, headers=sent, content=content)
