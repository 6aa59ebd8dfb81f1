"""Changes to a text as replacements of spans of the original: all other bytes stay as they came (contract D2)."""

from collections.abc import Iterable
from dataclasses import dataclass

from app.protocol.members import Member


@dataclass(frozen=True, slots=True)
class Splice:
    """Put *replacement* in the place of the bytes [start, end); equal positions insert."""

    start: int
    end: int
    replacement: bytes


def spliced(text: bytes, splices: Iterable[Splice]) -> bytes:
    """*text* with every splice applied; the same object when there is none. Splices do not overlap."""
    ordered = sorted(splices, key=lambda splice: (splice.start, splice.end))
    if not ordered:
        return text
    parts: list[bytes] = []
    at = 0
    for splice in ordered:
        parts += (text[at : splice.start], splice.replacement)
        at = splice.end
    parts.append(text[at:])
    return b"".join(parts)


def removal(text: bytes, found: list[Member], names: frozenset[str]) -> list[Splice]:
    """Splices that remove the members called *names* from the object whose members are *found*, commas included.

    A removed member takes the comma behind it along; one at the end takes the comma before it.
    """
    splices: list[Splice] = []
    kept_end: int | None = None  # where the last member that stays ends
    for position, member in enumerate(found):
        if member.name not in names:
            kept_end = member.value.end
        elif position + 1 < len(found):
            splices.append(Splice(member.start, found[position + 1].start, b""))
        else:
            trailing = member.start if kept_end is None else kept_end
            splices = [splice for splice in splices if splice.start < trailing]
            splices.append(Splice(trailing, member.value.end, b""))
    return splices
