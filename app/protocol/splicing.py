"""Changes to a text as replacements of spans of the original: all other bytes stay as they came (contract D2)."""

from collections.abc import Iterable
from operator import itemgetter
from typing import Final, NamedTuple

from app.protocol.members import Member

_PLACE: Final = itemgetter(0, 1)
_SMALL_BYTES: Final = 16 * 1024


class Splice(NamedTuple):
    """Put *replacement* in the place of the bytes [start, end); equal positions insert."""

    start: int
    end: int
    replacement: bytes


def spliced(text: bytes, splices: Iterable[Splice]) -> bytes:
    """*text* with every splice applied; the same object when there is none. Splices do not overlap."""
    ordered = list(splices)
    if not ordered:
        return text
    if len(ordered) > 1:
        ordered.sort(key=_PLACE)
    # What stays of a large text is copied once, into the result; of a small one, twice takes less.
    whole = text if len(text) < _SMALL_BYTES else memoryview(text)
    parts: list[bytes | memoryview] = []
    at = 0
    for start, end, replacement in ordered:
        parts += (whole[at:start], replacement)
        at = end
    parts.append(whole[at:])
    return b"".join(parts)


def removal(found: list[Member], names: frozenset[str]) -> list[Splice]:
    """Splices that remove the members called *names* from an object whose members are *found*, commas included.

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
