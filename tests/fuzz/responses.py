"""
What must hold for any response an upstream may send.

Beside the reader stands a plain one that knows HTTP/1.1 in its strictest reading only (RFC 9112). What the reader
takes for a response, the plain one must read in the same way: two readings of one response are how answers are
smuggled to somebody else.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.wire.errors import Malformed
from app.wire.reading import ReadingLimits, ResponseReader
from app.wire.requests import Fields
from tests.fuzz.held_bytes import READS_PER_WEIGHING, held_bytes
from tests.fuzz.inputs import Sent, read_input

_LIMITS = ReadingLimits()
_SMALL_LIMITS = ReadingLimits(head_bytes=256, fields=6, interim=2)
# At those limits, and for any input at the usual ones: a field of four bytes is three objects of Python.
_MOST_HELD_SMALL, _MOST_HELD = 16 * 1024, 256 * 1024


@dataclass(frozen=True, slots=True)
class Told:
    """What a reader says of one response. *failure*: its class; None when nothing is wrong with what came."""

    status: int
    fields: Fields
    body: bytes
    failure: type[Malformed] | None
    is_over: bool
    may_persist: bool
    ends_at_eof: bool


def response(raw: bytes) -> None:
    """Any reads give the same response, and it is what a plain reading gives; nothing is raised, and little is held.

    Option 0: it answers HEAD. 1: small limits. Rules: reliability R15, S31.
    """
    sent = read_input(raw)
    whole, _ = _told(sent, _reader(sent), [sent.data])
    reader = _reader(sent)
    cut, rest = _told(sent, reader, sent.reads)

    if _may_be_too_padded(sent, whole):
        whole, cut = _beginning(whole, cut)
    assert whole == cut, f"another response in reads {sent.reads}"
    _check_against(_plain_reading(sent.data, is_head=sent.has(0)), whole, sent)
    if rest and reader.may_persist:
        _check_next_response(sent, reader, rest)


def _reader(sent: Sent) -> ResponseReader:
    reader = ResponseReader(_SMALL_LIMITS if sent.has(1) else _LIMITS)
    reader.expect(_method(sent))
    return reader


def _method(sent: Sent) -> str:
    return "HEAD" if sent.has(0) else "GET"


def _told(sent: Sent, reader: ResponseReader, reads: Sequence[bytes]) -> tuple[Told, list[bytes]]:
    """The response, and the reads behind it."""
    most_held = _MOST_HELD_SMALL if sent.has(1) else _MOST_HELD
    pieces: list[bytes] = []
    count = 0
    for read in reads:
        if reader.is_over:
            break
        count += 1
        pieces.append(reader.feed(read))
        assert type(pieces[-1]) is bytes
        if count % READS_PER_WEIGHING == 0 or count == len(reads):
            held = held_bytes(reader)
            assert held <= most_held, f"holds {held} bytes"
    rest = list(reads[count:])
    told = Told(
        reader.status,
        reader.fields if reader.status else [],
        b"".join(pieces),
        type(reader.failure) if reader.failure else None,
        reader.is_over,
        # more behind the response is found before the next request, and its connection does not serve again
        reader.may_persist and not b"".join(rest).strip(b"\r\n"),
        reader.eof(),
    )
    assert not (told.failure and told.may_persist), "a broken connection would serve again"
    return told, rest


def _may_be_too_padded(sent: Sent, told: Told) -> bool:
    # How much framing is too much is counted by reads, so that only its bound does not depend on them.
    return (
        bool(told.status)
        and len(sent.data) - len(told.body) > _SMALL_LIMITS.head_bytes
        and sent.has(1)
    )


def _beginning(whole: Told, cut: Told) -> tuple[Told, Told]:
    """Both as far as the shorter body goes."""
    length = min(len(whole.body), len(cut.body))
    return (
        replace(whole, body=whole.body[:length]),
        replace(whole, status=cut.status, fields=cut.fields, body=cut.body[:length]),
    )


def _check_next_response(sent: Sent, reader: ResponseReader, rest: Sequence[bytes]) -> None:
    """On a connection that may persist, a response is read as on a new one."""
    reader.expect(_method(sent))
    told, _ = _told(sent, reader, rest)
    assert told == _told(sent, _reader(sent), rest)[0], "what came before still counts"


# --- the plain reading --------------------------------------------------------------------------------------------

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\r\n]*)?")
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_FIELD = re.compile(rb"(" + _TOKEN + rb"):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*")
_LENGTH = re.compile(rb"[0-9]+")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]+)(;[^\r\n]*)?\r\n")
_EXTENSIONS = re.compile(rb"(?:;" + _TOKEN + rb"(?:=(?:" + _TOKEN + rb'|"[ !#-\[\]-~]*"))?)*')
_NO_BODY = (204, 304)
_FRAMING = (b"content-length", b"transfer-encoding", b"connection", b"upgrade")


@dataclass(slots=True)
class Plain:
    """A response read plainly. *is_whole*: its framing says that it is complete; *body*: what there is of it.

    *is_odd*: there is something in the framing that may be refused, but means one thing only.
    """

    version: bytes
    status: int
    fields: Fields
    body: bytes = b""
    is_whole: bool = False
    ends_at_eof: bool = False
    is_odd: bool = False
    has_tabs: bool = False


def _plain_reading(data: bytes, *, is_head: bool) -> Plain | None:
    """The response; None when its head is not complete, or not plain HTTP/1.1."""
    is_odd = False
    while True:
        head, mark, data = data.partition(b"\r\n\r\n")
        found = _plain_head(head) if mark else None
        if found is None or found.status == 101:
            return None
        found.is_odd |= is_odd
        if found.status >= 200:
            return found if _frame_body(found, data, is_head=is_head) else None
        # an interim answer may neither frame a body nor end the connection
        is_odd |= found.version == b"0" or any(name in _FRAMING for name, _ in found.fields)
        data = data.lstrip(b"\r\n")  # empty lines between heads mean nothing


def _plain_head(head: bytes) -> Plain | None:
    status_line, *lines = head.split(b"\r\n")
    status = _STATUS_LINE.fullmatch(status_line)
    matches = [_FIELD.fullmatch(line) for line in lines]
    if status is None or None in matches:
        return None
    fields = [(match[1].lower(), match[2]) for match in matches if match is not None]
    return Plain(status[1], int(status[2]), fields, has_tabs=b"\t" in head)


def _frame_body(found: Plain, data: bytes, *, is_head: bool) -> bool:
    """Gives *found* its body; False when its framing is not plain."""
    lengths = [value for name, value in found.fields if name == b"content-length"]
    codings = [value.lower() for name, value in found.fields if name == b"transfer-encoding"]
    if len(lengths) + len(codings) > 1:
        return False
    if codings and (codings != [b"chunked"] or found.version != b"1"):
        return False
    if lengths and not _LENGTH.fullmatch(lengths[0]):
        return False
    found.is_odd |= any(int(value) >= 1 << 64 for value in lengths)
    found.is_odd |= bool(codings) and found.has_tabs
    if is_head or found.status in _NO_BODY:
        found.is_whole = True
    elif codings:
        _join_chunks(found, data)
    elif lengths:
        found.body = data[: int(lengths[0])]
        found.is_whole = len(found.body) == int(lengths[0])
    else:
        found.body, found.ends_at_eof = data, True
    return True


def _join_chunks(found: Plain, data: bytes) -> None:
    while size := _CHUNK_SIZE.match(data):
        found.is_odd |= not _EXTENSIONS.fullmatch(size[2] or b"")
        length, data = int(size[1], 16), data[size.end() :]
        if length == 0:
            found.is_whole = _ends_trailers(found, data)
            return
        found.body += data[:length]
        if data[length : length + 2] != b"\r\n":
            return
        data = data[length + 2 :]


def _ends_trailers(found: Plain, data: bytes) -> bool:
    while not data.startswith(b"\r\n"):
        line, mark, data = data.partition(b"\r\n")
        trailer = _FIELD.fullmatch(line)
        if not mark or trailer is None:
            return False
        found.is_odd |= trailer[1].lower() in _FRAMING
    return True


def _check_against(plain: Plain | None, told: Told, sent: Sent) -> None:
    if not told.status:
        # the small limits refuse what is plain
        assert plain is None or plain.is_odd or sent.has(1), "a plain response was refused"
        return
    assert plain is not None, "a response that is not plain was taken"
    assert (plain.status, plain.fields) == (told.status, told.fields)
    if told.failure is not None:
        assert plain.body.startswith(told.body), "more body than its framing allows"
        assert plain.is_odd or not plain.is_whole or sent.has(1), "a plain body was refused"
        return
    assert (plain.body, plain.is_whole) == (told.body, told.is_over and not told.ends_at_eof)
    assert plain.ends_at_eof == told.ends_at_eof
