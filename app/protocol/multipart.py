"""
A multipart form, understood as its bytes come and handed on exactly as they came (contract L1, L5).

Law: the bytes of all events, joined, are the bytes that were fed, however they were cut. What two readers could read in
two ways is refused, not guessed at: a boundary behind a bare line end, a folded or repeated header, a name in two
spellings, names and values in another charset than UTF-8. Else an upstream could find a field that nobody here has
seen, and with it another team's data set.
Every form is read in linear time, a body at the speed of `bytes.find`.
"""

import re
from enum import Enum
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from app.domain.errors import InvalidRequest, UnsupportedMediaType
from app.domain.texts import shown

MOST_PARTS = 1000
MOST_HEAD_BYTES = 16 * 1024
_MOST_OUTSIDE_BYTES = 16 * 1024  # before the first part, and behind the last
_MOST_LOOKALIKES = 1000  # a boundary is chosen so that it stands in no part at all

_TYPE = re.compile(rb"[ \t]*multipart/form-data[ \t]*(;.*)?", re.IGNORECASE | re.DOTALL)
_PARAMETER = re.compile(
    rb"[ \t]*;[ \t]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)=(?:\"((?:[^\"\\]|\\.)*)\"|([^\s\";]*))",
    re.DOTALL,
)
_PARAMETERS_END = re.compile(rb"[ \t]*;?[ \t]*")
_BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
_FORM_DATA = re.compile(rb"[ \t]*form-data(?=[ \t;]|$)", re.IGNORECASE)
_FIELD_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_LONE_BACKSLASH = re.compile(rb'(?:\\["\\])*\\(?!["\\])')
_ESCAPED = re.compile(rb'\\(["\\])')
_BROWSER_ESCAPED = re.compile(rb"%22|%0[DdAa]")
_CHARSET = re.compile(rb"charset([^;=]*=[ \t]*\"?([^\s\";]*))?", re.IGNORECASE)
_PLAIN_CHARSETS = frozenset((b"utf-8", b"utf8", b"us-ascii", b"ascii"))
_PLAIN_ENCODINGS = frozenset((b"", b"7bit", b"8bit", b"binary"))
_NAMES_CHARSET = "_charset_"  # a field that says in which charset the others are (RFC 7578, 4.6)
_EPILOGUE = re.compile(rb"[ \t]*(?:\r?\n.*)?", re.DOTALL)
_LINE_END, _HEAD_END = b"\r\n", b"\r\n\r\n"
_CR, _LF = b"\r\n"


class Kind(Enum):
    """What some bytes of a form are."""

    PREAMBLE = "preamble"  # before the first boundary, its line end included
    HEAD = "head"  # a boundary's line, the part's headers, and the blank line
    BODY = "body"
    END = "end"  # the line end before the next boundary
    CLOSING = "closing"  # the last boundary
    EPILOGUE = "epilogue"  # all that follows it


class PartHead(NamedTuple):
    """What a part's headers say. *filename* None: it is no file; "": a file whose name nobody told.

    Bytes that are no UTF-8 are kept as lone surrogates. *content_type*, *transfer_encoding*: as they came, b"" if none.
    """

    name: str
    filename: str | None = None
    content_type: bytes = b""
    transfer_encoding: bytes = b""

    @property
    def is_plain(self) -> bool:
        """True when every reader takes the content as it is, and as UTF-8 where it takes it as text."""
        encoding = self.transfer_encoding.lower()
        return _says_utf8(self.content_type) and encoding in _PLAIN_ENCODINGS


class Event(NamedTuple):
    """The next *raw* bytes of a form. *head*: of the part that begins with them, else None."""

    kind: Kind
    raw: bytes
    head: PartHead | None = None


class Part(NamedTuple):
    """A part of a form that was read whole."""

    head: PartHead
    content: bytes


def boundary_of(content_type: bytes) -> bytes:
    """The boundary that a form's *content_type* names, bare or quoted (RFC 2046).

    Raises UnsupportedMediaType for another type than multipart/form-data; InvalidRequest for a boundary that is
    missing, given twice, longer than 70 characters, or of characters that none has, and for another charset than UTF-8,
    in which some readers would read the names of the fields.
    """
    match = _TYPE.fullmatch(content_type)
    if match is None:
        shown = content_type[:100].decode("latin-1").partition(";")[0].strip() or "none"
        raise UnsupportedMediaType(
            f"This route takes a form: 'Content-Type: multipart/form-data', not '{shown}'."
        )
    found = _parameters(match[1] or b"")
    boundary = found.get(b"boundary", b"") if found is not None else b""
    if not _BOUNDARY.fullmatch(boundary):
        raise InvalidRequest(
            "The Content-Type of the form names no valid boundary. An SDK or `curl -F` sets it by itself: "
            "leave the header out."
        )
    charsets = (value for name, value in (found or {}).items() if name.startswith(b"charset"))
    if any(charset.lower() not in _PLAIN_CHARSETS for charset in charsets):
        raise InvalidRequest("The Content-Type of the form names another charset than UTF-8.")
    return boundary


def read_form(body: bytes, boundary: bytes) -> list[Part]:
    """The parts of a form that is whole. Raises InvalidRequest."""
    scanner = Scanner(boundary)
    parts: list[Part] = []
    for kind, raw, head in [*scanner.feed(body), *scanner.end()]:
        if head is not None:
            parts.append(Part(head, b""))
        elif kind is Kind.BODY:  # the only one of its part, for the form came in one piece
            parts[-1] = parts[-1]._replace(content=raw)
    return parts


class Scanner:
    """Reads one form. After an error it must not be used any more.

    What it holds between two pieces is less than a boundary, a part's head, or what stands outside of the parts.
    """

    __slots__ = ("_before", "_kept", "_lookalikes", "_mark", "_parts", "_place")

    def __init__(self, boundary: bytes) -> None:
        self._mark = b"--" + boundary
        self._place = (
            Kind.PREAMBLE
        )  # what comes next; HEAD: a boundary has come, the last one perhaps
        self._kept = b""
        self._before = _LF  # the last byte of the part's body so far
        self._parts = 0
        self._lookalikes = 0

    def feed(self, piece: bytes) -> list[Event]:
        """What is certain now. Raises InvalidRequest for a form that is none, or beyond its bounds."""
        if self._kept:
            piece = self._kept + piece
        found: list[Event] = []
        at = 0
        while at < len(piece):
            place, start = self._place, at
            at = _STEPS[place](self, piece, at, found)
            if at == start and self._place is place:
                break
        self._kept = piece[at:]
        return found

    def end(self) -> list[Event]:
        """The rest, now that nothing follows. Raises InvalidRequest where the last boundary is missing."""
        rest = self._kept
        if self._place is not Kind.EPILOGUE:
            raise InvalidRequest("The form ended before its closing boundary.")
        if self._mark in rest or not _EPILOGUE.fullmatch(rest):
            raise InvalidRequest("The form goes on behind its closing boundary.")
        return [Event(Kind.EPILOGUE, rest)] if rest else []

    def _preamble(self, piece: bytes, at: int, found: list[Event]) -> int:
        """All of it is kept until it is over."""
        place = piece.find(self._mark)
        while place >= 0:
            if place == 0 or piece[place - 2 : place] == _LINE_END:
                break
            self._check_lookalike(piece[place - 1])
            place = piece.find(self._mark, place + 1)
        if max(place, len(piece) - len(self._mark) if place < 0 else 0) > _MOST_OUTSIDE_BYTES:
            raise InvalidRequest("The form does not begin with the boundary that its type names.")
        if place < 0:
            self._lookalikes = 0  # they are met again with the next piece
            return at
        if place:
            found.append(Event(Kind.PREAMBLE, piece[:place]))
        self._place = Kind.HEAD
        return place

    def _head(self, piece: bytes, at: int, found: list[Event]) -> int:
        """From a boundary on: to the end of the part's head, or of the form."""
        line = at + len(self._mark)
        follows = piece[line : line + 2]
        if follows == b"--":
            found.append(Event(Kind.CLOSING, piece[at : line + 2]))
            self._place = Kind.EPILOGUE
            return line + 2
        if follows in (b"", b"-"):
            return at
        if follows[0] not in b"\r \t":
            raise InvalidRequest(
                "A boundary of the form is followed by something else on its line."
            )
        end = piece.find(_HEAD_END, line, line + MOST_HEAD_BYTES)
        if end < 0:
            if len(piece) - line >= MOST_HEAD_BYTES:
                raise InvalidRequest(
                    f"A part of the form has headers of more than {MOST_HEAD_BYTES // 1024} KiB."
                )
            return at
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise InvalidRequest(f"The form has more than {MOST_PARTS} parts.")
        found.append(Event(Kind.HEAD, piece[at : end + 4], _part_head(piece[line:end])))
        self._place, self._before = Kind.BODY, _LF
        return end + 4

    def _body(self, piece: bytes, at: int, found: list[Event]) -> int:
        mark, place = self._mark, piece.find(self._mark, at)
        while place >= 0:
            before = piece[max(place - 2, at) : place]
            if before == _LINE_END:
                if place - 2 > at:
                    found.append(Event(Kind.BODY, piece[at : place - 2]))
                found.append(Event(Kind.END, _LINE_END))
                self._place = Kind.HEAD
                return place
            self._check_lookalike(before[-1] if before else self._before)
            place = piece.find(mark, place + 1)
        end = self._certain_end(piece, at)
        if end > at:
            self._before = piece[end - 1]
            found.append(Event(Kind.BODY, piece[at:end]))
        return end

    def _epilogue(self, piece: bytes, at: int, found: list[Event]) -> int:
        """All of it is kept: what stands in it decides whether the boundary before was the last."""
        if len(piece) - at > _MOST_OUTSIDE_BYTES:
            raise InvalidRequest("The form goes on behind its closing boundary.")
        return at

    def _certain_end(self, piece: bytes, at: int) -> int:
        """Where a boundary may begin that is not whole yet, with the line end before it; else the end of *piece*."""
        mark, end = self._mark, len(piece)
        place = piece.find(b"-", max(at, end - len(mark) + 1))
        while place >= 0 and not mark.startswith(piece[place:]):
            place = piece.find(b"-", place + 1)
        if place < 0:
            place = end
        if piece[max(place - 2, at) : place] == _LINE_END:
            return place - 2
        if place > at and piece[place - 1] == _CR:
            return place - 1
        return place

    def _check_lookalike(self, before: int) -> None:
        """A boundary stands in the midst of something, behind the byte *before*. Raises InvalidRequest where some
        readers would take it for one all the same."""
        self._lookalikes += 1
        if before in (_CR, _LF) or self._lookalikes > _MOST_LOOKALIKES:
            raise InvalidRequest(
                "The form's boundary stands inside a part. Its lines must end in CR LF, and the boundary must occur "
                "in no part."
            )


_STEPS = {
    Kind.PREAMBLE: Scanner._preamble,
    Kind.HEAD: Scanner._head,
    Kind.BODY: Scanner._body,
    Kind.EPILOGUE: Scanner._epilogue,
}


def _part_head(text: bytes) -> PartHead:
    """The head that *text* is: what follows a boundary, up to the blank line. Raises InvalidRequest."""
    padding, *lines = text.split(_LINE_END)
    if padding.strip(b" \t"):
        raise InvalidRequest("A boundary of the form is followed by something else on its line.")
    fields: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        name = name.lower()
        if not colon or not _FIELD_NAME.fullmatch(name) or any(mark in value for mark in b"\r\n\0"):
            raise InvalidRequest("A part of the form has a header that is none.")
        if name in fields:
            raise InvalidRequest("A part of the form has the same header twice.")
        fields[name] = value.strip(b" \t")
    disposition = fields.get(b"content-disposition", b"")
    kind = _FORM_DATA.match(disposition)
    found = _parameters(disposition[kind.end() :]) if kind else None
    if found is None or b"name" not in found or any(name.startswith(b"name*") for name in found):
        raise InvalidRequest(
            "A part of the form has no name. Each needs the header "
            "'Content-Disposition: form-data; name=\"…\"', with the name in this one spelling."
        )
    head = PartHead(
        _name(found[b"name"]),
        _filename(found),
        fields.get(b"content-type", b""),
        fields.get(b"content-transfer-encoding", b""),
    )
    if head.name == _NAMES_CHARSET or (head.filename is None and not head.is_plain):
        raise InvalidRequest(
            f"The form field '{shown(head.name, 100)}' must be plain UTF-8 text, as all of them."
        )
    return head


def _says_utf8(content_type: bytes) -> bool:
    """False for one that names any other charset, wherever and however often."""
    named = (match[2] or b"" for match in _CHARSET.finditer(content_type))
    return all(charset.lower() in _PLAIN_CHARSETS for charset in named)


def _parameters(text: bytes) -> dict[bytes, bytes] | None:
    """The parameters of a header, quotes taken off and escapes left as they are; None where they are none, or one is
    given twice."""
    found: dict[bytes, bytes] = {}
    at = 0
    while match := _PARAMETER.match(text, at):
        name, quoted, bare = match.groups()
        name = name.lower()
        if name in found:
            return None
        found[name] = bare if quoted is None else quoted
        at = match.end()
    return found if _PARAMETERS_END.fullmatch(text, at) else None


def _name(raw: bytes) -> str:
    if _LONE_BACKSLASH.search(raw):  # some readers drop it, and read another name
        raise InvalidRequest("A part of the form has a backslash in its name.")
    return _text(raw)


def _filename(found: dict[bytes, bytes]) -> str | None:
    """What it is called: `filename*` counts more, where both are given (RFC 5987)."""
    charset, _, rest = found.get(b"filename*", b"").partition(b"'")
    if charset.lower() == b"utf-8":
        return unquote_to_bytes(rest.partition(b"'")[2]).decode("utf-8", "surrogateescape")
    raw = found.get(b"filename")
    if raw is None:
        return "" if any(name.startswith(b"filename*") for name in found) else None
    return _text(raw)


def _text(raw: bytes) -> str:
    """A quoted value as it was meant: curl and the SDKs escape a quote by a backslash, browsers by `%22`."""
    if b"\\" in raw:
        raw = _ESCAPED.sub(rb"\1", raw)
    if b"%" in raw:
        raw = _BROWSER_ESCAPED.sub(lambda match: unquote_to_bytes(match[0]), raw)
    return raw.decode("utf-8", "surrogateescape")
