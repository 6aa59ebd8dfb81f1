"""
Who changed what: rows to read, and the proof that none was changed, removed, put in, moved or cut off (S26).

What the proof cannot tell: a database, or the end of its log, put back as an older copy has it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hmac import compare_digest
from typing import get_type_hints

import msgspec

from app.access.pepper import Peppers
from app.domain.keys import Team, VirtualKey
from app.storage.audit_rows import NO_HEAD, AuditRow, LogEnd, head_part
from app.storage.key_store import KeyStore

_PAGE_ROWS = 500
_BEFORE_ALL = -(2**63)  # so that a row put in before the first is read too
_KINDS = tuple(get_type_hints(AuditRow).items())


@dataclass(frozen=True, slots=True)
class Verdict:
    """*rows*: how many were found whole. *first_bad_seq* and *reason* tell where the chain breaks, and how; None and ""
    where it is whole."""

    ok: bool
    rows: int
    first_bad_seq: int | None = None
    reason: str = ""


class AuditLog:
    """Reads the audit log. Raises LedgerUnavailable while the database cannot be read."""

    def __init__(self, store: KeyStore, peppers: Peppers) -> None:
        self._store = store
        self._seals = peppers.seals

    async def rows(self, *, after: int | None, limit: int) -> list[AuditRow]:
        """At most *limit* rows in their order, from the one that follows row number *after*; None: from the first."""
        return await self._store.audit_rows(after_seq=after or 0, limit=limit)

    async def verify(
        self, on_progress: Callable[[int, int], object] = lambda rows, of: None
    ) -> Verdict:
        """Whether every row stands as it was written, by pages of 500, and the log ends where it ended; *on_progress*
        is told how many of how many.

        It needs every pepper that rows were sealed under. Whoever has both the pepper and the database can write any
        history; whoever kept an older copy of the database can put that back.
        """
        walk, after = _Walk(self._seals), _BEFORE_ALL
        end = await self._store.log_end()
        while page := await self._store.audit_rows(after_seq=after, limit=_PAGE_ROWS):
            for row in page:
                reason = walk.fault_of(row)
                if reason:
                    number: object = row.seq
                    bad = number if isinstance(number, int) else walk.seen + 1
                    return Verdict(False, walk.seen, bad, reason)
            after = walk.seen
            on_progress(walk.seen, max(walk.seen, end.version))
            end = await self._store.log_end()  # before the page that must be empty then
        return walk.verdict(end)


class _Walk:
    """Goes from row to row. *seen*: the number of the last one."""

    def __init__(self, seals: Sequence[Callable[[bytes], str]]) -> None:
        self.seen = 0
        self._seals = seals
        self._previous = ""
        # The log may have begun under any of the peppers.
        self._heads = [seal(head_part(0, "", NO_HEAD)) for seal in seals]

    def fault_of(self, row: AuditRow) -> str:
        """What is wrong with *row*, the next one; "" when nothing is, and then it is passed."""
        if not all(isinstance(getattr(row, name), kind) for name, kind in _KINDS):
            return "it was changed: a value in it is of another kind"
        if row.seq < 1:
            return "a row before the first was put in"
        if row.seq != self.seen + 1:
            return f"rows {self.seen + 1} to {row.seq - 1} are missing"
        if row.previous_hash != self._previous:
            return "it does not follow the row before it: one of the two was changed or moved"
        sealed = row.sealed_part()
        seal = next((one for one in self._seals if _is_same(one(sealed), row.hash)), None)
        if seal is None:
            return "it was changed, or sealed under a pepper that is not configured any more"
        self._heads = [seal(head_part(row.seq, row.hash, head)) for head in self._heads]
        self.seen, self._previous = row.seq, row.hash
        return ""

    def verdict(self, end: LogEnd) -> Verdict:
        """Whether the log that was passed ends as it did when it was last written to."""
        seen, changes = self.seen, end.version
        if seen < changes:
            reason = f"rows {seen + 1} to {changes} are missing from the end"
            return Verdict(False, seen, seen + 1, reason)
        if seen > changes:
            reason = f"there were {changes} changes; this row was put in"
            return Verdict(False, max(changes, 0), max(changes, 0) + 1, reason)
        if not any(_is_same(head, end.head) for head in self._heads):
            reason = "rows are missing from the end: the head of the log was sealed with others"
            return Verdict(False, seen, seen + 1, reason)
        return Verdict(True, seen)


def _is_same(seal: str, found: str) -> bool:
    return compare_digest(seal.encode(), found.encode("utf-8", "surrogatepass"))


def audited(thing: VirtualKey | Team) -> dict[str, object]:
    """All that the audit log says of a key or team; it has no secret."""
    fields: dict[str, object] = msgspec.to_builtins(thing)
    return fields
