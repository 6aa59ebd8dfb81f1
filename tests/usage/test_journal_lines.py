"""The journal's lines (reliability J3): what is written is read, and what is damaged is left out."""

import json
from zlib import crc32

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict, astuple, replace

from app.domain.ledger import Intent, Progress, UsageRecord
from app.domain.stored_objects import Claim
from app.usage.journal_lines import (
    CLAIM,
    CLOSE_CUT,
    INTENT,
    PROGRESS,
    SETTLEMENT,
    LineReader,
    line_of,
    version_line,
)
from app.usage.tail import PIECE_BYTES
from tests.usage.notes import a_claim, a_progress, a_record, an_intent

NOTES = [an_intent(), a_progress(), a_record(), a_claim()]
LINES = [
    line_of(INTENT, an_intent())[0],
    line_of(PROGRESS, a_progress())[0],
    line_of(SETTLEMENT, a_record())[0],
    line_of(CLAIM, a_claim())[0],
]
TEXTS = st.text(max_size=40)


def notes_in(text: bytes) -> tuple[list[object], int]:
    """The notes of whole lines, and how many lines were unreadable."""
    reader = LineReader()
    lines = text.split(b"\n")[:-1]
    return [reader.note(line) for line in reader.whole(lines)], reader.unreadable


def sealed(body: bytes) -> bytes:
    return b"%b%08x\n" % (body, crc32(body))


@given(model=TEXTS, trail=TEXTS, tokens=st.integers(0, 2**63 - 1), ttft=st.none() | st.integers(0))
def test_what_is_written_is_read(model, trail, tokens, ttft):
    record = a_record(model=model, trail=trail, input_tokens=tokens, ttft_us=ttft)
    intent, progress = an_intent(model=model), a_progress(upstream_model=model)

    lines = [line_of(INTENT, intent)[0], line_of(PROGRESS, progress)[0]]
    text = b"".join((version_line(), *lines, line_of(SETTLEMENT, record)[0]))

    assert ([intent, progress, record], 0) == notes_in(text)


@given(object_id=TEXTS, is_gone=st.booleans())
def test_whose_an_object_is_is_read_as_it_was_written(object_id, is_gone):
    claim = a_claim(object_id=object_id, is_gone=is_gone)

    assert ([a_record(), claim], 0) == notes_in(LINES[2] + line_of(CLAIM, claim)[0])


@given(st.integers(0, 3), st.data())
def test_a_line_cut_anywhere_and_closed_passes_for_nothing_and_spoils_nothing(which, choices):
    line = LINES[which]
    cut = line[: choices.draw(st.integers(0, len(line) - 1))]

    notes, unreadable = notes_in(LINES[0] + cut + CLOSE_CUT + line + LINES[2])

    assert notes == [an_intent(), NOTES[which], a_record()]
    assert unreadable == 0


@given(st.integers(0, 3), st.data())
def test_a_line_cut_by_a_death_is_no_note(which, choices):
    line = LINES[which]
    cut = line[: choices.draw(st.integers(0, len(line) - 1))]

    assert ([an_intent()], 0) == notes_in(LINES[0] + cut)


@given(st.data())
def test_a_flipped_bit_costs_its_own_line_and_at_most_the_next(choices):
    text = bytearray(b"".join(LINES))
    text[choices.draw(st.integers(0, len(text) - 1))] ^= 1 << choices.draw(st.integers(0, 7))

    notes, _ = notes_in(bytes(text))

    assert 2 <= len(notes) <= 3
    assert all(note in NOTES for note in notes)


@given(st.binary(max_size=300))
def test_no_bytes_raise(text):
    reader = LineReader()
    for line in (*text.split(b"\n"), *sealed(b"S" + text).split(b"\n")):
        for whole in reader.whole([line]):
            reader.note(whole)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"S[]", id="no fields"),
        pytest.param(b"S", id="no array"),
        pytest.param(b'S["a"', id="half an array"),
        pytest.param(b'I["a","b",1,2,3]', id="wrong types"),
        pytest.param(b"V[]", id="a version without a number"),
        pytest.param(b"X[1]", id="a kind nobody knows"),
        pytest.param(b'C["e1","sun","car","1","k","t",1]', id="an object of no kind"),
    ],
)
def test_a_whole_line_that_is_no_note_is_counted(body):
    notes, unreadable = notes_in(sealed(body))

    assert [note for note in notes if note is not None] == []
    assert unreadable == 1


@pytest.mark.parametrize(
    ("kind", "note"),
    [(b"I", an_intent()), (b"P", a_progress()), (b"S", a_record()), (b"C", a_claim())],
)
def test_fields_that_a_later_version_added_are_left_out(kind, note):
    line = sealed(kind + msgspec.json.encode([*astuple(note), "new", 7]))

    assert ([note], 0) == notes_in(line)


def test_a_field_that_an_earlier_version_did_not_have_takes_its_default():
    without = [*astuple(a_record())][: -len(UsageRecord.__struct_defaults__)]

    assert ([a_record(label="other")], 0) == notes_in(sealed(b"S" + msgspec.json.encode(without)))


def test_a_later_format_is_told_from_a_damaged_file():
    reader = LineReader()

    assert reader.is_readable
    reader.whole([version_line(2)[:-1]])
    assert not reader.is_readable


@pytest.mark.parametrize("text", ["x" * 10_000_000, "\ud800", "\0" * 100_000, "\ud800" * 30_000])
@pytest.mark.parametrize(
    ("note", "kind"),
    [
        (an_intent(), INTENT),
        (a_progress(), PROGRESS),
        (a_record(), SETTLEMENT),
    ],
)
def test_a_hostile_name_makes_no_line_too_long_to_be_read(note, kind, text):
    name = "upstream_model" if isinstance(note, Progress) else "model"

    line, _ = line_of(kind, replace(note, **{name: text}))

    [found], unreadable = notes_in(line)
    assert (note.id, 0) == (getattr(found, "id", None), unreadable)
    assert len(line) < PIECE_BYTES


def test_every_text_at_its_worst_still_makes_a_line_that_can_be_read():
    worst = {
        name: "\0" * 100_000
        for name, value in asdict(a_record()).items()
        if isinstance(value, str) and name not in ("id", "usage_source", "trail")
    }

    line, said = line_of(SETTLEMENT, a_record(**worst, trail=json.dumps(["\0" * 100_000])))

    assert len(line) < PIECE_BYTES
    assert said.id == "e1"
    assert ([said], 0) == notes_in(line)


def test_the_first_field_of_every_note_is_the_exchange():
    shapes = (Intent, Progress, UsageRecord, Claim)
    assert {"id"} == {shape.__struct_fields__[0] for shape in shapes}
