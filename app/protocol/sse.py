"""
Bytes of an event stream, in any cut, become events; events become frames.

Lines end at LF, CR LF or CR and nowhere else: U+2028 and U+0085 are legal inside JSON (contract H9), so all
work is on bytes. Any cut of the same bytes gives the same events (contract H10). Rules: upstreams S1,
contract H1, H2, H7, H8, J7.
"""

from collections.abc import Sequence
from dataclasses import dataclass

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"

MAX_EVENT_BYTES = 64 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its name (empty when it has none) and its data lines joined by LF, never empty."""

    name: bytes
    data: bytes


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
    """

    __slots__ = (
        "_after_cr",
        "_at_start",
        "_data",
        "_data_bytes",
        "_events",
        "_is_bare",
        "_max_event_bytes",
        "_name",
        "_pending",
        "_pending_bytes",
    )

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._events: list[Event] = []
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._name = b""
        self._is_bare = False
        self._pending: list[bytes] = []  # pieces of the line that has not ended yet
        self._pending_bytes = 0
        self._after_cr = False
        self._at_start = True

    def feed(self, received: bytes) -> list[Event]:
        """The events that are whole now. Raises EventTooLarge; the splitter is then of no further use."""
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
        return self._taken()

    def finish(self) -> list[Event]:
        """What the clean end of the body completes: a last event without its blank line (contract H7)."""
        self._after_cr = False  # what follows is ours, not the LF of a CR LF
        return self.feed(b"\n\n")

    def _with_lf_only(self, received: bytes) -> bytes:
        # CR ends its line at once, so that no event waits for the LF of a CR LF (contract H11); that LF,
        # when it comes in the next read, ends nothing more.
        if self._after_cr and received:
            self._after_cr = False
            received = received.removeprefix(b"\n")
        if b"\r" in received:
            self._after_cr = received.endswith(b"\r")
            received = received.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return received

    def _line(self, line: bytes) -> None:
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BOM)
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
    if b"\n" in data or b"\r" in data:
        data = data.replace(b"\r", b" ").replace(b"\n", b" ")
    return b"data: %b\n\n" % data
