"""
How a Mind's thoughts and answer look in each age: stream forms T1 to T5 (X9), choices (X10).

A stream is two thoughts, then the answer; the table `FORMS` says what tells them apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.simulators.answers import Answer, ToolCall
from app.simulators.completions import Envelope, call_id
from app.simulators.replies import Event, Json, Kind

THOUGHTS = ("Planning the query.", "SELECT 1")


@dataclass(frozen=True, slots=True)
class Form:
    """One age of the stream; T5 is OpenAI's own and needs no row.

    *roles* are those of the two thoughts, None where nothing tells a thought from the answer.
    """

    name: str = ""
    roles: tuple[str, str] | None = None
    whole_messages: bool = False
    counts_up: bool = True
    echoes_input: bool = False
    finish: str = "never"  # never, on the last message, in a chunk of its own


FORMS = {
    1: Form(whole_messages=True, counts_up=False),
    2: Form(roles=("system", "system"), echoes_input=True),
    3: Form(roles=("system", "system"), finish="last"),
    4: Form(
        name="completion",
        roles=("thought.planning", "thought.execution.step.sql"),
        finish="apart",
    ),
}


@dataclass(frozen=True, slots=True)
class MindAnswer:
    """An answer with what the control words of X10 to X12 make of it."""

    answer: Answer
    asked_text: str
    has_thoughts: bool
    is_object: bool
    is_silent: bool


def mind_events(form: Form, envelope: Envelope, mind: MindAnswer) -> Iterator[Event]:
    """The events of a Mind that streams. No form of these ends in `[DONE]`."""
    deltas = list(_thought_deltas(form, mind))
    thoughts = len(deltas)
    if not mind.is_silent:
        deltas += _answer_deltas(form, envelope, mind)
    index = 0
    for place, (delta, tokens) in enumerate(deltas):
        index = place if form.counts_up else 0
        is_last = place == len(deltas) - 1 and place >= thoughts
        finish = mind.answer.finish_reason if is_last and form.finish == "last" else None
        yield _event(form, envelope, index, delta, finish, tokens)
    if form.finish == "apart" and not mind.is_silent:
        delta = {"role": "assistant", "content": ""}
        yield _event(form, envelope, index, delta, mind.answer.finish_reason, 0)


def mind_choices(number: int, envelope: Envelope, mind: MindAnswer) -> list[Json]:
    """The choices of an answer that does not stream (X10): 1 plain, 2 with thought, 3 by words."""
    if mind.is_silent:
        return [_choice(0, "thought.planning", THOUGHTS[0])]
    if number == 3 and mind.answer.pieces:
        return [
            _choice(place, "assistant", piece) for place, piece in enumerate(mind.answer.pieces)
        ]
    message: Json = {"role": "assistant", "content": _content(mind)}
    if mind.answer.tool_call is not None:
        call = _whole_call(envelope, mind.answer.tool_call)
        message |= {"content": None, "tool_calls": [call]}
    if number == 2:
        # the system messages between are left out, their places stay
        thought = _choice(1, "thought.planning", THOUGHTS[0])
        return [thought, {"index": 3, "message": message}]
    return [{"index": 0, "message": message}]


def _thought_deltas(form: Form, mind: MindAnswer) -> Iterator[tuple[Json, int]]:
    if not mind.has_thoughts:
        return
    if form.echoes_input:
        yield {"role": "user", "content": mind.asked_text}, 0
    for role, text in zip(form.roles or ("assistant", "assistant"), THOUGHTS, strict=True):
        yield {"role": role, "content": text}, 0


def _answer_deltas(form: Form, envelope: Envelope, mind: MindAnswer) -> Iterator[tuple[Json, int]]:
    answer = mind.answer
    if answer.tool_call is not None:
        call = {"index": 0, **_whole_call(envelope, answer.tool_call)}
        delta = {"role": "assistant", "content": None, "tool_calls": [call]}
        yield delta, answer.completion_tokens
    elif form.whole_messages or mind.is_object:
        yield {"role": "assistant", "content": _content(mind)}, answer.completion_tokens
    else:
        for piece in answer.pieces:
            yield {"role": "assistant", "content": piece}, 1


def _event(
    form: Form, envelope: Envelope, index: int, delta: Json, finish: str | None, tokens: int
) -> Event:
    payload: Json = {
        "id": envelope.id,
        "object": "chat.completion.chunk",
        "created": envelope.created,
        "model": envelope.model,
        "choices": [{"index": index, "delta": delta, "finish_reason": finish}],
        "system_fingerprint": None,
    }
    kind: Kind = "finish" if finish else "chunk"
    return Event(payload=payload, name=form.name, kind=kind, tokens=tokens)


def _choice(index: int, role: str, content: str) -> Json:
    return {"index": index, "message": {"role": role, "content": content}}


def _content(mind: MindAnswer) -> Any:
    text = mind.answer.text
    return {"type": "sql_query", "query": text} if mind.is_object else text


def _whole_call(envelope: Envelope, call: ToolCall) -> Json:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call_id(envelope.id), "type": "function", "function": function}
