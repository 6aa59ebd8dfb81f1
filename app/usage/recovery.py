"""
At start: what dead processes left in the journal's folder is taken into the database (reliability J8, R20).

Every step may be repeated, since a record is kept once however often it is added, and a file goes only when all that is
in its series is committed: a start that is killed here is made good by the next.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from app.domain.ledger import UsageRecord
from app.usage.journal import Warn
from app.usage.journal_lines import LineReader
from app.usage.recorder import BATCH_RECORDS, Store
from app.usage.segments import Series, names_in
from app.usage.tail import PIECE_BYTES
from app.usage.unsettled import Unsettled


class Recovered(NamedTuple):
    """What was found: *records* settled, of which *new* were not in the database, *interrupted* ones included.

    *unreadable*: damaged lines, which were left out. *left*: series that could not be read and are still there.
    """

    series: int = 0
    records: int = 0
    interrupted: int = 0
    new: int = 0
    unreadable: int = 0
    left: int = 0


async def recover(folder: Path, store: Store, *, warn: Warn) -> Recovered:
    """Everything that dead processes left in *folder* is in *store*, and their files are gone; living ones' stay.

    An exchange without settlement becomes a record with outcome `shutdown`, `recovered`, charged by its last progress.
    Raises LedgerUnavailable when the database does not take it: then the files that were not done are all still there.
    """
    total = Recovered()
    for name in names_in(folder):
        try:
            series = Series.seize(folder, name)
        except OSError as error:
            warn("journal cannot be recovered", series=name, reason=error.strerror or "unknown")
            total = total._replace(left=total.left + 1)
            continue
        if series is None:
            continue
        try:
            found = await _SeriesRecovery(series, store).run()
        except (OSError, _LaterVersion) as error:
            warn("journal cannot be recovered", series=name, reason=str(error))
            found = Recovered(left=1)
        finally:
            series.release()
        total = Recovered(*map(sum, zip(total, found, strict=True)))
    return total


class _LaterVersion(Exception):
    """The files were written by a later version in a format of its own."""


class _SeriesRecovery:
    """One series that is ours, from its first note to its removal."""

    def __init__(self, series: Series, store: Store) -> None:
        self._series = series
        self._store = store
        self._reader = LineReader()
        self._unsettled = Unsettled(self._reader)
        self._batch: list[UsageRecord] = []
        self._new = 0

    async def run(self) -> Recovered:
        """Raises LedgerUnavailable, OSError or _LaterVersion; the files then stay."""
        reader, records, interrupted = self._reader, 0, 0
        numbers = self._series.numbers()
        for number in numbers:
            for lines in _pieces(self._series.path(number)):
                found = self._unsettled.take(reader.whole(lines), number, 0.0, deque())
                if not reader.is_readable:
                    raise _LaterVersion(f"format {reader.version} is of a later version")
                records += len(found)
                await self._add(found)
                await self._claim()
        while some := self._unsettled.interrupted(BATCH_RECORDS):
            interrupted += len(some)
            await self._add(some)
        await self._commit()
        for number in numbers:
            self._series.remove(number)
        is_any = int(bool(numbers))
        return Recovered(is_any, records, interrupted, self._new, reader.unreadable)

    async def _add(self, records: list[UsageRecord]) -> None:
        self._batch += records
        while len(self._batch) >= BATCH_RECORDS:
            await self._commit()
        await asyncio.sleep(0)

    async def _claim(self) -> None:
        claims = self._unsettled.claims
        if claims:  # of one piece of the file: a few hundred
            await self._store.claim(claims)
            claims.clear()

    async def _commit(self) -> None:
        batch = self._batch[:BATCH_RECORDS]
        if batch:
            self._new += await self._store.add(batch)
            del self._batch[: len(batch)]


def _pieces(path: Path) -> Iterator[list[bytes]]:
    """The whole lines of the file at *path*, some at a time. What follows the last newline was cut, and is left out."""
    rest = b""
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            *lines, rest = (rest + piece).split(b"\n")
            if lines:
                yield lines
            elif len(rest) > PIECE_BYTES:  # no line is that long
                rest = b""
