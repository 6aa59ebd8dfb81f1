"""Who changed what: rows to read, and the proof that none was changed, removed, put in, moved or cut off (S26)."""

from collections.abc import Callable
from dataclasses import dataclass
from hmac import compare_digest

import msgspec

from app.access.pepper import Peppers
from app.domain.keys import Team, VirtualKey
from app.storage.audit_rows import AuditRow
from app.storage.key_store import KeyStore

_PAGE_ROWS = 500
_BEFORE_ALL = -(2**63)  # so that a row put in before the first is read too


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
        """Whether every row stands as it was written, by pages of 500; *on_progress* is told how many of how many.

        It needs every pepper that rows were sealed under. Whoever has both the pepper and the database can write any
        history.
        """
        changes = await self._store.version()
        seen, previous, after = 0, "", _BEFORE_ALL
        while page := await self._store.audit_rows(after_seq=after, limit=_PAGE_ROWS):
            for row in page:
                reason = self._fault(row, seen, previous)
                if reason:
                    return Verdict(False, seen, row.seq, reason)
                seen, previous = row.seq, row.hash
            after = seen
            changes = max(changes, seen)
            on_progress(seen, changes)
        return await self._end(seen, changes)

    async def _end(self, seen: int, changes: int) -> Verdict:
        if seen < changes:
            reason = f"rows {seen + 1} to {changes} are missing from the end"
            return Verdict(False, seen, seen + 1, reason)
        now = await self._store.version()
        if seen > now:
            return Verdict(False, now, now + 1, f"there were {now} changes; this row was put in")
        return Verdict(True, seen)

    def _fault(self, row: AuditRow, seen: int, previous: str) -> str:
        """What is wrong with *row*, which follows row number *seen*; "" when nothing is."""
        if row.seq < 1:
            return "a row before the first was put in"
        if row.seq != seen + 1:
            return f"rows {seen + 1} to {row.seq - 1} are missing"
        if row.previous_hash != previous:
            return "it does not follow the row before it: one of the two was changed or moved"
        sealed = row.sealed_part()
        if not any(compare_digest(seal(sealed), row.hash) for seal in self._seals):
            return "it was changed, or sealed under a pepper that is not configured any more"
        return ""


def audited(thing: VirtualKey | Team) -> dict[str, object]:
    """All that the audit log says of a key or team; it has no secret."""
    fields: dict[str, object] = msgspec.to_builtins(thing)
    return fields
