"""
Reading a chat completion request: what the gateway must know, and where it stands.

The body is never written anew: `ChatRequest.body` holds the bytes as they came (law 6), but for the members of a
Responses-shaped one that chat says in other words (contract D17). Faults are the client's and
named as OpenAI names them (contract D10, D11, D13, F23 to F25).

There are two ways through this file. `read_closely` says what a body means, and every fault. `read_plainly` reads the
bodies that SDKs write, ten times as fast, and gives up on whatever might mean something else to `read_closely`.
"""

import json
from math import ceil, isfinite
from typing import TypeVar

import msgspec

from app.domain.errors import InvalidRequest
from app.protocol.json_text import neutral, top_level
from app.protocol.lossless import UNREADABLE
from app.protocol.members import (
    Member,
    Members,
    PlainMembers,
    ScannedMembers,
    plain_values,
)
from app.protocol.nesting import is_shallow
from app.protocol.responses_shape import as_chat_body, is_chat_shaped
from app.protocol.utf8 import is_utf8

_BOM = b"\xef\xbb\xbf"
# Two parsers may read two different values out of a repeated member, so one we act on may stand once (contract D6).
_ACTED_ON = frozenset(
    (
        *("model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens"),
        *("n", "store"),
    )
)
_KINDS = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    dict: "an object",
    list: "an array",
    type(None): "null",
}
Kind = TypeVar("Kind")


class _StreamOptions(msgspec.Struct):
    include_usage: object = None


_MODEL = msgspec.json.Decoder(str)
_COUNT: msgspec.json.Decoder[int | None] = msgspec.json.Decoder(int | None)
_OPTIONS = msgspec.json.Decoder(_StreamOptions | None)
_SWITCH = {b"true": True, b"false": False, b"null": False}
_NULL = msgspec.Raw(b"null")
_LONGEST_COUNT_BYTES = 9
UNREADABLE_BOUND = -1
_OLD_LIMIT, _NEW_LIMIT = "max_tokens", "max_completion_tokens"
_OUTPUT_LIMITS = frozenset((_OLD_LIMIT, _NEW_LIMIT))
# Only with one of these may a body be other than chat-shaped.
_MAY_BE_OTHERWISE = frozenset(("input", "tools", "tool_choice"))


class ChatRequest(msgspec.Struct, gc=False):
    """One request for a chat completion.

    *include_usage*: the client asked for the extra usage chunk. *members*: the top level of *body*, in order.
    *dropped*: what a Responses-shaped body held and chat cannot have (contract D17, P6). *max_tokens*: the most output
    tokens of one choice that the client asks for; None where it names no bound, below nought where what it names is
    none. *stores*: the upstream is to keep the completion.
    """

    body: bytes
    model: str
    stream: bool
    include_usage: bool
    choices: int
    members: Members
    dropped: tuple[str, ...] = ()
    max_tokens: int | None = None
    stores: bool = False


def read_chat_request(body: bytes) -> ChatRequest:
    """What a chat body asks for. Raises InvalidRequest (contract F23 to F25)."""
    return read_plainly(body) or read_closely(body)


def read_plainly(body: bytes) -> ChatRequest | None:
    """The same for a body of which every part is in order; None for a fault, and where a closer look is needed."""
    values = plain_values(body)
    if values is None or "model" not in values:
        return None
    if not _MAY_BE_OTHERWISE.isdisjoint(values) and not is_chat_shaped(values):
        return None
    try:
        model = _MODEL.decode(values["model"])
        choices = (_count(values["n"]) or 1) if "n" in values else 1
        max_tokens = None if _OUTPUT_LIMITS.isdisjoint(values) else _greatest(values)
        options = _OPTIONS.decode(values.get("stream_options", _NULL))
    except UNREADABLE:
        return None
    stream = _SWITCH.get(bytes(values.get("stream", _NULL)))
    if not model or stream is None:
        return None
    if not is_shallow(body, values) or not (body.isascii() or is_utf8(body)):
        return None
    include_usage = options is not None and options.include_usage is True
    found = PlainMembers(body, values)
    stores = "store" in values and bytes(values["store"]) == b"true"
    return ChatRequest(body, model, stream, include_usage, choices, found, (), max_tokens, stores)


def _count(value: msgspec.Raw) -> int | None:
    """Raises one of UNREADABLE for anything but null and an integer of usual length."""
    if len(value) > _LONGEST_COUNT_BYTES:
        raise msgspec.DecodeError("a count of that length wants a closer look")
    return _COUNT.decode(value)


def _greatest(values: dict[str, msgspec.Raw]) -> int | None:
    """Of the bounds that a body names, since an upstream may heed either. Raises one of UNREADABLE."""
    old, new = values.get(_OLD_LIMIT), values.get(_NEW_LIMIT)
    if new is None:  # as nearly always
        return None if old is None else _count(old)
    counts = [_count(one) for one in (old, new) if one is not None]
    return max((one for one in counts if one is not None), default=None)


def read_closely(body: bytes) -> ChatRequest:
    """The same for any body. Raises InvalidRequest."""
    body = body.removeprefix(_BOM)
    found = top_level(body, _ACTED_ON)
    chat = as_chat_body(body, found)
    if chat.body is not body:
        body, found = chat.body, top_level(chat.body, _ACTED_ON)
    values = {member.name: member for member in found if member.name in _ACTED_ON}
    if "model" not in values:
        raise InvalidRequest(
            "you must provide a model parameter", code="missing_required_parameter", param="model"
        )
    options = _value(body, values, "stream_options", dict) or {}
    return ChatRequest(
        body=body,
        model=_model(body, values),
        stream=bool(_value(body, values, "stream", bool)),
        include_usage=options.get("include_usage") is True,
        choices=_value(body, values, "n", int) or 1,
        members=ScannedMembers(found),
        dropped=chat.dropped,
        max_tokens=_bound(body, values),
        stores=_is_true(body, values, "store"),
    )


def _is_true(body: bytes, values: dict[str, Member], name: str) -> bool:
    member = values.get(name)
    return member is not None and body[member.value.start : member.value.end] == b"true"


def _bound(body: bytes, values: dict[str, Member]) -> int | None:
    given = [_bound_of(body, values[name]) for name in _OUTPUT_LIMITS if name in values]
    if UNREADABLE_BOUND in given:
        return UNREADABLE_BOUND
    return max((one for one in given if one is not None), default=None)


def _bound_of(body: bytes, member: Member) -> int | None:
    """What is no number is for the upstream to judge (contract D12)."""
    value = _read(body[member.value.start : member.value.end])
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return UNREADABLE_BOUND
    return ceil(value)


def _model(body: bytes, values: dict[str, Member]) -> str:
    model = _value(body, values, "model", str)
    if not model:
        raise InvalidRequest(
            "you must provide a model parameter", code="missing_required_parameter", param="model"
        )
    return str(model)


def _value(body: bytes, values: dict[str, Member], name: str, kind: type[Kind]) -> Kind | None:
    member = values.get(name)
    if member is None:
        return None
    value = _read(body[member.value.start : member.value.end])
    if value is None:
        return None
    if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    raise InvalidRequest(
        f"Invalid type for '{name}': expected {_KINDS[kind]}, but got {_KINDS[type(value)]} instead.",
        code="invalid_type",
        param=name,
    )


def _read(text: bytes) -> object:
    try:
        return msgspec.json.decode(text)
    except (
        msgspec.DecodeError
    ):  # half a character, 1e400, thousands of digits: legal JSON (contract D4)
        return json.loads(neutral(text), parse_int=float)
