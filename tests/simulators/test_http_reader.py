"""The request reader: the same requests however the bytes are cut, and no sloppy framing."""

import hashlib
import tracemalloc

import pytest

from app.simulators.http_reader import (
    KEPT_FORM_BYTES,
    MAX_BODY_BYTES,
    MalformedRequestError,
    RequestReader,
)
from tests.simulators.forms import FORM_TYPE, form_body, part

HOST = b"Host: sim\r\n"
PLAIN = b"POST /a?b=c HTTP/1.1\r\n" + HOST + b"X-One: 1\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"POST /b HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n4;note=x\r\ndefg\r\n0\r\nTrailer: t\r\n\r\n"
)
BARE = b"GET /c HTTP/1.1\r\n" + HOST + b"\r\n"
STREAM = PLAIN + CHUNKED + BARE
EXPECTED = [("POST", "/a?b=c", b"hello"), ("POST", "/b", b"abcdefg"), ("GET", "/c", b"")]


def read_all(pieces: list[bytes]) -> list[tuple[str, str, bytes]]:
    reader = RequestReader()
    found = []
    for piece in pieces:
        reader.feed(piece)
        while request := reader.next_request():
            found.append((request.method, request.target, request.body))
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, len(STREAM)])
def test_the_same_requests_come_out_however_the_bytes_are_cut(size):
    pieces = [STREAM[at : at + size] for at in range(0, len(STREAM), size)]

    assert read_all(pieces) == EXPECTED


def test_a_cut_at_every_byte_gives_the_same_requests():
    for at in range(len(STREAM)):
        assert read_all([STREAM[:at], STREAM[at:]]) == EXPECTED


def test_header_names_keep_their_spelling_and_order():
    reader = RequestReader()
    reader.feed(b"GET / HTTP/1.1\r\nHost: a\r\nX-B: 1\r\nx-a:  2 \r\nX-B: 3\r\n\r\n")
    request = reader.next_request()

    assert request is not None
    assert request.headers == (("Host", "a"), ("X-B", "1"), ("x-a", "2"), ("X-B", "3"))
    assert request.values("x-b") == ["1", "3"]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"GET / HTTP/1.0\r\n" + HOST + b"\r\n", id="another version"),
        pytest.param(b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n", id="two blanks in the request line"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="no Host"),
        pytest.param(b"GET / HTTP/1.1\r\n" + HOST * 2 + b"\r\n", id="two Hosts"),
        pytest.param(b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n c\r\n\r\n", id="a folded header"),
        pytest.param(
            b"GET / HTTP/1.1\r\n" + HOST + b"A : b\r\n\r\n", id="a blank before the colon"
        ),
        pytest.param(b"GET / HTTP/1.1\r\n" + HOST + b"A: b\nC: d\r\n\r\n", id="a bare line feed"),
        pytest.param(b"GET / HTTP/1.1\r\n" + HOST + b"A: \x00\r\n\r\n", id="a NUL in a value"),
        pytest.param(
            b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
            id="two lengths",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\n"
            + HOST
            + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            id="a length and chunked",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: +1\r\n\r\na", id="a signed length"
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 67108865\r\n\r\n",
            id="a body over 64 MiB",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip\r\n\r\n", id="another coding"
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            id="a chunk size that is none",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
            id="a chunk longer than its size",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 2000,
            id="a chunk size without end",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\n",
            id="a chunk over 64 MiB",
        ),
        pytest.param(b"x" * 70_000, id="a head without end"),
    ],
)
def test_sloppy_framing_is_refused(data):
    reader = RequestReader()
    reader.feed(data)

    with pytest.raises(MalformedRequestError):
        reader.next_request()


def test_a_continue_is_due_once_and_only_before_the_body():
    reader = RequestReader()
    reader.feed(
        b"POST / HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    )

    assert reader.next_request() is None
    assert [reader.take_continue(), reader.take_continue()] == [True, False]


def test_no_continue_is_due_when_the_body_came_along():
    reader = RequestReader()
    head = b"POST / HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab"
    reader.feed(head)

    assert reader.next_request() is not None
    assert not reader.take_continue()


FORM_HEAD = b"POST /f HTTP/1.1\r\n" + HOST + b"Content-Type: " + FORM_TYPE.encode() + b"\r\n"


def measured(body: bytes) -> bytes:
    return FORM_HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body


def test_size_and_hash_are_of_the_body_as_it_came():
    reader = RequestReader()
    reader.feed(CHUNKED)
    request = reader.next_request()

    assert request is not None
    assert (request.size, request.sha256) == (7, hashlib.sha256(b"abcdefg").hexdigest())


def test_a_short_form_is_read_and_kept():
    reader = RequestReader()
    body = form_body(part("file", "hello", "a.txt"))
    reader.feed(measured(body) + BARE)
    request = reader.next_request()

    assert request is not None
    assert request.form is not None
    assert [one.content for one in request.form.parts] == [b"hello"]
    assert request.body == body
    assert reader.next_request() is not None


def test_a_form_longer_than_any_other_body_is_taken_at_flat_memory():
    reader = RequestReader()
    piece = b"x" * (1024 * 1024)
    count = MAX_BODY_BYTES // len(piece) + 6
    start = form_body(part("file", "", "a.bin"))[: -len(form_body()) - 2]
    end = b"\r\n" + form_body()
    length = len(start) + count * len(piece) + len(end)
    reader.feed(FORM_HEAD + b"Content-Length: %d\r\n\r\n" % length + start)
    assert reader.next_request() is None
    tracemalloc.start()
    try:
        for _ in range(count):
            reader.feed(piece)
            assert reader.next_request() is None
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    reader.feed(end)
    request = reader.next_request()

    assert request is not None
    assert (request.size, request.body) == (length, b"")
    assert request.form is not None
    assert request.form.parts[0].size == count * len(piece)
    assert peak < 32 * KEPT_FORM_BYTES


def test_a_request_whose_body_is_still_coming_can_be_looked_at():
    reader = RequestReader()
    assert reader.unfinished() is None

    reader.feed(measured(form_body(part("file", "hello", "a.txt")))[:-30])
    assert reader.next_request() is None
    unfinished = reader.unfinished()
    assert unfinished is not None
    assert unfinished.form is not None
    assert "closing boundary" in unfinished.form.fault


def test_what_comes_behind_a_request_can_be_taken_for_another_protocol():
    reader = RequestReader()
    reader.feed(BARE + b"\x81\x00")

    assert reader.next_request() is not None
    assert reader.take_rest() == b"\x81\x00"
    assert reader.take_rest() == b""
