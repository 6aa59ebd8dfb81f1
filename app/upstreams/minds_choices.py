"""
A Mind's whole answer: many choices made one (upstreams M-A2 to M-A7, contract E11).

Every message the Mind produced is a choice, its thoughts and even single tokens. The answer is the last run of
assistant choices; what came before it goes where thoughts go.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.protocol import lossless
from app.protocol.answer_rules import AnswerUnusable, FaultReason
from app.protocol.content import integer_of, text_of_content
from app.protocol.lossless import NULL

ThoughtForm = Literal["reasoning", "content", "comment", "drop"]

_NOT_READY = "The Mind is not ready yet. Please try again later."
_BREAK = b'"\\n\\n"'


def is_answer_role(role: bytes | None) -> bool:
    """Whether a message of that role is answer and not thought: `assistant`, or none (M-S2)."""
    return role is None or role in (b'"assistant"', b'""', NULL)


def is_not_ready(body: bytes) -> bool:
    """Whether the whole content of the answer says that data sources are still loading (M-A6)."""
    try:
        choices = lossless.elements(lossless.members(body)["choices"])
        message = lossless.members(lossless.members(choices[-1])["message"])
    except (lossless.NotJson, KeyError, IndexError):
        return False
    text = lossless.text_of(message.get("content"))
    return len(choices) == 1 and text is not None and text.strip() == _NOT_READY


@dataclass(frozen=True, slots=True)
class _Message:
    """One choice, read. *text*: its content as a JSON string or null."""

    choice: dict[str, bytes]
    message: dict[str, bytes]
    text: bytes
    is_answer: bool
    index: int | None

    @classmethod
    def of(cls, data: bytes) -> "_Message":
        choice = lossless.members(data)
        message = lossless.members(choice.get("message", NULL))
        content = message.get("content", NULL)
        text = NULL if content == NULL else text_of_content(content)
        role = is_answer_role(message.get("role"))
        return cls(choice, message, text, role, integer_of(choice.get("index")))

    def says_something(self) -> bool:
        tools = self.message.get("tool_calls", NULL)
        return not lossless.is_empty_text(self.text) or tools not in (NULL, b"[]")

    def follows(self, other: "_Message") -> bool:
        """Whether it goes on with *other*: both answer, no gap between their indexes (M-A4)."""
        if not (self.is_answer and other.is_answer):
            return False
        if self.index is None or other.index is None:
            return True
        return self.index - other.index in (0, 1)  # 0: a last, empty one repeats the index (T4)


def one_choice(body: bytes, *, thoughts: ThoughtForm) -> bytes:
    """The answer with one choice, index 0; as it came when it has just that.

    Raises AnswerUnusable where no choice is an assistant's (M-A7), NotJson for what is no chat answer.
    """
    found = lossless.members(body)
    messages = [_Message.of(choice) for choice in lossless.elements(found["choices"])]
    runs = _runs(messages)
    answer = _answer_run(runs)
    if answer is None:
        raise AnswerUnusable(FaultReason.MALFORMED, body)
    if len(messages) == 1:
        return (
            body if messages[0].index in (0, None) else _with_choice(found, answer, NULL, thoughts)
        )
    earlier = [_text(run) for run in runs if run is not answer]
    spoken = [text for text in earlier if not lossless.is_empty_text(text)]
    return _with_choice(found, answer, _paragraphs(spoken), thoughts)


def _runs(messages: Sequence[_Message]) -> list[list[_Message]]:
    runs: list[list[_Message]] = []
    for message in messages:
        if runs and message.follows(runs[-1][-1]):
            runs[-1].append(message)
        else:
            runs.append([message])
    return runs


def _answer_run(runs: Sequence[list[_Message]]) -> list[_Message] | None:
    """The last run of assistant choices that says something; the last one at all where none does."""
    answers = [run for run in runs if run[0].is_answer]
    spoken = [run for run in answers if any(message.says_something() for message in run)]
    candidates = spoken or answers
    return candidates[-1] if candidates else None


def _text(run: Sequence[_Message]) -> bytes:
    texts = [message.text for message in run if message.text != NULL]
    return lossless.joined(texts) if texts else NULL


def _paragraphs(texts: Sequence[bytes]) -> bytes:
    parts = [part for text in texts for part in (_BREAK, text)]
    return lossless.joined(parts[1:]) if texts else NULL


def _with_choice(
    found: dict[str, bytes], run: Sequence[_Message], earlier: bytes, thoughts: ThoughtForm
) -> bytes:
    message = dict(run[-1].message)
    content = _text(run)
    if thoughts == "content":
        content = _paragraphs([t for t in (earlier, content) if not lossless.is_empty_text(t)])
    message["content"] = content
    tools = [t for m in run if (t := m.message.get("tool_calls", NULL))[:1] == b"["]
    if len(tools) > 1:
        calls = [call for t in tools for call in lossless.elements(t)]
        message["tool_calls"] = lossless.array_of(calls)
    elif tools:
        message["tool_calls"] = tools[0]
    if thoughts == "reasoning" and earlier != NULL:
        own = message.get("reasoning_content", NULL)
        texts = [earlier] if lossless.is_empty_text(own) else [earlier, own]
        message["reasoning_content"] = _paragraphs(texts)
    choice = run[-1].choice | {"index": b"0", "message": lossless.object_of(message)}
    choices = lossless.array_of([lossless.object_of(choice)])
    return lossless.object_of(found | {"choices": choices})
