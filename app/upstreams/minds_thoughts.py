"""
A Mind's thoughts, told from its answer while they stream (upstreams 4.4: T1 to T5, M-S1 to M-S7).

One normaliser for every generation of the server: the form of a frame is never configured. A message of any role
but `assistant` is a thought and arrives whole; assistant text may come in tokens, stop for a thought, and go on.
"""

from collections.abc import Sequence
from typing import Literal

from app.protocol import lossless
from app.protocol.answer_rules import AnswerRules, Passed
from app.protocol.content import text_of_content
from app.protocol.lossless import NULL
from app.protocol.sse import Event
from app.upstreams.minds_choices import ThoughtForm, is_answer_role, one_choice
from app.upstreams.minds_choices import is_not_ready as is_not_ready

_PARAGRAPH = b'"\\n\\n"'


def minds_rules(
    *, thoughts: ThoughtForm, missing_finish: Literal["accept", "error"]
) -> AnswerRules:
    """What Minds' answers need. *thoughts*: where they go; *missing_finish*: M-S6."""
    return AnswerRules(
        chunk_filter=lambda: _Thoughts(thoughts),
        answer_filter=lambda body: one_choice(body, thoughts=thoughts),
        missing_finish=missing_finish,
    )


class _Thoughts:
    """One stream's filter. Knows what was said last, since a paragraph's break stands before what follows it."""

    rewrites = True

    def __init__(self, form: ThoughtForm) -> None:
        self._form = form
        self._answer_began = False
        self._thought_sent = False
        self._thought_since = False  # a thought came after the last answer text

    def chunk(self, data: bytes) -> Sequence[Passed]:
        """Each choice as a chunk of its own, index 0 (M-S1); thoughts in their form."""
        found = lossless.members(data)
        choices = lossless.elements(found["choices"])
        if len(choices) == 1:
            return self._choice(data, found, choices[0])
        usage = found.pop("usage", None)
        passed: list[Passed] = []
        for place, choice in enumerate(choices):
            if usage is not None and place == len(choices) - 1:
                found["usage"] = usage
            passed += self._choice(None, found, choice)
        return passed

    def extension(self, event: Event) -> Sequence[Passed] | None:
        """Minds has none."""
        return None

    def lacks_answer(self) -> bool:
        """Whether there were thoughts only, or nothing (M-S7)."""
        return not self._answer_began

    def _choice(
        self, data: bytes | None, found: dict[str, bytes], choice_data: bytes
    ) -> Sequence[Passed]:
        choice = lossless.members(choice_data)
        name = "delta" if choice.get("delta", NULL)[:1] == b"{" else "message"
        delta = lossless.members(choice.get(name, b"{}")) if choice.get(name, NULL) != NULL else {}
        text = delta.get("content", NULL)
        said = NULL if text == NULL else text_of_content(text)
        if not is_answer_role(delta.get("role")):
            return self._thought(found, choice, delta, said)
        prefixed = self._answer_text(said, delta)
        ends_a_call = _calls_a_tool(delta) and choice.get("finish_reason", NULL) != NULL
        if (
            data is not None
            and prefixed == text
            and choice.get("index") == b"0"
            and not ends_a_call
        ):
            return (Passed(data),)  # in order already (T5)
        if text != NULL:
            delta["content"] = prefixed
        choice[name] = lossless.object_of(delta)
        return _apart(found, choice) if ends_a_call else (_chunk(found, choice),)

    def _answer_text(self, said: bytes, delta: dict[str, bytes]) -> bytes:
        if _calls_a_tool(delta):
            self._answer_began = True
        if lossless.is_empty_text(said):
            return said
        shares_channel = self._form == "content" and self._thought_sent
        breaks = self._thought_since and (self._answer_began or shares_channel)
        self._answer_began = True
        self._thought_since = False
        return lossless.joined((_PARAGRAPH, said)) if breaks else said  # M-S5

    def _thought(
        self,
        found: dict[str, bytes],
        choice: dict[str, bytes],
        delta: dict[str, bytes],
        said: bytes,
    ) -> Sequence[Passed]:
        if lossless.is_empty_text(said):
            return ()
        self._thought_since = True
        if self._form == "drop":
            return ()
        if self._form == "comment":
            comment = lossless.object_of({"role": delta["role"], "content": said})
            return (Passed(b": thought %b\n\n" % comment, verbatim=True),)
        follows = self._thought_sent or (self._form == "content" and self._answer_began)
        self._thought_sent = True
        text = lossless.joined((_PARAGRAPH, said)) if follows else said
        name = "reasoning_content" if self._form == "reasoning" else "content"
        choice.pop("message", None)
        choice["delta"] = lossless.object_of({name: text})
        if "finish_reason" in choice:
            choice["finish_reason"] = NULL  # a thought ends nothing (M-S7)
        return (_chunk(found, choice),)


def _calls_a_tool(delta: dict[str, bytes]) -> bool:
    return delta.get("tool_calls", NULL) not in (NULL, b"[]")


def _apart(found: dict[str, bytes], choice: dict[str, bytes]) -> Sequence[Passed]:
    """A tool call and its finish as two chunks: an SDK calls a call done only when one follows (contract I7)."""
    finish = {"index": b"0", "delta": b"{}", "finish_reason": choice["finish_reason"]}
    call = {key: value for key, value in found.items() if key != "usage"}
    return (_chunk(call, choice | {"finish_reason": NULL}), _chunk(found, finish))


def _chunk(found: dict[str, bytes], choice: dict[str, bytes]) -> Passed:
    choices = lossless.array_of([lossless.object_of(choice | {"index": b"0"})])
    return Passed(lossless.object_of(found | {"choices": choices}))
