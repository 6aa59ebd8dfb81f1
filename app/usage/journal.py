"""
The journal: what is known of an exchange stands in a file before the world sees it (reliability J2 to J5, R19).

Law: one `os.write` per note, on the loop, and nothing between the decision and the write that could be cancelled.
Bytes given to the kernel survive the process. When writing fails, notes wait in memory in their order, so many and no
more, and are written when it works again; each attempt begins by closing the line that may have been cut.
"""

import os
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from time import monotonic
from typing import Final, Literal, NamedTuple, Protocol

from app.domain.errors import ConfigurationError, LedgerUnavailable
from app.domain.ledger import Intent, Progress, UsageRecord
from app.domain.stored_objects import Claim
from app.usage.journal_lines import (
    CLAIM,
    CLOSE_CUT,
    INTENT,
    PROGRESS,
    SETTLEMENT,
    line_of,
    version_line,
)
from app.usage.segments import Series
from app.usage.syncing import Fsync, Syncer

OnFailure = Literal["accept", "refuse"]

_SEGMENT_BYTES: Final = 16 * 1024 * 1024
_MOST_WAITING = 100_000  # not Final, for a test lowers it
_MOST_AT_HAND: Final = 10_000  # some 10 MB: more than come in a second
_BITE_BYTES: Final = 256 * 1024  # what waited is written in such pieces: a millisecond each
_FIRST_RETRY_SECONDS: Final = 0.1
_LAST_RETRY_SECONDS: Final = 5.0


class Warn(Protocol):
    """Tells the operator of *event*; the log's `warning`."""

    def __call__(self, event: str, **fields: object) -> object: ...


class Mark(NamedTuple):
    """What stood in the journal at one moment: up to *offset* of *segment*, with *settled* records in all."""

    segment: int
    offset: int
    settled: int


class Journal:
    """One process's journal. Everything is called from the event loop's thread and none of it waits.

    *dropped_records*, *dropped_claims*: settled exchanges, and objects' owners, that are lost, since there was no room
    to wait. *at_hand*: records whose lines stand in the file, *most_at_hand* and no more, in the order of their lines,
    so that whoever reads those need not decode them all; he takes out what he finds. *durable*: the syncer's own, to be
    awaited until all that is written by now stands on the disk; it gives None unless `fsync` is `always`.
    """

    def __init__(
        self,
        series: Series,
        *,
        warn: Warn,
        fsync: Fsync = "interval",
        on_failure: OnFailure = "accept",
        now: Callable[[], float] = monotonic,
        write: Callable[[int, bytes], int] = os.write,
        segment_bytes: int = _SEGMENT_BYTES,
    ) -> None:
        """*series*: `Series.begin(folder, name)`, the journal's own from now on. Raises ConfigurationError when no
        file can be made in it."""
        self.series = series
        self.dropped_records = self.dropped_claims = 0
        self.at_hand: deque[UsageRecord] = deque()
        self.most_at_hand = _MOST_AT_HAND
        self._warn = warn
        self._refuses = on_failure == "refuse"
        self._now = now
        self._write = write
        self._segment_bytes = self._rotate_at = segment_bytes
        self._syncer = Syncer(fsync, series.sync_folder)
        self.durable: Callable[[], Awaitable[None] | None] = self._syncer.durable
        self._number, self._segment, self._size = -1, 0, 0
        self._waiting: deque[bytes] = deque()
        self._settled = self._settled_waiting = self._shipped = 0
        self._is_failing = self._sync_failed = self._is_closed = False
        self._retry_at, self._delay = 0.0, _FIRST_RETRY_SECONDS
        try:
            self._begin(self.series.create(1))
        except OSError as error:
            raise ConfigurationError(f"usage.journal cannot be written: {error.strerror}") from None

    @property
    def is_failing(self) -> bool:
        """True while notes cannot be written, or not be given to the disk."""
        return self._is_failing or self._sync_failed

    @property
    def pending(self) -> int:
        """Records that are settled and not yet in the database."""
        return max(0, self._settled - self._shipped)

    def intend(self, intent: Intent) -> None:
        """An upstream is about to be asked (J2). Raises LedgerUnavailable where it cannot be written and the policy is
        `refuse`: then it stands nowhere."""
        line, _ = line_of(INTENT, intent)
        if self._put(line):
            return
        if self._refuses:
            raise LedgerUnavailable(
                "The gateway cannot write its ledger at the moment. Please try again later."
            )
        self._hold(line, _MOST_WAITING // 2)

    def progress(self, progress: Progress) -> None:
        """The exchange has come so far (J4)."""
        line, _ = line_of(PROGRESS, progress)
        if not self._put(line):
            self._hold(line, _MOST_WAITING // 2)

    def settle(self, record: UsageRecord) -> None:
        """The exchange is over (J5). It is written, waits in memory, or is counted as dropped."""
        line, said = line_of(SETTLEMENT, record)
        if self._put(line):
            self._settled += 1
            if len(self.at_hand) < self.most_at_hand:
                self.at_hand.append(said)
        elif self._hold(line, _MOST_WAITING):  # half the room is for records alone
            self._settled += 1
            self._settled_waiting += 1
        else:
            self.dropped_records += 1

    def claim(self, claim: Claim) -> None:
        """Whose an object is, or that it is gone (reliability S16). It is written, waits in memory, or is counted as
        dropped."""
        line, _ = line_of(CLAIM, claim)
        if not self._put(line) and not self._hold(line, _MOST_WAITING):
            self.dropped_claims += 1

    def retry(self) -> bool:
        """Writes some of what waits, if it is time to try. True when nothing waits any longer."""
        self._watch_syncing()
        if not self._is_failing:
            return True
        if self._is_closed or self._now() < self._retry_at:
            return False
        self._write_waiting()
        return not self._is_failing

    def mark(self) -> Mark:
        """Where the journal ends now."""
        return Mark(self._segment, self._size, self._settled - self._settled_waiting)

    @property
    def waiting_notes(self) -> int:
        """How many notes could not be written yet."""
        return len(self._waiting)

    def waiting(self) -> tuple[bytes, ...]:
        """The lines that could not be written yet."""
        return tuple(self._waiting)

    def shipped(self, records: int) -> None:
        """So many of the settled *records* are in the database, counted from the start."""
        self._shipped = records

    def close(self, *, discard: bool = False) -> None:
        """What can be written is, and given to the disk; the files are left to whoever recovers. Blocks for that.

        *discard*: all of it is in the database, so the files are removed instead.
        """
        if self._is_closed:
            return
        self._retry_at = 0.0
        while self._is_failing and not discard and self._write_waiting():
            pass
        if not discard:
            self._drop_waiting()
        self._is_closed, self._is_failing = True, True
        self._syncer.close()
        if discard:
            for number in self.series.numbers():
                self.series.remove(number)
        self.series.release()

    def _drop_waiting(self) -> None:
        """What waits is lost."""
        records, claims = self._settled_waiting, sum(map(_is_claim, self._waiting))
        if records or claims:
            self._warn("journal is closed without what waited", records=records, claims=claims)
            self.dropped_records += records
            self.dropped_claims += claims

    def _put(self, line: bytes) -> bool:
        """True when *line* stands in the file, behind all that came before it."""
        if self._is_failing and not self.retry():
            return False
        try:
            written = self._write(self._number, line)
        except OSError as error:
            return self._fail(error.strerror)
        self._size += written
        if written != len(line):
            return self._fail("no space is left")
        self._syncer.is_dirty = True
        if self._size >= self._rotate_at:
            self._rotate()
        return True

    def _hold(self, line: bytes, most: int) -> bool:
        """*line* waits, if no more than *most* do."""
        if self._is_closed or len(self._waiting) >= most:
            return False
        self._waiting.append(line)
        return True

    def _fail(self, reason: str | None) -> Literal[False]:
        if not self._is_failing:
            self._is_failing = True
            self._delay = _FIRST_RETRY_SECONDS
            self._warn("journal cannot be written", reason=reason or "unknown")
        self._retry_at = self._now() + self._delay
        self._delay = min(2 * self._delay, _LAST_RETRY_SECONDS)
        return False

    def _write_waiting(self) -> bool:
        """A bite of what waits is written, if only the end of the cut line. False when that failed."""
        bite = CLOSE_CUT + b"".join(self._bite())
        try:
            written = self._write(self._number, bite)
        except OSError as error:
            return self._fail(error.strerror)
        self._size += written
        self._syncer.is_dirty = True
        left = written - len(CLOSE_CUT)
        while self._waiting and left >= len(self._waiting[0]):
            line = self._waiting.popleft()
            left -= len(line)
            self._settled_waiting -= line.startswith(SETTLEMENT)
        if written != len(bite):
            return self._fail("no space is left")
        self._delay = _FIRST_RETRY_SECONDS
        if not self._waiting:
            self._is_failing = False
            self._warn(
                "journal is written again",
                dropped_records=self.dropped_records,
                dropped_claims=self.dropped_claims,
            )
            if self._size >= self._rotate_at:
                self._rotate()
        return True

    def _bite(self) -> Iterator[bytes]:
        taken = 0
        for line in self._waiting:
            yield line
            taken += len(line)
            if taken >= _BITE_BYTES:
                return

    def _rotate(self) -> None:
        """The next segment is written to; or, where it cannot be made, the old one is for as long again."""
        try:
            number = self.series.create(self._segment + 1)
        except OSError:
            self._rotate_at = self._size + self._segment_bytes
        else:
            self._begin(number)

    def _begin(self, number: int) -> None:
        self._number, self._segment, self._size = number, self._segment + 1, 0
        self._rotate_at = self._segment_bytes
        self._syncer.switch(number)
        self._put(version_line())

    def _watch_syncing(self) -> None:
        fault = self._syncer.fault
        if (fault is not None) != self._sync_failed:
            self._sync_failed = fault is not None
            if fault is not None:
                self._warn("journal cannot be synced", reason=fault)
            else:
                self._warn("journal is synced again")


def _is_claim(line: bytes) -> bool:
    return line.startswith(CLAIM)
