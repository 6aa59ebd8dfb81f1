"""
An upstream's chat stream, read and written on as every client needs it, without I/O.

Bytes in, bytes out: a canonical frame leaves as it came, an irregular one repaired, a failure ends the stream
(upstreams S1 to S10; contract H, I, J). No failed stream ever ends in `[DONE]` (law 7): when `fault` is set the
relay writes the error event, and nothing else follows.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import UNSET

from app.protocol import lossless
from app.protocol.answer_rules import AnswerRules, Passed
from app.protocol.answer_rules import FaultReason as FaultReason
from app.protocol.answer_rules import Identity as Identity
from app.protocol.answer_rules import StreamFault as StreamFault
from app.protocol.answer_stream import is_event_stream as is_event_stream
from app.protocol.answer_stream import stream_of_answer as stream_of_answer
from app.protocol.chunk_members import Chunk
from app.protocol.chunk_repair import ChunkRepair
from app.protocol.chunks import (
    StreamProgress,
    is_canonical,
    is_late,
    may_leave,
    note,
    note_if_plain,
    read_chunk,
    usable_choices,
)
from app.protocol.in_band import lists_failure, reports_failure
from app.protocol.sse import CR, DONE, MAX_EVENT_BYTES, Event, EventSplitter, EventTooLarge, frame
from app.protocol.stream_template import MOST_RUNS, RegularEvents
from app.protocol.usage import read_counts
from app.protocol.utf8 import is_utf8

_BLANKS: Final = b" \t\r\n"


class _Failed(Exception):
    """Ends the stream from wherever it is noticed."""

    def __init__(self, reason: FaultReason, data: bytes = b"") -> None:
        super().__init__(reason.value)
        self.fault = StreamFault(reason, data)


class ChatStream:
    """One stream, from the upstream's first byte to its end.

    *include_usage*: the client asked for the usage chunk (contract I10). *max_event_bytes* bounds what is
    rewritten; a canonical event may be larger (reliability R16). *ended*: `[DONE]` was written or `fault` is
    set; whatever the upstream still sends is not for the client. *dropped_events*: extension events that went
    nowhere (upstreams S5). *heard*: an event came that was no failure, sent on or not (reliability R5).
    """

    __slots__ = (
        "_filter", "_identity", "_include_usage", "_max_event_bytes", "_regular", "_repair", "_rules", "_said",
        "_splitter", "_usage_chunk", "_usage_sent", "dropped_events", "ended", "fault", "heard",
    )  # fmt: skip

    def __init__(
        self,
        *,
        rules: AnswerRules,
        include_usage: bool,
        identity: Identity,
        max_event_bytes: int,
    ) -> None:
        self.ended = False
        self.fault: StreamFault | None = None
        self.dropped_events = 0
        self.heard = False
        self._rules = rules
        self._filter = rules.chunk_filter() if rules.chunk_filter is not None else None
        self._include_usage = include_usage
        self._identity = identity
        self._max_event_bytes = max_event_bytes
        self._splitter = EventSplitter()
        self._said = StreamProgress()
        self._regular = RegularEvents(self._said)
        self._repair = ChunkRepair(identity, include_usage)
        self._usage_chunk: bytes | None = None  # waits for the last finish_reason
        self._usage_sent = False

    @property
    def id(self) -> str | None:
        """The id that every chunk has from now on; None before the first one (contract I1)."""
        return self._said.id

    @property
    def progress(self) -> StreamProgress:
        """What it has said so far, and what the upstream counted."""
        return self._said

    def feed(self, received: bytes) -> bytes:
        """What the client gets now: whole frames, those of one read together; empty when nothing is due.

        Frames before a failure in the same read are returned by the call that sets `fault`.
        """
        if self.ended:
            return b""
        taken = self._splitter.take(received)
        regular = self._regular
        if regular.shape is not None and self._splitter.is_at_rest and regular.are_all(taken):
            self.heard = True
            return taken
        return self._read_taken(taken)

    def finish(self, *, clean: bool) -> bytes:
        """The end of the upstream's body: last chunk, full length or plain EOF; else it was cut (S10)."""
        sent: list[bytes] = []
        if clean and not self.ended:
            try:
                self._read_all(self._splitter.finish(), sent)
            except EventTooLarge as too_large:
                self._read_all(too_large.events, sent)
        sent.append(self._end_of_body(clean=clean))
        return b"".join(sent)

    def noop(self) -> bytes:
        """A chunk that says nothing, against clients' idle timers (contract J8, J9).

        Before the first chunk it settles the stream's identity on the made-up one: an id may not change (I1). Behind
        the last finish_reason there is none (I4, I10).
        """
        said, made_up = self._said, self._identity
        if self.ended or said.is_finished():
            return b""
        if said.id is None:
            said.id, said.created, said.model = made_up.id, made_up.created, made_up.model
        return frame(self._made_up({"choices": _choices(0, b"null")}))

    def _read_taken(self, taken: bytes) -> bytes:
        """Runs of regular events as they are, the others one by one."""
        sent: list[bytes] = []
        self._regular.may_run = MOST_RUNS
        start = 0
        try:
            while start < len(taken) and not self.ended:
                end = self._read_plain(taken, start, sent) if self._splitter.is_at_rest else 0
                if end:
                    self.heard = True
                    start = end
                else:
                    events, start = self._splitter.split(taken, start)
                    self._read_all(events, sent)
        except EventTooLarge as too_large:
            self._read_all(too_large.events, sent)
            self._close(StreamFault(FaultReason.MALFORMED))
        except _Failed as failed:
            self._close(failed.fault)
        return b"".join(sent)

    def _read_plain(self, taken: bytes, start: int, sent: list[bytes]) -> int:
        """Where what is read here ends: the run from *start* on, or an event that stands as it would leave; else 0.

        Nearly every event stands so; what `split`, `_read` and `_written` do is done here by fewer calls.
        """
        if self._regular.shape is not None:
            run = self._regular.run(taken, start)
            if run:
                sent.append(run)
                return start + len(run)
        if taken.startswith(DONE, start):
            sent.append(self._done())
            return start + len(DONE)
        end = taken.find(b"\n", start, start + MAX_EVENT_BYTES)
        if end < 0:
            return 0
        framed = taken[start : end + 2]
        if not (framed.startswith(b"data: {") and framed.endswith(b"}\n\n")) or CR in framed:
            return 0
        data = framed[6:-2]
        if not data.isascii() and not is_utf8(data):
            raise _Failed(FaultReason.MALFORMED, data)
        chunk = read_chunk(data)
        if chunk is None or self._filter is not None or not note_if_plain(chunk, self._said):
            self._read_any(Event(b"", data), data, chunk, sent)
        else:
            sent.append(framed)
            self._regular.learn(framed, chunk)
        return end + 2

    def _read_all(self, events: Iterable[Event], sent: list[bytes]) -> None:
        try:
            for event in events:
                self._read(event, sent)
                self.heard = True
                if self.ended:
                    break
        except _Failed as failed:
            self._close(failed.fault)

    def _close(self, fault: StreamFault | None) -> bytes:
        if not self.ended:
            self.fault = fault
            self.ended = True
        return b""

    def _read(self, event: Event, sent: list[bytes]) -> None:
        data = event.data.strip(_BLANKS)
        if data == b"[DONE]":
            sent.append(self._done())
            return
        if event.name == b"error":
            raise _Failed(FaultReason.ERROR_EVENT, data)
        if not is_utf8(data):
            raise _Failed(FaultReason.MALFORMED, data)
        self._read_any(event, data, read_chunk(data), sent)

    def _read_any(self, event: Event, data: bytes, chunk: Chunk | None, sent: list[bytes]) -> None:
        if chunk is None or chunk.error is not UNSET:
            self._read_unusual(event, data, chunk, sent)
        elif chunk.choices:
            self._pass_on(data, chunk, sent)
        else:
            self._check_may_rewrite(data)
            usage = b"" if chunk.usage is UNSET else bytes(chunk.usage)
            if not self._read_usage(data, usage, sent):
                self._read_unusual(event, data, chunk, sent)

    def _read_unusual(
        self, event: Event, data: bytes, chunk: Chunk | None, sent: list[bytes]
    ) -> None:
        """What the one decode leaves open: failures, usage, extension events, chunks that want repair."""
        self._check_may_rewrite(data)
        try:
            found = lossless.members(data)
            choices = usable_choices(found)
        except lossless.NotJson:
            self._read_no_object(event, data, sent)
            return
        if reports_failure(found):
            raise _Failed(FaultReason.ERROR_EVENT, data)
        usage = found.get("usage", b"")
        if choices is None and usage:
            data = lossless.object_of(found | {"choices": b"[]"})
        if choices:
            self._pass_on(data, chunk, sent)
        elif (
            not self._read_usage(data, usage, sent)
            and not self._extend(event, sent)
            and choices is None  # `choices: []` is no event of its own: withheld (contract I15)
        ):
            self.dropped_events += 1

    def _read_no_object(self, event: Event, data: bytes, sent: list[bytes]) -> None:
        """Gemini's list of errors (E-S5), or text under a name where a dialect may send such; else a failure (S7)."""
        if lists_failure(data):
            raise _Failed(FaultReason.ERROR_EVENT, data)
        # A dialect whose events nobody has documented may send plain text under a name (upstreams K1).
        may_be_text = self._rules.text_events and event.name
        if not may_be_text or event.data.lstrip().startswith(b"<"):
            raise _Failed(FaultReason.MALFORMED, data)
        if not self._extend(event, sent):
            self.dropped_events += 1

    def _check_may_rewrite(self, data: bytes) -> None:
        if len(data) > self._max_event_bytes:
            raise _Failed(FaultReason.MALFORMED)

    def _extend(self, event: Event, sent: list[bytes]) -> bool:
        passed = self._filter.extension(event) if self._filter is not None else None
        if passed is None:
            return False
        for item in passed:
            self._write_passed(item, None, sent)
        return True

    def _pass_on(self, data: bytes, chunk: Chunk | None, sent: list[bytes]) -> None:
        if self._filter is None:
            sent.append(self._written(data, chunk))
            return
        if self._filter.rewrites:
            self._check_may_rewrite(data)
        try:
            passed = self._filter.chunk(data)
        except lossless.NotJson:
            raise _Failed(FaultReason.MALFORMED, data) from None
        for item in passed:
            self._write_passed(item, chunk if item.data is data else None, sent)

    def _write_passed(self, item: Passed, chunk: Chunk | None, sent: list[bytes]) -> None:
        """*chunk*: what the item holds, where it was read already."""
        if item.verbatim:
            sent.append(item.data)
        else:
            sent.append(self._written(item.data, chunk or read_chunk(item.data)))

    def _written(self, data: bytes, chunk: Chunk | None) -> bytes:
        """The chunk's frame: as it came when it is canonical, else repaired; noted either way."""
        said, include_usage = self._said, self._include_usage
        self._regular.forget()
        if chunk is not None and note_if_plain(chunk, said):
            return frame(data)
        if chunk is not None and is_late(chunk, said):
            self.dropped_events += 1
            return b""
        if chunk is not None and may_leave(chunk, said, include_usage=include_usage):
            note(chunk, said, repaired=False)
            return frame(data)
        self._check_may_rewrite(data)
        usage = chunk.usage if chunk is not None else UNSET  # the repair may take it away
        try:
            repaired = self._repair.repaired(data, said)
        except lossless.NotJson:
            raise _Failed(FaultReason.MALFORMED, data) from None
        chunk = read_chunk(repaired)
        if chunk is not None and is_late(chunk, said):
            self.dropped_events += 1
            return b""
        if chunk is not None and any(choice.finish_reason == "error" for choice in chunk.choices):
            raise _Failed(FaultReason.ERROR_EVENT, data)
        if chunk is None or not is_canonical(chunk, said, include_usage=include_usage):
            raise _Failed(FaultReason.MALFORMED, data)
        note(chunk, said, repaired=True)
        if usage is not UNSET:
            said.note_usage(usage)
        return frame(repaired)

    def _read_usage(self, data: bytes, value: bytes, sent: list[bytes]) -> bool:
        """Whether *value* is the usage of a chunk without choices, *data*: it is always read, and sent on once and
        last to who asked (contract I10, I11).
        """
        usage, has_all = read_counts(value)
        if usage is None:
            return False
        said = self._said
        said.usage, said.counted_characters = usage, said.output_characters
        if has_all:
            said.usage_value = value
            if self._include_usage and not self._usage_sent:
                self._usage_chunk = data
                if said.is_finished():
                    sent.append(self._usage())
        return True

    def _usage(self) -> bytes:
        """The usage chunk that is due now: the upstream's own, else made of what stood on other chunks."""
        if self._usage_sent or not self._include_usage:
            return b""
        data, value = self._usage_chunk, self._said.usage_value
        if data is None and value is not None:
            data = self._made_up({"choices": b"[]", "usage": value})
        if data is None:
            return b""
        self._usage_sent = True
        return self._written(data, read_chunk(data))

    def _done(self) -> bytes:
        """The upstream's `[DONE]`; without a single chunk before it there was no answer (upstreams E-C10)."""
        lacks_answer = self._filter is not None and self._filter.lacks_answer()
        if not self._said.choices or (lacks_answer and self._said.unfinished()):
            raise _Failed(FaultReason.MALFORMED)
        return self._closing()

    def _end_of_body(self, *, clean: bool) -> bytes:
        """A body that ended without `[DONE]` (S10, M-S6, M-S7)."""
        if self.ended:
            return b""
        if self._said.is_finished():
            return self._closing()
        if clean and self._filter is not None and self._filter.lacks_answer():
            return self._close(StreamFault(FaultReason.MALFORMED))
        if clean and self._rules.missing_finish == "accept" and self._said.has_content:
            return self._closing()
        return self._close(StreamFault(FaultReason.DISCONNECTED))

    def _closing(self) -> bytes:
        sent: list[bytes] = []
        for index in self._said.unfinished():
            reason = b'"tool_calls"' if self._said.choices[index].tool_ids else b'"stop"'
            data = self._made_up({"choices": _choices(index, reason)})
            sent.append(self._written(data, read_chunk(data)))
        sent.append(self._usage())
        sent.append(DONE)
        self.ended = True
        return b"".join(sent)

    def _made_up(self, rest: dict[str, bytes]) -> bytes:
        return lossless.object_of(self._repair.head(self._said) | rest)


def _choices(index: int, finish_reason: bytes) -> bytes:
    return b'[{"index":%d,"delta":{},"finish_reason":%b}]' % (index, finish_reason)
