"""
The contract of `upstreams.client`, whoever sends: requests, framing, and how an answer may break (reliability R15, S7).

A test here knows the seam and a scripted socket, and no library. What else the two keep: the other `test_sender_*`.
"""

import asyncio

import pytest

from app.domain.errors import (
    GatewayError,
    UpstreamDisconnected,
    UpstreamMalformed,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from tests.fakes.scripted_upstream import (
    LAST_CHUNK,
    SECONDS,
    End,
    Pause,
    chunked,
    head,
    sse_head,
    whole,
)
from tests.upstreams.both_senders import (
    BODY,
    TAKEN,
    read_all,
    request_of,
    same_for,
    sent,
    within,
)

GET = "GET"
CHUNKS = {"transfer-encoding": "chunked"}


async def test_a_request_goes_out_as_it_is_and_nothing_is_added(upstream, sender):
    upstream.tell(whole(b"{}"))

    assert await read_all(sender, request_of(upstream)) == (200, b"{}")

    seen = upstream.seen[0]
    host = f"127.0.0.1:{upstream.port}"
    assert ("POST", "/v1/x?y=1", BODY) == (seen.method, seen.target, seen.body)
    assert {"host": host, "content-length": "7", "a": "b"} == dict(seen.headers)


async def test_a_request_s_own_fields_stand_beside_the_prepared_ones(upstream, sender):
    upstream.tell(whole(b"{}"))

    await read_all(sender, request_of(upstream, headers=[(b"x-request-id", b"r"), (b"a", b"c")]))

    headers = upstream.seen[0].headers
    assert [("a", "b"), ("a", "c")] == [pair for pair in headers if pair[0] == "a"]
    assert ("x-request-id", "r") in headers


@pytest.mark.parametrize("value", [b"a\r\nx: y", b"a\nb", b"a\rb", b"a\0b"])
async def test_a_field_that_would_smuggle_another_is_not_sent(upstream, sender, value):
    with pytest.raises(ValueError, match="line break"):
        await sender.send(request_of(upstream, headers=[(b"x", value)]))

    assert 0 == len(upstream.seen)


async def test_a_get_has_no_length_and_an_empty_post_has(upstream, sender):
    upstream.tell(whole(b"{}"))

    await read_all(sender, request_of(upstream, GET))
    await read_all(sender, request_of(upstream, body=b""))

    assert [None, "0"] == [seen.header("content-length") for seen in upstream.seen]


async def test_header_names_are_lower_case_and_repetitions_stay(upstream, sender):
    upstream.tell(head(200, [("X-A", "1"), ("x-a", "2"), ("Content-Length", "0")]))

    response = await sent(sender, request_of(upstream))
    await response.aclose()

    assert [(b"x-a", b"1"), (b"x-a", b"2")] == response.headers[:2]


async def test_a_redirect_is_not_followed_and_a_cookie_not_kept(upstream, sender):
    upstream.tell(head(302, {"location": "/elsewhere", "set-cookie": "a=b", "content-length": "0"}))

    assert [await read_all(sender, request_of(upstream)) for _ in range(2)] == [(302, b"")] * 2
    assert ["/v1/x?y=1"] * 2 == [seen.target for seen in upstream.seen]
    assert upstream.seen[1].header("cookie") is None


# --- framing --------------------------------------------------------------------------------------------------------

ANSWERS = [
    pytest.param("POST", [whole(b"{}")], 200, b"{}", id="a length"),
    pytest.param("POST", [whole(b"{}")[:-1], Pause(0.01), b"}"], 200, b"{}", id="a body in two"),
    pytest.param("POST", [whole(b"")], 200, b"", id="a length of 0"),
    pytest.param(
        "POST", [head(200, CHUNKS) + chunked(b"ab") + chunked(b"c") + LAST_CHUNK], 200, b"abc", id="chunks"
    ),
    pytest.param(
        "POST", [head(200, CHUNKS) + b"2;ext=1\r\nab\r\n" + LAST_CHUNK], 200, b"ab", id="a chunk extension"
    ),
    pytest.param(
        "POST",
        [head(200, CHUNKS) + chunked(b"ab") + b"0\r\nx-trailer: 1\r\n\r\n"],
        200,
        b"ab",
        id="trailers are ignored",
    ),
    pytest.param("POST", [head(200) + b"to ", Pause(0.01), b"it", End.CLOSE], 200, b"to it", id="until it closes"),
    pytest.param("POST", [head(204)], 204, b"", id="204"),
    pytest.param("GET", [head(304, {"content-length": "9"})], 304, b"", id="304 with a length"),
    pytest.param("HEAD", [head(200, {"content-length": "9"})], 200, b"", id="HEAD with a length"),
    pytest.param("HEAD", [head(200, CHUNKS)], 200, b"", id="HEAD with chunks"),
    pytest.param("POST", [head(100) + whole(b"{}")], 200, b"{}", id="100 is skipped"),
    pytest.param("POST", [head(103), Pause(0.01), head(102), whole(b"{}")], 200, b"{}", id="103 and 102 too"),
    pytest.param("POST", [head(100) * 10 + whole(b"{}")], 200, b"{}", id="ten of them"),
    pytest.param("POST", [b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}", End.CLOSE], 200, b"{}", id="HTTP/1.0"),
    pytest.param("POST", [b"HTTP/1.1 200\r\ncontent-length: 2\r\n\r\n{}"], 200, b"{}", id="no reason phrase"),
    pytest.param("POST", [whole(b"{}", 529)], 529, b"{}", id="a status of nobody's"),
]  # fmt: skip


@pytest.mark.parametrize("way", sorted(TAKEN))
@pytest.mark.parametrize(("method", "script", "status", "body"), ANSWERS)
async def test_how_an_answer_may_be_framed(upstream, sender, way, method, script, status, body):
    upstream.tell(*script)

    assert (status, body) == await TAKEN[way](sender, request_of(upstream, method))


@pytest.mark.parametrize("way", sorted(TAKEN))
async def test_an_answer_may_come_byte_by_byte(upstream, sender, way):
    data = head(103) + sse_head() + chunked(b"data: 1\n\n") + LAST_CHUNK
    upstream.tell(*(data[i : i + 1] for i in range(len(data))))

    assert (200, b"data: 1\n\n") == await TAKEN[way](sender, request_of(upstream))


async def test_a_trailer_is_no_header(upstream, sender):
    """Reliability F7: it would appear there late."""
    upstream.tell(head(200, CHUNKS) + chunked(b"ab") + b"0\r\nauthorization: x\r\n\r\n")
    response = await sent(sender, request_of(upstream))

    while await response.read(SECONDS):
        pass
    await response.aclose()

    assert [(b"transfer-encoding", b"chunked")] == response.headers


# --- how it may break -----------------------------------------------------------------------------------------------

DISCONNECTED, MALFORMED = UpstreamDisconnected, UpstreamMalformed
BROKEN = [
    pytest.param([End.CLOSE], DISCONNECTED, id="closed before the head"),
    pytest.param([End.RESET], DISCONNECTED, id="reset before the head"),
    pytest.param([b"HTTP/1.1 200 O", End.CLOSE], DISCONNECTED, id="cut in the head"),
    pytest.param([b"HTTP/1.1 200 OK\r\nx: y\r\n", End.RESET], DISCONNECTED, id="reset in the head"),
    pytest.param([head(100), End.CLOSE], DISCONNECTED, id="closed behind an interim answer"),
    pytest.param([b"HTP/1.1 200 OK\r\n\r\n"], MALFORMED, id="no HTTP"),
    pytest.param([b"HTTP/1.1 abc OK\r\n\r\n"], MALFORMED, id="no status"),
    pytest.param([b"220 smtp.example ready\r\n\r\n"], MALFORMED, id="another protocol"),
    pytest.param([b"<html>hello", End.CLOSE], MALFORMED, id="H3: HTTP/0.9"),
    pytest.param([b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", End.HOLD], MALFORMED, id="H3: HTTP/2"),
    pytest.param([b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", End.HOLD], MALFORMED, id="H3: HTTP/2's preface"),
    pytest.param([b"\x15\x03\x01\x00\x02\x02\x46", End.CLOSE], MALFORMED, id="H3: a TLS alert"),
    pytest.param([head(200, [("a b", "c")])], MALFORMED, id="a header name with a blank"),
    pytest.param([head(200, [("a", "b\0c"), ("content-length", "0")])], MALFORMED, id="H5: NUL in a value"),
    pytest.param([head(200, [("a", "b\rc"), ("content-length", "0")])], MALFORMED, id="H5: CR in a value"),
    pytest.param([head(101, {"upgrade": "x"}), End.HOLD], MALFORMED, id="101 that nobody asked for"),
    pytest.param([head(100) * 11, End.HOLD], MALFORMED, id="R15: eleven interim answers"),
    pytest.param([head(100), Pause(0.01)] * 11 + [End.HOLD], MALFORMED, id="R15: one after the other"),
    pytest.param([head(200, {"a": "b" * 110_000}), End.HOLD], MALFORMED, id="R15: a head over 100 KiB"),
    pytest.param([head(200, {"a": "b" * 1_000_000})[:-4], End.HOLD], MALFORMED, id="R15: a head without an end"),
    pytest.param([head(200, [("a", "b")] * 201), End.HOLD], MALFORMED, id="R15: 201 fields"),
    pytest.param(
        [head(200, [("content-length", "2"), ("content-length", "3")]), b"{}x"], MALFORMED, id="H6: two lengths"
    ),
    pytest.param([head(200, [("content-length", "2, 3")]), b"{}x"], MALFORMED, id="H6: two lengths in one field"),
    pytest.param(
        [head(200, [("content-length", "2"), ("transfer-encoding", "chunked")]), b"2\r\n{}\r\n" + LAST_CHUNK],
        MALFORMED,
        id="H6: a length beside chunks",
    ),
    pytest.param([head(200, [("content-length", "-1")])], MALFORMED, id="a negative length"),
    pytest.param([head(200, [("content-length", "+2")]), b"{}"], MALFORMED, id="a length with a sign"),
    pytest.param([head(200, [("content-length", "0x2")]), b"{}"], MALFORMED, id="a length in hex"),
    pytest.param(
        [head(200, {"content-length": "9"}) + b"{}", End.CLOSE], DISCONNECTED, id="shorter than its length"
    ),
    pytest.param([sse_head() + chunked(b"data: 1\n\n"), End.CLOSE], DISCONNECTED, id="no last chunk"),
    pytest.param([sse_head() + b"9\r\ndata", End.CLOSE], DISCONNECTED, id="cut in a chunk"),
    pytest.param([sse_head() + chunked(b"data: 1\n\n"), End.RESET], DISCONNECTED, id="reset mid-way"),
    pytest.param([sse_head() + b"zz\r\n{}\r\n"], MALFORMED, id="a chunk without size"),
    pytest.param([sse_head() + b"f" * 40 + b"\r\n{}\r\n"], MALFORMED, id="a chunk larger than any"),
    pytest.param([sse_head() + b"2\r\n{}x\r\n"], MALFORMED, id="a chunk longer than its size"),
    pytest.param([head(200), b"until", End.RESET], DISCONNECTED, id="reset where the end is the close"),
]  # fmt: skip


@pytest.mark.parametrize("way", sorted(TAKEN))
@pytest.mark.parametrize(("script", "error"), BROKEN)
async def test_how_an_answer_may_break(upstream, sender, way, script, error):
    upstream.tell(*script)

    with pytest.raises(GatewayError) as caught:
        await TAKEN[way](sender, request_of(upstream))

    assert error is type(caught.value)
    assert "'up'" in caught.value.message


@pytest.mark.parametrize(
    ("what", "script"),
    [
        ("a line feed in a value", [head(200, [("a", "b\nc: d"), ("content-length", "0")])]),
        ("a length twice", [head(200, [("content-length", "2"), ("content-length", "2")]), b"{}"]),
        ("a folded line", [head(200, [("a", "b\r\n c"), ("content-length", "0")])]),
    ],
)
async def test_what_a_strict_reader_refuses(upstream, sender, kind, what, script):
    same_for(kind, what)
    upstream.tell(*script)

    with pytest.raises(UpstreamMalformed):
        await read_all(sender, request_of(upstream))


async def test_a_broken_answer_s_connection_is_closed(upstream, sender):
    upstream.tell(head(200, [("content-length", "2"), ("transfer-encoding", "chunked")]), End.HOLD)

    with pytest.raises(UpstreamMalformed):
        await sender.send(request_of(upstream))

    await upstream.all_gone()


async def test_endless_chunk_extensions_end(upstream, sender):
    """Reliability H6: nothing of them is body, so nothing else would."""
    upstream.tell(sse_head() + b"1;" + b"x" * 2_000_000, End.HOLD)

    with pytest.raises((UpstreamMalformed, UpstreamTimeout)):
        await read_all(sender, request_of(upstream, deadlines=within(total_seconds=0.5)))


# --- not even reached -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("port", [1, 9])
async def test_a_port_where_nobody_listens_is_unreachable(sender, port):
    with pytest.raises(UpstreamUnreachable):
        await sent(sender, request_of(f"http://127.0.0.1:{port}/", GET))


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/latest", "http://[fe80::1]/", "http://[::ffff:a9fe:a9fe]/"]
)
async def test_s7_a_forbidden_address_is_unreachable(sender, url):
    with pytest.raises(UpstreamUnreachable):
        await sent(sender, request_of(url, GET))


async def test_a_name_nobody_knows_is_unreachable(sender):
    with pytest.raises(UpstreamUnreachable):
        await sent(sender, request_of("http://no-such-name.invalid/", GET))


async def test_a_name_is_tried_at_each_of_its_addresses(upstream, sender):
    """`localhost` is ::1 too, where nobody listens."""
    upstream.tell(whole(b"{}"))

    request = request_of(f"http://localhost:{upstream.port}/", GET)

    assert (200, b"{}") == await read_all(sender, request)


async def test_many_requests_at_once_each_get_their_own_answer(upstream, make):
    sender = make(max_connections=50)
    upstream.answer = lambda seen: [whole(seen.header("x-number").encode())]

    async def ask(number: int) -> bytes:
        request = request_of(upstream, headers=[(b"x-number", b"%d" % number)])
        return (await read_all(sender, request))[1]

    answers = await asyncio.gather(*map(ask, range(50)))

    assert [b"%d" % number for number in range(50)] == answers
