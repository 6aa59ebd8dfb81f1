"""
A chat stream folded into one `chat.completion`, for a client that asked for no stream (upstreams S9, contract H14).

The stream is normalised as for any client and its frames are then added up, by the bytes of their literals: what
was not decoded cannot be harmed.
"""

from dataclasses import dataclass, field

from app.protocol import lossless
from app.protocol.answer_rules import AnswerRules, AnswerUnusable, FaultReason, Identity
from app.protocol.chat_answer import Answer
from app.protocol.chat_stream import ChatStream
from app.protocol.chunks import StreamProgress, read_chunk
from app.protocol.content import integer_of
from app.protocol.lossless import NULL

_DATA = b"data: "
_HEAD = ("id", "created", "model")
_LAST_WINS = ("id", "type", "index", "name", "role")


class ChatFold:
    """Takes the upstream's stream as ChatStream does and gives one answer at its end.

    Holds all of the answer: the caller bounds what it feeds.
    """

    def __init__(self, *, rules: AnswerRules, identity: Identity, max_event_bytes: int) -> None:
        self._stream = ChatStream(
            rules=rules,
            include_usage=True,
            identity=identity,
            max_event_bytes=max_event_bytes,
        )
        self._head: dict[str, bytes] = {}
        self._rest: dict[str, bytes] = {}
        self._usage: bytes | None = None
        self._choices: dict[int, _FoldedChoice] = {}

    @property
    def ended(self) -> bool:
        """Whether the answer is complete, or has failed: more input changes nothing."""
        return self._stream.ended

    @property
    def progress(self) -> StreamProgress:
        """What has come so far, and what the upstream counted."""
        return self._stream.progress

    def feed(self, received: bytes) -> None:
        """Add a read."""
        self._add_frames(self._stream.feed(received))

    def finish(self, *, clean: bool) -> Answer:
        """The answer. Raises AnswerUnusable where a stream would have ended in an error event."""
        self._add_frames(self._stream.finish(clean=clean))
        fault = self._stream.fault
        if fault is not None:
            raise AnswerUnusable(fault.reason, fault.data)
        try:
            return Answer(lossless.object_of(self._answer()), self._stream.progress.usage)
        except lossless.NotJson:
            raise AnswerUnusable(FaultReason.MALFORMED, b"") from None

    def _add_frames(self, frames: bytes) -> None:
        if not frames:
            return
        for frame in frames.split(b"\n\n"):
            data = frame.removeprefix(_DATA)
            # a dialect's raw event is no chunk, and no part of an answer (upstreams F-S2)
            if data is not frame and read_chunk(data) is not None:
                self._add_chunk(lossless.members(data))

    def _add_chunk(self, chunk: dict[str, bytes]) -> None:
        for choice in lossless.elements(chunk.pop("choices")):
            found = lossless.members(choice)
            index = integer_of(found.get("index")) or 0
            self._choices.setdefault(index, _FoldedChoice()).add(found)
        usage = chunk.pop("usage", NULL)
        if usage != NULL:
            self._usage = usage
        chunk.pop("object", None)
        for name in _HEAD:
            self._head.setdefault(name, chunk.pop(name))
            chunk.pop(name, None)
        self._rest |= chunk

    def _answer(self) -> dict[str, bytes]:
        choices = [self._choices[index].folded(index) for index in sorted(self._choices)]
        answer = {
            "id": self._head["id"],
            "object": b'"chat.completion"',
            "created": self._head["created"],
            "model": self._head["model"],
            "choices": lossless.array_of(choices),
        }
        if self._usage is not None:
            answer["usage"] = self._usage
        return answer | self._rest


@dataclass(slots=True)
class _FoldedChoice:
    """What one choice added up to. *texts*: the pieces of each text member of its deltas."""

    texts: dict[str, list[bytes]] = field(default_factory=dict)
    others: dict[str, bytes] = field(default_factory=dict)
    tools: dict[int, "_FoldedTool"] = field(default_factory=dict)
    finish_reason: bytes = NULL
    beside: dict[str, bytes] = field(default_factory=dict)

    def add(self, choice: dict[str, bytes]) -> None:
        """Add one element of a chunk's `choices`."""
        for name, value in choice.items():
            if name == "delta":
                self._add_delta(lossless.members(value))
            elif name == "finish_reason":
                self.finish_reason = self.finish_reason if value == NULL else value
            elif name != "index":
                self.beside[name] = added(self.beside.get(name, NULL), value)

    def _add_delta(self, delta: dict[str, bytes]) -> None:
        for name, value in delta.items():
            if name == "tool_calls" and value != NULL:
                for fragment in lossless.elements(value):
                    found = lossless.members(fragment)
                    index = integer_of(found.pop("index", None)) or 0
                    self.tools.setdefault(index, _FoldedTool()).add(found)
            elif lossless.is_text(value):
                self.texts.setdefault(name, []).append(value)
            elif value != NULL:
                self.others[name] = added(self.others.get(name, NULL), value)

    def folded(self, index: int) -> bytes:
        """The choice of the whole answer."""
        texts = {name: lossless.joined(pieces) for name, pieces in self.texts.items()}
        content = texts.pop("content", NULL)
        texts.pop("role", None)
        if content == b'""' and self.tools:
            content = NULL
        message = {"role": b'"assistant"', "content": content} | texts | self.others
        if self.tools:
            calls = [self.tools[place].folded() for place in sorted(self.tools)]
            message["tool_calls"] = lossless.array_of(calls)
        choice = {"index": b"%d" % index, "message": lossless.object_of(message)}
        return lossless.object_of(choice | self.beside | {"finish_reason": self.finish_reason})


@dataclass(slots=True)
class _FoldedTool:
    """One tool call; its arguments are kept in pieces, for they are many."""

    members: dict[str, bytes] = field(default_factory=dict)
    arguments: list[bytes] = field(default_factory=list)

    def add(self, fragment: dict[str, bytes]) -> None:
        function = fragment.get("function", NULL)
        if function[:1] == b"{":
            inner = lossless.members(function)
            arguments = inner.pop("arguments", NULL)
            if lossless.is_text(arguments):
                self.arguments.append(arguments)
            fragment["function"] = lossless.object_of(inner)
        for name, value in fragment.items():
            known = self.members.get(name, NULL)
            self.members[name] = value if name in _LAST_WINS else added(known, value)

    def folded(self) -> bytes:
        call = dict(self.members)
        if "function" in call:
            inner = lossless.members(call["function"])
            inner["arguments"] = lossless.joined(self.arguments)
            call["function"] = lossless.object_of(inner)
        return lossless.object_of(call)


def added(known: bytes, value: bytes) -> bytes:
    """Two values of one member, one after the other: texts and lists joined, objects member by member.

    null adds nothing; of numbers and truth values the later one stands.
    """
    if value == NULL or known == NULL:
        return known if value == NULL else value
    kinds = known[:1] + value[:1]
    if kinds == b'""':
        return lossless.joined((known, value))
    if kinds == b"[[":
        return lossless.array_of((*lossless.elements(known), *lossless.elements(value)))
    if kinds == b"{{":
        merged = lossless.members(known)
        for name, inner in lossless.members(value).items():
            last_wins = name in _LAST_WINS and inner != NULL
            merged[name] = inner if last_wins else added(merged.get(name, NULL), inner)
        return lossless.object_of(merged)
    return value
