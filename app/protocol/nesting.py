"""
Whether a JSON text nests deeper than the gateway reads (reliability S6), told at the speed of C.

The text must be JSON already. Most texts hold too few brackets to be deep at all; the others are judged by the
entries of their arrays, and only what is left is stripped to its brackets.
"""

from collections.abc import Iterator, Mapping

import msgspec

MAX_DEPTH = 64

_BLOCK_BYTES = 64 * 1024  # what one call goes over: other threads have their turn in between
# An array is taken apart where the list of its entries cannot be large.
_SMALL_ARRAY_BYTES, _MOST_COMMAS = 64 * 1024, 50_000
_MOST_BRACKETS = 1_000_000  # beyond them, one call would hold up every other thread
_SMALLEST_PAIR_BYTES = 2
_SHORT_BYTES = 2048  # up to here counting all takes less than finding the first ones
_ENTRIES = msgspec.json.Decoder(list[msgspec.Raw])
_NOT_STRUCTURE = bytes(set(range(256)) - set(b'{}[]"'))
_ALIKE = bytes.maketrans(b"{}", b"[]")


def is_shallow(text: bytes, values: Mapping[str, msgspec.Raw]) -> bool:
    """Whether the object *text*, whose members are *values*, nests at most `MAX_DEPTH` levels, itself counted.

    False also for a text of so many brackets that telling would take too long.
    """
    if len(text) <= _SHORT_BYTES and text.count(b"{") + text.count(b"[") <= MAX_DEPTH:
        return True  # nearly every text that is short
    if _has_few_brackets(text, MAX_DEPTH):
        return True
    room = MAX_DEPTH - 1
    return all(
        _fits(bytes(value), room)
        for value in values.values()
        if len(value) > room * _SMALLEST_PAIR_BYTES
    )


def _fits(value: bytes, levels: int) -> bool:
    if _has_few_brackets(value, levels):
        return True
    if value.startswith(b"[") and _has_few_entries(value):
        return all(_entry_fits(bytes(entry), levels - 1) for entry in _ENTRIES.decode(value))
    return _depth_is_within(value, levels)


def _has_few_entries(array: bytes) -> bool:
    return len(array) <= _SMALL_ARRAY_BYTES or array.count(b",") <= _MOST_COMMAS


def _entry_fits(value: bytes, levels: int) -> bool:
    return _has_few_brackets(value, levels) or _depth_is_within(value, levels)


def _has_few_brackets(text: bytes, most: int) -> bool:
    if len(text) <= _SHORT_BYTES:
        return text.count(b"{") + text.count(b"[") <= most
    for opening in (b"{", b"["):
        at = text.find(opening)
        while at >= 0:
            most -= 1
            if most < 0:
                return False
            at = text.find(opening, at + 1)
    return True


def _depth_is_within(text: bytes, levels: int) -> bool:
    brackets = b"".join(_brackets(text))
    if len(brackets) > _MOST_BRACKETS:
        return False
    while brackets and levels:
        brackets = brackets.replace(b"[]", b"")  # the innermost level of everything
        levels -= 1
    return not brackets


def _brackets(text: bytes) -> Iterator[bytes]:
    """The brackets of *text* that stand outside its strings, all of one kind."""
    start, in_string = 0, 0
    while start < len(text):
        end = start + _BLOCK_BYTES
        while text[end - 1 : end] == b"\\":  # an escape stays in one piece
            end += 1
        parts = _unescaped(text[start:end]).translate(None, _NOT_STRUCTURE).split(b'"')
        yield b"".join(parts[in_string::2]).translate(_ALIKE)
        in_string ^= (len(parts) - 1) & 1
        start = end


def _unescaped(block: bytes) -> bytes:
    """*block* without escaped backslashes and quotes."""
    return block.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in block else block
