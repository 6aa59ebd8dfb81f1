"""
A request's JSON body of which a few members count and nothing is written anew (law 6, contract D6, F23, F24).

The members that the gateway acts on may stand once: of two, the upstream might read the one that was not looked at.
"""

import re
from collections.abc import Collection

import msgspec

from app.domain.errors import InvalidRequest
from app.protocol.json_text import top_level
from app.protocol.lossless import NULL, text_of
from app.protocol.members import (
    Members,
    PlainMembers,
    ScannedMembers,
    plain_values,
)
from app.protocol.nesting import is_shallow
from app.protocol.splicing import Splice, spliced
from app.protocol.utf8 import is_utf8

_BOM = b"\xef\xbb\xbf"
_INTEGER = re.compile(rb"-?[0-9]{1,20}")


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
    return JsonBody(body, ScannedMembers(top_level(body, acted_on)))
