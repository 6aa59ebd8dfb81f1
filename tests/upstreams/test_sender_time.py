"""How long a sender waits, and how fast it lets go, for both senders (reliability R5, R12, R15)."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from app.domain.configuration import Timeouts
from app.domain.errors import GatewayError, Overloaded, UpstreamTimeout, UpstreamUnreachable
from tests.fakes.scripted_upstream import SECONDS, End, Pause, chunked, head, sse_head, whole
from tests.upstreams.both_senders import TAKEN, Sink, read_all, request_of, sent, within

SHORT = 0.05
LATE = 0.25  # reliability R5: past a deadline at most; R12: until an upstream sees a close
ENDLESS = 10_000
STREAM = [sse_head(), *[chunked(b"data: 1\n\n"), Pause(0.01)] * ENDLESS]
SILENT = [
    pytest.param([End.HOLD], id="not a byte"),
    pytest.param([b"HTTP/1.1 200 O", End.HOLD], id="half a status line"),
    pytest.param([head(200, {"a": "b"})[:-2], End.HOLD], id="a head without its end"),
    pytest.param([b"HTTP/1.1 200 OK\r\na: ", *[b"b", Pause(0.005)] * ENDLESS], id="H4: dripping"),
    pytest.param([head(100), Pause(0.02)] * 9 + [End.HOLD], id="H4: interim answers"),
]


def passed() -> float:
    return asyncio.get_running_loop().time()


# --- deadlines ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", SILENT)
async def test_the_head_must_come_by_the_first_byte_deadline(upstream, sender, script):
    upstream.tell(*script)
    began = passed()

    with pytest.raises(UpstreamTimeout) as caught:
        await sent(sender, request_of(upstream, deadlines=within(first_byte_seconds=SHORT)))

    assert "first_byte" == caught.value.phase
    assert "Upstream 'up' did not answer within 0.05 seconds." == caught.value.message
    assert passed() - began < SHORT + LATE
    await upstream.all_gone()


async def test_without_deadlines_the_wait_is_the_caller_s(upstream, sender):
    upstream.tell(End.HOLD)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(SHORT):
            await sender.send(request_of(upstream))

    await upstream.all_gone()


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(STREAM, id="never ending"),
        pytest.param([sse_head() + chunked(b"data: 1\n\n"), End.HOLD], id="H9: silent"),
        pytest.param([head(200, {"content-length": "9"}), End.HOLD], id="not a byte of it"),
    ],
)
@pytest.mark.parametrize("way", sorted(TAKEN))
async def test_all_of_it_must_come_by_the_total_deadline(upstream, sender, script, way):
    upstream.tell(*script)
    began = passed()
    request = request_of(upstream, deadlines=within(total_seconds=SHORT * 2))

    with pytest.raises(UpstreamTimeout) as caught:
        await TAKEN[way](sender, request)

    assert "total" == caught.value.phase
    assert passed() - began < SHORT * 2 + LATE
    await upstream.all_gone()


async def test_the_total_deadline_holds_while_nobody_takes_anything(upstream, sender):
    upstream.tell(*STREAM)
    response = await sent(sender, request_of(upstream, deadlines=within(total_seconds=SHORT)))
    sink = Sink()
    response.pour(sink)
    response.pause()

    failure = await sink.failure()

    assert isinstance(failure, UpstreamTimeout)
    await response.aclose()


async def test_a_deadline_that_has_passed_already_is_one(upstream, sender):
    upstream.tell(whole(b"{}"))

    with pytest.raises(UpstreamTimeout):
        await sent(sender, request_of(upstream, deadlines=within(first_byte_seconds=-1)))


async def test_a_slow_live_answer_survives(upstream, sender):
    upstream.tell(sse_head(), *[chunked(b"data: 1\n\n"), Pause(0.01)] * 10, b"0\r\n\r\n")

    request = request_of(upstream, deadlines=within(first_byte_seconds=SHORT))

    assert (200, b"data: 1\n\n" * 10) == await read_all(sender, request)


@contextmanager
def black_hole() -> Iterator[str]:
    """The URL of a port that takes no connection and refuses none: its queue is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            with suppress(BlockingIOError):
                filler.connect(("127.0.0.1", port))
        try:
            yield f"http://127.0.0.1:{port}/"
        finally:
            for filler in fillers:
                filler.close()


async def test_a_connection_must_be_made_in_time(make):
    sender = make(timeouts=Timeouts(connect_seconds=SHORT))
    began = passed()

    with black_hole() as url, pytest.raises(UpstreamUnreachable):
        await sent(sender, request_of(url, "GET"))

    assert passed() - began < SHORT + LATE


async def test_tls_must_be_agreed_on_in_time(upstream, make):
    sender = make(timeouts=Timeouts(connect_seconds=SHORT))
    began = passed()

    with pytest.raises(UpstreamUnreachable):
        await sent(sender, request_of(f"https://127.0.0.1:{upstream.port}/", "GET"))

    assert passed() - began < 2 * SHORT + LATE
    await upstream.all_gone()


async def test_who_waits_for_a_connection_waits_so_long(upstream, make):
    sender = make(timeouts=Timeouts(pool_wait_seconds=SHORT))
    upstream.tell(sse_head(), End.HOLD)
    first = await sent(sender, request_of(upstream))
    began = passed()

    with pytest.raises(Overloaded) as caught:
        await sent(sender, request_of(upstream))

    assert SHORT * 0.9 < passed() - began < SHORT + LATE
    assert 1.0 == caught.value.retry_after_seconds
    await first.aclose()


async def test_the_deadline_holds_while_waiting_for_a_connection(upstream, make):
    sender = make(timeouts=Timeouts(pool_wait_seconds=SECONDS))
    upstream.tell(sse_head(), End.HOLD)
    first = await sent(sender, request_of(upstream))

    with pytest.raises(UpstreamTimeout):
        await sent(sender, request_of(upstream, deadlines=within(first_byte_seconds=SHORT)))

    await first.aclose()


async def test_an_upstream_that_takes_nothing_of_a_request_is_too_slow(upstream, make):
    """Contract F48: it is connected."""
    sender = make(timeouts=Timeouts(idle_seconds=SHORT))
    upstream.answers_heads, upstream.reads_on = True, False
    upstream.tell(End.HOLD)

    with pytest.raises(UpstreamTimeout):
        await sent(sender, request_of(upstream, body=b"x" * 16_000_000))

    upstream.read_on()
    await upstream.all_gone()


# --- cancelling (law 5) ---------------------------------------------------------------------------------------------


async def cancelled(task: "asyncio.Future[Any]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError, GatewayError):
        await task
    assert task.cancelled()


@pytest.mark.parametrize("script", SILENT)
async def test_cancelled_before_the_head_the_upstream_sees_the_close(upstream, sender, script):
    upstream.tell(*script)
    task = asyncio.ensure_future(sender.send(request_of(upstream)))
    await upstream.request()
    await asyncio.sleep(0.01)

    await cancelled(task)

    async with asyncio.timeout(LATE):
        await upstream.all_gone()


async def test_cancelled_in_the_queue_nothing_is_left(upstream, make):
    sender = make(timeouts=Timeouts(pool_wait_seconds=SECONDS))
    upstream.tell(sse_head(), End.HOLD)
    first = await sent(sender, request_of(upstream))
    task = asyncio.ensure_future(sender.send(request_of(upstream)))
    await asyncio.sleep(0.01)

    await cancelled(task)
    await first.aclose()
    upstream.answer = lambda _: [whole(b"{}")]

    assert (200, b"{}") == await read_all(sender, request_of(upstream))
    assert 2 == len(upstream.seen)


async def test_cancelled_while_connecting_its_place_is_free(upstream, make):
    sender = make()
    upstream.tell(whole(b"{}"))
    with black_hole() as url:
        task = asyncio.ensure_future(sender.send(request_of(url, "GET")))
        await asyncio.sleep(0.01)

        await cancelled(task)

    assert (200, b"{}") == await read_all(sender, request_of(upstream))


async def test_cancelled_in_the_tls_handshake_the_upstream_sees_the_close(upstream, sender):
    task = asyncio.ensure_future(
        sender.send(request_of(f"https://127.0.0.1:{upstream.port}/", "GET"))
    )
    await upstream.opened.wait()
    await asyncio.sleep(0.01)

    await cancelled(task)

    async with asyncio.timeout(LATE):
        await upstream.all_gone()


async def test_cancelled_while_it_is_sent_the_upstream_sees_the_close(upstream, sender):
    upstream.answers_heads, upstream.reads_on = True, False
    upstream.tell(Pause(0.05), End.HOLD)
    task = asyncio.ensure_future(sender.send(request_of(upstream, body=b"x" * 16_000_000)))
    await upstream.request()
    await asyncio.sleep(0.01)

    await cancelled(task)
    upstream.read_on()

    async with asyncio.timeout(LATE):
        await upstream.all_gone()


@pytest.mark.parametrize("state", ["unread", "in a read", "after silence", "poured", "paused"])
async def test_given_up_mid_body_the_upstream_sees_the_close(upstream, sender, state):
    upstream.tell(sse_head() + chunked(b"data: 1\n\n"), End.HOLD)
    response = await sent(sender, request_of(upstream))
    if state == "in a read":
        assert b"data: 1\n\n" == await response.read(SECONDS)
        await cancelled(reading := asyncio.ensure_future(response.read(SECONDS)))
        assert reading.done()
    if state == "after silence":
        await response.read(SECONDS)
        assert await response.read(0.01) is None
    if state in ("poured", "paused"):
        response.pour(sink := Sink())
        await sink.until(1)
    if state == "paused":
        response.pause()

    async with asyncio.timeout(LATE):
        await response.aclose()
        await upstream.all_gone()
    assert upstream.seen[0].gone.is_set()


async def test_a_second_close_does_nothing(upstream, sender):
    upstream.tell(sse_head(), End.HOLD)
    response = await sent(sender, request_of(upstream))

    for _ in range(2):
        await response.aclose()
    response.release()

    await upstream.all_gone()


async def test_closing_the_sender_ends_what_is_under_way(upstream, make):
    sender = make()
    upstream.tell(sse_head() + chunked(b"data: 1\n\n"), End.HOLD)
    response = await sent(sender, request_of(upstream))
    response.pour(sink := Sink())
    await sink.until(1)

    await sender.aclose()

    async with asyncio.timeout(LATE):
        await upstream.all_gone()
    await response.aclose()
