"""One stream from socket to socket: order, silence, a slow client, every end (reliability R4, R5; contract J7, J8)."""

import asyncio
import gzip
from collections.abc import Iterable
from typing import Any

import pytest

from app.domain.configuration import StreamOptions
from app.domain.errors import UpstreamDisconnected, UpstreamMalformed, UpstreamTimeout
from app.domain.exchange import Exchange
from app.protocol.answer_rules import OPENAI_RULES, Identity
from app.protocol.chat_stream import ChatStream, FaultReason
from app.protocol.sse import KEEP_ALIVE
from app.proxy.attempts import Answer
from app.proxy.live_stream import LiveStream
from app.proxy.reply import Reply
from app.upstreams.bodies import Opener
from app.upstreams.deadlines import Deadlines
from tests.fakes.billing import billing_of
from tests.fakes.clients import FakeClient
from tests.fakes.clock import Clock
from tests.fakes.raw_client import eventually
from tests.fakes.scripted_upstream import DONE, FINISH, FIRST, SECOND, STREAM
from tests.fakes.senders import FakeResponse, Piece
from tests.fakes.upstreams import upstream_of

FIRST_BYTE, IDLE, TOTAL = 30.0, 40.0, 300.0
HEARTBEAT, NOOP = 15.0, 60.0
OPTIONS = StreamOptions(HEARTBEAT, NOOP)
CUT = UpstreamDisconnected("cut")


class Live:
    """A stream over a response that does as it is told, under a clock that moves when told."""

    def __init__(self, *pieces: Piece, idle: float = IDLE, coding: bytes = b"") -> None:
        self.clock, self.client = Clock(0.0), FakeClient()
        headers = [(b"content-encoding", coding)] if coding else []
        self.response = FakeResponse(200, headers, pieces)
        limits = Deadlines("up", FIRST_BYTE, FIRST_BYTE, idle, TOTAL, TOTAL)
        self.stream = ChatStream(
            rules=OPENAI_RULES,
            include_usage=False,
            identity=Identity("made-up", 1, "m"),
            max_event_bytes=1 << 20,
        )
        exchange = Exchange("req_1", "POST", "chat.create", received_at=0.0)
        self.live = LiveStream(
            Answer(self.response, upstream_of("openai"), limits),
            self.stream,
            Reply(self.client, exchange, self.clock, billing_of(self.clock)),
            options=OPTIONS,
            opener=Opener(coding, limit=1 << 40, name="up"),
            now=self.clock,
            call_later=self.clock.call_later,
        )

    def running(self, first: bytes = FIRST) -> asyncio.Task[bytes]:
        return asyncio.get_running_loop().create_task(self.live.run(first))

    async def silent(self) -> None:
        """Returns once what was to come has come."""
        assert await eventually(lambda: self.response.is_silent)


async def test_what_comes_goes_out_as_it_came_and_the_end_is_the_stream_s():
    live = Live(SECOND, FINISH, DONE)

    assert await live.live.run(FIRST) == DONE

    assert [FIRST, SECOND, FINISH] == live.client.writes
    assert live.stream.ended
    assert live.stream.fault is None
    assert live.clock.timers() == []


async def test_a_stream_that_came_whole_is_not_waited_for():
    live = Live()

    assert await live.live.run(STREAM) == STREAM

    assert live.client.writes == []
    assert live.clock.timers() == []


@pytest.mark.parametrize(
    ("pieces", "fault"),
    [
        pytest.param([SECOND, FINISH], None, id="S10: a finish_reason and the end"),
        pytest.param([SECOND], FaultReason.DISCONNECTED, id="S10: no finish_reason"),
        pytest.param([SECOND, CUT], FaultReason.DISCONNECTED, id="cut"),
        pytest.param([FINISH, CUT], None, id="S10: cut behind the finish_reason"),
        pytest.param([b"data: {no json}\n\n"], FaultReason.MALFORMED, id="S7: no JSON"),
    ],
)
async def test_the_end_of_the_body_is_for_the_stream_to_judge(
    pieces: Iterable[Piece], fault: FaultReason | None
):
    live = Live(*pieces)

    await live.live.run(FIRST)

    assert (live.stream.fault and live.stream.fault.reason) == fault


async def test_j7_a_silent_line_is_kept_alive_by_comments():
    live = Live(None)
    running = live.running()
    await live.silent()

    live.clock.advance(HEARTBEAT - 0.1)
    assert live.client.writes == [FIRST]
    live.clock.advance(0.1)
    live.clock.advance(HEARTBEAT)

    assert [KEEP_ALIVE] * 2 == live.client.writes[1:]
    running.cancel()


async def test_j8_a_longer_silence_by_a_chunk_that_says_nothing():
    live = Live(None, idle=500)
    running = live.running()
    await live.silent()

    live.clock.advance(NOOP)

    assert [KEEP_ALIVE] * 3 == live.client.writes[1:4]
    assert b'"delta":{}' in live.client.writes[4]
    running.cancel()


async def test_what_the_upstream_sends_puts_the_next_comment_off():
    live = Live(None)
    running = live.running()
    await live.silent()
    live.clock.advance(HEARTBEAT - 1)
    live.response.come(SECOND, None)
    assert await eventually(lambda: len(live.client.writes) == 2)

    live.clock.advance(HEARTBEAT - 1)
    assert [FIRST, SECOND] == live.client.writes
    live.clock.advance(1)

    assert live.client.writes[2:] == [KEEP_ALIVE]
    running.cancel()


async def test_r5_an_upstream_that_falls_silent_is_idle():
    live = Live(None)
    running = live.running()
    await live.silent()

    live.clock.advance(IDLE)

    with pytest.raises(UpstreamTimeout) as caught:
        await running
    assert (caught.value.phase, live.clock()) == ("idle", IDLE)


async def test_r5_comments_of_the_upstream_are_no_first_event():
    live = Live(b": busy\n\n", None)
    running = live.running(b": busy\n\n")
    await live.silent()

    live.clock.advance(FIRST_BYTE)

    with pytest.raises(UpstreamTimeout) as caught:
        await running
    assert caught.value.phase == "first_byte"


async def test_r4_while_the_client_is_slow_nothing_is_read_and_no_upstream_is_idle():
    live = Live(SECOND, FINISH, DONE)
    live.client.is_full = True
    running = live.running()
    assert await eventually(lambda: len(live.client.writes) == 1)
    await asyncio.sleep(0)
    assert live.response.is_paused

    live.clock.advance(IDLE * 3)
    live.client.has_room()
    await running

    assert [FIRST, SECOND, FINISH] == live.client.writes
    assert live.response.times_paused == 1


@pytest.mark.parametrize("error", [UpstreamMalformed("m"), UpstreamTimeout("t", phase="total")])
async def test_a_failure_of_the_connection_comes_out_as_it_is(error: Any):
    live = Live(SECOND, error)

    with pytest.raises(type(error)):
        await live.live.run(FIRST)

    assert [FIRST, SECOND] == live.client.writes
    assert live.clock.timers() == []


async def test_a_client_that_leaves_leaves_no_timer():
    live = Live(None)
    running = live.running()
    await live.silent()

    running.cancel()
    await asyncio.wait([running])

    assert live.clock.timers() == []


async def test_h7_a_packed_stream_is_opened():
    packed = gzip.compress(SECOND + FINISH + DONE)
    live = Live(packed[:20], packed[20:], coding=b"gzip")

    last = await live.live.run(FIRST)

    assert live.client.body + last == STREAM


async def test_h7_what_cannot_be_opened_is_malformed():
    live = Live(b"no gzip", coding=b"gzip")

    with pytest.raises(UpstreamMalformed):
        await live.live.run(FIRST)
