"""Bytes in, requests out, however they are cut (reliability S2, S31; contract B8, R4)."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import ClientError
from app.edge.client_request import ClientRequest
from app.edge.request_reader import RequestReader
from app.edge.surroundings import Surroundings
from app.wire.outbox import Outgoing
from app.wire.web_socket import WebSocket

HEAD = b"POST /a?b=c HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nx-a: 2\r\n"
SIZED = HEAD + b"Content-Length: 5\r\n\r\nhello"
CHUNKED = (
    HEAD
    + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nAuthorization: late\r\n\r\n"
)
BARE = b"GET /models HTTP/1.1\r\nHost: x\r\n\r\n"
OFFER = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
OFFERED = SIZED.replace(b"Content-Length", OFFER + b"Content-Length")
OFFERED_CHUNKED = CHUNKED.replace(b"Transfer-Encoding", OFFER + b"Transfer-Encoding")
OFFERED_BARE = BARE.replace(b"\r\n\r\n", b"\r\n" + OFFER + b"\r\n")
LAST = BARE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


class FakeWire:
    """A connection without a socket: a reader's requests are never answered here."""

    is_full = is_stopping = False
    address = "127.0.0.1"
    surroundings = Surroundings(lambda: 0.0)
    out = Outgoing(asyncio.Transport(), surroundings.outbox)

    def mind_reading(self) -> None:
        pass

    def await_body(self) -> None:
        pass

    def cut_short(self, *, is_framed) -> None:
        raise AssertionError("nothing was begun")

    def give_over(self, subprotocol) -> WebSocket:
        raise AssertionError("nothing was answered")

    def when_room(self, callback) -> None:
        raise AssertionError(callback)

    def finished(self, request) -> None:
        raise AssertionError(request)

    def cut(self) -> None:
        raise AssertionError("nothing was begun")


def read(*pieces: bytes):
    """The requests in *pieces*, as method, path, names of fields and body; and the reader."""
    requests: list[ClientRequest] = []
    reader = RequestReader(FakeWire(), requests.append)
    for piece in pieces:
        reader.feed(piece)
    return [
        (one.method, one.path, [name for name, _ in one.headers], one._taken())
        for one in requests
        if one.is_whole
    ], reader


STREAM = SIZED + CHUNKED + BARE + OFFERED + OFFERED_CHUNKED + OFFERED_BARE + b"\r\n" + SIZED + LAST
WHOLE, _ = read(STREAM)


def test_each_request_comes_out_in_order():
    methods = [request[0] for request in WHOLE]
    bodies = [request[3] for request in WHOLE]

    assert ["POST", "POST", "GET", "POST", "POST", "GET", "POST", "GET"] == methods
    assert [b"hello", b"hello", b"", b"hello", b"hello", b"", b"hello", b""] == bodies


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16, 64, 100])
def test_the_size_of_the_reads_makes_no_difference(size):
    pieces = [STREAM[at : at + size] for at in range(0, len(STREAM), size)]

    assert read(*pieces)[0] == WHOLE


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_nor_does_where_they_are_cut(places):
    cuts = sorted({0, *places, len(STREAM)})

    assert read(*[STREAM[a:b] for a, b in pairwise(cuts) if b > a])[0] == WHOLE


@given(st.binary(max_size=200), st.integers(0, len(STREAM)))
def test_s31_nothing_is_more_than_refused(junk, place):
    reader = RequestReader(FakeWire(), lambda request: None)
    try:
        reader.feed(STREAM[:place] + junk)
        reader.feed(STREAM[place:])
    except ClientError as error:
        assert error.status in (400, 431)  # noqa: PT017 nothing else may be raised


def test_f7_trailers_are_no_headers():
    (request,), _ = read(CHUNKED)

    assert [b"host", b"x-a", b"x-a", b"transfer-encoding"] == request[2]


def test_f7_nor_those_of_the_request_behind():
    requests, _ = read(CHUNKED + BARE)

    assert [b"host"] == requests[1][2]


def test_what_follows_the_last_request_is_none():
    requests, _ = read(LAST + BARE, b"rubbish", BARE)

    assert 1 == len(requests)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\nX" + b"\r\n", id="a field without a colon"),
        pytest.param(b"GET /x\nHost: a\r\n\r\nbody", id="F6: HTTP/0.9, with a body"),
        pytest.param(b"GET /x\r\n\r\n", id="F4: HTTP/0.9"),
        pytest.param(b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", id="F4: HTTP/2.0"),
        pytest.param(b"GET / HTTP/1.2\r\nHost: x\r\n\r\n", id="F5: HTTP/1.2"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="F5: HTTP/2's preface"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="S1: no Host"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", id="S1: two Hosts"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a/x?y=\r\n\r\n", id="S1: no host"),
        pytest.param(HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", id="S2"),
        pytest.param(HEAD + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\n", id="S2: twice"),
        pytest.param(HEAD + b"Content-Length: +3\r\n\r\n", id="F5: a sign"),
        pytest.param(HEAD + b"Content-Length: 0x3\r\n\r\n", id="F5: hexadecimal"),
        pytest.param(HEAD + b"Content-Length: \r\n\r\n", id="an empty length"),
        pytest.param(HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n", id="S2: two codings"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked, gzip\r\n\r\n", id="F5: gzip last"),
        pytest.param(HEAD + b"X: a\r\n b\r\n\r\n", id="S2: folded"),
        pytest.param(HEAD + b"X: a\nY: b\r\n\r\n", id="F5: a bare line feed"),
        pytest.param(HEAD + b"X: a\0\r\n\r\n", id="F5: NUL"),
        pytest.param(HEAD + b"X : a\r\n\r\n", id="F5: a blank before the colon"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", id="F5: a chunk's size"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 17 + b"\r\n", id="F5"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nabc", id="a chunk too long"),
        pytest.param(b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", id="F5: an eight-bit target"),
        pytest.param(b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", id="a tunnel"),
        pytest.param(b"CONNECT / HTTP/1.1\r\nHost: x\r\n\r\n", id="a tunnel to nowhere"),
        pytest.param(b"GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", id="S4: a fragment"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01", id="TLS"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "before", [b"", BARE, SIZED], ids=["alone", "behind a GET", "behind a POST"]
)
def test_b6_what_is_no_http_is_refused(before, sent):
    with pytest.raises(ClientError) as raised:
        read(before + sent)

    assert 400 == raised.value.status


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([b"x: y\r\n"] * 40000, id="S2: trailers that never end"),
        pytest.param([b"x: ", *[b"y" * 4096] * 50], id="S2: a trailer that never ends"),
    ],
)
def test_s2_trailers_are_bounded(pieces):
    with pytest.raises(ClientError):
        read(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", *pieces)


def test_s2_so_are_the_extensions_of_chunks():
    with pytest.raises(ClientError):
        read(
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[b"1;" + b"e" * 500 + b"\r\nx\r\n"] * 200
        )


def test_single_bytes_in_chunks_are_a_body():
    requests, _ = read(
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[b"1\r\nx\r\n"] * 20000, b"0\r\n\r\n"
    )

    assert b"x" * 20000 == requests[0][3]


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        pytest.param([b"GET /" + b"a" * 9000], 414, id="F34: a target that never ends"),
        pytest.param([b"GET /", *[b"a" * 1000] * 9], 414, id="F34: nor does it piece by piece"),
        pytest.param([b"GET /" + b"a" * 9000 + BARE[11:]], 414, id="F34: a whole head"),
        pytest.param([b"GET / HTTP/1.1\r\nx: ", *[b"y" * 8192] * 12], 431, id="F34: a field"),
        pytest.param([b"GET / HTTP/1.1\r\n", *[b"x: y\r\n"] * 20000], 431, id="F34: fields"),
        pytest.param(
            [b"GET / HTTP/1.1\r\nHost: x\r\n" + b"x: y\r\n" * 100 + b"\r\n"], 431, id="R1: 101 fields"
        ),
        pytest.param([b"GET / HTTP/1.1\r\nx: " + b"y" * 70000 + b"\r\n\r\n"], 431, id="F34: at once"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("before", [[], [SIZED]], ids=["alone", "behind another"])
def test_f34_a_head_is_bounded(before, pieces, status):
    with pytest.raises(ClientError) as raised:
        read(*before, *pieces)

    assert status == raised.value.status


def test_a_large_body_before_a_small_head_is_not_counted_to_it():
    large = HEAD + b"Content-Length: 200000\r\n\r\n" + b"x" * 200000

    requests, reader = read(large[:100], large[100:] + BARE[:20], BARE[20:-2], BARE[-2:])

    assert ["POST", "GET"] == [request[0] for request in requests]
    assert reader.is_between


SOCKET = OFFERED_BARE.replace(b"h2c", b"websocket")


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_nothing_is_read_behind_the_opening_of_a_websocket(size):
    """Whose bytes those are, its answer decides."""
    stream = SIZED + SOCKET
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    pieces[-1] += BARE
    requests, reader = read(*pieces)

    assert ["POST", "GET"] == [request[0] for request in requests]
    assert (BARE, True) == (reader.behind, reader.offer is not None)
    reader.offer = None
    reader.feed(reader.behind)
    assert reader.is_between


@pytest.mark.parametrize(
    "offer",
    [
        SIZED.replace(
            b"Content-Length", b"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length"
        ),
        SOCKET.replace(b"GET", b"POST"),
        SOCKET.replace(b"HTTP/1.1", b"HTTP/1.0"),
        SOCKET.replace(b"Connection: Upgrade\r\n", b""),
    ],
    ids=["with a body", "by a POST", "of HTTP/1.0", "that Connection does not name"],
)
def test_another_offer_is_a_request_like_any(offer):
    requests, reader = read(offer)

    assert (1, None) == (len(requests), reader.offer)


@pytest.mark.parametrize("request_", [BARE, OFFERED_BARE], ids=["plain", "that offer an upgrade"])
def test_one_read_holds_a_bounded_number_of_requests(request_):
    """Behind a large chunked body nobody counts them first."""
    with pytest.raises(ClientError, match="too many others"):
        read(request_ * 5000)


def test_a_request_that_is_none_is_refused_behind_an_offer_as_anywhere():
    with pytest.raises(ClientError, match="more than one Host"):
        read(OFFERED_BARE + BARE.replace(b"\r\n\r\n", b"\r\nHost: y\r\n\r\n"))
