"""Desks over a real database, a clock that moves when told, and the ring that the desks change."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from app.access.audit_log import AuditLog
from app.access.authenticator import Authenticator
from app.access.key_desk import KeyDesk
from app.access.key_ring import KeyRing
from app.access.pepper import Peppers
from app.access.team_desk import TeamDesk
from app.domain.keys import Actor
from app.domain.principal import Principal
from app.storage.database import Database
from app.storage.key_store import KeyStore
from tests.fakes.clock import Clock

ADMIN = Actor("admin", "192.0.2.7")
NOW = 1_700_000_000.0


@dataclass
class Office:
    """All of it together; *door* is what a client meets."""

    database: Database
    clock: Clock
    peppers: Peppers
    store: KeyStore
    ring: KeyRing
    keys: KeyDesk
    teams: TeamDesk
    audit: AuditLog
    door: Authenticator

    def caller(self, secret: SecretStr | str) -> Principal:
        key = secret if isinstance(secret, str) else secret.get_secret_value()
        return self.door.authenticate([(b"authorization", f"Bearer {key}".encode())])


def office_over(database: Database, peppers: Sequence[bytes] = (b"p" * 32,)) -> Office:
    """A process of its own on *database*: another ring than any other's."""
    clock, its_peppers = Clock(NOW), Peppers(peppers)
    store, ring = KeyStore(database, its_peppers.seal), KeyRing((), its_peppers)
    return Office(
        database,
        clock,
        its_peppers,
        store,
        ring,
        KeyDesk(store, its_peppers, ring, clock),
        TeamDesk(store, ring, clock),
        AuditLog(store, its_peppers),
        Authenticator(ring, now_seconds=clock, now=clock),
    )


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    database = await Database.open(SecretStr(url))
    try:
        yield database
    finally:
        await database.aclose()
