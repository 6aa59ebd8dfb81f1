"""
Embeddings as they were asked for (contract N1, N3): base64 of little-endian float32, or floats; ordered, never none.

Both SDKs ask for base64 by themselves, and one of them reads floats in reply to it as vectors of a quarter the length,
all zero, without an error. An answer that is in order passes byte for byte.
"""

import base64
import binascii
import json
import struct
from typing import Literal

import msgspec

from app.domain.usage import Usage
from app.protocol.lists import NoList, Page, object_members, read_page
from app.protocol.lossless import UNREADABLE, array_of, text_of
from app.protocol.splicing import Splice, spliced

Encoding = Literal["base64", "float"]
_FLOAT_BYTES = 4


class _Counts(msgspec.Struct):
    prompt_tokens: int


class _Row(msgspec.Struct):
    index: int | None = None


_COUNTS = msgspec.json.Decoder(_Counts)
_ROWS = msgspec.json.Decoder(list[_Row])
_FLOATS = msgspec.json.Decoder(list[float])


class Embeddings(msgspec.Struct):
    """An answer ready to leave, and what it used; None where the upstream counted nothing."""

    body: bytes
    usage: Usage | None


def read_embeddings(body: bytes, encoding: Encoding) -> Embeddings:
    """*body* as a client reads it that asked for *encoding*. Raises NoList for what is no answer."""
    page = read_page(body)
    if not page.items:
        raise NoList("no embedding")
    items = [_encoded(item, encoding) for item in _ordered(page)]
    if all(new is old for new, old in zip(items, page.items, strict=True)):
        return Embeddings(body, _usage(page))
    rows = page.members.find("data")
    place = rows.value if rows is not None else (0, 0)
    return Embeddings(spliced(body, [Splice(*place, array_of(items))]), _usage(page))


def _ordered(page: Page) -> list[bytes]:
    rows = page.members.find("data")
    try:
        found = _ROWS.decode(page.text[rows.value.start : rows.value.end]) if rows else []
    except UNREADABLE as fault:
        raise NoList("an index is no number") from fault
    places = [at if row.index is None else row.index for at, row in enumerate(found)]
    if places == sorted(places):
        return page.items
    return [page.items[at] for at in sorted(range(len(places)), key=places.__getitem__)]


def _encoded(item: bytes, encoding: Encoding) -> bytes:
    found = object_members(item)
    member = found.find("embedding") if found is not None else None
    if member is None:
        raise NoList("an item has no embedding")
    value = item[member.value.start : member.value.end]
    if value.startswith(b'"') == (encoding == "base64"):
        return item
    new = _packed(value) if encoding == "base64" else _unpacked(value)
    return spliced(item, [Splice(*member.value, new)])


def _packed(floats: bytes) -> bytes:
    try:
        numbers = _FLOATS.decode(floats)
        packed = struct.pack(f"<{len(numbers)}f", *numbers)
    except (*UNREADABLE, OverflowError) as fault:
        raise NoList("an embedding is no list of numbers") from fault
    return b'"%b"' % base64.b64encode(packed)


def _unpacked(text: bytes) -> bytes:
    try:
        packed = base64.b64decode(text_of(text) or "", validate=True)
    except (ValueError, binascii.Error) as fault:
        raise NoList("an embedding is no base64") from fault
    if len(packed) % _FLOAT_BYTES:
        raise NoList("an embedding is no list of numbers")
    numbers = struct.unpack(f"<{len(packed) // _FLOAT_BYTES}f", packed)
    return json.dumps(numbers, separators=(",", ":")).encode()


def _usage(page: Page) -> Usage | None:
    member = page.members.find("usage")
    if member is None:
        return None
    try:
        counted = _COUNTS.decode(page.text[member.value.start : member.value.end]).prompt_tokens
    except UNREADABLE:
        return None
    return Usage(counted, 0) if counted >= 0 else None
