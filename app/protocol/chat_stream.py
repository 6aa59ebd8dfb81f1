"""
An upstream's chat stream, read and written on as every client needs it, without I/O.

Bytes in, bytes out: a canonical frame leaves as it came, an irregular one repaired, a failure ends the stream
(upstreams S1 to S10; contract H, I, J). No failed stream ever ends in `[DONE]` (law 7): when `fault` is set the
relay writes the error event, and nothing else follows.
"""

from collections.abc import Iterable

from msgspec import UNSET

from app.domain.usage import Usage
from app.protocol import lossless
from app.protocol.answer_rules import AnswerRules, Passed
from app.protocol.answer_rules import FaultReason as FaultReason
from app.protocol.answer_rules import Identity as Identity
from app.protocol.answer_rules import StreamFault as StreamFault
from app.protocol.answer_stream import is_event_stream as is_event_stream
from app.protocol.answer_stream import stream_of_answer as stream_of_answer
from app.protocol.chunk_repair import ChunkRepair
from app.protocol.chunks import (
    Chunk,
    StreamProgress,
    is_canonical,
    is_late,
    is_numbered_otherwise,
    note,
    read_chunk,
)
from app.protocol.in_band import lists_failure, reports_failure
from app.protocol.sse import DONE, Event, EventSplitter, EventTooLarge, frame
from app.protocol.usage import is_whole, read_usage

_BLANKS = b" \t\r\n"


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
        self._repair = ChunkRepair(identity, include_usage)
        self._usage_chunk: bytes | None = None  # waits for the last finish_reason
        self._usage_sent = False

    @property
    def id(self) -> str | None:
        """The id that every chunk has from now on; None before the first one (contract I1)."""
        return self._said.id

    @property
    def usage(self) -> Usage | None:
        """The upstream's last count; None when it gave none."""
        return self._said.usage

    @property
    def finish_reason(self) -> str | None:
        """The last one sent, of any choice."""
        return self._said.finish_reason

    @property
    def has_content(self) -> bool:
        """Whether text, reasoning or a tool call was sent."""
        return self._said.has_content

    @property
    def output_characters(self) -> int:
        """How much was sent, for an estimate where the upstream counts nothing."""
        return self._said.output_characters

    def feed(self, received: bytes) -> bytes:
        """What the client gets now: whole frames, those of one read together; empty when nothing is due.

        Frames before a failure in the same read are returned by the call that sets `fault`.
        """
        if self.ended:
            return b""
        try:
            return self._read_all(self._splitter.feed(received))
        except EventTooLarge as too_large:
            return self._read_all(too_large.events) + self._close(
                StreamFault(FaultReason.MALFORMED)
            )

    def finish(self, *, clean: bool) -> bytes:
        """The end of the upstream's body: last chunk, full length or plain EOF; else it was cut (S10)."""
        sent = b""
        if clean and not self.ended:
            try:
                sent = self._read_all(self._splitter.finish())
            except EventTooLarge as too_large:
                sent = self._read_all(too_large.events)
        return sent + self._end_of_body(clean=clean)

    def noop(self) -> bytes:
        """A chunk that says nothing, against clients' idle timers (contract J8, J9).

        Before the first chunk it settles the stream's identity on the made-up one: an id may not change (I1).
        """
        if self.ended:
            return b""
        said, made_up = self._said, self._identity
        if said.id is None:
            said.id, said.created, said.model = made_up.id, made_up.created, made_up.model
        return frame(self._made_up({"choices": _choices(0, b"null")}))

    def _read_all(self, events: Iterable[Event]) -> bytes:
        sent: list[bytes] = []
        try:
            for event in events:
                self._read(event, sent)
                self.heard = True
                if self.ended:
                    break
        except _Failed as failed:
            self._close(failed.fault)
        return b"".join(sent)

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
        if not data.isascii() and not _is_utf8(data):
            raise _Failed(FaultReason.MALFORMED, data)
        chunk = read_chunk(data)
        if chunk is not None and chunk.choices and chunk.error is UNSET:
            self._pass_on(data, chunk, sent)
        else:
            self._read_unusual(event, data, sent)

    def _read_unusual(self, event: Event, data: bytes, sent: list[bytes]) -> None:
        """What the one decode leaves open: failures, usage, extension events, chunks that want repair."""
        self._check_may_rewrite(data)
        try:
            found = lossless.members(data)
            choices = _choices_of(found)
        except lossless.NotJson:
            self._read_no_object(event, data, sent)
            return
        if reports_failure(found):
            raise _Failed(FaultReason.ERROR_EVENT, data)
        if choices:
            self._pass_on(data, None, sent)
        elif read_usage(found.get("usage")) is not None:
            self._read_usage_chunk(data, found, sent)
        elif not self._extend(event, sent) and choices is None:
            self.dropped_events += (
                1  # `choices: []` is no event of its own: withheld (contract I15)
            )

    def _read_no_object(self, event: Event, data: bytes, sent: list[bytes]) -> None:
        """Gemini's list of errors (E-S5), or text under a name where a dialect may send such; else a failure (S7)."""
        if lists_failure(data):
            raise _Failed(FaultReason.ERROR_EVENT, data)
        if not self._rules.text_events or not self._is_named_text(event):
            raise _Failed(FaultReason.MALFORMED, data)
        if not self._extend(event, sent):
            self.dropped_events += 1

    def _check_may_rewrite(self, data: bytes) -> None:
        if len(data) > self._max_event_bytes:
            raise _Failed(FaultReason.MALFORMED)

    def _is_named_text(self, event: Event) -> bool:
        # A dialect whose events nobody has documented may send plain text under a name (upstreams K1).
        return bool(event.name) and not event.data.lstrip().startswith(b"<")

    def _extend(self, event: Event, sent: list[bytes]) -> bool:
        passed = self._filter.extension(event) if self._filter is not None else None
        if passed is None:
            return False
        self._write_passed(passed, sent)
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
        self._write_passed(passed, sent)

    def _write_passed(self, passed: Iterable[Passed], sent: list[bytes]) -> None:
        for item in passed:
            if item.verbatim:
                sent.append(item.data)
            else:
                sent.append(self._written(item.data, read_chunk(item.data)))

    def _written(self, data: bytes, chunk: Chunk | None) -> bytes:
        """The chunk's frame: as it came when it is canonical, else repaired; noted either way."""
        said, include_usage = self._said, self._include_usage
        if chunk is not None and is_late(chunk, said):
            self.dropped_events += 1
            return b""
        if (
            chunk is not None
            and is_canonical(chunk, said, include_usage=include_usage)
            and not is_numbered_otherwise(chunk, said)
        ):
            note(chunk, said, repaired=False)
            return frame(data)
        self._check_may_rewrite(data)
        if chunk is not None and chunk.usage is not UNSET:
            said.note_usage(chunk.usage)  # the repair may take it away
        try:
            repaired = self._repair.repaired(data, said)
        except lossless.NotJson:
            raise _Failed(FaultReason.MALFORMED, data) from None
        chunk = read_chunk(repaired)
        if chunk is not None and any(choice.finish_reason == "error" for choice in chunk.choices):
            raise _Failed(FaultReason.ERROR_EVENT, data)
        if chunk is None or not is_canonical(chunk, said, include_usage=include_usage):
            raise _Failed(FaultReason.MALFORMED, data)
        note(chunk, said, repaired=True)
        return frame(repaired)

    def _read_usage_chunk(self, data: bytes, found: dict[str, bytes], sent: list[bytes]) -> None:
        """Usage without choices: always read, sent on once and last to who asked (contract I10, I11)."""
        self._said.note_usage(found["usage"])
        if self._usage_sent or not self._include_usage or not is_whole(found["usage"]):
            return
        chunk = read_chunk(data)
        if chunk is None or chunk.choices:
            data = lossless.object_of(found | {"choices": b"[]"})
        self._usage_chunk = data
        if self._said.is_finished():
            sent.append(self._usage())

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
        said = self._said
        if not said.choices or (said.unfinished() and self._lacks_answer()):
            raise _Failed(FaultReason.MALFORMED)
        return self._closing()

    def _end_of_body(self, *, clean: bool) -> bytes:
        """A body that ended without `[DONE]` (S10, M-S6, M-S7)."""
        if self.ended:
            return b""
        if self._said.is_finished():
            return self._closing()
        if clean and self._lacks_answer():
            return self._close(StreamFault(FaultReason.MALFORMED))
        if clean and self._rules.missing_finish == "accept" and self._said.has_content:
            return self._closing()
        return self._close(StreamFault(FaultReason.DISCONNECTED))

    def _lacks_answer(self) -> bool:
        return self._filter is not None and self._filter.lacks_answer()

    def _closing(self) -> bytes:
        sent: list[bytes] = []
        for index in self._said.unfinished():
            reason = b'"tool_calls"' if self._said.choices[index].tool_ids else b'"stop"'
            data = self._made_up({"choices": _choices(index, reason)})
            sent.append(self._written(data, read_chunk(data)))
        sent.append(self._usage())
        sent.append(DONE)
        self._close(None)
        return b"".join(sent)

    def _made_up(self, rest: dict[str, bytes]) -> bytes:
        return lossless.object_of(self._repair.head(self._said) | rest)


def _choices(index: int, finish_reason: bytes) -> bytes:
    return b'[{"index":%d,"delta":{},"finish_reason":%b}]' % (index, finish_reason)


def _choices_of(found: dict[str, bytes]) -> list[bytes] | None:
    """The choices, when each is an object; None when there are none to use (S5). Raises NotJson."""
    value = found.get("choices", lossless.NULL)
    if value[:1] != b"[":
        return None
    choices = lossless.elements(value)
    return choices if all(choice[:1] == b"{" for choice in choices) else None


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
