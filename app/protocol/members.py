"""
Where the members of a JSON object stand in its own bytes.

A body is changed by splicing, never by writing it anew (law 6, contract D2), so the gateway needs positions, which
no JSON library gives. The text must be JSON already (`app.protocol.requests` checks that first). Where each name
stands once, positions follow from the lengths of the values (`PlainMembers`); else one pass finds the top level and
steps over everything below it at the speed of `bytes.find` (`members`).
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

import msgspec

from app.protocol.lossless import UNREADABLE
from app.protocol.nesting import MAX_DEPTH

_QUOTE, _BACKSLASH, _COMMA = b'"\\,'
_OPENING, _CLOSING = frozenset(b"{["), frozenset(b"}]")
_STRUCTURE = re.compile(rb'["{}\[\]]')
_BLANK = b" \t\r\n"
_BLANKS = re.compile(rb"[ \t\r\n]*")
_SCALAR = re.compile(rb"[^,\]}\s]*")
_VALUES = msgspec.json.Decoder(dict[str, msgspec.Raw])
# A large object of countless members would be decoded in one call that holds up every other thread.
_LARGE_BYTES, _MOST_COLONS = 256 * 1024, 50_000


class TooDeep(ValueError):
    """The text nests deeper than `MAX_DEPTH`."""


class Span(NamedTuple):
    """The bytes [start, end) of a value."""

    start: int
    end: int


class Member(NamedTuple):
    """One member of an object: its decoded name, where its name begins, and its value's span."""

    name: str
    start: int
    value: Span


class Members(Protocol):
    """The members of one object, in order."""

    def __iter__(self) -> Iterator[Member]: ...

    def __contains__(self, name: object) -> bool:
        """Whether there is a member called *name*."""
        ...

    def find(self, name: str) -> Member | None:
        """The first member called *name*, or None."""
        ...


class ScannedMembers:
    """Members that a pass over the text has found, repeated ones too."""

    __slots__ = ("_found", "_names")

    def __init__(self, found: tuple[Member, ...]) -> None:
        self._found = found
        self._names = frozenset(member.name for member in found)

    def __iter__(self) -> Iterator[Member]:
        return iter(self._found)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def find(self, name: str) -> Member | None:
        """The first member called *name*, or None."""
        return next((member for member in self._found if member.name == name), None)


class PlainMembers(msgspec.Struct, gc=False):
    """Members of which each stands once, under an ASCII name without escapes; places are worked out when asked for.

    *text*: the object; *values*: each member's.
    """

    text: bytes
    values: Mapping[str, msgspec.Raw]

    def __iter__(self) -> Iterator[Member]:
        at = 0
        for name, value in self.values.items():
            start, begin = _next_places(self.text, at, name)
            at = begin + len(value)
            yield Member(name, start, Span(begin, at))

    def __contains__(self, name: object) -> bool:
        return name in self.values

    def find(self, name: str) -> Member | None:
        """The member called *name*, or None."""
        if name not in self.values:
            return None
        at = 0
        for other, value in self.values.items():
            start, begin = _next_places(self.text, at, other)
            at = begin + len(value)
            if other == name:
                return Member(name, start, Span(begin, at))
        return None


def _next_places(text: bytes, at: int, name: str) -> tuple[int, int]:
    """Where the member *name*, the first one at or behind *at*, begins, and where its value does."""
    start = text.index(b'"', at)
    begin = text.index(b":", start + len(name) + 2) + 1
    while text[begin] in _BLANK:
        begin += 1
    return start, begin


def plain_values(text: bytes) -> dict[str, msgspec.Raw] | None:
    """The value of each member, as it stands, if *text* is an object whose members `PlainMembers` can place.

    None where that is not certain: no JSON object, a repeated or an odd name, a lone surrogate.
    """
    if len(text) > _LARGE_BYTES and text.count(b":") > _MOST_COLONS:
        return None
    try:
        values = _VALUES.decode(text)
    except UNREADABLE:
        return None
    # Names, values and marks, each once and without a blank or an escape, make up the whole text: so SDKs write it.
    length = 4 * len(values) + 1 + sum(map(len, values)) + sum(map(len, values.values()))
    return values if length == len(text) or _each_stands_once(text, values) else None


def _each_stands_once(text: bytes, values: Mapping[str, msgspec.Raw]) -> bool:
    """Whether the members stand one behind the other where `PlainMembers` finds them, and nothing else does."""
    at = 0
    try:
        for name, value in values.items():
            written = b'"%b"' % name.encode("ascii")
            start = text.index(b'"', at)  # `_next_places` again, without a call for each
            begin = text.index(b":", start + len(written)) + 1
            while text[begin] in _BLANK:
                begin += 1
            if not (text.startswith(written, start) and text.startswith(value, begin)):
                return False
            at = begin + len(value)
    except (ValueError, IndexError):  # a member is missing where another one stood twice
        return False
    return at > 0 and text[at:].strip() == b"}"


def members(text: bytes, start: int) -> Iterator[Member]:
    """The members of the object that opens at or behind *start*, in order, repeated ones too. Raises TooDeep."""
    at = _skip_blanks(text, _skip_blanks(text, start) + 1)
    while text[at] == _QUOTE:
        name_end = _string_end(text, at)
        value_start = _skip_blanks(text, _skip_blanks(text, name_end) + 1)
        value_end = _value_end(text, value_start)
        yield Member(_name(text[at:name_end]), at, Span(value_start, value_end))
        at = _skip_separator(text, value_end)


def elements(text: bytes, start: int) -> Iterator[Span]:
    """The values of the array that opens at *start*, in order. Raises TooDeep."""
    at = _skip_blanks(text, start + 1)
    while text[at] not in _CLOSING:
        end = _value_end(text, at)
        yield Span(at, end)
        at = _skip_separator(text, end)


def _name(quoted: bytes) -> str:
    if _BACKSLASH in quoted:  # "mod\u0065l" is "model" to every parser behind us (contract D6)
        return str(json.loads(quoted))  # takes a lone surrogate, which is legal JSON (contract D4)
    return quoted[1:-1].decode("utf-8", "replace")


def _skip_blanks(text: bytes, at: int) -> int:
    match = _BLANKS.match(text, at)
    return match.end() if match else at


def _skip_separator(text: bytes, at: int) -> int:
    at = _skip_blanks(text, at)
    return _skip_blanks(text, at + 1) if text[at] == _COMMA else at


def _value_end(text: bytes, at: int) -> int:
    first = text[at]
    if first == _QUOTE:
        return _string_end(text, at)
    if first in _OPENING:
        return _container_end(text, at)
    match = _SCALAR.match(text, at)
    return match.end() if match else at


def _string_end(text: bytes, start: int) -> int:
    at = start
    while True:
        at = text.index(b'"', at + 1)
        last = at - 1
        while text[last] == _BACKSLASH:
            last -= 1
        if (at - last) % 2:  # an even number of backslashes before it: the quote is not escaped
            return at + 1


def _container_end(text: bytes, start: int) -> int:
    depth, at = 1, start + 1
    while True:
        match = _STRUCTURE.search(text, at)
        if match is None:
            raise ValueError("the text is not JSON")
        at = match.start()
        mark = text[at]
        if mark == _QUOTE:
            at = _string_end(text, at)
            continue
        at += 1
        depth += 1 if mark in _OPENING else -1
        if depth >= MAX_DEPTH:  # what it stands in is a level too
            raise TooDeep
        if depth == 0:
            return at
