"""HTTP/2 through httpx2's pool: many answers on one connection, each given up by itself (law 5, reliability R14)."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from app.domain.configuration import Timeouts
from app.domain.errors import UpstreamDisconnected, UpstreamMalformed, UpstreamTimeout
from app.upstreams.httpx_sender import HttpxSender
from app.wire.requests import Upload
from tests.fakes.certificates import server_tls, trust
from tests.fakes.http2_upstream import Http2Upstream, Stream, speaking_http2
from tests.fakes.scripted_upstream import SECONDS, scripted, whole
from tests.upstreams.both_senders import TAKEN, Sink, poured, read_all, request_of, sent, within

LARGE = bytes(range(256)) * (8 * 4096)  # 8 MiB
CANCEL = 8


@pytest.fixture
async def upstream() -> AsyncIterator[Http2Upstream]:
    async with speaking_http2() as one:
        yield one


@pytest.fixture
async def make() -> AsyncIterator[Callable[..., HttpxSender]]:
    made: list[HttpxSender] = []

    def maker(max_connection_age_seconds: float = 300) -> HttpxSender:
        made.append(
            HttpxSender(
                "up",
                Timeouts(connect_seconds=SECONDS),
                max_connections=4,
                keepalive_seconds=30,
                max_connection_age_seconds=max_connection_age_seconds,
                ssl_context=trust(),
                http2=True,
            )
        )
        return made[-1]

    yield maker
    for sender in made:
        await sender.aclose()


@pytest.fixture
def sender(make: Callable[[], HttpxSender]) -> HttpxSender:
    return make()


def hold(stream: Stream) -> None:
    """It answers later."""


def begin(stream: Stream) -> None:
    stream.start()
    stream.send(b"data: 1\n\n")


@pytest.mark.parametrize("way", sorted(TAKEN))
async def test_a_request_and_its_answer(upstream, sender, way):
    assert (200, b"{}") == await TAKEN[way](sender, request_of(upstream, headers=[(b"x", b"y")]))

    [stream] = upstream.streams
    assert b'{"a":1}' == bytes(stream.body)
    assert {
        ":method": "POST",
        ":path": "/v1/x?y=1",
        ":scheme": "https",
        ":authority": f"localhost:{upstream.port}",
        "content-length": "7",
        "a": "b",
        "x": "y",
    } == dict(stream.headers)


async def test_many_answers_share_one_connection(upstream, sender):
    await read_all(sender, request_of(upstream))
    upstream.on_request = hold
    tasks = [asyncio.ensure_future(read_all(sender, request_of(upstream))) for _ in range(20)]
    await upstream.request(21)
    for stream in reversed(upstream.streams[1:]):
        stream.answer(b"%d" % stream.number)

    answers = await asyncio.gather(*tasks)

    assert sorted(b"%d" % stream.number for stream in upstream.streams[1:]) == sorted(
        body for _, body in answers
    )
    assert 1 == len(upstream.connections)


@pytest.mark.parametrize("ask", [read_all, poured])
async def test_large_bodies_go_both_ways(upstream, sender, ask):
    upstream.on_request = lambda stream: stream.answer(LARGE)

    assert (200, LARGE) == await ask(sender, request_of(upstream, body=LARGE))

    assert LARGE == bytes(upstream.streams[0].body)


@pytest.mark.parametrize("length", [4, None])
async def test_an_upload_goes_out_whole(upstream, sender, length):
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"ab", b"", b"cd"):
            yield piece

    await read_all(sender, request_of(upstream, body=Upload(pieces(), length)))

    assert b"abcd" == bytes(upstream.streams[0].body)


async def test_an_upstream_without_it_is_spoken_to_as_ever(make):
    async with scripted(server_tls()) as encrypted:
        encrypted.tell(whole(b"{}"))
        sender = make()

        for _ in range(2):
            assert (200, b"{}") == await read_all(sender, request_of(encrypted))

        assert 1 == encrypted.connections


# --- giving up: the upstream is told, and the others go on ----------------------------------------------------------


@pytest.mark.parametrize("state", ["unread", "read", "poured"])
async def test_an_answer_given_up_is_reset_and_no_other_one(upstream, sender, state):
    upstream.on_request = begin
    other = await sent(sender, request_of(upstream))
    response = await sent(sender, request_of(upstream))
    if state == "read":
        await response.read(SECONDS)
    if state == "poured":
        response.pour(sink := Sink())
        await sink.until(1)

    await response.aclose()

    async with asyncio.timeout(0.25):
        await upstream.streams[1].reset.wait()
    assert CANCEL == upstream.streams[1].code
    upstream.streams[0].send(b"data: 2\n\n", is_last=True)
    other.pour(sink := Sink())
    assert await sink.failure() is None
    assert b"data: 1\n\ndata: 2\n\n" == sink.body
    await other.aclose()
    assert upstream.streams[0].code is None


async def test_a_request_cancelled_before_its_head_is_reset(upstream, sender):
    await read_all(sender, request_of(upstream))
    upstream.on_request = hold
    task = asyncio.ensure_future(sender.send(request_of(upstream)))
    stream = await upstream.request(2)
    await stream.ended.wait()

    task.cancel()
    await asyncio.wait({task})

    async with asyncio.timeout(0.25):
        await stream.reset.wait()
    assert task.cancelled()
    upstream.on_request = lambda stream: stream.answer(b"{}")
    assert (200, b"{}") == await read_all(sender, request_of(upstream))
    assert 1 == len(upstream.connections)


async def test_a_complete_answer_is_not_reset(upstream, sender):
    for ask in (read_all, poured):
        await ask(sender, request_of(upstream))
    response = await sent(sender, request_of(upstream))
    await asyncio.sleep(0.01)
    await response.aclose()
    await read_all(sender, request_of(upstream))

    assert [None] * 4 == [stream.code for stream in upstream.streams]


async def test_what_was_given_up_does_not_use_up_the_window(upstream, sender):
    """The window that all answers share has 16 MiB: more than that is given up here."""
    upstream.on_request = begin
    held = await sent(sender, request_of(upstream))
    held.pour(
        Sink()
    )  # so that somebody reads, and the connection is never idle, which would close it
    upstream.on_request = lambda stream: stream.answer(LARGE[: 2**20])
    for _ in range(24):
        response = await sent(sender, request_of(upstream))
        await asyncio.sleep(0.01)
        await response.aclose()

    assert (200, LARGE[: 2**20]) == await read_all(sender, request_of(upstream))
    assert 1 == len(upstream.connections)
    await held.aclose()


async def test_a_released_answer_is_left_or_reset(upstream, sender):
    upstream.on_request = begin
    response = await sent(sender, request_of(upstream))
    response.pour(sink := Sink())
    await sink.until(1)

    response.release()

    async with asyncio.timeout(2):
        await upstream.streams[0].reset.wait()


# --- what an upstream may do ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", sorted(TAKEN))
async def test_a_stream_that_the_upstream_resets_is_a_cut(upstream, sender, way):
    def reset(stream: Stream) -> None:
        begin(stream)
        stream.connection.h2.reset_stream(stream.number, 2)
        stream.connection.flush()

    upstream.on_request = reset

    with pytest.raises(UpstreamDisconnected):
        await TAKEN[way](sender, request_of(upstream))


@pytest.mark.parametrize("way", sorted(TAKEN))
@pytest.mark.parametrize("has_begun", [True, False])
async def test_a_connection_that_ends_is_a_cut(upstream, sender, way, has_begun):
    def leave(stream: Stream) -> None:
        if has_begun:
            begin(stream)
        stream.connection.transport.close()

    upstream.on_request = leave

    with pytest.raises(UpstreamDisconnected):
        await TAKEN[way](sender, request_of(upstream))


@pytest.mark.parametrize("way", sorted(TAKEN))
@pytest.mark.parametrize("has_begun", [True, False])
async def test_frames_that_are_none_are_no_answer(upstream, sender, way, has_begun):
    def babble(stream: Stream) -> None:
        if has_begun:
            begin(stream)
        stream.connection.transport.write(b"\0\0\1\0\0\0\0\0\0x")  # data of no stream

    upstream.on_request = babble

    with pytest.raises((UpstreamMalformed, UpstreamDisconnected)):
        await TAKEN[way](sender, request_of(upstream, deadlines=within(1, 1)))


@pytest.fixture
def goodbye(upstream) -> Callable[[], None]:
    """The upstream takes no more requests on its first connection."""

    def say() -> None:
        upstream.connections[0].h2.close_connection()
        upstream.connections[0].flush()
        upstream.connections[0].transport.close()

    return say


async def test_a_goodbye_that_came_while_idle_is_heeded(upstream, sender, goodbye):
    await read_all(sender, request_of(upstream))
    goodbye()
    await asyncio.sleep(0.02)

    request = request_of(upstream, body=LARGE, repeatable=False)

    assert (200, b"{}") == await read_all(sender, request)
    assert (2, LARGE) == (len(upstream.connections), bytes(upstream.streams[-1].body))


async def test_a_request_that_meets_a_goodbye_goes_out_whole_on_another_connection(
    upstream, sender, goodbye
):
    upstream.on_request = begin
    held = await sent(sender, request_of(upstream))
    goodbye()
    upstream.on_request = lambda stream: stream.answer(b"{}")

    assert (200, b"{}") == await read_all(sender, request_of(upstream))

    assert (2, b'{"a":1}') == (len(upstream.connections), bytes(upstream.streams[-1].body))
    await held.aclose()


@pytest.mark.parametrize("length", [2, None])
async def test_an_upload_that_meets_a_goodbye_is_not_sent_again(upstream, sender, goodbye, length):
    async def pieces() -> AsyncIterator[bytes]:
        yield b"ab"

    upstream.on_request = begin
    held = await sent(sender, request_of(upstream))
    goodbye()

    with pytest.raises(UpstreamDisconnected):
        await read_all(sender, request_of(upstream, body=Upload(pieces(), length)))

    await held.aclose()


async def test_deadlines_hold(upstream, sender):
    upstream.on_request = hold
    with pytest.raises(UpstreamTimeout):
        await sent(sender, request_of(upstream, deadlines=within(first_byte_seconds=0.05)))
    upstream.on_request = begin
    with pytest.raises(UpstreamTimeout):
        await poured(sender, request_of(upstream, deadlines=within(total_seconds=0.05)))


async def test_r14_a_connection_takes_no_requests_past_its_greatest_age(upstream, make):
    sender = make(max_connection_age_seconds=0.1)
    upstream.on_request = begin
    first = await sent(sender, request_of(upstream))
    await asyncio.sleep(0.15)
    upstream.on_request = lambda stream: stream.answer(b"{}")

    assert (200, b"{}") == await read_all(sender, request_of(upstream))

    assert 2 == len(upstream.connections)
    upstream.streams[0].send(b"", is_last=True)
    first.pour(sink := Sink())
    assert await sink.failure() is None
    await first.aclose()
    async with asyncio.timeout(SECONDS):
        await upstream.connections[0].lost.wait()
