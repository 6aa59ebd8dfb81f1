"""An answer's body under its deadlines (reliability R4, R5)."""

import gzip

import pytest

from app.domain.errors import UpstreamMalformed, UpstreamTimeout
from app.proxy.attempts import Answer
from app.proxy.source import Source
from app.upstreams.deadlines import Deadlines
from tests.fakes.clock import Clock
from tests.fakes.senders import FakeResponse
from tests.fakes.upstreams import upstream_of

FIRST_BYTE, IDLE = 30.0, 10.0


def source_of(*pieces, clock: Clock | None = None, limit: int | None = None, coding: bytes = b""):
    clock = clock or Clock(0.0)
    headers = [(b"content-type", b"text/event-stream")]
    if coding:
        headers.append((b"content-encoding", coding))
    response = FakeResponse(200, headers, pieces, on_silence=clock.advance)
    limits = Deadlines("up", FIRST_BYTE, FIRST_BYTE, IDLE, 1800, 1800)
    answer = Answer(response, upstream_of("openai"), limits, coding=coding)
    return Source(answer, clock, limit=limit)


async def test_pieces_come_as_they_are_and_end_with_nothing():
    source = source_of(b"a", b"b")

    assert [b"a", b"b", b"", b""] == [await source.next(5) for _ in range(4)]


async def test_silence_shorter_than_the_deadline_is_none():
    source = source_of(None, b"a")

    assert [None, b"a"] == [await source.next(5) for _ in range(2)]


async def test_the_first_byte_deadline_counts_until_the_first_event():
    source = source_of(b": comment\n\n", None, None)
    await source.next(5)
    await source.next(20)

    with pytest.raises(UpstreamTimeout) as caught:
        await source.next(20)

    assert caught.value.phase == "first_byte"


async def test_then_the_idle_one_from_piece_to_piece():
    clock = Clock(0.0)
    source = source_of(b"a", None, b"b", None, None, clock=clock)
    await source.next(5)
    source.first_event_seen()
    assert [None, b"b", None] == [await source.next(8) for _ in range(3)]

    with pytest.raises(UpstreamTimeout) as caught:
        await source.next(8)

    assert (caught.value.phase, clock()) == ("idle", 8 + IDLE)


async def test_r4_while_the_client_is_slow_nothing_is_read_and_no_upstream_is_idle():
    clock = Clock(0.0)
    source = source_of(b"a", None, b"b", None, clock=clock)
    await source.next(5)
    source.first_event_seen()
    clock.advance(IDLE * 3)  # a write that took its time

    assert [None, b"b"] == [await source.next(8) for _ in range(2)]
    with pytest.raises(UpstreamTimeout):
        await source.next(IDLE)


async def test_the_rest_is_whole():
    assert await source_of(b"b", b"c").rest(b"a") == b"abc"


async def test_a_whole_answer_that_falls_silent_is_idle():
    with pytest.raises(UpstreamTimeout) as caught:
        await source_of(b"{", None).rest(b"")

    assert caught.value.phase == "idle"


@pytest.mark.parametrize(
    ("coding", "pieces"), [(b"", [b"x" * 60, b"x" * 60]), (b"gzip", [gzip.compress(b"x" * 120)])]
)
async def test_a_whole_answer_has_a_bound(coding, pieces):
    with pytest.raises(UpstreamMalformed, match="larger"):
        await source_of(*pieces, limit=100, coding=coding).rest(b"")


async def test_a_stream_has_none():
    source = source_of(*[b"x" * 1000] * 100)

    assert len(await source.rest(b"")) == 100_000


async def test_a_packed_piece_that_holds_nothing_yet_is_no_end():
    packed = gzip.compress(b"data: 1\n\n")

    assert await source_of(packed[:5], packed[5:], coding=b"gzip").rest(b"") == b"data: 1\n\n"
