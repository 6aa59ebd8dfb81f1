"""
The shape that the events of a stream repeat, so that the next ones need no look inside.

Most events of an answer differ in their text alone. One that was read in full and found canonical is cut around
the JSON of its text; bytes that consist of that shape, over and over, with nothing but JSON text in the holes, are
canonical too, by as few operations as they hold events. What does not fit is nobody's fault: it is read in full.

Why that is safe: JSON is read from left to right. After the prefix a reader is inside the text's string, which was
proved with another text in its place; any sound inside of a string leaves it there, and the suffix follows as before.
"""

import re
from collections.abc import Sequence
from io import BytesIO
from itertools import islice
from operator import itemgetter
from typing import Final

import msgspec
from msgspec import UNSET, Raw

from app.protocol import lossless
from app.protocol.chunk_members import Chunk, Delta
from app.protocol.chunks import StreamProgress, read_chunk
from app.protocol.lossless import UNREADABLE

MOST_RUNS: Final = 8  # that are looked for in one read, since each costs as much as the rest of it
_MOST_LEARNT: Final = 8  # shapes that fitted nothing, one after the other: this stream has none
_MOST_BYTES: Final = 16 * 1024  # of an event to learn from: held as long as the stream lives

_STRING: Final = rb'"[ \t]*:[ \t]*"([^"\\]*(?:\\.[^"\\]*)*)"'
_TEXTS: Final = {
    name: re.compile(b'"' + name.encode() + _STRING)
    for name in ("content", "reasoning_content", "reasoning")
}
# OpenAI pads each event to hide its length
_PADDING: Final = re.compile(b'"obfuscation' + _STRING)
_ADDS: Final = (*_TEXTS, "refusal")
_NOTHING: Final = (UNSET, None, "", Raw(lossless.NULL), Raw(b'""'))
_OTHER: Final = b"another text"
_OTHER_JSON: Final = b'"another text"'
_TEXT: Final = msgspec.json.Decoder(str)


class _Template:
    """An event's bytes before its text and behind it; with padding, also those between the two."""

    __slots__ = ("_joint", "_least_bytes", "_mark", "_middle", "_prefix", "_suffix", "_text_of")

    def __init__(self, prefix: bytes, middle: bytes, suffix: bytes) -> None:
        self._prefix = prefix
        self._middle = middle
        self._suffix = suffix
        # what tells the end of one: with padding the suffix is short, and stands in events of other shapes too
        self._mark = middle or suffix
        self._joint = suffix + prefix
        # of an event's line; in C, since it is asked of each event
        self._text_of = itemgetter(slice(len(prefix), 1 - len(suffix)))
        self._least_bytes = len(self._joint)

    def longest_run(self, events: bytes, start: int) -> int:
        """Where such events, one after the other from *start*, end at the latest; *start* when not even one begins."""
        if not events.startswith(self._prefix, start):
            return start
        if events.find(self._mark, start, events.find(b"\n", start) + 2) < 0:
            return start
        end = events.find(self._suffix, events.rfind(self._mark, start))
        return end + len(self._suffix) if end >= 0 else start

    def first_run(self, events: bytes) -> int:
        """How many bytes the first of *events* take that begin and end like this shape."""
        suffix, size = self._suffix[:-2], 0
        for line in events.split(b"\n")[::2]:
            if not (line.startswith(self._prefix) and line.endswith(suffix)):
                break
            size += len(line) + 2
        return size

    def characters(self, events: bytes) -> int | None:
        """How many characters the texts of *events* have; None where they are not all of this shape."""
        prefix, suffix = self._prefix, self._suffix
        if not (events.startswith(prefix) and events.endswith(suffix)):
            return None
        size = len(events)
        if size < self._least_bytes:
            return None  # the two overlap
        is_one = size < 2 * self._least_bytes
        texts = (events[len(prefix) : -len(suffix)],) if is_one else self._texts(events)
        if self._middle and texts:
            texts = self._without_padding(texts)
        return _characters(texts)

    def _texts(self, events: bytes) -> Sequence[bytes]:
        """What stands in the holes; none where that, put together again, is not what came."""
        # A file finds the ends of its lines five times as fast as `split` finds one byte, ten times as fast as it finds
        # where an event ends and the next begins (8 against 18 and 57 µs for 100 events, with the texts cut out).
        # Whatever this cuts out, the comparison decides.
        texts = list(map(self._text_of, islice(BytesIO(events), None, None, 2)))
        between = self._joint.join(texts)
        is_all = len(between) + self._least_bytes == len(events)
        return texts if is_all and events.startswith(between, len(self._prefix)) else ()

    def _without_padding(self, texts: Sequence[bytes]) -> Sequence[bytes]:
        texts, middles, paddings = zip(
            *[text.partition(self._middle) for text in texts], strict=True
        )
        if b"" in middles or _characters(paddings) is None:
            return ()
        return texts


def _characters(texts: Sequence[bytes]) -> int | None:
    # In one decode. No text can borrow from the next: an escape, a character or a surrogate pair that is cut at its
    # end is not made whole by the blank between.
    if not texts:
        return None
    try:
        return len(_TEXT.decode(b'"%b"' % b" ".join(texts))) - len(texts) + 1
    except UNREADABLE:
        return None


class RegularEvents:
    """Those events of one stream that need no look inside; what they say is noted in *said*.

    *shape*: theirs; None when no event is regular now. *may_run*: how many more runs are looked for.
    """

    __slots__ = ("_may_learn", "_said", "may_run", "shape")

    def __init__(self, said: StreamProgress) -> None:
        self._said = said
        self.shape: _Template | None = None
        self.may_run = 0
        self._may_learn = _MOST_LEARNT

    def are_all(self, events: bytes) -> bool:
        """Whether *events*, whole ones, are all regular, and so may leave as they are; noted if so."""
        template = self.shape
        characters = template.characters(events) if template is not None else None
        if characters is None:
            return False
        if characters:
            said = self._said
            said.has_content = True
            said.output_characters += characters
        self._may_learn = _MOST_LEARNT
        return True

    def run(self, events: bytes, start: int) -> bytes:
        """The regular events from *start* on, noted; empty when the first of them is none after all."""
        template = self.shape
        if template is None or not self.may_run:
            return b""
        end = template.longest_run(events, start)
        if end == start:
            return b""
        self.may_run -= 1
        run = events[start:end]
        if self.are_all(run):
            return run
        run = run[: template.first_run(run)]
        return run if self.are_all(run) else b""

    def learn(self, event: bytes, chunk: Chunk) -> None:
        """Events like this one, a whole frame, are regular from now on; none are when it begins or ends its choice.

        *chunk*: what it holds; it must be one that is plain (`chunks.note_if_plain`): then all its like are canonical,
        until its choice ends.
        """
        choice = chunk.choices[0]
        if choice.finish_reason is not None or choice.delta.role is not None:
            self.shape = None
        elif self._may_learn:
            learnt = _template_of(event, chunk)
            if learnt is not None:
                self.shape = learnt
                self._may_learn -= 1

    def forget(self) -> None:
        """No event is regular any more: the choice may have ended."""
        self.shape = None


def _template_of(event: bytes, chunk: Chunk) -> _Template | None:
    """The shape of *event*; None where more than one text would tell its like apart."""
    name = _only_text(chunk.choices[0].delta)
    if name is None or len(event) > _MOST_BYTES:
        return None
    text = _TEXTS[name].search(event)
    if text is None:
        return None
    prefix, rest = event[: text.start(1)], event[text.end(1) :]
    padding = _PADDING.search(rest) if b'"obfuscation' in rest else None
    middle, suffix = b"", rest
    if padding is not None:
        middle, suffix = rest[: padding.start(1)], rest[padding.end(1) :]
    probe = prefix + _OTHER + (middle + _OTHER if middle else b"") + suffix
    if not _is_told_by(probe, name, chunk) or (middle and not _is_padded_by(probe, event)):
        return None
    return _Template(prefix, middle, suffix)


def _only_text(delta: Delta) -> str | None:
    """The one member of the delta that says something."""
    if delta.content and delta.reasoning_content is delta.reasoning is delta.refusal is UNSET:
        return "content"  # most streams
    told = [name for name in _ADDS if getattr(delta, name) not in _NOTHING]
    return told[0] if len(told) == 1 and told[0] in _TEXTS else None


def _is_told_by(probe: bytes, name: str, chunk: Chunk) -> bool:
    """Whether the hole is where the text is read from: only then does another text in it change the chunk's."""
    probed = read_chunk(probe[6:-2])
    if probed is None:
        return False
    was = getattr(chunk.choices[0].delta, name)
    is_now = getattr(probed.choices[0].delta, name)
    return was != is_now and is_now in (_OTHER.decode(), Raw(_OTHER_JSON))


def _is_padded_by(probe: bytes, event: bytes) -> bool:
    was, is_now = (lossless.members(each[6:-2]).get("obfuscation") for each in (event, probe))
    return was != is_now and is_now == _OTHER_JSON
