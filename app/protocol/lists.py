"""
Lists of stored objects: what a page holds, and what SDKs need of one (contract M4 to M8, upstreams 3.2).

A page that needs nothing leaves as it came; what is missing is spliced in, and items keep their own bytes: no number is
written anew (contract D4, D5). A page of chosen items says nothing of the others, not even how many there are.
"""

from collections.abc import Collection, Sequence
from urllib.parse import parse_qsl, quote, unquote_plus

import msgspec

from app.domain.errors import InvalidRequest
from app.protocol.lossless import NULL, UNREADABLE, array_of, elements, literal
from app.protocol.members import (
    Member,
    Members,
    PlainMembers,
    ScannedMembers,
    members,
    plain_values,
)
from app.protocol.splicing import Splice, spliced

_ENDS = ("first_id", "last_id")


class _Row(msgspec.Struct):
    id: str | int | None = None


_ROWS = msgspec.json.Decoder(list[_Row])
_ROW = msgspec.json.Decoder(_Row)


class NoList(ValueError):
    """The bytes are no JSON object with an array `data`."""


class Page(msgspec.Struct):
    """One page as an upstream sent it. *items*: each one's own bytes; *ids*: each one's id as text, "" where it has
    none; *has_more*: what the page says, None where it says nothing."""

    text: bytes
    members: Members
    items: list[bytes]
    ids: list[str]
    has_more: bool | None


def read_page(text: bytes) -> Page:
    """The page that *text* is. Raises NoList."""
    found = object_members(text)
    rows = found.find("data") if found is not None else None
    if found is None or rows is None:
        raise NoList("no list")
    data = text[rows.value.start : rows.value.end]
    try:
        items = elements(data)
    except ValueError as fault:
        raise NoList("data is no array") from fault
    said = _value(text, found.find("has_more"))
    has_more = {b"true": True, b"false": False}.get(said)
    return Page(text, found, items, _ids(data, items), has_more)


def object_members(text: bytes) -> Members | None:
    """The members of the object *text*; None where it is none. Of a repeated one the first counts."""
    values = plain_values(text)
    if values is not None:
        return PlainMembers(text, values)
    try:
        msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        return ScannedMembers(tuple(members(text, 0)))
    except (*UNREADABLE, ValueError):
        return None


def completed(page: Page, items: Sequence[bytes], *, has_ends: bool) -> bytes:
    """*page* with *items*, which are its own, repaired perhaps, and with `has_more`, which is false where it said
    nothing. *has_ends*: also with `first_id` and `last_id` (contract M5, M6)."""
    text, found = page.text, page.members
    splices: list[Splice] = []
    if any(new is not old for new, old in zip(items, page.items, strict=True)):
        splices += _replacing(found.find("data"), array_of(items))
    added = {}
    if page.has_more is None:
        added["has_more"] = b"false"
    if has_ends:
        added |= dict(zip(_ENDS, _ends(page.ids), strict=True))
    missing = {}
    for name, value in added.items():
        member = found.find(name)
        if member is None:
            missing[name] = value
        elif name == "has_more":
            splices += _replacing(member, value)
    if missing:
        splices.append(_appended(text, missing))
    return spliced(text, splices)


def chosen(items: Sequence[bytes], ids: Sequence[str], *, has_more: bool, has_ends: bool) -> bytes:
    """A page of *items* alone, which are those of *ids*."""
    ends = b""
    if has_ends:
        ends = b',"first_id":%b,"last_id":%b' % _ends(ids)
    more = b"true" if has_more else b"false"
    return b'{"object":"list","data":%b%b,"has_more":%b}' % (array_of(items), ends, more)


def with_members(text: bytes, missing: dict[str, bytes]) -> bytes:
    """The object *text* with the members *missing*, which it has not, behind its own."""
    return spliced(text, [_appended(text, missing)]) if missing else text


def _appended(text: bytes, missing: dict[str, bytes]) -> Splice:
    end = text.rindex(b"}")
    before = text[:end].rstrip()
    pairs = b",".join([literal(name) + b":" + value for name, value in missing.items()])
    comma = b"" if before.endswith(b"{") else b","
    return Splice(end, end, comma + pairs)


def _replacing(member: Member | None, value: bytes) -> list[Splice]:
    return [Splice(member.value.start, member.value.end, value)] if member is not None else []


def _ends(ids: Sequence[str]) -> tuple[bytes, bytes]:
    return (literal(ids[0]), literal(ids[-1])) if ids else (NULL, NULL)


def _value(text: bytes, member: Member | None) -> bytes:
    return text[member.value.start : member.value.end] if member is not None else b""


def _ids(data: bytes, items: Sequence[bytes]) -> list[str]:
    try:
        return [_text(row) for row in _ROWS.decode(data)]
    except UNREADABLE:  # one of them is odd
        return [id_of(item) for item in items]


def id_of(item: bytes) -> str:
    """The `id` of an object, a number as its decimal text; "" where it has none."""
    try:
        return _text(_ROW.decode(item))
    except UNREADABLE:
        return ""


def _text(row: _Row) -> str:
    return "" if row.id is None else str(row.id)


# --- what is asked for ------------------------------------------------------------------------------------------------


class PageRequest(msgspec.Struct, frozen=True):
    """*limit*: how many at most, clamped (contract M8). *says_limit*: the client named one. *after*: behind which id,
    "" from the start. *rest*: the other parameters as they came."""

    limit: int
    says_limit: bool
    after: str
    rest: str

    def query(self, *, limit: int | None, after: str) -> str:
        """The query that asks an upstream for *limit* behind *after*; None and "" leave theirs out."""
        own = [f"limit={limit}"] if limit is not None else []
        if after:
            own.append(f"after={quote(after, safe='')}")
        return "&".join([*own, *([self.rest] if self.rest else [])])


def read_page_request(query: str, *, usual: int, most: int) -> PageRequest:
    """What *query* asks for, where a list has *usual* items to a page and *most* at the most. Raises InvalidRequest."""
    found = dict(parse_qsl(query, keep_blank_values=True)) if query else {}
    said = found.get("limit", "")
    limit = usual
    if said:
        if not (said.isascii() and said.lstrip("-").isdigit() and len(said) < 20):
            raise InvalidRequest(
                "Invalid type for 'limit': expected an integer.", code="invalid_type", param="limit"
            )
        limit = min(max(int(said), 1), most)
    rest = without_parameters(query, ("limit", "after"))
    return PageRequest(limit, bool(said), found.get("after", ""), rest)


def without_parameters(query: str, names: Collection[str]) -> str:
    """*query* as it came, but for the parameters called one of *names*."""
    if not query:
        return ""
    kept = (part for part in query.split("&") if unquote_plus(part.partition("=")[0]) not in names)
    return "&".join(kept)


def with_bare_model(query: str, upstream: str) -> str:
    """*query*, its `model` without the prefix `upstream/` (upstreams F5, G1); all else as it came."""
    if "model" not in query:
        return query
    prefix, parts = f"{upstream}/", []
    for part in query.split("&"):
        name, equals, value = part.partition("=")
        said = unquote_plus(value)
        if unquote_plus(name) == "model" and said.startswith(prefix):
            part = f"{name}{equals}{quote(said.removeprefix(prefix), safe='')}"
        parts.append(part)
    return "&".join(parts)
