"""The form reader: the same parts however the bytes are cut, nothing repaired, flat memory."""

import hashlib
import tracemalloc

import pytest

from app.simulators.form_reader import KEPT_BYTES, MAX_PARTS, FormReader
from tests.simulators.forms import BOUNDARY, FORM_TYPE, form_body, part

BODY = form_body(
    part("purpose", "fine-tune"),
    part("file", b"one\r\n--sim-bound\r\n\r\ntwo", "a b.txt"),
    part("4minds", '{"dataset_name":"X"}'),
)
CLOSE = f"--{BOUNDARY}--\r\n".encode()


def read(pieces, content_type=FORM_TYPE):
    reader = FormReader(content_type)
    for piece in pieces:
        reader.feed(piece)
    return reader.form()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 20, 1000])
def test_the_same_parts_come_out_however_the_bytes_are_cut(size):
    form = read(BODY[at : at + size] for at in range(0, len(BODY), size))

    assert form.fault == ""
    assert [(one.name, one.filename, one.content) for one in form.parts] == [
        ("purpose", None, b"fine-tune"),
        ("file", "a b.txt", b"one\r\n--sim-bound\r\n\r\ntwo"),
        ("4minds", None, b'{"dataset_name":"X"}'),
    ]


def test_a_part_is_found_by_name_and_kind():
    form = read([BODY])

    assert form.field("purpose") == "fine-tune"
    assert form.field("file") is None
    assert form.file("purpose") is None
    file = form.file("file")
    assert file is not None
    assert (file.size, file.content_type) == (23, "text/plain")
    assert file.sha256 == hashlib.sha256(b"one\r\n--sim-bound\r\n\r\ntwo").hexdigest()


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        pytest.param(BODY[: -len(CLOSE)], "closing boundary", id="no closing boundary"),
        pytest.param(b"", "closing boundary", id="nothing"),
        pytest.param(b"hello", "closing boundary", id="another body"),
        pytest.param(f"--{BOUNDARY}x\r\n\r\n".encode(), "something else", id="a longer boundary"),
        pytest.param(
            f"--{BOUNDARY}\r\nContent-Disposition: form-data\r\n\r\nx\r\n".encode() + CLOSE,
            "no name",
            id="a part without a name",
        ),
        pytest.param(
            f"--{BOUNDARY}\r\nnonsense\r\n\r\nx\r\n".encode() + CLOSE, "name", id="a broken header"
        ),
        pytest.param(
            f"--{BOUNDARY}\r\n".encode() + b"x" * 9000, "too long", id="a head without end"
        ),
        pytest.param(
            form_body(*[part("a", "")] * (MAX_PARTS + 1)), "too many", id="too many parts"
        ),
    ],
)
def test_a_broken_form_has_a_fault(body, fault):
    assert fault in read([body]).fault


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; charset=x"],
)
def test_a_form_without_a_boundary_has_a_fault(content_type):
    assert "no boundary" in read([BODY], content_type).fault


@pytest.mark.parametrize(
    "content_type",
    [
        f'multipart/form-data; boundary="{BOUNDARY}"',
        f"multipart/form-data;boundary={BOUNDARY}",
        f"multipart/form-data; charset=utf-8; boundary={BOUNDARY}",
    ],
)
def test_the_boundary_is_read_in_every_spelling(content_type):
    assert read([BODY], content_type).fault == ""


def test_a_long_part_costs_no_memory_and_is_counted_and_hashed():
    piece = bytes(range(256)) * 4096
    count = 100
    reader = FormReader(FORM_TYPE)
    reader.feed(form_body(part("file", "", "big.bin"))[: -len(CLOSE) - 2])
    expected = hashlib.sha256()
    tracemalloc.start()
    try:
        for _ in range(count):
            reader.feed(piece)
            expected.update(piece)
        reader.feed(b"\r\n" + CLOSE)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    file = reader.form().file("file")
    assert file is not None
    assert (file.size, file.content) == (count * len(piece), None)
    assert file.sha256 == expected.hexdigest()
    assert peak < 3 * KEPT_BYTES
