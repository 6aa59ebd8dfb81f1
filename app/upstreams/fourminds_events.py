"""
4minds' status events: carried on, since an agent's progress is what a person waits by (upstreams F-S1 to F-S3).

The seed promises such events and shows none, so any event without choices counts as one. By default it becomes
a chunk that adds nothing, with the event under the key `4minds`: every client that was tried survives that.
"""

from collections.abc import Sequence
from typing import Literal

from app.protocol import lossless
from app.protocol.answer_rules import AnswerRules, Passed
from app.protocol.sse import Event, frame

EventForm = Literal["chunk", "comment", "raw", "drop"]

_MOST_WAITING = 64
_USUAL = {
    "id", "object", "created", "model", "choices", "usage", "system_fingerprint", "service_tier",
    "obfuscation", "prompt_filter_results",
}  # fmt: skip
_CHOICES = b'[{"index":0,"delta":{},"finish_reason":null}]'


def fourminds_rules(*, events: EventForm) -> AnswerRules:
    """4minds' answers are OpenAI's, but for its events. *events*: what becomes of them."""
    if events == "drop":
        return AnswerRules(text_events=True)
    return AnswerRules(chunk_filter=lambda: _StatusEvents(events), text_events=True)


class _StatusEvents:
    """Holds events until the first real chunk, whose id they need (F-S3), then passes each at once."""

    rewrites = False

    def __init__(self, form: EventForm) -> None:
        self._form = form
        self._waiting: list[Passed] | None = []  # None: the first chunk has come

    def chunk(self, data: bytes) -> Sequence[Passed]:
        """The chunk as it came, the events that waited behind it."""
        waited, self._waiting = self._waiting, None
        return (Passed(data), *waited) if waited else (Passed(data),)

    def extension(self, event: Event) -> Sequence[Passed] | None:
        """The event in its form; None when it says nothing or too many wait."""
        if _says_nothing(event.data):
            return None
        passed = self._formed(event)
        if self._waiting is None:
            return (passed,)
        if len(self._waiting) >= _MOST_WAITING:
            return None
        self._waiting.append(passed)
        return ()

    def lacks_answer(self) -> bool:
        """Never: an end without an answer is an end too early (S10)."""
        return False

    def _formed(self, event: Event) -> Passed:
        if self._form == "raw":
            name = b"event: %b\n" % event.name if event.name else b""
            return Passed(name + frame(event.data), verbatim=True)
        described = _described(event)
        if self._form == "comment":
            return Passed(b": 4minds %b\n\n" % described, verbatim=True)
        # without id, created and model: the common repairs give it the stream's own
        return Passed(lossless.object_of({"choices": _CHOICES, "4minds": described}))


def _described(event: Event) -> bytes:
    # An event of more than one line, or of plain text, is put on one line: a comment ends at its line's end.
    is_json = lossless.is_json(event.data)
    data = event.data if is_json else lossless.literal(event.data.decode("utf-8", "replace"))
    name = lossless.literal(event.name.decode("utf-8", "replace")) if event.name else lossless.NULL
    one_line = data.strip().replace(b"\n", b" ")
    return lossless.object_of({"event": name, "data": one_line})


def _says_nothing(data: bytes) -> bool:
    # `{}` is a heartbeat; a chunk without choices and without a word of its own is OpenAI's (contract I15)
    try:
        found = lossless.members(data)
    except lossless.NotJson:
        return False
    return found.keys() <= _USUAL
