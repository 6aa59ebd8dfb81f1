"""One row of the audit log, and what its hash is taken over (reliability S26).

Each row's hash covers the hash before it, so a row that is changed, removed, put in or moved breaks the chain there.
The head covers the last row, and the head before it: a log cut at its end does not fit it, nor does it ever fit again.
"""

from dataclasses import dataclass

import msgspec

LONGEST_ADDRESS = 64
NO_HEAD = ""  # before the first start, which seals that there is no row yet


@dataclass(frozen=True, slots=True)
class AuditRow:
    """*seq*: the number of the change, the first is 1. *before*, *after*: JSON, `null` where there was nothing; neither
    holds a secret. *at_ms*: milliseconds since 1970. *previous_hash*: "" in the first row."""

    seq: int
    at_ms: int
    actor: str
    address: str
    action: str
    target: str
    before: str
    after: str
    previous_hash: str
    hash: str

    def sealed_part(self) -> bytes:
        """All of the row but its hash, in one form alone: what the hash is taken over."""
        return msgspec.json.encode(
            (
                self.seq,
                self.at_ms,
                self.actor,
                self.address,
                self.action,
                self.target,
                self.before,
                self.after,
                self.previous_hash,
            )
        )


@dataclass(frozen=True, slots=True)
class LogEnd:
    """Where the log ends, as it is kept beside it: how many changes there were, and the head."""

    version: int
    head: str


def head_part(seq: int, row_hash: str, head: str) -> bytes:
    """What the head is sealed over once row *seq* is the last one; *head*: the one before. 0, "" and NO_HEAD: of a log
    without rows. No row's own part looks like it."""
    return msgspec.json.encode(("head", seq, row_hash, head))
