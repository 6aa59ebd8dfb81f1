"""
A request's JSON body of which a few members count and nothing is written anew (law 6, contract D6, F23, F24).

The members that the gateway acts on may stand once: of two, the upstream might read the one that was not looked at.
"""

import re
from collections.abc import Collection

import msgspec

from app.domain.errors import InvalidRequest
from app.protocol.lossless import NULL, is_json, text_of
from app.protocol.members import (
    Member,
    Members,
    PlainMembers,
    ScannedMembers,
    TooDeep,
    members,
    plain_values,
)
from app.protocol.nesting import MAX_DEPTH, is_shallow
from app.protocol.splicing import Splice, spliced
from app.protocol.utf8 import is_utf8

_BOM = b"\xef\xbb\xbf"
_INTEGER = re.compile(rb"-?[0-9]{1,20}")
_BYTE = re.compile(r"\s*\(byte \d+\)")


class JsonBody(msgspec.Struct):
    """An object as it came: *text*, and the *members* of its top level."""

    text: bytes
    members: Members

    def text_member(self, name: str) -> str | None:
        """What the member *name* says; None where it is absent or null. Raises InvalidRequest for what is no text."""
        member = self.members.find(name)
        if member is None:
            return None
        value = self.text[member.value.start : member.value.end]
        said = text_of(value)
        if said is None and value != NULL:
            raise InvalidRequest(
                f"Invalid type for '{name}': expected a string.", code="invalid_type", param=name
            )
        return said

    def id_member(self, name: str) -> str | None:
        """The id that the member *name* says, a number as its decimal text. As `text_member` otherwise."""
        member = self.members.find(name)
        if member is not None:
            value = self.text[member.value.start : member.value.end]
            if _INTEGER.fullmatch(value):
                return value.decode()
        return self.text_member(name)

    def with_value(self, name: str, value: bytes) -> bytes:
        """The text with *value* in the place of the member *name*, which is there."""
        member = self.members.find(name)
        if member is None:
            return self.text
        return spliced(self.text, [Splice(member.value.start, member.value.end, value)])


def read_json_body(body: bytes, acted_on: Collection[str]) -> JsonBody:
    """*body* taken apart, where *acted_on* are the members that may stand only once. Raises InvalidRequest."""
    body = body.removeprefix(_BOM)
    values = plain_values(body)
    if values is not None and is_shallow(body, values) and is_utf8(body):
        return JsonBody(body, PlainMembers(body, values))
    _check(body)
    if not body.lstrip().startswith(b"{"):
        raise InvalidRequest(
            "Invalid type for the request body: expected an object.", code="invalid_type"
        )
    try:
        found = tuple(members(body, 0))
    except TooDeep:
        raise InvalidRequest(
            f"The JSON body nests deeper than {MAX_DEPTH} levels.", code="invalid_json"
        ) from None
    _check_once(found, acted_on)
    return JsonBody(body, ScannedMembers(found))


def _check_once(found: tuple[Member, ...], acted_on: Collection[str]) -> None:
    names = [member.name for member in found if member.name in acted_on]
    for name in names:
        if names.count(name) > 1:
            raise InvalidRequest(
                f"The member '{name}' stands more than once in the JSON body. Send it once.",
                code="invalid_json",
                param=name,
            )


def _check(body: bytes) -> None:
    if not body.strip():
        reason = "it is empty"
    elif not is_utf8(body):
        reason = "it is not valid UTF-8"
    elif not is_json(body):
        reason = _fault(body)
    else:
        return
    raise InvalidRequest(
        f"We could not parse the JSON body of your request. Reason: {reason}.", code="invalid_json"
    )


def _fault(body: bytes) -> str:
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except msgspec.DecodeError as error:
        return _BYTE.sub("", str(error))
    except RecursionError:
        return f"it nests deeper than {MAX_DEPTH} levels"
    return "it is not JSON"
