"""
Where the members of a JSON object stand in its own bytes.

A body is changed by splicing, never by writing it anew (law 6, contract D2), so the gateway needs positions, which
no JSON library gives. The text must be JSON already (`app.protocol.requests` checks that first); here one pass
finds the top level and steps over everything below it at the speed of `bytes.find`.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_DEPTH = 64  # reliability S6

_QUOTE, _BACKSLASH, _COLON, _COMMA = b'"\\:,'
_OPENING, _CLOSING = frozenset(b"{["), frozenset(b"}]")
_STRUCTURE = re.compile(rb'["{}\[\]]')
_BLANKS = re.compile(rb"[ \t\r\n]*")
_SCALAR = re.compile(rb"[^,\]}\s]*")


class TooDeep(ValueError):
    """The text nests deeper than `MAX_DEPTH`."""


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes [start, end) of a value."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Member:
    """One member of an object: its decoded name, where its name begins, and its value's span."""

    name: str
    start: int
    value: Span


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
