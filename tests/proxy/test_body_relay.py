"""A body on its way through: at the client's pace, whole or cut (contract L10; reliability R4, R5, J5)."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable

import pytest

from app.domain.errors import GatewayError, UpstreamDisconnected, UpstreamMalformed, UpstreamTimeout
from app.domain.exchange import Exchange
from app.domain.outcome import Outcome
from app.protocol.headers import HeaderList
from app.proxy.attempts import Answer
from app.proxy.body_relay import BodyRelay
from app.proxy.reply import Reply
from app.upstreams.deadlines import Deadlines
from tests.fakes.clients import FakeClient
from tests.fakes.clock import Clock
from tests.fakes.raw_client import eventually
from tests.fakes.senders import FakeResponse, Piece
from tests.fakes.upstreams import upstream_of

FIRST_BYTE, IDLE, TOTAL = 30.0, 40.0, 300.0
FIELDS: HeaderList = [(b"content-type", b"application/octet-stream")]
CUT = UpstreamDisconnected("cut")
BLOCK = bytes(range(256)) * 4  # twice the tail


class NotedBooks:
    """Notes what the client had, when the exchange was booked."""

    def __init__(self, client: FakeClient, durability: Awaitable[None] | None = None) -> None:
        self._client, self._durability = client, durability
        self.bytes_at_booking: int | None = None

    def progress(self, exchange: Exchange) -> None: ...

    def book(self, exchange: Exchange) -> Awaitable[None] | None:
        if self.bytes_at_booking is None:
            self.bytes_at_booking = len(self._client.body)
        return self._durability


class Relaying:
    """One body over a response that does as it is told, under a clock that moves when told."""

    def __init__(
        self, *pieces: Piece, length: int | None = None, method: str = "GET", coding: bytes = b""
    ) -> None:
        self.clock, self.client, self.length = Clock(0.0), FakeClient(method), length
        self.response = FakeResponse(200, [], pieces)
        self.books = NotedBooks(self.client)
        self.exchange = Exchange("req_1", method, "files.content", received_at=0.0)
        self.reply = Reply(self.client, self.exchange, self.clock, self.books)
        limits = Deadlines("up", FIRST_BYTE, FIRST_BYTE, IDLE, TOTAL, TOTAL)
        self.answer = Answer(self.response, upstream_of("openai"), limits, coding=coding)
        self.relay = BodyRelay(self.clock, self.clock.call_later)

    async def run(self) -> None:
        await self.relay.relay(
            self.answer,
            self.exchange,
            self.reply,
            status=206,
            fields=FIELDS,
            length=self.length,
        )

    def running(self) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(self.run())

    async def made(self, pieces: AsyncIterator[bytes]) -> None:
        await self.relay.relay_pieces(
            pieces, self.exchange, self.reply, status=200, fields=FIELDS, length=self.length
        )


@pytest.mark.parametrize("length", [None, 3 * len(BLOCK)], ids=["no length", "a length"])
async def test_a_body_arrives_as_it_came_under_the_head_it_was_given(length: int | None):
    one = Relaying(BLOCK, BLOCK, BLOCK, length=length)

    await one.run()

    assert (206, length, BLOCK * 3) == (one.client.status, one.client.length, one.client.body)
    assert one.client.header(b"content-type") == b"application/octet-stream"
    assert one.client.is_finished
    assert one.response.is_released
    assert (206, len(one.client.body)) == (one.exchange.status, one.exchange.bytes_out)
    assert one.clock.timers() == []


@pytest.mark.parametrize("size", [1, 100, 511, 512, 513, 1024])
@pytest.mark.parametrize("total", [1, 511, 512, 513, 4096])
async def test_j5_the_tail_of_a_body_with_a_length_is_held_back_until_it_is_booked(
    total: int, size: int
):
    body = (BLOCK * 5)[:total]
    one = Relaying(*(body[at : at + size] for at in range(0, total, size)), length=total)

    await one.run()

    assert one.client.body == body
    assert one.books.bytes_at_booking == max(total - 512, 0)


async def test_j5_a_body_without_a_length_goes_at_once_and_its_end_is_held_back():
    booked = asyncio.get_running_loop().create_future()
    one = Relaying(b"a", b"b", None)
    one.books = NotedBooks(one.client, booked)
    one.reply = Reply(one.client, one.exchange, one.clock, one.books)
    running = one.running()

    assert await eventually(lambda: one.response.is_silent)
    assert [b"a", b"b"] == one.client.writes
    one.response.go_on()
    assert await eventually(lambda: one.books.bytes_at_booking == 2)
    assert not one.client.is_finished

    booked.set_result(None)
    await running

    assert one.client.is_finished


async def test_an_empty_body_is_a_head_and_an_end():
    one = Relaying(length=0)

    await one.run()

    assert (206, 0, b"") == (one.client.status, one.client.length, one.client.body)
    assert one.client.is_finished


async def test_a11_to_head_no_body_is_read():
    one = Relaying(BLOCK, length=500_000_000, method="HEAD")

    await one.run()

    assert (500_000_000, b"", True) == (one.client.length, one.client.body, one.client.is_finished)
    assert one.response.is_closed
    assert not one.client.was_cut


async def test_r4_nothing_is_read_while_the_client_is_slow_and_nobody_is_late_then():
    one = Relaying(BLOCK, BLOCK, BLOCK, None)
    one.client.is_full = True
    running = one.running()
    assert await eventually(lambda: one.response.is_paused)

    one.clock.advance(IDLE * 3)
    assert (BLOCK, 1) == (one.client.body, one.response.times_paused)
    one.client.has_room()
    assert await eventually(lambda: one.response.is_silent)
    assert one.client.body == BLOCK * 3

    one.clock.advance(IDLE)
    with pytest.raises(UpstreamTimeout) as caught:
        await running
    assert caught.value.phase == "idle"


async def test_r5_the_first_byte_deadline_counts_until_the_first_byte():
    one = Relaying(None)
    running = one.running()
    assert await eventually(lambda: one.response.is_silent)

    one.clock.advance(FIRST_BYTE)

    with pytest.raises(UpstreamTimeout) as caught:
        await running
    assert caught.value.phase == "first_byte"
    assert not one.client.head_sent
    assert one.response.is_closed


async def test_what_the_upstream_sends_puts_the_idle_deadline_off():
    one = Relaying(BLOCK, None)
    running = one.running()
    assert await eventually(lambda: one.response.is_silent)

    one.clock.advance(IDLE - 1)
    one.response.come(BLOCK, None)
    assert await eventually(lambda: len(one.client.body) == 2 * len(BLOCK))
    one.clock.advance(IDLE - 1)

    assert not running.done()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert one.response.is_closed
    assert one.clock.timers() == []


@pytest.mark.parametrize(
    ("pieces", "length", "failure"),
    [
        pytest.param([BLOCK, CUT], 4096, UpstreamDisconnected, id="the upstream fails"),
        pytest.param([BLOCK], 4096, UpstreamMalformed, id="less than its length"),
        pytest.param([BLOCK, BLOCK], 2047, UpstreamMalformed, id="more than its length"),
    ],
)
async def test_l10_a_body_that_fails_midway_was_cut_short_and_never_ended(
    pieces: list[Piece], length: int, failure: type[GatewayError]
):
    one = Relaying(*pieces, length=length)

    with pytest.raises(failure) as caught:
        await one.run()
    one.reply.failure(caught.value)

    assert one.client.was_cut
    assert not one.client.is_finished
    assert BLOCK.startswith(one.client.body)
    assert one.books.bytes_at_booking is not None
    assert one.response.is_closed


async def test_f8_a_failure_before_the_first_byte_has_a_status_of_its_own():
    one = Relaying(CUT, length=4096)

    with pytest.raises(UpstreamDisconnected) as caught:
        await one.run()
    one.reply.failure(caught.value)

    assert (502, True, False) == (one.client.status, one.client.is_finished, one.client.was_cut)


async def test_a_body_that_was_packed_all_the_same_is_unpacked_and_has_no_length():
    packed = gzip.compress(BLOCK)
    one = Relaying(packed[:20], packed[20:], length=len(packed), coding=b"gzip")

    await one.run()

    assert (None, BLOCK) == (one.client.length, one.client.body)


async def test_an_unknown_coding_is_no_answer():
    one = Relaying(BLOCK, coding=b"br")

    with pytest.raises(UpstreamMalformed):
        await one.run()

    assert one.response.is_closed


async def test_when_all_but_the_tail_is_gone_a_stop_of_the_gateway_sends_the_tail():
    one = Relaying(BLOCK, length=len(BLOCK))
    one.client.is_full = True
    running = one.running()
    assert await eventually(lambda: one.response.is_paused)
    one.client.is_full = False
    one.client.has_room()
    one.client.is_full = True
    assert await eventually(lambda: one.reply._tail is not None)

    one.reply.failure(CUT)

    assert (BLOCK, True) == (one.client.body, one.client.is_finished)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


class Made:
    """Pieces that somebody makes. *asked*: how many were asked for."""

    def __init__(self, *pieces: bytes, failure: Exception | None = None) -> None:
        self._pieces, self._failure = pieces, failure
        self.asked = 0
        self.is_closed = False

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            for piece in self._pieces:
                self.asked += 1
                yield piece
            if self._failure is not None:
                raise self._failure
        finally:
            self.is_closed = True


async def test_o3_pieces_that_are_made_leave_one_by_one():
    one, made = Relaying(), Made(b"a", b"b")

    await one.made(made.pieces())

    assert [b"a", b"b"] == one.client.writes
    assert one.client.is_finished
    assert one.exchange.upstream_first_at == 0.0


async def test_no_piece_is_asked_for_while_the_client_is_slow():
    one, made = Relaying(), Made(b"a", b"b")
    one.client.is_full = True
    running = asyncio.get_running_loop().create_task(one.made(made.pieces()))
    assert await eventually(lambda: made.asked == 1)
    await asyncio.sleep(0)

    assert made.asked == 1
    one.client.has_room()
    await running
    assert one.client.body == b"ab"


async def test_pieces_are_closed_when_the_client_leaves():
    one, made = Relaying(), Made(b"a", b"b")
    one.client.is_full = True
    running = asyncio.get_running_loop().create_task(one.made(made.pieces()))
    assert await eventually(lambda: made.asked == 1)

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert made.is_closed


async def test_l10_pieces_that_fail_midway_are_cut():
    one, made = Relaying(), Made(b"a", failure=CUT)

    with pytest.raises(UpstreamDisconnected) as caught:
        await one.made(made.pieces())
    one.exchange.outcome = Outcome.UPSTREAM_CUT
    one.reply.failure(caught.value)

    assert one.client.was_cut
    assert not one.client.is_finished
    assert made.is_closed
