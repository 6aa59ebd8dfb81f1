"""
The contract of `upstreams.client`, whoever sends (reliability R6, R15, S7; contract G9, C9).

A test here knows the seam and a scripted socket, and no library.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.domain.configuration import Timeouts
from app.domain.errors import (
    GatewayError,
    Overloaded,
    UpstreamDisconnected,
    UpstreamMalformed,
    UpstreamUnreachable,
)
from app.upstreams.client import Sender, UpstreamRequest
from app.upstreams.httpx_sender import HttpxSender, system_trust
from tests.fakes.scripted_upstream import (
    LAST_CHUNK,
    SECONDS,
    End,
    ScriptedUpstream,
    chunked,
    head,
    scripted,
    sse_head,
    whole,
)

GET = "GET"
BODY = b'{"a":1}'
TRUST = system_trust()
LIMITS = Timeouts(connect_seconds=SECONDS, pool_wait_seconds=0.05)


def httpx2_sender() -> Sender:
    return HttpxSender("up", LIMITS, max_connections=1, keepalive_seconds=30, ssl_context=TRUST)


SENDERS = {"httpx2": httpx2_sender}  # whatever sends, keeps all of this


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with scripted() as one:
        yield one


@pytest.fixture(params=SENDERS)
async def sender(request: pytest.FixtureRequest) -> AsyncIterator[Sender]:
    one = SENDERS[request.param]()
    yield one
    await one.aclose()


def request_of(upstream: ScriptedUpstream, method: str = "POST", **more: bool) -> UpstreamRequest:
    body = BODY if method == "POST" else b""
    return UpstreamRequest(method, f"{upstream.url}/x?y=1", [(b"a", b"b")], body, **more)


async def read_all(sender: Sender, request: UpstreamRequest) -> tuple[int, bytes]:
    async with asyncio.timeout(SECONDS):
        response = await sender.send(request)
    pieces: list[bytes] = []
    try:
        while piece := await response.read(SECONDS):
            pieces.append(piece)
    finally:
        await response.aclose()
    return response.status, b"".join(pieces)


async def test_a_request_goes_out_as_it_is_and_nothing_is_added(upstream, sender):
    upstream.tell(whole(b"{}"))

    assert await read_all(sender, request_of(upstream)) == (200, b"{}")

    seen = upstream.seen[0]
    host = f"127.0.0.1:{upstream.port}"
    assert ("POST", "/v1/x?y=1", BODY) == (seen.method, seen.target, seen.body)
    assert {"host": host, "content-length": "7", "a": "b"} == dict(seen.headers)


async def test_a_get_has_no_length(upstream, sender):
    upstream.tell(whole(b"{}"))

    await read_all(sender, request_of(upstream, GET))

    assert upstream.seen[0].header("content-length") is None


async def test_header_names_are_lower_case_and_repetitions_stay(upstream, sender):
    upstream.tell(head(200, [("X-A", "1"), ("x-a", "2"), ("Content-Length", "0")]))

    response = await sender.send(request_of(upstream))
    await response.aclose()

    assert [(b"x-a", b"1"), (b"x-a", b"2")] == response.headers[:2]


async def test_a_redirect_is_not_followed_and_a_cookie_not_kept(upstream, sender):
    upstream.tell(head(302, {"location": "/elsewhere", "set-cookie": "a=b", "content-length": "0"}))

    assert [await read_all(sender, request_of(upstream)) for _ in range(2)] == [(302, b"")] * 2
    assert ["/v1/x?y=1"] * 2 == [seen.target for seen in upstream.seen]
    assert upstream.seen[1].header("cookie") is None


async def test_a_connection_is_used_again(upstream, sender):
    upstream.tell(whole(b"{}"))

    for _ in range(3):
        await read_all(sender, request_of(upstream))

    assert {1} == {seen.connection - upstream.seen[0].connection + 1 for seen in upstream.seen}


@pytest.mark.parametrize(
    ("script", "error"),
    [
        pytest.param([End.CLOSE], UpstreamDisconnected, id="closed before the head"),
        pytest.param([End.RESET], UpstreamDisconnected, id="reset before the head"),
        pytest.param([b"HTTP/1.1 200 O", End.CLOSE], UpstreamDisconnected, id="cut in the head"),
        pytest.param([b"HTP/1.1 200 OK\r\n\r\n"], UpstreamMalformed, id="no HTTP"),
        pytest.param([b"HTTP/1.1 abc OK\r\n\r\n"], UpstreamMalformed, id="no status"),
        pytest.param([b"220 smtp.example ready\r\n\r\n"], UpstreamMalformed, id="another protocol"),
        pytest.param([head(200, [("a b", "c")])], UpstreamMalformed, id="a header name with a blank"),
        pytest.param(
            [head(200, [("content-length", "2"), ("content-length", "3")]), b"{}x"],
            UpstreamMalformed,
            id="H6: two lengths",
        ),
        pytest.param(
            [head(200, [("content-length", "2"), ("transfer-encoding", "chunked")]), b"{}"],
            UpstreamMalformed,
            id="H6: a length beside chunks",
        ),
        pytest.param([head(200, [("content-length", "-1")])], UpstreamMalformed, id="a negative length"),
        pytest.param(
            [head(200, {"content-length": "9"}) + b"{}", End.CLOSE],
            UpstreamDisconnected,
            id="shorter than its length",
        ),
        pytest.param(
            [sse_head() + chunked(b"data: 1\n\n"), End.CLOSE], UpstreamDisconnected, id="no last chunk"
        ),
        pytest.param(
            [sse_head() + chunked(b"data: 1\n\n"), End.RESET], UpstreamDisconnected, id="reset mid-way"
        ),
        pytest.param([sse_head() + b"zz\r\n{}\r\n"], UpstreamMalformed, id="a chunk without size"),
    ],
)  # fmt: skip
async def test_how_an_answer_may_break(upstream, sender, script, error):
    upstream.tell(*script)

    with pytest.raises(GatewayError) as caught:
        await read_all(sender, request_of(upstream))

    assert error is type(caught.value)


@pytest.mark.parametrize("port", [1, 9])
async def test_a_port_where_nobody_listens_is_unreachable(sender, port):
    with pytest.raises(UpstreamUnreachable):
        await sender.send(UpstreamRequest("GET", f"http://127.0.0.1:{port}/", []))


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/latest", "http://[fe80::1]/", "http://[::ffff:a9fe:a9fe]/"]
)
async def test_s7_a_forbidden_address_is_unreachable(sender, url):
    with pytest.raises(UpstreamUnreachable):
        await sender.send(UpstreamRequest("GET", url, []))


async def test_a_name_nobody_knows_is_unreachable(sender):
    with pytest.raises(UpstreamUnreachable):
        await sender.send(UpstreamRequest("GET", "http://no-such-name.invalid/", []))


async def test_tls_towards_a_server_without_it_is_unreachable(upstream, sender):
    upstream.greeting = [b"HTTP/1.1 400 Bad Request\r\n\r\n", End.CLOSE]

    with pytest.raises(UpstreamUnreachable):
        await sender.send(UpstreamRequest("GET", f"https://127.0.0.1:{upstream.port}/", []))


async def test_f41_a_full_pool_is_overload(upstream, sender):
    upstream.tell(head(200, {"content-length": "5"}), End.HOLD)
    first = await sender.send(request_of(upstream))

    with pytest.raises(Overloaded):
        await sender.send(request_of(upstream))

    await first.aclose()


# --- the seam's read (client.UpstreamResponse) ----------------------------------------------------------------------


async def test_silence_is_none_and_loses_nothing(upstream, sender):
    upstream.tell(sse_head() + chunked(b"a"), End.HOLD)
    response = await sender.send(request_of(upstream))

    assert await response.read(SECONDS) == b"a"
    assert [None, None] == [await response.read(0.01), await response.read(0)]
    await response.aclose()


async def test_bytes_that_come_during_silence_are_there_at_the_next_read(upstream, sender):
    upstream.tell(sse_head(), End.HOLD)
    response = await sender.send(request_of(upstream))
    assert await response.read(0) is None

    for connection in upstream.open:
        connection.transport.write(chunked(b"late") + LAST_CHUNK)

    assert await response.read(SECONDS) == b"late"
    assert await response.read(SECONDS) == b""
    assert await response.read(SECONDS) == b""
    await response.aclose()


async def test_a_response_given_up_closes_its_connection(upstream, sender):
    upstream.tell(sse_head() + chunked(b"a"), End.HOLD)
    response = await sender.send(request_of(upstream))
    await response.read(0)

    await response.aclose()

    await upstream.seen[0].gone.wait()


async def test_more_than_the_answer_is_not_taken_for_the_next_one(upstream, sender):
    """Reliability R15: response splitting by an upstream."""
    upstream.tell(whole(b"{}") + whole(b'{"smuggled":1}'))

    first = await read_all(sender, request_of(upstream))
    upstream.answer = lambda _: [whole(b'{"second":1}')]
    second = await read_all(sender, request_of(upstream))

    assert ((200, b"{}"), (200, b'{"second":1}')) == (first, second)


# --- a kept connection that died (reliability R6, contract G9) ------------------------------------------------------


@pytest.mark.parametrize("end", [End.CLOSE, End.RESET])
async def test_a_request_on_a_connection_that_had_died_goes_out_once_more(upstream, sender, end):
    upstream.tell(whole(b"{}"))
    await read_all(sender, request_of(upstream))
    upstream.answer = lambda seen: [end] if len(upstream.seen) == 2 else [whole(b'{"again":1}')]

    assert await read_all(sender, request_of(upstream)) == (200, b'{"again":1}')
    assert len(upstream.seen) == 3


async def test_a_request_that_must_not_be_repeated_is_not(upstream, sender):
    """Upstreams G7: a DELETE."""
    upstream.tell(whole(b"{}"))
    await read_all(sender, request_of(upstream))
    upstream.answer = lambda _: [End.CLOSE]

    with pytest.raises(UpstreamDisconnected):
        await read_all(sender, request_of(upstream, repeatable=False))

    assert len(upstream.seen) == 2


async def test_a_request_on_a_new_connection_is_not_repeated(upstream, sender):
    upstream.tell(End.CLOSE)

    with pytest.raises(UpstreamDisconnected):
        await read_all(sender, request_of(upstream))

    assert len(upstream.seen) == 1


async def test_once_a_byte_of_the_answer_came_it_is_not_repeated(upstream, sender):
    upstream.tell(whole(b"{}"))
    await read_all(sender, request_of(upstream))
    upstream.answer = lambda _: [b"HTTP/1.1 200", End.CLOSE]

    with pytest.raises(GatewayError):
        await read_all(sender, request_of(upstream))

    assert len(upstream.seen) == 2
