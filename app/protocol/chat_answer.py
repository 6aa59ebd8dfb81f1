"""
A whole chat answer, read and brought into the shape every SDK parses (contract E1 to E6, E11, E12, I14).

An answer that needs no repair leaves byte for byte. One that is none raises AnswerUnusable, so that the caller
can still give it a real status (upstreams E-C9, E-C10).

`plain_answer` knows in one pass the answers in which there is nothing to repair, which are nearly all, and gives up
on what it cannot be sure of. `read_closely` looks at each member and is what decides.
"""

from typing import NamedTuple

import msgspec

from app.domain.usage import Usage
from app.protocol import lossless
from app.protocol.answer_rules import AnswerRules, FaultReason, Identity
from app.protocol.answer_rules import AnswerUnusable as AnswerUnusable
from app.protocol.content import (
    identified,
    integer_of,
    made_up_call_id,
    text_of_content,
    whole_tool_call,
)
from app.protocol.in_band import lists_failure, reports_failure
from app.protocol.lossless import NULL, UNREADABLE
from app.protocol.usage import WholeCounts, is_whole, read_usage
from app.protocol.utf8 import is_utf8

_BOM = b"\xef\xbb\xbf"
_OBJECT = b'"chat.completion"'
_ASSISTANT = b'"assistant"'


class _Function(msgspec.Struct, gc=False):
    name: str
    arguments: str


class _ToolCall(msgspec.Struct, gc=False):
    id: str
    type: msgspec.Raw  # raw where an escape in it would be written anew
    function: _Function


class _Message(msgspec.Struct, gc=False):
    role: msgspec.Raw
    content: str | None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct, gc=False):
    index: msgspec.Raw
    message: _Message
    finish_reason: str


class _Answer(msgspec.Struct, gc=False):
    id: str
    object: msgspec.Raw
    created: int
    model: str
    choices: list[_Choice]
    usage: WholeCounts | msgspec.UnsetType = msgspec.UNSET
    error: msgspec.Raw = msgspec.Raw()


class _SaidMessage(msgspec.Struct, gc=False):
    content: object = None
    reasoning_content: object = None
    refusal: object = None
    tool_calls: object = None


class _SaidChoice(msgspec.Struct, gc=False):
    message: _SaidMessage


class _Said(msgspec.Struct, gc=False):
    choices: list[_SaidChoice]


_PLAIN = msgspec.json.Decoder(_Answer)
_SAID = msgspec.json.Decoder(_Said)
_FUNCTION_TYPE = msgspec.Raw(b'"function"')
_OBJECT_TYPE, _ASSISTANT_ROLE = msgspec.Raw(_OBJECT), msgspec.Raw(_ASSISTANT)
_LATEST = 10**18  # a number beyond it is no time


class Answer(msgspec.Struct, gc=False):
    """What the client gets, and what it cost; *usage* None where the upstream did not count."""

    body: bytes
    usage: Usage | None


class WholeOutput(NamedTuple):
    """An answer whose tokens nobody counted, by its length."""

    output_characters: int
    usage: Usage | None = None
    counted_characters: int = 0


def output_characters(body: bytes) -> int:
    """How much an answer says: text, reasoning, refusals and tool calls, of all choices."""
    try:
        said = _SAID.decode(body)
    except UNREADABLE:
        return 0
    return sum(
        len(part) if isinstance(part, str) else len(msgspec.json.encode(part))
        for choice in said.choices
        for part in msgspec.structs.astuple(choice.message)
        if part
    )


def read_answer(body: bytes, *, rules: AnswerRules, identity: Identity) -> Answer:
    """The answer as it may leave. Raises AnswerUnusable for a failure under a 200, and for what is no answer."""
    if rules.answer_filter is None:
        plain = plain_answer(body)
        if plain is not None:
            return plain
    return read_closely(body, rules, identity)


def plain_answer(body: bytes) -> Answer | None:
    """The answer if it surely needs no repair; else None. For a dialect without a filter."""
    try:
        answer = _PLAIN.decode(body)
    except UNREADABLE:
        return None
    if (
        answer.object != _OBJECT_TYPE
        or not answer.id
        or not answer.model
        or not 0 < answer.created < _LATEST
        or not answer.choices
        or len(answer.error)
        or not (body.isascii() or is_utf8(body))
    ):
        return None
    for place, choice in enumerate(answer.choices):
        message = choice.message
        if (
            choice.finish_reason in ("", "error")
            or message.role != _ASSISTANT_ROLE
            or bytes(choice.index) != b"%d" % place
            or (message.tool_calls and not _are_plain_calls(message.tool_calls))
        ):
            return None
    counts = answer.usage
    return Answer(body, None if counts is msgspec.UNSET else counts.usage())


def _are_plain_calls(calls: list[_ToolCall]) -> bool:
    return all(call.id and call.function.name and call.type == _FUNCTION_TYPE for call in calls)


def read_closely(body: bytes, rules: AnswerRules, identity: Identity) -> Answer:
    """The same as `read_answer`, for any answer. Raises AnswerUnusable."""
    text = body.removeprefix(_BOM)
    try:
        found = _members_of_answer(text)
        if rules.answer_filter is not None:
            text = rules.answer_filter(text)
            found = lossless.members(text)
        repaired = _repaired(found, identity)
    except lossless.NotJson:
        raise AnswerUnusable(FaultReason.MALFORMED, body) from None
    except AnswerUnusable as unusable:
        raise AnswerUnusable(unusable.reason, body) from None
    usage = read_usage(found.get("usage"))
    if list(repaired.items()) != list(found.items()):
        text = lossless.object_of(repaired)
    return Answer(body if text == body.removeprefix(_BOM) else text, usage)


def _members_of_answer(text: bytes) -> dict[str, bytes]:
    stripped = text.strip()
    if lists_failure(stripped):
        raise AnswerUnusable(FaultReason.ERROR_EVENT, text)
    found = lossless.members(text)
    if reports_failure(found):
        raise AnswerUnusable(FaultReason.ERROR_EVENT, text)
    choices = found.get("choices", NULL)
    if choices[:1] != b"[" or not lossless.elements(choices) or not is_utf8(text):
        raise AnswerUnusable(FaultReason.MALFORMED, text)  # E6
    return found


def _repaired(found: dict[str, bytes], identity: Identity) -> dict[str, bytes]:
    answer = {name: v for name, v in found.items() if not (name == "error" and v == NULL)}  # I14
    if "usage" in answer and not is_whole(answer["usage"]):
        del answer["usage"]  # E4
    choices = lossless.elements(answer["choices"])
    repaired = [_choice(choice, place, identity) for place, choice in enumerate(choices)]
    if repaired != choices:
        answer["choices"] = lossless.array_of(repaired)
    return identified(answer, _head(answer, identity))


def _head(answer: dict[str, bytes], identity: Identity) -> dict[str, bytes]:
    created = integer_of(answer.get("created"))
    return {
        "id": answer["id"] if lossless.text_of(answer.get("id")) else lossless.literal(identity.id),
        "object": _OBJECT,
        "created": b"%d" % (identity.created if created is None else created),
        "model": answer["model"]
        if lossless.text_of(answer.get("model"))
        else lossless.literal(identity.model),
    }


def _choice(data: bytes, place: int, identity: Identity) -> bytes:
    found = lossless.members(data)
    message_data = found.get("message", found.get("delta", NULL))
    if "message" not in found:
        found = {"message" if name == "delta" else name: v for name, v in found.items()}
    message = _message(lossless.members(message_data), place, identity)
    choice = dict(found)
    if message is not None:
        choice["message"] = message
    index = integer_of(found.get("index"))
    choice = identified(choice, {"index": b"%d" % (place if index is None else index)})
    reason = choice.get("finish_reason")
    if reason == b'"error"':
        raise AnswerUnusable(FaultReason.ERROR_EVENT, data)  # J4
    if lossless.is_empty_text(reason) or not lossless.is_text(reason):
        choice["finish_reason"] = b'"tool_calls"' if _has_tools(choice["message"]) else b'"stop"'
    return data if list(choice.items()) == list(found.items()) else lossless.object_of(choice)


def _has_tools(message: bytes) -> bool:
    tool_calls = lossless.members(message).get("tool_calls", NULL)
    return tool_calls[:1] == b"[" and bool(lossless.elements(tool_calls))


def _message(found: dict[str, bytes], choice: int, identity: Identity) -> bytes | None:
    """The message with role, content and whole tool calls (E3); None when it has them."""
    message = identified(found, {"role": _ASSISTANT})
    content = message.get("content", NULL)
    message["content"] = content if content == NULL else text_of_content(content)
    tool_calls = message.get("tool_calls", NULL)
    if tool_calls[:1] == b"{":
        tool_calls = message["tool_calls"] = lossless.array_of([tool_calls])
    if tool_calls[:1] == b"[":
        calls = lossless.elements(tool_calls)
        whole = [
            _tool_call(call, made_up_call_id(identity, choice, place))
            for place, call in enumerate(calls)
        ]
        if whole != calls:
            message["tool_calls"] = lossless.array_of(whole)
    elif tool_calls != NULL:
        del message["tool_calls"]  # neither a call nor a list of them
    if list(message.items()) == list(found.items()):
        return None
    return lossless.object_of(message)


def _tool_call(data: bytes, made_up_id: bytes) -> bytes:
    found = lossless.members(data)
    call = lossless.members(whole_tool_call(found, made_up_id, absent=b'"{}"'))
    return data if call == found else lossless.object_of(call)
