"""OpenAI's own shapes of an answer, with the few differences between dialects as a row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from app.simulators.answers import Answer
from app.simulators.replies import DONE, Event, Json, Kind


@dataclass(frozen=True, slots=True)
class Spelling:
    """How one dialect writes what all of them say.

    *role_apart* sends the role in a chunk of its own; *usage_on_chunks* puts `usage: null` on
    every chunk when usage was asked for; *more* stands behind `choices`, *message_more* in each
    message, *choice_more* in each choice; *sorted_keys* is the seed of OpenMind.
    """

    role_apart: bool = False
    usage_on_chunks: bool = False
    sorted_keys: bool = False
    more: Json = field(default_factory=dict)
    message_more: Json = field(default_factory=dict)
    choice_more: Json = field(default_factory=dict)
    usage_more: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is the same in every chunk of one completion."""

    id: str
    created: int
    model: str
    choices: int = 1


def usage_of(answer: Answer, choices: int = 1) -> Json:
    """Words in, words out (X2)."""
    given = answer.completion_tokens * choices
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": given,
        "total_tokens": answer.prompt_tokens + given,
    }


def completion(spelling: Spelling, envelope: Envelope, answer: Answer) -> Event:
    """The one body of an answer that does not stream."""
    rows = [_choice(spelling, envelope, answer, place) for place in range(envelope.choices)]
    payload = {
        "id": envelope.id,
        "object": "chat.completion",
        "created": envelope.created,
        "model": envelope.model,
        "choices": rows,
        "usage": usage_of(answer, envelope.choices) | spelling.usage_more,
        **spelling.more,
    }
    tokens = answer.completion_tokens * envelope.choices
    return Event(payload=sort_keys(payload) if spelling.sorted_keys else payload, tokens=tokens)


def chunks(
    spelling: Spelling, envelope: Envelope, answer: Answer, include_usage: bool
) -> Iterator[Event]:
    """The events of an answer that streams, `[DONE]` included."""
    null_usage = {"usage": None} if include_usage and spelling.usage_on_chunks else {}
    for delta, finish, tokens in _deltas(spelling, answer, envelope.id):
        for index in range(envelope.choices):
            choice = {"index": index, "delta": delta, **spelling.choice_more}
            payload = _chunk(spelling, envelope, [choice | {"finish_reason": finish}])
            kind: Kind = "finish" if finish else "chunk"
            yield Event(payload=payload | null_usage, kind=kind, tokens=tokens)
    if include_usage:
        usage = usage_of(answer, envelope.choices) | spelling.usage_more
        payload = _chunk(spelling, envelope, []) | {"usage": usage}
        yield Event(payload=payload, kind="usage")
    yield DONE


def sort_keys(value: Any) -> Any:
    """*value* with the keys of its objects in alphabetical order."""
    if isinstance(value, dict):
        return {key: sort_keys(value[key]) for key in sorted(value)}
    return [sort_keys(one) for one in value] if isinstance(value, list) else value


def _choice(spelling: Spelling, envelope: Envelope, answer: Answer, place: int) -> Json:
    message: Json = {"role": "assistant", "content": answer.text, **spelling.message_more}
    if answer.tool_call:
        function = {"name": answer.tool_call.name, "arguments": answer.tool_call.arguments}
        call = {"id": call_id(envelope.id), "type": "function", "function": function}
        message |= {"content": None, "tool_calls": [call]}
    return {
        "index": place,
        "message": message,
        **spelling.choice_more,
        "finish_reason": answer.finish_reason,
    }


def _deltas(
    spelling: Spelling, answer: Answer, completion_id: str
) -> Iterator[tuple[Json, str | None, int]]:
    """Delta, finish reason and tokens of each chunk."""
    role: Json = {"role": "assistant"}
    if spelling.role_apart:
        yield {"role": "assistant", "content": ""}, None, 0
        role = {}
    for delta in _contents(answer, completion_id):
        yield role | delta, None, 1
        role = {}
    yield role, answer.finish_reason, 0


def _contents(answer: Answer, completion_id: str) -> Iterator[Json]:
    for piece in answer.pieces:
        yield {"content": piece}
    if answer.tool_call is None:
        return
    function = {"name": answer.tool_call.name, "arguments": ""}
    opening = {"id": call_id(completion_id), "type": "function", "function": function}
    yield {"tool_calls": [{"index": 0, **opening}]}
    for fragment in answer.tool_call.fragments:
        yield {"tool_calls": [{"index": 0, "function": {"arguments": fragment}}]}


def call_id(completion_id: str) -> str:
    """The id of a tool call: that of its completion under another prefix."""
    return "call_" + completion_id.rpartition("-")[2]


def _chunk(spelling: Spelling, envelope: Envelope, choices: list[Json]) -> Json:
    return {
        "id": envelope.id,
        "object": "chat.completion.chunk",
        "created": envelope.created,
        "model": envelope.model,
        "choices": choices,
        **spelling.more,
    }
