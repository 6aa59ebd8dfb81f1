"""
The top level of a JSON body, closely read: every fault is the client's, and named (contract D4, D6, D10).
"""

import re
from collections.abc import Collection

import msgspec

from app.domain.errors import InvalidRequest
from app.protocol.members import Member, TooDeep, members
from app.protocol.nesting import MAX_DEPTH

_BYTE_POSITION = re.compile(r"\(byte (\d+)\)")
_SYNTAX = msgspec.json.Decoder(msgspec.Raw)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


def top_level(body: bytes, acted_on: Collection[str]) -> tuple[Member, ...]:
    """The members of the object *body*, of which those *acted_on* may stand once: two parsers may read two different
    values out of a repeated one. Raises InvalidRequest."""
    _check_syntax(body)
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
    names = [member.name for member in found if member.name in acted_on]
    for name in names:
        if names.count(name) > 1:
            raise InvalidRequest(
                f"The member '{name}' stands more than once in the JSON body. Send it once.",
                code="invalid_json",
                param=name,
            )
    return found


def _check_syntax(body: bytes) -> None:
    try:
        if not body.isascii():
            body.decode()
        _SYNTAX.decode(neutral(body))
    except UnicodeDecodeError as error:
        reason = f"it is not valid UTF-8 at {_place(body, error.start)}"
    except (msgspec.DecodeError, RecursionError) as error:
        position = _BYTE_POSITION.search(str(error))
        reason = (
            f"{_BYTE_POSITION.sub('', str(error)).strip()} at {_place(body, int(position[1]))}"
            if position
            else ("it is empty" if not body.strip() else str(error))
        )
    else:
        return
    raise InvalidRequest(
        f"We could not parse the JSON body of your request. Reason: {reason}.", code="invalid_json"
    )


def neutral(text: bytes) -> bytes:
    """*text* for a parser that refuses lone surrogates, which are legal JSON (contract D4): every one a blank."""
    return _SURROGATE.sub(rb"\\u0020", text) if b"\\" in text else text


def _place(body: bytes, position: int) -> str:
    before = body[:position]
    line, column = before.count(b"\n") + 1, position - before.rfind(b"\n")
    return f"line {line}, column {column}"
