"""The reader of responses: what it takes, what it refuses, and that no cut of the bytes changes either."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire.errors import HeadTooLarge, Malformed, TooManyFields, TooManyInterim, WireError
from app.wire.reading import ReadingLimits, ResponseReader

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\nx-a: b\r\n\r\n"
LIMITS = ReadingLimits()


class Read(NamedTuple):
    """What a reader made of some bytes."""

    status: int
    body: bytes
    is_over: bool
    failure: type[WireError] | None
    may_persist: bool


def one_by_one(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def read(reader: ResponseReader, reads: Iterable[bytes]) -> Read:
    body = b""
    for data in reads:
        if reader.is_over:  # the connection would be closed: bytes that nobody asked for
            reader.may_persist = False
            break
        body += reader.feed(data)
    failure = None if reader.failure is None else type(reader.failure)
    return Read(reader.status, body, reader.is_over, failure, reader.may_persist)


def reader_for(method: str = "POST", limits: ReadingLimits = LIMITS) -> ResponseReader:
    reader = ResponseReader(limits)
    reader.expect(method)
    return reader


WHOLE = [
    pytest.param(OK + b"Content-Length: 2\r\n\r\n{}", 200, b"{}", True, id="a length"),
    pytest.param(OK + b"content-length: 0\r\n\r\n", 200, b"", True, id="a length of 0"),
    pytest.param(CHUNKED + b"2\r\n{}\r\n1\r\nx\r\n0\r\n\r\n", 200, b"{}x", True, id="chunks"),
    pytest.param(CHUNKED + b"0\r\n\r\n", 200, b"", True, id="no chunk but the last"),
    pytest.param(
        CHUNKED + b"2;a=b\r\n{}\r\n0;c\r\n\r\n", 200, b"{}", True, id="chunks with extensions"
    ),
    pytest.param(
        CHUNKED + b"2\r\n{}\r\n0\r\nx-trailer: 1\r\n\r\n", 200, b"{}", True, id="trailers are ignored"
    ),
    pytest.param(b"HTTP/1.1 204 No\r\n\r\n", 204, b"", True, id="204 has no body"),
    pytest.param(
        b"HTTP/1.1 304 No\r\ncontent-length: 9\r\n\r\n", 304, b"", True, id="304 has none either"
    ),
    pytest.param(
        CONTINUE * 10 + OK + b"content-length: 1\r\n\r\nx", 200, b"x", True, id="ten 1xx are skipped"
    ),
    pytest.param(
        OK + b"connection: close\r\ncontent-length: 1\r\n\r\nx", 200, b"x", False, id="told to close"
    ),
    pytest.param(
        b"HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx", 200, b"x", False, id="HTTP/1.0 closes"
    ),
    pytest.param(
        b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 1\r\n\r\nx",
        200,
        b"x",
        True,
        id="HTTP/1.0 that keeps alive",
    ),
    pytest.param(
        b"HTTP/1.1 100 Go\r\ncontent-length: 0\r\n\r\n" + OK + b"content-length: 1\r\n\r\nx",
        200,
        b"x",
        True,
        id="an interim answer that says it has no body",
    ),
    pytest.param(
        CHUNKED + b"0\r\nconnection: close\r\n\r\n", 200, b"", False, id="told to close in a trailer"
    ),
    pytest.param(
        OK + b"transfer-encoding: chunked  \r\n\r\n0\r\n\r\n", 200, b"", True, id="a blank behind a value"
    ),
    pytest.param(b"HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n", 200, b"", True, id="no reason"),
    pytest.param(
        OK + b"connection: upgrade\r\nupgrade: h2\r\ncontent-length: 1\r\n\r\nx",
        200,
        b"x",
        True,
        id="an upgrade that was offered, and not taken",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("data", "status", "body", "may_persist"), WHOLE)
@pytest.mark.parametrize("cut", [lambda data: [data], one_by_one], ids=["at once", "byte by byte"])
def test_a_whole_response(data, status, body, may_persist, cut):
    assert Read(status, body, True, None, may_persist) == read(reader_for(), cut(data))


MALFORMED = [
    pytest.param(b"HTP/1.1 200 OK\r\n\r\n", Malformed, id="no HTTP"),
    pytest.param(b"220 smtp.example ready\r\n", Malformed, id="another protocol"),
    pytest.param(b"\x15\x03\x01\x00\x02\x02\x46", Malformed, id="a TLS alert"),
    pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Malformed, id="HTTP/2"),
    pytest.param(b"RTSP/1.0 200 OK\r\n\r\n", Malformed, id="RTSP"),
    pytest.param(b"HTTP/0.9 200 OK\r\ncontent-length: 0\r\n\r\n", Malformed, id="HTTP/0.9"),
    pytest.param(b"HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n", Malformed, id="HTTP/2.0 as text"),
    pytest.param(b"HTTP/1.2 200 OK\r\ncontent-length: 0\r\n\r\n", Malformed, id="HTTP/1.2"),
    pytest.param(b"\r\n" + OK + b"content-length: 0\r\n\r\n", Malformed, id="a blank line before it"),
    pytest.param(CONTINUE + b"HTTP/2.0 200 OK\r\n\r\n", Malformed, id="another version behind 1xx"),
    pytest.param(b"HTTP/1.1 abc OK\r\n\r\n", Malformed, id="no status"),
    pytest.param(b"HTTP/1.1 1000 OK\r\n\r\n", Malformed, id="a status of four digits"),
    pytest.param(b"HTTP/1.1 099 OK\r\n\r\n", Malformed, id="a status below 100"),
    pytest.param(b"HTTP/1.1 101 Go\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nx", Malformed, id="101"),
    pytest.param(CONTINUE * 11, TooManyInterim, id="eleven 1xx"),
    pytest.param(
        b"HTTP/1.1 100 Go\r\ncontent-length: 2\r\n\r\n{}", Malformed, id="an interim answer with a length"
    ),
    pytest.param(
        b"HTTP/1.1 103 Go\r\ntransfer-encoding: chunked\r\n\r\n", Malformed, id="an interim answer in chunks"
    ),
    pytest.param(OK + b"content-length: 2\r\ncontent-length: 2\r\n\r\n{}", Malformed, id="a length twice"),
    pytest.param(OK + b"content-length: 2, 2\r\n\r\n{}", Malformed, id="a list of lengths"),
    pytest.param(OK + b"content-length: -1\r\n\r\n", Malformed, id="a negative length"),
    pytest.param(OK + b"content-length: +1\r\n\r\nx", Malformed, id="a signed length"),
    pytest.param(OK + b"content-length: \r\n\r\n", Malformed, id="an empty length"),
    pytest.param(
        OK + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n", Malformed, id="H6: both"
    ),
    pytest.param(OK + b"transfer-encoding: gzip, chunked\r\n\r\n", Malformed, id="a coding beside chunks"),
    pytest.param(
        OK + b"transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n", Malformed, id="the same, split"
    ),
    pytest.param(OK + b"transfer-encoding: chunked\t\r\n\r\n", Malformed, id="chunked and a tab"),
    pytest.param(OK + b"transfer-encoding: chunked, gzip\r\n\r\n", Malformed, id="chunks not last"),
    pytest.param(OK + b"transfer-encoding: identity\r\n\r\n", Malformed, id="identity as coding"),
    pytest.param(
        b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", Malformed, id="chunks from HTTP/1.0"
    ),
    pytest.param(CHUNKED + b"zz\r\n", Malformed, id="a chunk without size"),
    pytest.param(CHUNKED + b"fffffffffffffffff\r\n", Malformed, id="a chunk above 64 bits"),
    pytest.param(CHUNKED + b"1\r\nxx\r\n", Malformed, id="a chunk longer than its size"),
    pytest.param(OK + b"a b: c\r\n\r\n", Malformed, id="a name with a blank"),
    pytest.param(OK + b"a : c\r\n\r\n", Malformed, id="a blank before the colon"),
    pytest.param(OK + b"a: b\r\n c\r\n\r\n", Malformed, id="a folded line"),
    pytest.param(OK + b"a: b\nc: d\r\n\r\n", Malformed, id="a bare line feed"),
    pytest.param(OK + b"a: b\0\r\n\r\n", Malformed, id="H5: NUL in a value"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "failure"), MALFORMED)
@pytest.mark.parametrize("cut", [lambda data: [data], one_by_one], ids=["at once", "byte by byte"])
def test_a_response_that_is_refused(data, failure, cut):
    found = read(reader_for(), cut(data))

    assert (True, failure, False) == (found.is_over, found.failure, found.may_persist)


def test_names_are_lower_case_repetitions_stay_and_trailers_are_no_fields():
    reader = reader_for()

    reader.feed(OK + b"X-A: 1\r\nx-a:2 \t \r\nX-B:\r\ntransfer-encoding: chunked\r\n\r\n")
    fields = list(reader.fields)
    reader.feed(b"1\r\nx\r\n0\r\nauthorization: evil\r\n\r\n")

    assert [(b"x-a", b"1"), (b"x-a", b"2"), (b"x-b", b"")] == fields[:3]
    assert fields == reader.fields


def test_trailers_and_interim_fields_are_not_those_of_the_next_response():
    reader = reader_for()
    reader.feed(CHUNKED + b"0\r\nx-trailer: 1\r\n\r\n")

    reader.expect("GET")
    reader.feed(CONTINUE + OK + b"content-length: 0\r\n\r\n")

    assert [(b"content-length", b"0")] == reader.fields


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"timeout=5", 5),
        (b"timeout=5, max=100", 5),
        (b'max=100, Timeout = "7"', 7),
        (b"max=100", float("inf")),
        (b"xtimeout=5", float("inf")),
        (b"timeout=soon", float("inf")),
        (b"timeout=-5", float("inf")),
    ],
)
def test_how_long_the_upstream_keeps_an_idle_connection(value, seconds):
    reader = reader_for()

    reader.feed(OK + b"Keep-Alive: " + value + b"\r\ncontent-length: 0\r\n\r\n")

    assert seconds == reader.kept_seconds


def test_what_came_before_a_fault_is_handed_out_with_it():
    """Reliability H8: what was sent is known."""
    reader = reader_for()

    assert reader.feed(CHUNKED + b"2\r\n{}\r\nzz\r\n") == b"{}"
    assert type(reader.failure) is Malformed


@pytest.mark.parametrize(
    "length", [b"content-length: 9\r\n", b"transfer-encoding: chunked\r\n", b""]
)
def test_a_head_request_is_answered_by_a_head_alone(length):
    found = read(reader_for("HEAD"), [OK + length + b"\r\n"])

    assert (200, b"", True, None) == found[:4]


def test_a_body_in_answer_to_head_is_surplus():
    found = read(reader_for("HEAD"), [OK + b"content-length: 9\r\n\r\nsmuggled!"])

    assert Read(200, b"", True, None, False) == found


@pytest.mark.parametrize(
    ("data", "is_end"),
    [
        pytest.param(OK + b"\r\nsome", True, id="a body without length ends with its connection"),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\n", True, id="be it empty"),
        pytest.param(OK + b"content-length: 9\r\n\r\nsome", False, id="a length is not reached"),
        pytest.param(
            OK + b"connection: close\r\ncontent-length: 9\r\n\r\nsome", False, id="nor with close"
        ),
        pytest.param(CHUNKED + b"4\r\nsome\r\n", False, id="the last chunk is missing"),
        pytest.param(CHUNKED + b"4\r\nsome\r\n0\r\n", False, id="the last line is missing"),
        pytest.param(b"HTTP/1.1 20", False, id="in the head"),
        pytest.param(CONTINUE, False, id="behind an interim answer"),
        pytest.param(b"", False, id="before anything"),
    ],
)
def test_whether_the_end_of_the_connection_is_the_end_of_the_response(data, is_end):
    reader = reader_for()
    reader.feed(data)

    assert (is_end, is_end) == (reader.eof(), reader.is_over)
    assert not (is_end and reader.may_persist)


@pytest.mark.parametrize(
    "surplus", [b"x", b"HT", OK + b"content-length: 0\r\n\r\n", b"HTTP/1.1 100 Go\r\n\r\n"]
)
@pytest.mark.parametrize(
    "data",
    [OK + b"content-length: 2\r\n\r\n{}", CHUNKED + b"0\r\n\r\n", b"HTTP/1.1 204 No\r\n\r\n"],
)
def test_more_than_the_response_spoils_the_connection_and_not_the_response(data, surplus):
    """Reliability R15: response splitting."""
    found = read(reader_for(), [data + surplus])

    assert (True, None, False) == (found.is_over, found.failure, found.may_persist)
    assert b"HT" not in found.body


# --- bounds (reliability R15) ---------------------------------------------------------------------------------------


def test_a_head_may_be_as_long_as_its_bound_and_not_a_byte_longer():
    head = OK + b"content-length: 2\r\nx: "
    head += b"a" * (LIMITS.head_bytes - len(head) - 4) + b"\r\n\r\n"
    assert LIMITS.head_bytes == len(head)

    assert b"{}" == read(reader_for(), [head + b"{}"]).body
    assert HeadTooLarge is read(reader_for(), [head.replace(b"x: ", b"x: a") + b"{}"]).failure


@pytest.mark.parametrize("size", [1, 1000, LIMITS.head_bytes * 2])
@pytest.mark.parametrize(
    "data", [OK + b"x: ", OK + b"x", CONTINUE[:-4] + b"x", b"HTTP/1.1 200 "], ids=["value", "name", "1xx", "reason"]
)  # fmt: skip
def test_what_never_ends_in_a_head_is_bounded(data, size):
    reader = reader_for(limits=ReadingLimits(head_bytes=20_000))
    endless = data + b"a" * 30_000

    found = read(reader, [endless[at : at + size] for at in range(0, len(endless), size)])

    assert HeadTooLarge is found.failure


def test_interim_answers_count_into_the_head():
    reader = reader_for(limits=ReadingLimits(head_bytes=len(CONTINUE) * 3))

    assert HeadTooLarge is read(reader, [CONTINUE] * 4).failure


def test_a_large_body_behind_a_small_head_in_one_read_is_no_large_head():
    size = LIMITS.head_bytes * 2
    found = read(reader_for(), [OK + b"content-length: %d\r\n\r\n" % size + b"x" * size])

    assert (200, size, True, None, True) == (found[0], len(found.body), *found[2:])


def test_a_second_response_behind_the_bound_of_the_head_is_surplus():
    data = OK + b"content-length: 0\r\n\r\n"
    found = read(reader_for(limits=ReadingLimits(head_bytes=len(data))), [data + data])

    assert Read(200, b"", True, None, False) == found


@pytest.mark.parametrize(("count", "failure"), [(200, None), (201, TooManyFields)])
def test_fields_are_counted(count, failure):
    fields = b"".join(b"x-%d: y\r\n" % number for number in range(count - 1))

    assert failure is read(reader_for(), [OK + fields + b"content-length: 0\r\n\r\n"]).failure


@pytest.mark.parametrize(
    "padding",
    [b"1;" + b"x" * 200_000, b"0\r\nx: " + b"y" * 200_000, b"0\r\n" + b"x: y\r\n" * 40_000],
    ids=["a chunk extension", "a trailer", "trailers"],
)
@pytest.mark.parametrize("size", [1000, 10**9])
def test_padding_around_chunks_is_bounded(padding, size):
    reader = reader_for()
    reader.feed(CHUNKED + b"1\r\nx\r\n")

    found = read(reader, [padding[at : at + size] for at in range(0, len(padding), size)])

    assert Malformed is found.failure


def test_a_body_of_single_byte_chunks_is_not_padding():
    reader = reader_for()
    reader.feed(CHUNKED)

    assert read(reader, [b"1\r\nx\r\n"] * 50_000).failure is None


# --- any cut (style 5.5) --------------------------------------------------------------------------------------------

TOKENS = st.text("abcdefgh-XYZ", min_size=1, max_size=12).map(str.encode)
NAMES = TOKENS.map(lambda token: b"x-" + token)
FIELDS = st.lists(st.tuples(NAMES, TOKENS), max_size=5)
BODIES = st.lists(st.binary(min_size=1, max_size=40), max_size=4)


def _written(status: int, fields: Sequence[tuple[bytes, bytes]], chunks: list[bytes], how: str) -> bytes:  # fmt: skip
    head = b"HTTP/1.1 %d Said\r\n" % status + b"".join(b"%b: %b\r\n" % pair for pair in fields)
    body = b"".join(chunks)
    if how == "length":
        return head + b"content-length: %d\r\n\r\n" % len(body) + body
    framed = b"".join(b"%x;ext=1\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return head + b"transfer-encoding: chunked\r\n\r\n" + framed + b"0\r\nx-trailer: 1\r\n\r\n"


RESPONSES = st.builds(
    _written, st.integers(200, 203), FIELDS, BODIES, st.sampled_from(["length", "chunks"])
)


@given(st.lists(RESPONSES, min_size=1, max_size=3), st.booleans(), st.data())
def test_any_cut_of_any_responses_reads_the_same(responses, has_interim, data):
    reader = ResponseReader(LIMITS)
    for response in responses:
        sent = CONTINUE + response if has_interim else response
        places = data.draw(st.lists(st.integers(0, len(sent)), max_size=8).map(sorted))
        reads = [sent[a:b] for a, b in zip([0, *places], [*places, len(sent)], strict=True)]
        at_once = reader_for()
        expected = read(at_once, [sent])

        reader.expect("POST")
        found = read(reader, [each for each in reads if each])

        assert (expected, at_once.fields) == (found, reader.fields)
        assert (True, None, True) == found[2:]
