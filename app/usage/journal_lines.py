"""
The journal's lines: what a note looks like on disk, and how it is read back, without I/O (reliability J3).

    I["01J…",1700000000000,…]1c291ca3⏎

A letter for the kind, the note as a JSON array, the CRC-32 of both in eight hex digits, a newline. The first line of a
file has the letter V and the format's version. A line that was cut is closed by `!` and a newline before the next one
is written, so no cut line can pass for a whole one. Whatever stands in a file, reading it raises nothing: a line that
is not whole is skipped, and counted unless it was closed as cut (then its note follows again).

A later version may add fields with defaults at the end of a note: shorter arrays take the defaults, and what stands
behind the last known field is left out. It may add letters too: a line of an unknown one is skipped, and counted as
unreadable. Any other change is a new version.
"""

from binascii import b2a_hex
from collections.abc import Iterable
from typing import Any, Final, TypeVar
from zlib import crc32

import msgspec
from msgspec.structs import asdict, replace

from app.domain.ledger import Intent, Progress, UsageRecord
from app.domain.stored_objects import Claim

VERSION: Final = 1
CLOSE_CUT: Final = b"!\n"
CUT: Final = CLOSE_CUT[:1]  # what a line ends with that was cut
INTENT: Final = b"I"
PROGRESS: Final = b"P"
SETTLEMENT: Final = b"S"
CLAIM: Final = b"C"  # what a whole line begins with
LONGEST_LINE_BYTES: Final = 16 * 1024  # of a longer one the texts are cut

Note = Intent | Progress | UsageRecord | Claim
_Note = TypeVar("_Note", Intent, Progress, UsageRecord, Claim)

_LONGEST_TEXT: Final = 256  # characters that each text of a note keeps whose line would be too long
_encode: Final = msgspec.json.Encoder().encode


def line_of(kind: bytes, note: _Note) -> tuple[bytes, _Note]:
    """*note*, which is of *kind*, as a line, its newline included, and what the line says: *note*, or that with its
    texts cut. Never raises."""
    try:
        body = kind + _encode(note)
    except UnicodeEncodeError:  # half a surrogate pair, from an escape in somebody's JSON
        note = _shortened(note)
        body = kind + _encode(note)
    if len(body) > LONGEST_LINE_BYTES:
        note = _shortened(note)
        body = kind + _encode(note)
    return body + b2a_hex(crc32(body).to_bytes(4, "big")) + b"\n", note


def version_line(version: int = VERSION) -> bytes:
    """The first line of a file."""
    body = b"V[%d]" % version
    return body + b2a_hex(crc32(body).to_bytes(4, "big")) + b"\n"


def _shortened(note: _Note) -> _Note:
    """*note* with texts that are valid and short. The trail is JSON: cut, it would be none, so it goes whole."""
    texts = {name: value for name, value in asdict(note).items() if isinstance(value, str)}
    trail = texts.pop("trail", None)
    kept: dict[str, Any] = {name: _valid(text[:_LONGEST_TEXT]) for name, text in texts.items()}
    if trail is not None:
        kept["trail"] = "[]" if len(trail) > LONGEST_LINE_BYTES // 8 else _valid(trail)
    return replace(note, **kept)


def _valid(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def id_in(line: bytes) -> str:
    """The exchange of a whole *line*: its note's first field, ASCII without quotes or escapes. Never raises."""
    return line[3 : line.find(b'"', 3)].decode("latin-1")


class LineReader:
    """Sorts out the whole lines. *unreadable* counts damaged ones; *version* is that of the file, once known."""

    def __init__(self) -> None:
        self.unreadable = 0
        self.version = VERSION

    @property
    def is_readable(self) -> bool:
        """False when the file was written by a later version, in a format that this one does not know."""
        return self.version <= VERSION

    def whole(self, lines: Iterable[bytes]) -> list[bytes]:
        """Those of *lines*, which have no newline, that hold a note; in their order."""
        found: list[bytes] = []
        for line in lines:
            if not line.endswith(b"%08x" % crc32(line[:-8])):
                self.unreadable += not line.endswith(CUT)
            elif line[:1] in _DECODERS:
                found.append(line)
            else:
                self._read_version(line)
        return found

    def checked_note(self, line: bytes) -> Note | None:
        """What *line* says, which may be damaged; None when that is not a note, which is counted."""
        return self.note(line) if self.whole((line,)) else None

    def note(self, line: bytes) -> Note | None:
        """What a whole *line* says; None when that is not a note, which is counted."""
        try:
            return _DECODERS[line[:1]].decode(line[1:-8])
        except msgspec.MsgspecError:
            self.unreadable += 1
            return None

    def _read_version(self, line: bytes) -> None:
        if not line.startswith(b"V"):
            self.unreadable += 1
            return
        try:
            self.version = msgspec.json.decode(line[1:-8], type=tuple[int])[0]
        except msgspec.MsgspecError:
            self.unreadable += 1


_DECODERS: Final[dict[bytes, msgspec.json.Decoder[Note]]] = {
    INTENT: msgspec.json.Decoder(Intent),
    PROGRESS: msgspec.json.Decoder(Progress),
    SETTLEMENT: msgspec.json.Decoder(UsageRecord),
    CLAIM: msgspec.json.Decoder(Claim),
}
