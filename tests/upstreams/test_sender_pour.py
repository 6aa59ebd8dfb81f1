"""An answer handed on as it comes: poured, paused, released; and bodies of every size, for both senders (R3, R4)."""

import asyncio

import pytest

from app.domain.errors import UpstreamDisconnected
from tests.fakes.scripted_upstream import (
    LAST_CHUNK,
    SECONDS,
    End,
    Pause,
    Step,
    chunked,
    head,
    sse_head,
    whole,
)
from tests.upstreams.both_senders import TAKEN, Sink, read_all, request_of, sent

LARGE = bytes(range(256)) * (8 * 4096)  # 8 MiB
MOST_WAITING_BYTES = 1024 * 1024  # reliability R4: in user space, for one exchange


def events(count: int) -> list[bytes]:
    return [b"data: %d\n\n" % number for number in range(count)]


# --- reading (client.UpstreamResponse) ------------------------------------------------------------------------------


async def test_silence_is_none_and_loses_nothing(upstream, sender):
    upstream.tell(sse_head() + chunked(b"a"), End.HOLD)
    response = await sent(sender, request_of(upstream))

    assert b"a" == await response.read(SECONDS)
    assert [None, None] == [await response.read(0.01), await response.read(0)]
    await response.aclose()


async def test_bytes_that_come_during_silence_are_there_at_the_next_read(upstream, sender):
    upstream.tell(sse_head(), End.HOLD)
    response = await sent(sender, request_of(upstream))
    assert await response.read(0) is None

    upstream.say(chunked(b"late") + LAST_CHUNK)

    assert b"late" == await response.read(SECONDS)
    assert [b"", b""] == [await response.read(SECONDS), await response.read(SECONDS)]
    await response.aclose()


# --- pouring --------------------------------------------------------------------------------------------------------


async def test_pieces_come_in_order_and_then_the_end(upstream, sender):
    script = [step for event in events(100) for step in (chunked(event), Pause(0))]
    upstream.tell(sse_head(), *script, LAST_CHUNK)
    response = await sent(sender, request_of(upstream))
    response.pour(sink := Sink())

    assert await sink.failure() is None

    assert b"".join(events(100)) == sink.body
    await response.aclose()
    assert 1 == len(sink.ends)


async def test_a_piece_is_handed_on_as_soon_as_it_came(upstream, sender):
    upstream.tell(sse_head() + chunked(b"one"), End.HOLD)
    response = await sent(sender, request_of(upstream))
    response.pour(sink := Sink())

    await sink.until(3)
    upstream.say(chunked(b"two"))
    await sink.until(6)

    assert ([b"one", b"two"], []) == (sink.pieces, sink.ends)
    await response.aclose()


async def test_what_was_read_before_is_not_poured_again(upstream, sender):
    upstream.tell(sse_head() + chunked(b"one"), Pause(0.02), chunked(b"two") + LAST_CHUNK)
    response = await sent(sender, request_of(upstream))
    assert b"one" == await response.read(SECONDS)
    assert await response.read(0) is None
    response.pour(sink := Sink())

    assert await sink.failure() is None
    assert b"two" == sink.body
    await response.aclose()


async def test_what_came_during_silence_is_poured_first(upstream, sender):
    upstream.tell(sse_head(), End.HOLD)
    response = await sent(sender, request_of(upstream))
    assert await response.read(0.01) is None
    upstream.say(chunked(b"one"))
    await asyncio.sleep(0.02)
    response.pour(sink := Sink())

    assert b"one" == sink.body
    await response.aclose()


async def test_nothing_comes_after_the_close(upstream, sender):
    upstream.tell(sse_head() + chunked(b"one"), Pause(0.02), chunked(b"two"), End.CLOSE)
    response = await sent(sender, request_of(upstream))
    response.pour(sink := Sink())
    await sink.until(1)

    await response.aclose()
    await asyncio.sleep(0.05)

    assert ([b"one"], []) == (sink.pieces, sink.ends)


@pytest.mark.parametrize("events_before", range(4))
@pytest.mark.parametrize("end", [End.CLOSE, End.RESET])
async def test_h8_a_cut_comes_behind_all_that_came(upstream, sender, events_before, end):
    came = events(events_before)
    upstream.tell(
        sse_head(), *map(chunked, came), Pause(0.01), b"9\r\ndata: \xe2", Pause(0.01), end
    )
    response = await sent(sender, request_of(upstream))
    response.pour(sink := Sink())

    failure = await sink.failure()

    assert isinstance(failure, UpstreamDisconnected)
    assert sink.body.startswith(b"".join(came))
    await response.aclose()


# --- back-pressure (R4) ---------------------------------------------------------------------------------------------


async def test_nothing_is_read_while_it_is_paused(upstream, sender):
    upstream.tell(head(200, {"content-length": str(len(LARGE) * 4)}), LARGE * 4)
    response = await sent(sender, request_of(upstream))
    sink = Sink(on_piece=response.pause)
    response.pour(sink)
    await sink.until(1)
    await asyncio.sleep(0.1)

    assert len(sink.body) <= MOST_WAITING_BYTES
    assert upstream.waiting_bytes > 0  # the kernel is full, so the upstream has to wait
    before = len(sink.body)
    await asyncio.sleep(0.05)
    assert before == len(sink.body)
    await response.aclose()


async def test_once_it_flows_again_all_of_it_comes(upstream, sender):
    upstream.tell(head(200, {"content-length": str(len(LARGE))}), LARGE)
    response = await sent(sender, request_of(upstream))
    loop = asyncio.get_running_loop()

    def slowly() -> None:
        response.pause()
        loop.call_later(0.001, response.resume)

    response.pour(sink := Sink(on_piece=slowly))

    assert await sink.failure() is None
    assert LARGE == sink.body
    await response.aclose()


async def test_nothing_is_read_that_nobody_asks_for(upstream, sender):
    upstream.tell(head(200, {"content-length": str(len(LARGE) * 4)}), LARGE * 4)
    response = await sent(sender, request_of(upstream))

    await asyncio.sleep(0.1)

    assert upstream.waiting_bytes > 0
    await response.aclose()


# --- releasing ------------------------------------------------------------------------------------------------------


async def test_a_released_answer_s_connection_serves_again(upstream, sender):
    """H10: what comes behind `[DONE]` is nobody's, and mostly it is the last chunk."""
    upstream.tell(sse_head() + chunked(b"data: [DONE]\n\n"), Pause(0.02), LAST_CHUNK)
    response = await sent(sender, request_of(upstream))
    response.pour(sink := Sink())
    await sink.until(1)

    response.release()
    await asyncio.sleep(0.05)
    upstream.answer = lambda _: [whole(b"{}")]

    assert (200, b"{}") == await read_all(sender, request_of(upstream))
    assert upstream.seen[0].connection == upstream.seen[1].connection
    assert ([b"data: [DONE]\n\n"], []) == (sink.pieces, sink.ends)


async def test_it_may_be_released_from_within_a_piece(upstream, sender):
    upstream.tell(sse_head() + chunked(b"one") + chunked(b"two"), LAST_CHUNK)
    response = await sent(sender, request_of(upstream))
    sink = Sink(on_piece=response.release)
    response.pour(sink)
    await sink.until(1)
    await asyncio.sleep(0.02)

    assert b"one" == sink.body[:3]
    assert (1, []) == (len(sink.pieces), sink.ends)
    upstream.answer = lambda _: [whole(b"{}")]
    assert (200, b"{}") == await read_all(sender, request_of(upstream))


async def test_it_may_be_released_unread(upstream, sender):
    upstream.tell(whole(b"{}"))
    for _ in range(3):
        response = await sent(sender, request_of(upstream))
        response.release()
        await asyncio.sleep(0.01)

    assert 1 == len({seen.connection for seen in upstream.seen})


async def test_it_may_be_released_while_paused(upstream, sender):
    upstream.tell(sse_head() + chunked(b"one"), Pause(0.01), LAST_CHUNK)
    response = await sent(sender, request_of(upstream))
    response.pour(sink := Sink())
    await sink.until(1)
    response.pause()
    response.release()
    await asyncio.sleep(0.05)
    upstream.answer = lambda _: [whole(b"{}")]

    assert (200, b"{}") == await read_all(sender, request_of(upstream))


@pytest.mark.parametrize(
    ("rest", "seconds"),
    [
        pytest.param([End.HOLD], 2.0, id="held open"),
        pytest.param([chunked(b"x" * 100), Pause(0.01)] * 10_000, 2.0, id="going on"),
        pytest.param([chunked(LARGE), End.HOLD], 0.5, id="large, so at once"),
    ],
)
async def test_a_released_answer_that_does_not_end_loses_its_connection(
    upstream, sender, rest, seconds
):
    """H10: a body held open after `[DONE]`."""
    upstream.tell(sse_head() + chunked(b"data: [DONE]\n\n"), *rest)
    response = await sent(sender, request_of(upstream))
    response.pour(sink := Sink())
    await sink.until(1)

    response.release()

    async with asyncio.timeout(seconds):
        await upstream.all_gone()
    assert [] == sink.ends


async def test_after_a_release_the_close_does_nothing(upstream, sender):
    upstream.tell(sse_head() + chunked(b"one"), Pause(0.02), LAST_CHUNK)
    response = await sent(sender, request_of(upstream))
    response.pour(sink := Sink())
    await sink.until(1)

    response.release()
    await response.aclose()
    await asyncio.sleep(0.05)
    upstream.answer = lambda _: [whole(b"{}")]

    assert (200, b"{}") == await read_all(sender, request_of(upstream))
    assert upstream.seen[0].connection == upstream.seen[1].connection


# --- large ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", sorted(TAKEN))
@pytest.mark.parametrize("framing", ["length", "chunks", "close"])
async def test_a_large_answer_comes_whole(upstream, sender, way, framing):
    chunks = b"".join(chunked(LARGE[i : i + 100_000]) for i in range(0, len(LARGE), 100_000))
    scripts: dict[str, list[Step]] = {
        "length": [whole(LARGE)],
        "chunks": [sse_head() + chunks + LAST_CHUNK],
        "close": [head(200), LARGE, End.CLOSE],
    }
    upstream.tell(*scripts[framing])

    status, body = await TAKEN[way](sender, request_of(upstream))

    assert (200, len(LARGE)) == (status, len(body))
    assert LARGE == body


async def test_a_large_request_goes_out_whole(upstream, sender):
    upstream.tell(whole(b"{}"))

    assert (200, b"{}") == await read_all(sender, request_of(upstream, body=LARGE))

    assert LARGE == upstream.seen[0].body
