"""
What survives a restart: keys, the ledger and its journal, opened before the gateway serves and closed behind it.

Opened in this order: the database, what a killed process left in the journal, this process's own journal.
"""

import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple

from app.access.file_keys import adopt_file_keys
from app.access.key_ring import KeyRing
from app.access.pepper import Peppers, match_peppers, open_peppers
from app.domain.configuration import Configuration, StorageOptions
from app.domain.errors import ConfigurationError, LedgerUnavailable
from app.domain.ledger import UsageRecord
from app.domain.limits import PeriodStarts, ScopeKind, Spending
from app.domain.stored_objects import Claim
from app.limits.periods import Calendar
from app.storage.database import Database
from app.storage.key_store import KeyStore, pepper_check
from app.storage.object_store import ObjectStore
from app.storage.record_store import RecordStore
from app.telemetry.logs import Log
from app.usage.journal import Journal
from app.usage.recorder import Recorder
from app.usage.recovery import recover
from app.usage.segments import Series

_PATIENCE_SECONDS = 10.0  # for the last records to reach the database


@dataclass(frozen=True, slots=True)
class Kept:
    """*spending*: what every key and team had spent when this was opened, in the periods of *starts*. *models*: whose
    the fine-tuned models were then."""

    keys: KeyStore
    ring: KeyRing
    peppers: Peppers
    records: RecordStore
    journal: Journal
    recorder: Recorder
    spending: dict[tuple[ScopeKind, str], Spending]
    starts: PeriodStarts
    objects: ObjectStore
    models: list[Claim]


class _Ledger(NamedTuple):
    """What the journal is taken into: `app.usage.recorder.Store`."""

    records: RecordStore
    objects: ObjectStore

    async def add(self, records: Sequence[UsageRecord]) -> int:
        return await self.records.add(records)

    async def claim(self, claims: Sequence[Claim]) -> None:
        await self.objects.add(claims)

    async def delete_before(self, cutoff_ms: int, *, at_most: int) -> int:
        return await self.records.delete_before(cutoff_ms, at_most=at_most)


@asynccontextmanager
async def kept(
    configuration: Configuration, log: Log, wall_seconds: Callable[[], float]
) -> AsyncIterator[Kept | None]:
    """Everything open; at the end all that was settled is in the database, or in the journal for the next start.

    None where `storage.url` is null. Raises ConfigurationError when something cannot be used.
    """
    options = configuration.storage
    if options is None:
        yield None
        return
    database = await Database.open(options.url)
    try:
        found = await _opened(database, options, configuration, log, wall_seconds)
        try:
            yield found
        finally:
            if not await found.recorder.finish(_PATIENCE_SECONDS):
                log.warning("ledger was not finished; the next start does it")
    except LedgerUnavailable as error:
        raise ConfigurationError(f"{configuration.source}: storage.url: {error.message}") from error
    finally:
        await database.aclose()


async def key_store(
    database: Database, options: StorageOptions, configuration: Configuration, *, writes: bool
) -> tuple[KeyStore, Peppers]:
    """The keys of *database*, and the peppers it was opened with. A new database gets its pepper from who *writes*; who
    only reads makes none, for under another one the whole audit log would look altered.

    Raises ConfigurationError for a database of another pepper.
    """
    check = await pepper_check(database)
    may_make = writes and not check
    peppers = open_peppers(configuration.peppers, options.pepper_file, may_make=may_make)
    keys = KeyStore(database, peppers.seal)
    if writes or check:
        await match_peppers(keys, peppers)
    return keys, peppers


async def _opened(
    database: Database,
    options: StorageOptions,
    configuration: Configuration,
    log: Log,
    wall_seconds: Callable[[], float],
) -> Kept:
    keys, peppers = await key_store(database, options, configuration, writes=True)
    ledger = _Ledger(RecordStore(database), ObjectStore(database))
    ring = KeyRing(configuration.keys, peppers)
    ring.apply(await adopt_file_keys(keys, configuration.keys, wall_seconds()))
    recovered = await recover(options.journal, ledger, warn=log.warning)
    if any(recovered._replace(series=0)):
        log.warning("journal of a killed process recovered", **recovered._asdict())
    name = f"{int(wall_seconds() * 1000):012x}-{secrets.token_hex(4)}"
    journal = Journal(
        Series.begin(options.journal, name),
        warn=log.warning,
        fsync=configuration.usage.fsync,
        on_failure=configuration.usage.on_journal_failure,
    )
    recorder = Recorder(
        journal,
        ledger,
        warn=log.warning,
        retention_days=configuration.usage.retention_days,
        wall_seconds=wall_seconds,
    )
    starts = Calendar(wall_seconds).starts()
    return Kept(
        keys,
        ring,
        peppers,
        ledger.records,
        journal,
        recorder,
        await ledger.records.spending(starts),
        starts,
        ledger.objects,
        await ledger.objects.models(),
    )
