"""
Takes what the journal settled into the database, and whose objects are, in the background (reliability J7, Q6, S16).

It follows the journal's own files, so a database that is down costs nothing but disk. Law: a segment is removed when
all its records and claims are committed and every exchange that began in it is settled, the oldest first.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from time import monotonic
from typing import Protocol

from app.domain.errors import LedgerUnavailable
from app.domain.ledger import UsageRecord
from app.domain.stored_objects import Claim
from app.usage.journal import Journal, Warn
from app.usage.journal_lines import CLAIM, SETTLEMENT, LineReader
from app.usage.tail import Tail
from app.usage.unsettled import Unsettled

# A transaction costs as much by itself as a hundred records: under load it should have far more. SQLite's one writer
# is held for some 10 ms by so many.
BATCH_RECORDS = 2048
_SHIP_SECONDS = 1.0
_LONGEST_RETRY_SECONDS = 30.0
_LINES_AT_ONCE = 250  # of those in memory; a fraction of a millisecond
_RETENTION_SECONDS = 3600.0
_FIRST_RETENTION_SECONDS = 60.0
_RETENTION_ROWS = 500
_RETENTION_PAUSE_SECONDS = 0.2
_DAY_MS = 86_400_000


class Store(Protocol):
    """Where records and claims are kept; `app.storage.record_store`, `app.storage.object_store`. Each call is one
    transaction and may raise LedgerUnavailable."""

    async def add(self, records: Sequence[UsageRecord]) -> int:
        """*records* are there, each once however often it is added; how many are new."""
        ...

    async def claim(self, claims: Sequence[Claim]) -> None:
        """*claims* count, in their order, each once however often it comes."""
        ...

    async def delete_before(self, cutoff_ms: int, *, at_most: int) -> int:
        """Up to *at_most* records older than *cutoff_ms* are gone; how many those were."""
        ...


class Recorder:
    """Ships *journal* into *store*. Run it, and `finish` it once nothing settles any more."""

    def __init__(
        self,
        journal: Journal,
        store: Store,
        *,
        warn: Warn,
        retention_days: int,
        wall_seconds: Callable[[], float],
        now: Callable[[], float] = monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """*retention_days*: how long records are kept; 0 keeps them for ever."""
        self._journal = journal
        self._store = store
        self._warn = warn
        self._retention_days = retention_days
        self._wall_seconds = wall_seconds
        self._now = now
        self._sleep = sleep
        self._tail = Tail(journal.series)
        self._reader = LineReader()
        self._unsettled = Unsettled(self._reader)
        self._batch: list[UsageRecord] = []  # read, and not yet committed; shorter than two batches
        self._shipped = 0
        self._oldest_segment = 1
        self._unreadable = self._settled_late = 0
        self._lock = asyncio.Lock()  # one reads and adds at a time

    async def run(self) -> None:
        """Never returns; cancel it."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._ship_for_ever())
            if self._retention_days > 0:
                group.create_task(self._forget_for_ever())

    async def flush(self) -> None:
        """All that was settled or claimed before the call is in the database. Raises LedgerUnavailable when it cannot
        be."""
        async with self._lock:
            waiting = await self._ship()
            reader = LineReader()
            for start in range(0, len(waiting), _LINES_AT_ONCE):
                lines = waiting[start : start + _LINES_AT_ONCE]
                wanted = (line for line in lines if line.startswith((SETTLEMENT, CLAIM)))
                notes = [reader.note(line[:-1]) for line in wanted]
                if claims := [note for note in notes if isinstance(note, Claim)]:
                    await self._store.claim(claims)
                if records := [note for note in notes if isinstance(note, UsageRecord)]:
                    await self._store.add(records)

    async def finish(self, patience_seconds: float) -> bool:
        """Everything is in the database and the journal is closed and removed: True. Or the time is over, or the
        database is down: then the journal is closed and stays for the next start."""
        try:
            async with asyncio.timeout(patience_seconds):
                await self.flush()
            is_done = not self._unsettled
        except (LedgerUnavailable, TimeoutError):
            is_done = False
        self._tail.close()
        self._journal.close(discard=is_done)
        return is_done

    async def _ship_for_ever(self) -> None:
        delay, is_well = _SHIP_SECONDS, True
        while True:
            await self._sleep(delay)
            try:
                async with self._lock:
                    await self._ship()
            except LedgerUnavailable as error:
                if is_well:
                    self._warn(
                        "ledger cannot be written; the journal keeps it", reason=error.message
                    )
                delay, is_well = min(2 * delay, _LONGEST_RETRY_SECONDS), False
                continue
            if not is_well:
                self._warn("ledger is written again")
            delay, is_well = _SHIP_SECONDS, True

    async def _ship(self) -> tuple[bytes, ...]:
        """Everything that stands in the journal by now is committed. What does not stand there yet: its lines.

        Raises LedgerUnavailable; then what was read is kept for the next call.
        """
        await self._write_waiting()
        mark, waiting = self._journal.mark(), self._journal.waiting()
        while (lines := self._tail.read(mark)) is not None:
            self._batch += self._unsettled.take(
                lines, self._tail.segment, self._now(), self._journal.at_hand
            )
            while len(self._batch) >= BATCH_RECORDS:
                await self._add()
            if len(self._unsettled.claims) >= BATCH_RECORDS:
                await self._add_claims()
            await asyncio.sleep(0)
        if not waiting:
            self._take_overdue()
        await self._add_claims()
        while self._batch:
            await self._add()
        self._shipped = mark.settled
        self._journal.shipped(self._shipped)
        await self._remove_segments()
        return waiting

    async def _write_waiting(self) -> None:
        """What the journal could not write is written, as far as that works now."""
        before = self._journal.waiting_notes
        while not self._journal.retry() and self._journal.waiting_notes < before:
            before = self._journal.waiting_notes
            await asyncio.sleep(0)

    async def _add(self) -> None:
        batch = self._batch[:BATCH_RECORDS]
        await self._store.add(batch)
        del self._batch[: len(batch)]
        self._shipped += len(batch)
        self._journal.shipped(self._shipped)

    async def _add_claims(self) -> None:
        claims = self._unsettled.claims
        while some := claims[:BATCH_RECORDS]:
            await self._store.claim(some)
            del claims[: len(some)]

    def _take_overdue(self) -> None:
        overdue = self._unsettled.overdue(self._now())
        if overdue:
            self._warn("exchanges were never settled; booked as recovered", exchanges=len(overdue))
            self._batch += overdue

    async def _remove_segments(self) -> None:
        """Called when all that was read is committed."""
        needed = self._tail.segment
        if (oldest := self._unsettled.oldest_segment) is not None:
            needed = min(needed, oldest)
        while self._oldest_segment < needed:
            await self._remove_segment(self._oldest_segment)
            self._oldest_segment += 1
        unreadable = self._reader.unreadable + self._tail.lost
        if unreadable > self._unreadable:
            self._unreadable = unreadable
            self._journal.at_hand.clear()  # the first may be one whose line is gone
            self._warn("journal has unreadable lines", lines=self._unreadable)
        if self._unsettled.settled_late > self._settled_late:
            self._settled_late = self._unsettled.settled_late
            self._warn(
                "exchanges were settled after they had been booked as recovered",
                exchanges=self._settled_late,
            )

    async def _remove_segment(self, number: int) -> None:
        remove = self._journal.series.remove
        try:
            await asyncio.to_thread(remove, number)  # 16 MiB take the file system some milliseconds
        except RuntimeError:  # no thread can be started: the machine has as many as it may
            remove(number)

    async def _forget_for_ever(self) -> None:
        """Retention: the oldest records go, a few at a time, so that nobody waits long for the writer."""
        delay = _FIRST_RETENTION_SECONDS
        while True:
            await self._sleep(delay)
            delay = _RETENTION_SECONDS
            with suppress(LedgerUnavailable):  # the next hour will do
                await self._forget()

    async def _forget(self) -> None:
        cutoff_ms = int(self._wall_seconds() * 1000) - self._retention_days * _DAY_MS
        while await self._store.delete_before(cutoff_ms, at_most=_RETENTION_ROWS) > 0:
            await self._sleep(_RETENTION_PAUSE_SECONDS)
