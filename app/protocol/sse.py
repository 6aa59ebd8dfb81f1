"""
Bytes of an event stream, in any cut, become events; events become frames.

Lines end at LF, CR LF or CR and nowhere else: U+2028 and U+0085 are legal inside JSON (contract H9), so all
work is on bytes. Any cut of the same bytes gives the same events (contract H10). Rules: upstreams S1,
contract H1, H2, H7, H8, J7.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

DONE: Final = b"data: [DONE]\n\n"
KEEP_ALIVE: Final = b": keep-alive\n\n"

MAX_EVENT_BYTES: Final = 64 * 1024 * 1024

_BOM: Final = b"\xef\xbb\xbf"
_DATA: Final = b"data: "
_BLANK_LINE: Final = b"\n\n"
# asked for as numbers: `b"\n" in data` takes CPython eight times as long
LF: Final = 10
CR: Final = 13
_MOST_HELD_BYTES: Final = (
    16 * 1024
)  # more is kept in pieces: joined again at each read it would be copied each time


@dataclass(slots=True, init=False)
class Event:
    """One event: its name (empty when it has none) and its data lines joined by LF, never empty."""

    name: bytes
    data: bytes

    def __init__(self, name: bytes, data: bytes) -> None:
        self.name = name
        self.data = data


class EventTooLarge(ValueError):
    """An event passed the splitter's bound. *events*: those of the same read that came whole before it."""

    def __init__(self, events: Sequence[Event]) -> None:
        super().__init__("an event of the stream is too large")
        self.events = tuple(events)


class EventSplitter:
    """Takes reads, gives whole events; holds at most *max_event_bytes* of an unfinished one.

    A BOM, comments, `id:`, `retry:` and events without data vanish. A line that is no field but begins with
    `{`, `[` or `<` counts as data: a server that breaks off writes its JSON error or HTML page bare into
    the stream, and swallowing it would hide the reason (upstreams S7).

    `feed` is `take` and then `split` to the end. Who calls these itself may pass over events in between, while
    *is_at_rest*: what is taken next begins with a new event.
    """

    __slots__ = (
        "_after_cr",
        "_at_start",
        "_data",
        "_data_bytes",
        "_events",
        "_held",
        "_is_bare",
        "_max_event_bytes",
        "_name",
        "_pending",
        "_pending_bytes",
        "is_at_rest",
    )

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self.is_at_rest = True
        self._max_event_bytes = max_event_bytes
        self._held = b""  # an event that has begun and looks plain so far
        self._at_start = True
        # of the event that is read line by line
        self._events: list[Event] = []
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._name = b""
        self._is_bare = False
        self._pending: list[bytes] = []  # pieces of the line that has not ended yet
        self._pending_bytes = 0
        self._after_cr = False

    def feed(self, received: bytes) -> list[Event]:
        """The events that are whole now. Raises EventTooLarge; the splitter is then of no further use."""
        events: list[Event] = []
        taken, start = self.take(received), 0
        try:
            while start < len(taken):
                found, start = self.split(taken, start)
                events += found
        except EventTooLarge as too_large:
            raise EventTooLarge((*events, *too_large.events)) from None
        return events

    def finish(self) -> list[Event]:
        """What the clean end of the body completes: a last event without its blank line (contract H7)."""
        self._end_cr()  # what follows is ours, not the LF of a CR LF
        return self.feed(_BLANK_LINE)

    def take(self, received: bytes) -> bytes:
        """The bytes that can be split now, with those held of the last read; the rest is held in turn.

        While lines end at LF alone, they end with a whole event; anything else may end anywhere (contract H11).
        """
        if not self.is_at_rest:
            return received
        if self._held:
            received = self._held + received
            self._held = b""
        if self._at_start:
            if len(received) < len(_BOM) and _BOM.startswith(received):
                self._held = received
                return b""
            self._at_start = False
            received = received.removeprefix(_BOM)
        if received.endswith(_BLANK_LINE):
            return received
        end = received.rfind(_BLANK_LINE) + 2
        held = received[end:] if end > 1 else received
        if len(held) > min(_MOST_HELD_BYTES, self._max_event_bytes) or CR in held:
            return received
        self._held = held
        return received[:end] if end > 1 else b""

    def split(self, taken: bytes, start: int) -> tuple[Sequence[Event], int]:
        """The events of *taken* from *start* to the next blank line, one as a rule, and where that ends.

        Raises EventTooLarge, with those of this call.
        """
        if self.is_at_rest and taken.startswith(_DATA, start):
            end = taken.find(b"\n", start)
            if 0 < end <= start + self._max_event_bytes and taken.startswith(b"\n", end + 1):
                data = taken[start + len(_DATA) : end]
                if data and CR not in data:
                    return (Event(b"", data),), end + 2
        end = _block_end(taken, start)
        return self._by_line(taken[start:end]), end

    def _by_line(self, received: bytes) -> list[Event]:
        *ended, rest = self._with_lf_only(received).split(b"\n")
        for line in ended:
            if self._pending:
                line = b"".join((*self._pending, line))
                self._pending.clear()
                self._pending_bytes = 0
            self._line(line)
        if rest:
            self._pending.append(rest)
            self._pending_bytes += len(rest)
            self._check_size(self._pending_bytes)
        self.is_at_rest = not (self._data or self._name or self._pending or self._after_cr)
        return self._taken()

    def _end_cr(self) -> None:
        if self._after_cr:
            self._after_cr = False
            self.is_at_rest = not (self._data or self._name or self._pending)

    def _with_lf_only(self, received: bytes) -> bytes:
        # CR ends its line at once, so that no event waits for the LF of a CR LF (contract H11); that LF,
        # when it comes in the next read, ends nothing more.
        if self._after_cr and received:
            self._after_cr = False
            received = received.removeprefix(b"\n")
        if CR in received:
            self._after_cr = received.endswith(b"\r")
            received = received.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return received

    def _line(self, line: bytes) -> None:
        self._check_size(len(line))
        if not line:
            self._event_ends()
        elif line.startswith(b"data:"):
            self._add_data(line[6:] if line.startswith(b" ", 5) else line[5:])
        elif line[:1] != b":":
            self._other_field(line)

    def _other_field(self, line: bytes) -> None:
        field, colon, value = line.partition(b":")
        if field == b"event":
            self._name = value.removeprefix(b" ")
        elif field == b"data" and not colon:
            self._add_data(b"")
        elif self._is_bare or line[:1] in (b"{", b"[", b"<"):
            self._is_bare = True
            self._add_data(line)

    def _add_data(self, value: bytes) -> None:
        self._data.append(value)
        self._data_bytes += len(value) + 1  # + 1: empty data lines are bounded too

    def _event_ends(self) -> None:
        data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        if data:
            self._events.append(Event(self._name, data))
        if self._data or self._name:
            self._data.clear()
            self._data_bytes = 0
            self._name = b""
            self._is_bare = False

    def _check_size(self, line_bytes: int) -> None:
        if self._data_bytes + line_bytes > self._max_event_bytes:
            raise EventTooLarge(self._taken())

    def _taken(self) -> list[Event]:
        events, self._events = self._events, []
        return events


def frame(data: bytes) -> bytes:
    """One event as every client can read it: a single data line (contract H1).

    Line ends in *data* become blanks; inside JSON they can only stand between tokens.
    """
    if LF in data or CR in data:
        data = data.replace(b"\r", b" ").replace(b"\n", b" ")
    return b"data: %b\n\n" % data


def _block_end(taken: bytes, start: int) -> int:
    """Where the next blank line ends; the end of *taken* when there is none."""
    end = taken.find(b"\n", start)
    while end >= 0 and not taken.startswith(b"\n", end + 1):
        end = taken.find(b"\n", end + 1)
    return end + 2 if end >= 0 else len(taken)
