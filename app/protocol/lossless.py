"""
JSON taken apart one level at a time, so that what is not touched stays as it came.

An object becomes a dict of its members' own bytes, an array a list of them; put together again, each value
is the same bytes as before: integers above 2**64, 1.10, 1E5, `\\/`, lone surrogates (contract D4, D5). Only
blanks between members and the spelling of their names are not kept. Text is joined as the bytes of its
literals and never decoded.

msgspec refuses a lone surrogate escape wherever it stands, so such a text is read through stand-ins: each
lone escape is replaced by the escape of a private-use character that the text does not contain, of the same
length, and put back in what comes out.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import msgspec

NULL = b"null"
# what msgspec raises for bytes it cannot read; the last for nesting too deep, which is nobody's answer
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_LONGEST_KEPT = 64  # characters of a name whose literal is kept: peers choose the names
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)
_ANY = msgspec.json.Decoder(msgspec.Raw)
_ENCODER = msgspec.json.Encoder()

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
# Alternatives in this order keep pairs whole and step over `\\`, so that only a lone surrogate is group 1.
_LONE_SURROGATE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
    rb"|\\."
)
_PRIVATE_USE = range(0xE000, 0xF900)


class NotJson(ValueError):
    """The bytes are not JSON, or not of the kind asked for."""


@dataclass(frozen=True, slots=True)
class StandIns:
    """A text without lone surrogates, and how to bring them back into a part of it."""

    text: bytes
    originals: Mapping[bytes, bytes]  # stand-in escape → the escape that stood there

    def restored(self, part: bytes) -> bytes:
        """*part* with its lone surrogates."""
        for stand_in, original in self.originals.items():
            if stand_in in part:
                part = part.replace(stand_in, original)
        return part

    def restored_name(self, name: str) -> str:
        """A decoded member name with its lone surrogates."""
        for stand_in, original in self.originals.items():
            name = name.replace(chr(int(stand_in[2:], 16)), chr(int(original[2:], 16)))
        return name


def without_lone_surrogates(data: bytes) -> StandIns | None:
    """*data* through stand-ins; None when it holds no lone surrogate, so that this cannot be the fault."""
    if _SURROGATE.search(data) is None:
        return None
    free = _free_escapes(data)
    stand_ins: dict[bytes, bytes] = {}

    def replaced(match: re.Match[bytes]) -> bytes:
        original: bytes | None = match[1]
        if original is None:
            return match[0]
        if original not in stand_ins:
            stand_ins[original] = next(free)
        return stand_ins[original]

    try:
        text = _LONE_SURROGATE.sub(replaced, data)
    except (
        StopIteration
    ):  # more distinct escapes than free stand-ins: nobody writes that in good faith
        return None
    if not stand_ins:
        return None
    return StandIns(text, {stand_in: original for original, stand_in in stand_ins.items()})


def _free_escapes(data: bytes) -> Iterator[bytes]:
    lowered = data.lower()
    for code_point in _PRIVATE_USE:
        escape = b"\\u%04x" % code_point
        if escape not in lowered and chr(code_point).encode() not in data:
            yield escape


def members(data: bytes) -> dict[str, bytes]:
    """The members of an object, in order, each value as it stands. Of a repeated name the last counts.

    Raises NotJson for anything but one whole JSON object.
    """
    try:
        return {name: bytes(value) for name, value in _OBJECT.decode(data).items()}
    except UNREADABLE as fault:
        stand_ins = without_lone_surrogates(data)
        if stand_ins is None:
            raise NotJson(str(fault)) from fault
    try:
        found = _OBJECT.decode(stand_ins.text)
    except UNREADABLE as fault:
        raise NotJson(str(fault)) from fault
    return {stand_ins.restored_name(n): stand_ins.restored(bytes(v)) for n, v in found.items()}


def elements(data: bytes) -> list[bytes]:
    """The elements of an array, each as it stands. Raises NotJson for anything but one whole JSON array."""
    try:
        return [bytes(value) for value in _ARRAY.decode(data)]
    except UNREADABLE as fault:
        stand_ins = without_lone_surrogates(data)
        if stand_ins is None:
            raise NotJson(str(fault)) from fault
    try:
        return [stand_ins.restored(bytes(value)) for value in _ARRAY.decode(stand_ins.text)]
    except UNREADABLE as fault:
        raise NotJson(str(fault)) from fault


def is_json(data: bytes) -> bool:
    """Whether *data* is one whole JSON value."""
    stand_ins = without_lone_surrogates(data)
    try:
        _ANY.decode(data if stand_ins is None else stand_ins.text)
    except UNREADABLE:
        return False
    return True


def object_of(members_: Mapping[str, bytes]) -> bytes:
    """The object with these members, in this order."""
    pairs = [
        b"%b:%b" % (_name(name) if len(name) <= _LONGEST_KEPT else literal(name), raw)
        for name, raw in members_.items()
    ]
    return b"{%b}" % b",".join(pairs)


def array_of(elements_: Iterable[bytes]) -> bytes:
    """The array with these elements."""
    return b"[%b]" % b",".join(elements_)


@lru_cache(maxsize=256)
def _name(name: str) -> bytes:
    return literal(name)


def literal(text: str) -> bytes:
    """The JSON string of *text*; a lone surrogate is escaped."""
    try:
        return _ENCODER.encode(text)
    except UnicodeEncodeError:
        return json.dumps(text).encode()


def text_of(value: bytes | None) -> str | None:
    """What a JSON string says; None for any other value and for none at all."""
    if value is None or not is_text(value):
        return None
    try:
        return _TEXT.decode(value)
    except UNREADABLE:
        pass
    try:
        return str(json.loads(value))  # knows lone surrogates
    except ValueError:
        return None


def is_text(value: bytes | None) -> bool:
    """Whether the value is a JSON string."""
    return value is not None and value[:1] == b'"'


def is_empty_text(value: bytes | None) -> bool:
    """Whether the value says nothing: absent, null or the empty string."""
    return value is None or value in (NULL, b'""')


def joined(literals: Iterable[bytes]) -> bytes:
    """One JSON string of several, by their bytes: halves of a surrogate pair find each other again."""
    return b'"%b"' % b"".join([value[1:-1] for value in literals])


def compact(value: bytes) -> bytes:
    """The value without blanks between its tokens. Raises NotJson."""
    try:
        return msgspec.json.format(value, indent=-1)
    except UNREADABLE as fault:
        stand_ins = without_lone_surrogates(value)
        if stand_ins is None:
            raise NotJson(str(fault)) from fault
    try:
        return stand_ins.restored(msgspec.json.format(stand_ins.text, indent=-1))
    except UNREADABLE as fault:
        raise NotJson(str(fault)) from fault


def as_text(value: bytes) -> bytes:
    """The JSON string that holds *value*'s own compact JSON text."""
    return literal(compact(value).decode("utf-8", "replace"))
