"""
A form on its way to an upstream: every byte as it came, but for the pieces of a flattened `4minds` field (upstreams
F-M1 to F-M4, contract L4).

The closing boundary is kept back until `end`: until then nothing that reads the form can take it for whole, so whoever
rewrites it still may refuse it.
"""

from enum import Enum

from app.domain.errors import InvalidRequest
from app.protocol.fourminds_form import FIELD, FlatField, is_flattened, named_dataset, wrong_field
from app.protocol.multipart import Event, Kind, PartHead, Scanner

MOST_HELD_BYTES = (
    64 * 1024
)  # of parts before the first file; and of all the values that are read here


class _Part(Enum):
    """What becomes of the part that is being read."""

    PASSES = "passes"
    IS_READ = "is read"  # and passes
    IS_TAKEN = "is taken"  # out, for the merged field


class FormRewriter:
    """Rewrites one form. *takes_field*: the upstream knows the field `4minds`. *keeps_length*: the length of the whole
    must be known before the first file begins; without it, flattened parts are merged wherever they stand.
    *needs_file*: a form without one is refused. *watched*: the names of other fields to read.

    What is held beside a piece is at most MOST_HELD_BYTES twice, and one part's head. *grown_bytes*: how much longer
    the form becomes; final once *is_decided*. *file*: the first part with a filename, None while there is none;
    *file_bytes*: how much of it has come. *fields*: the values of those watched, by name. *has_late_parts*: flattened
    parts passed as they are, because they stood behind the file.
    """

    __slots__ = (
        "_boundary",
        "_field",
        "_flat",
        "_head",
        "_held",
        "_held_bytes",
        "_is_merged",
        "_keeps_length",
        "_last",
        "_needs_file",
        "_out",
        "_part",
        "_part_at",
        "_read_bytes",
        "_scanner",
        "_takes_field",
        "_value",
        "_watched",
        "fields",
        "file",
        "file_bytes",
        "grown_bytes",
        "has_late_parts",
        "is_decided",
    )

    def __init__(
        self,
        boundary: bytes,
        *,
        takes_field: bool,
        keeps_length: bool,
        needs_file: bool = False,
        watched: frozenset[str] = frozenset(),
    ) -> None:
        self._boundary = boundary
        self._takes_field = takes_field
        self._keeps_length = keeps_length
        self._needs_file = needs_file
        self._watched = watched
        self._scanner = Scanner(boundary)
        self._flat = FlatField()
        self._field: tuple[str | None] | None = (
            None  # what the part `4minds` names, once it was read
        )
        self._is_merged = False
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._out: list[bytes] = []
        self._last = b""  # the closing boundary
        self._head = PartHead("")
        self._part = _Part.PASSES
        self._part_at = 0  # where in what is held the part begins
        self._value: list[bytes] = []
        self._read_bytes = 0
        self.file: PartHead | None = None
        self.file_bytes = 0
        self.grown_bytes = 0
        self.fields: dict[str, bytes] = {}
        self.has_late_parts = False
        self.is_decided = not (takes_field and keeps_length)

    @property
    def dataset_id(self) -> str | None:
        """The data set that the form names so far, in decimal; None where it names none."""
        return self._flat.dataset_id if self._field is None else self._field[0]

    def feed(self, piece: bytes) -> bytes:
        """What may go on now: in the midst of a file, *piece* itself. Raises InvalidRequest (contract L6)."""
        for event in self._scanner.feed(piece):
            _STEPS[event.kind](self, event)
        out, self._out = self._out, []
        return b"".join(out)  # of one piece: that piece

    def end(self) -> bytes:
        """The rest, the closing boundary with it. Raises InvalidRequest where that has not come."""
        for event in self._scanner.end():
            self._last += event.raw
        return self._last

    # --- what comes ---------------------------------------------------------------------------------------------------

    def _on_outside(self, event: Event) -> None:
        self._put(event.raw)

    def _on_head(self, event: Event) -> None:
        head = event.head or PartHead("")
        self._head, self._part = head, self._fate(head)
        if head.filename is not None:
            self._on_file(head)
        if self._part is _Part.IS_TAKEN:
            self.grown_bytes -= len(event.raw)
            return
        self._part_at = len(self._held)
        self._put(event.raw)

    def _on_body(self, event: Event) -> None:
        raw = event.raw
        if self._head is self.file:
            self.file_bytes += len(raw)
        if self._part is not _Part.PASSES:
            self._read_bytes += len(raw)
            if self._read_bytes > MOST_HELD_BYTES:
                raise InvalidRequest(
                    f"The form field '{self._head.name[:100]}' is too large: "
                    f"{MOST_HELD_BYTES // 1024} KiB are the most.",
                    param=self._head.name[:100],
                )
            self._value.append(raw)
        if self._part is _Part.IS_TAKEN:
            self.grown_bytes -= len(raw)
        else:
            self._put(raw)

    def _on_end(self, event: Event) -> None:
        if self._part is not _Part.PASSES:
            value, self._value = b"".join(self._value), []
            self._on_value(value)
        if self._part is _Part.IS_TAKEN:
            self.grown_bytes -= len(event.raw)
        else:
            self._put(event.raw)

    def _on_closing(self, event: Event) -> None:
        if self._needs_file and self.file is None:
            raise InvalidRequest(
                "The form has no file: none of its parts has a filename.", param="file"
            )
        if self.is_decided:
            self._out.append(self._merged())
        else:
            self._decide(len(self._held))
        self._last = event.raw

    # --- what it means ------------------------------------------------------------------------------------------------

    def _fate(self, head: PartHead) -> _Part:
        name = head.name
        if self._takes_field and is_flattened(name):
            if head.filename is not None:
                raise wrong_field("is text, and no file")
            if self.is_decided and self._keeps_length:
                self.has_late_parts = True
                return _Part.IS_READ
            return _Part.IS_TAKEN
        is_read = (self._takes_field and name == FIELD) or name in self._watched
        return _Part.IS_READ if is_read else _Part.PASSES

    def _on_file(self, head: PartHead) -> None:
        if self.file is None and self._part is _Part.PASSES:
            self.file = head
        if not self.is_decided:
            self._decide(len(self._held))

    def _on_value(self, value: bytes) -> None:
        head = self._head
        if not self._takes_field or not (head.name == FIELD or is_flattened(head.name)):
            if head.name in self.fields:
                raise InvalidRequest(
                    f"The form has the field '{head.name}' twice.", param=head.name
                )
            self.fields[head.name] = value
            return
        if self._field is not None or (head.name == FIELD and self._flat):
            raise wrong_field(
                "is given more than once: it must be one part, or flattened parts and no other"
            )
        if head.name == FIELD:
            self._field = (named_dataset(value, head),)
        else:
            self._flat.put(head, value)

    # --- where it goes ------------------------------------------------------------------------------------------------

    def _put(self, raw: bytes) -> None:
        if self.is_decided:
            self._out.append(raw)
            return
        self._held.append(raw)
        self._held_bytes += len(raw)
        if self._held_bytes > MOST_HELD_BYTES:
            self._decide(self._part_at)

    def _decide(self, at: int) -> None:
        """The length is known from now on: flattened parts so far are merged at the place *at* of what is held."""
        self.is_decided = True
        held, self._held = self._held, []
        self._out += [*held[:at], self._merged(), *held[at:]]

    def _merged(self) -> bytes:
        """The field as one part; b"" where there is none to merge, or it was merged already."""
        if not self._flat or self._is_merged or self.has_late_parts:
            return b""
        self._is_merged = True
        part = b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (
            self._boundary,
            FIELD.encode(),
            self._flat.text(),
        )
        self.grown_bytes += len(part)
        return part


_STEPS = {
    Kind.PREAMBLE: FormRewriter._on_outside,
    Kind.HEAD: FormRewriter._on_head,
    Kind.BODY: FormRewriter._on_body,
    Kind.END: FormRewriter._on_end,
    Kind.CLOSING: FormRewriter._on_closing,
}
