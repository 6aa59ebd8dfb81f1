"""
Exchanges that were begun and are not settled, and what is booked of one that never will be (reliability J8).
"""

from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from msgspec.structs import asdict

from app.domain.ledger import Intent, Progress, UsageRecord
from app.domain.outcome import Outcome
from app.domain.stored_objects import Claim
from app.usage.journal_lines import CLAIM, CUT, INTENT, PROGRESS, SETTLEMENT, LineReader, id_in

# Behind the end of its lease, which itself is behind every deadline: when nothing of an exchange can still be alive.
_GRACE_SECONDS = 3600.0
_MOST_REMEMBERED = 10_000


class _Place(NamedTuple):
    segment: int
    seen_at: float  # monotonic: a clock that is set must not end an exchange (reliability R21)


class Unsettled:
    """Follows the lines of one series. What it holds is as much as was in flight at one time, as lines: hardly any of
    them is ever read. *settled_late*: settlements that came after `overdue` had told of their exchange; the ledger
    keeps what came first. *claims*: those read so far, in their order; whoever ships them takes them out."""

    def __init__(self, reader: LineReader) -> None:
        self.settled_late = 0
        self.claims: list[Claim] = []
        self._reader = reader
        self._overdue: dict[str, None] = {}  # the last ones, in their order
        self._begun: dict[str, tuple[bytes, _Place]] = {}
        self._progress: dict[str, bytes] = {}

    def __len__(self) -> int:
        return len(self._begun)

    @property
    def oldest_segment(self) -> int | None:
        """Where the oldest intent without settlement stands; None where there is none."""
        for _, place in self._begun.values():  # in the order of the lines, hence of the segments
            return place.segment
        return None

    def take(
        self,
        lines: Iterable[bytes],
        segment: int,
        now: float,
        at_hand: deque[UsageRecord],
    ) -> list[UsageRecord]:
        """The records among *lines*, which were read in *segment* at *now*. Those *at_hand*, in the order of the lines,
        are taken from there. A line is checked when it is decoded, as most never are: that would take longer than all
        else.
        """
        records: list[UsageRecord] = []
        begun, place = self._begun, _Place(segment, now)
        for line in lines:
            if line.endswith(CUT):
                continue
            kind, id = line[:1], id_in(line)
            if kind == INTENT:
                begun[id] = (line, place)
            elif kind == SETTLEMENT:
                is_at_hand = at_hand and at_hand[0].id == id
                record = at_hand.popleft() if is_at_hand else self._record(line)
                if record is not None:
                    records.append(record)
                    begun.pop(id, None)
                    if self._progress:
                        self._progress.pop(id, None)
                    if self._overdue and id in self._overdue:
                        self.settled_late += 1
            elif kind == PROGRESS:
                if id in begun:
                    self._progress[id] = line
            else:
                self._take_other(kind, line)
        return records

    def overdue(self, now: float) -> list[UsageRecord]:
        """Records for those whose lease ended long ago: their settlement was dropped. They are forgotten here."""
        # Whatever its lease is, no exchange that was read a moment ago is overdue: most lines are not looked into.
        old = [
            (id, line, place.seen_at)
            for id, (line, place) in self._begun.items()
            if now > place.seen_at + _GRACE_SECONDS
        ]
        late = [id for id, line, seen_at in old if now > self._lease_end(line, seen_at)]
        self._overdue.update(dict.fromkeys(late))
        while len(self._overdue) > _MOST_REMEMBERED:
            del self._overdue[next(iter(self._overdue))]
        return self._book(late)

    def interrupted(self, most: int) -> list[UsageRecord]:
        """Records for *most* of them, whose process is dead; none when there are none. They are forgotten here."""
        booked: list[UsageRecord] = []
        while self._begun and not booked:  # a line that says nothing is left out
            booked = self._book(list(islice(self._begun, most)))
        return booked

    def _take_other(self, kind: bytes, line: bytes) -> None:
        if kind != CLAIM:
            self._reader.whole((line,))  # the file's first line, or damage
            return
        claim = self._reader.checked_note(line)
        if isinstance(claim, Claim):
            self.claims.append(claim)

    def _record(self, line: bytes) -> UsageRecord | None:
        record = self._reader.checked_note(line)
        return record if isinstance(record, UsageRecord) else None

    def _book(self, ids: list[str]) -> list[UsageRecord]:
        records = []
        for id in ids:
            intent = self._reader.checked_note(self._begun[id][0])
            line = self._progress.get(id)
            progress = None if line is None else self._reader.checked_note(line)
            if isinstance(intent, Intent):
                found = progress if isinstance(progress, Progress) else None
                records.append(interrupted_record(intent, found))
            self._forget(id)
        return records

    def _forget(self, id: str) -> None:
        self._begun.pop(id, None)
        if self._progress:
            self._progress.pop(id, None)

    def _lease_end(self, line: bytes, seen_at: float) -> float:
        intent = self._reader.checked_note(line)
        if not isinstance(intent, Intent):
            return seen_at
        return seen_at + (intent.lease_ends_at_ms - intent.at_ms) / 1000 + _GRACE_SECONDS


def interrupted_record(intent: Intent, progress: Progress | None) -> UsageRecord:
    """The record of an exchange that nobody settled: charged as its last progress says, without one for its estimated
    input. What is not known is 0, "" or None.
    """
    if progress is None:
        progress = Progress(
            id=intent.id,
            upstream=intent.upstream,
            upstream_model=intent.upstream_model,
            attempts=1,
            input_tokens=intent.input_tokens,
            cached_input_tokens=0,
            output_tokens=0,
            usage_source="estimated",
            cost_nano=intent.cost_nano,
            priced=intent.priced,
        )
    return UsageRecord(
        **asdict(progress),
        at_ms=intent.at_ms,
        key_id=intent.key_id,
        team_id=intent.team_id,
        endpoint=intent.endpoint,
        model=intent.model,
        stream=intent.stream,
        status=0,
        outcome=Outcome.SHUTDOWN.value,
        phase="",
        error_code="",
        duration_us=0,
        ttft_us=None,
        sent_us=None,
        answered_us=None,
        trail="[]",
        recovered=True,
        label=intent.label,
    )
