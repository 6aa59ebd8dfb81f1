"""What must hold for any event stream an upstream may send."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import get_args

from app.domain.usage import Usage
from app.protocol.answer_rules import OPENAI_RULES, AnswerRules, Identity, StreamFault
from app.protocol.chat_stream import ChatStream
from app.protocol.chunk_members import Chunk
from app.protocol.chunks import read_chunk
from app.protocol.sse import DONE, MAX_EVENT_BYTES, EventSplitter, EventTooLarge
from app.upstreams.fourminds_events import EventForm, fourminds_rules
from app.upstreams.minds_choices import ThoughtForm
from app.upstreams.minds_thoughts import minds_rules
from tests.fuzz.held_bytes import READS_PER_WEIGHING, held_bytes
from tests.fuzz.inputs import Sent, read_input

# --- the splitter of event streams --------------------------------------------------------------------------------

Pairs = list[tuple[bytes, bytes]]

_LINE_END = re.compile(rb"\r\n|\r|\n")
_SMALL_BOUND = 96
_MOST_HELD = 8192  # at that bound: its bytes, each perhaps in an object of its own


def events(raw: bytes) -> None:
    """Any reads give the same events, those of a plain reading; what is held stays below the bound.

    Option 0: a small bound. Rules: contract H7 to H11, upstreams S1.
    """
    sent = read_input(raw)
    bound = _SMALL_BOUND if sent.has(0) else MAX_EVENT_BYTES
    whole = _split([sent.data], bound)

    assert whole == _split(sent.reads, bound), f"other events in reads {sent.reads}"
    found, is_too_large = whole
    expected = _plain_events(sent.data)
    if is_too_large:
        assert found == expected[: len(found)]
    else:
        assert found == expected


def _split(reads: Sequence[bytes], bound: int) -> tuple[Pairs, bool]:
    """The events, and whether one was too large."""
    splitter = EventSplitter(bound)
    found: Pairs = []
    try:
        for count, read in enumerate(reads, 1):
            found += [(event.name, event.data) for event in splitter.feed(read)]
            if bound == _SMALL_BOUND and (count % READS_PER_WEIGHING == 0 or count == len(reads)):
                held = held_bytes(splitter)
                assert held <= _MOST_HELD, f"holds {held} bytes"
        found += [(event.name, event.data) for event in splitter.finish()]
    except EventTooLarge as too_large:
        return found + [(event.name, event.data) for event in too_large.events], True
    return found, False


def _plain_events(data: bytes) -> Pairs:
    """The events of a body that ended cleanly, read the slow and obvious way."""
    found: Pairs = []
    name, lines, is_bare = b"", list[bytes](), False
    for line in [*_LINE_END.split(data.removeprefix(b"\xef\xbb\xbf")), b""]:
        field, colon, value = line.partition(b":")
        if not line:
            if b"\n".join(lines):
                found.append((name, b"\n".join(lines)))
            name, lines, is_bare = b"", [], False
        elif field == b"data":
            lines.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
        elif colon and not field:
            pass  # a comment
        elif is_bare or line[:1] in (b"{", b"[", b"<"):
            is_bare = True
            lines.append(line)
    return found


# --- chat streams -------------------------------------------------------------------------------------------------

MADE_UP = Identity(id="chatcmpl-made0up", created=1700000000, model="asked-model")
# Every way of reading that a dialect may ask for.
RULES: tuple[AnswerRules, ...] = (
    OPENAI_RULES,
    *(fourminds_rules(events=form) for form in get_args(EventForm)),
    *(
        minds_rules(thoughts=form, missing_finish=missing)
        for missing in ("accept", "error")
        for form in get_args(ThoughtForm)
    ),
)
_RAW_EVENTS = 1 + get_args(EventForm).index("raw")
_SMALL_EVENT_BYTES = 512
_MOST_NOOPS = 32
_DONE = DONE.removesuffix(b"\n\n")
_FRAME = re.compile(rb"data: [^\r\n]*")
_VERBATIM = re.compile(rb": [^\r\n]*|event: [^\r\n]*\ndata: [^\r\n]*")  # a dialect's own


@dataclass(frozen=True, slots=True)
class Told:
    """All that a chat stream shows at its end."""

    sent: bytes
    fault: StreamFault | None
    id: str | None
    usage: Usage | None
    finish_reason: str | None
    has_content: bool
    output_characters: int
    dropped_events: int
    heard: bool


def chat_stream(raw: bytes) -> None:
    """Any reads give the same output and end; the output is whole frames of one canonical stream, `[DONE]` at a good
    end and only there.

    Option 0: the client asked for usage. 1: the body was cut. 2: a small bound. 3 to 7: the dialect's rules.
    Rules: law 7, contract H1, H10, I1; upstreams S1 to S10.
    """
    sent = read_input(raw)
    whole = _told(sent, [sent.data])

    _check_told(sent, whole)
    if not _has_raw_events(sent):
        _check_reading_again(sent, whole)
    assert whole == _told(sent, sent.reads), f"another stream in reads {sent.reads}"
    if len(sent.reads) <= _MOST_NOOPS:
        _check_told(sent, _told(sent, sent.reads, has_noops=True))


def _stream(sent: Sent, rules: AnswerRules) -> ChatStream:
    return ChatStream(
        rules=rules,
        include_usage=sent.has(0),
        identity=MADE_UP,
        max_event_bytes=_SMALL_EVENT_BYTES if sent.has(2) else 1 << 20,
    )


def _told(sent: Sent, reads: Iterable[bytes], *, has_noops: bool = False) -> Told:
    stream = _stream(sent, _rules_of(sent))
    pieces: list[bytes] = []
    for read in reads:
        if has_noops:
            pieces.append(stream.noop())
        pieces.append(stream.feed(read))
    pieces.append(stream.finish(clean=not sent.has(1)))
    for piece in pieces:
        assert type(piece) is bytes
        assert not piece or piece.endswith(b"\n\n"), f"half a frame: {piece!r}"
    assert stream.ended
    assert stream.feed(sent.data) + stream.finish(clean=True) + stream.noop() == b""
    return Told(
        b"".join(pieces),
        stream.fault,
        stream.id,
        stream.progress.usage,
        stream.progress.finish_reason,
        stream.progress.has_content,
        stream.progress.output_characters,
        stream.dropped_events,
        stream.heard,
    )


def _rules_of(sent: Sent) -> AnswerRules:
    return RULES[(sent.options >> 3) % len(RULES)]


def _has_raw_events(sent: Sent) -> bool:
    # an event without a name then passes as it came, and looks like a chunk that is none
    return _rules_of(sent) is RULES[_RAW_EVENTS]


def _check_told(sent: Sent, told: Told) -> None:
    blocks = _blocks(told)
    done = [place for place, block in enumerate(blocks, 1) if block == _DONE]
    assert done == ([] if told.fault else [len(blocks)]), f"{told.fault} after {told.sent!r}"
    odd = [block for block in blocks if not _FRAME.fullmatch(block)]
    assert all(_VERBATIM.fullmatch(block) for block in odd), f"no frame: {odd}"
    if not _has_raw_events(sent):
        _check_chunks(sent, _chunks(told))


def _blocks(told: Told) -> list[bytes]:
    return told.sent.split(b"\n\n")[:-1]


def _chunks(told: Told) -> list[bytes]:
    blocks = [block for block in _blocks(told) if block != _DONE and _FRAME.fullmatch(block)]
    return [block.removeprefix(b"data: ") for block in blocks]


def _check_chunks(sent: Sent, chunks: Sequence[bytes]) -> None:
    known = [_known(chunk) for chunk in chunks]
    assert len({chunk.id for chunk in known}) <= 1, "the id changed (contract I1)"
    usages = [place for place, chunk in enumerate(known, 1) if not chunk.choices]
    assert sent.has(0) or not usages, "usage for nobody (contract I10)"
    assert usages in ([], [len(known)]), "usage is not last, or not once (contract I10)"
    ended: set[int] = set()
    for choice in [choice for chunk in known for choice in chunk.choices]:
        says_more = choice.delta.content or choice.delta.tool_calls or choice.finish_reason
        assert not (choice.index in ended and says_more), (
            "a choice went on after its end (contract I4)"
        )
        if choice.finish_reason is not None:
            ended.add(choice.index)


def _known(data: bytes) -> Chunk:
    chunk = read_chunk(data)
    assert chunk is not None, f"no chunk: {data!r}"
    return chunk


def _check_reading_again(sent: Sent, told: Told) -> None:
    """What is written is canonical by our own reading: it passes through unchanged."""
    again = _stream(sent, OPENAI_RULES)
    frames = b"".join([b"data: %b\n\n" % chunk for chunk in _chunks(told)])
    assert frames == again.feed(frames), "our own output was repaired"
    if told.fault is None:
        assert again.feed(DONE) == DONE, "our own output lacked something"
