"""What must hold for any form a client may send."""

import re
from collections.abc import Iterable

from app.domain.errors import InvalidRequest
from app.protocol.form_rewrite import MOST_HELD_BYTES, FormRewriter
from app.protocol.multipart import Event, Kind, Scanner
from tests.fuzz.held_bytes import READS_PER_WEIGHING, held_bytes
from tests.fuzz.inputs import read_input
from tests.protocol.forms import B

_BOUNDARIES = re.compile(rb"(?:\A|(?<=\r\n))--%b" % B)
_MOST_HELD = 4 * MOST_HELD_BYTES


def form(raw: bytes) -> None:
    """Any reads give the same events or the same refusal; the events are the bytes; a form without flattened fields is
    rewritten to itself, and what is written is a form again, of the length that was told.

    Option 0: the upstream does not know the field `4minds`. 1: the form comes in chunks.
    Rules: contract L1, L4, L5, L6; upstreams F-M1 to F-M4.
    """
    sent = read_input(raw)
    events, refusal = _scanned([sent.data])
    assert _scanned(sent.reads) == (events, refusal), f"other events in reads {sent.reads}"
    if not refusal:
        assert b"".join(event.raw for event in events) == sent.data
        boundaries = sum(event.kind in (Kind.HEAD, Kind.CLOSING) for event in events)
        assert boundaries == len(_BOUNDARIES.findall(sent.data)), "a boundary was not seen"

    takes_field, keeps_length = not sent.has(0), not sent.has(1)
    whole = _rewritten([sent.data], takes_field, keeps_length)
    assert whole == _rewritten(sent.reads, takes_field, keeps_length)
    if whole is None:
        return
    assert not refusal, "a form was rewritten that is none"
    assert _scanned([whole])[1] == "", f"what was written is no form: {whole!r}"
    if b"4minds[" not in sent.data or not takes_field:
        assert whole == sent.data


def _scanned(reads: Iterable[bytes]) -> tuple[list[Event], str]:
    """The events, bodies in one piece each; of a form that is refused only why."""
    scanner = Scanner(B)
    found: list[Event] = []
    try:
        for read in reads:
            for event in scanner.feed(read):
                if event.kind is Kind.BODY is found[-1].kind:
                    event = Event(Kind.BODY, found.pop().raw + event.raw)
                found.append(event)
        found += scanner.end()
    except InvalidRequest as refusal:
        return [], refusal.message
    return found, ""


def _rewritten(reads: list[bytes], takes_field: bool, keeps_length: bool) -> bytes | None:
    """What leaves; None where the form is refused."""
    rewriter = FormRewriter(B, takes_field=takes_field, keeps_length=keeps_length)
    out: list[bytes] = []
    grown_bytes: int | None = None
    try:
        for count, read in enumerate(reads, 1):
            out.append(rewriter.feed(read))
            if keeps_length and rewriter.is_decided:
                assert grown_bytes in (None, rewriter.grown_bytes), "the length changed its mind"
                grown_bytes = rewriter.grown_bytes
            if count % READS_PER_WEIGHING == 0:
                held = held_bytes(rewriter)
                assert held <= _MOST_HELD, f"holds {held} bytes"
        out.append(rewriter.end())
    except InvalidRequest:
        return None
    left = b"".join(out)
    assert len(left) == sum(map(len, reads)) + rewriter.grown_bytes
    return left
