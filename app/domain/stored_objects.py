"""
What clients make at an upstream and come back for: files, jobs, datasets, stored completions, fine-tuned models.

The upstream account is shared, so the gateway remembers who made what (reliability S16, upstreams G7).
"""

from typing import Literal, NamedTuple, Self

import msgspec

ObjectKind = Literal["file", "job", "dataset", "completion", "model", "thread"]

LONGEST_OBJECT_ID = 512  # characters


class ObjectName(NamedTuple):
    """One object: an id is unique within its kind at one upstream. A number is its decimal text."""

    upstream: str
    kind: ObjectKind
    id: str


class Claim(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An object and whose it is: *team_id*'s, or where that is "" *key_id*'s, or where both are "" nobody's that has a
    key. *at_ms*: when it was made.

    *is_gone*: it was deleted, and is free for the next claim; *team_id* and *key_id* are then those of whoever deleted
    it, both "" for one that may delete what others made.
    """

    id: str  # of the exchange that made it
    upstream: str
    kind: ObjectKind
    object_id: str
    key_id: str
    team_id: str
    at_ms: int
    is_gone: bool = False

    @property
    def name(self) -> ObjectName:
        """What it is about."""
        return ObjectName(self.upstream, self.kind, self.object_id)

    def is_of(self, key_id: str, team_id: str) -> bool:
        """True for the team that it names, for the key where it names none. What names neither is nobody's."""
        if self.team_id:
            return self.team_id == team_id
        return self.key_id != "" and self.key_id == key_id

    def releases(self, held: Self) -> bool:
        """True when this, which `is_gone`, ends *held*: somebody else's late deletion must not, for an upstream may
        have given the same id to another since."""
        return not (self.key_id or self.team_id) or held.is_of(self.key_id, self.team_id)


def may_be_object_id(text: str) -> bool:
    """False for what no upstream names an object by, and what a database may choke on (reliability S7)."""
    return 0 < len(text) <= LONGEST_OBJECT_ID and text.isprintable()
