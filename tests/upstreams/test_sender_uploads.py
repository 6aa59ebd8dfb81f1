"""Bodies that come piece by piece, and answers that come before their end, for both senders."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.domain.errors import GatewayError, UpstreamTimeout
from app.wire.requests import Upload
from tests.fakes.scripted_upstream import SECONDS, End, Pause, head, whole
from tests.upstreams.both_senders import poured, read_all, request_of, sent, within

PIECE = bytes(range(256)) * 256  # 64 KiB
PIECES = 128
ANSWER = whole(b"{}")


class Source:
    """The pieces of an upload: *count* of PIECE, then *then* is raised, or waited for if it is an event."""

    def __init__(self, count: int, then: BaseException | asyncio.Event | None = None) -> None:
        self.taken = 0
        self.is_over = False
        self._count = count
        self._then = then

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            for _ in range(self._count):
                self.taken += 1
                yield PIECE
            if isinstance(self._then, BaseException):
                raise self._then
            if self._then is not None:
                await self._then.wait()
                yield PIECE
        finally:
            self.is_over = True


@pytest.mark.parametrize("has_length", [True, False])
async def test_an_upload_goes_out_whole(upstream, sender, has_length):
    length = len(PIECE) * PIECES if has_length else None
    upstream.tell(ANSWER)
    upload = Upload(Source(PIECES).pieces(), length)

    assert (200, b"{}") == await read_all(sender, request_of(upstream, body=upload))

    [seen] = upstream.seen
    assert PIECE * PIECES == seen.body
    framing = {name for name, _ in seen.headers} & {"content-length", "transfer-encoding"}
    assert {"content-length" if has_length else "transfer-encoding"} == framing


@pytest.mark.parametrize("length", [0, None])
async def test_an_empty_upload_is_a_body_too(upstream, sender, length):
    upstream.tell(ANSWER)

    request = request_of(upstream, body=Upload(Source(0).pieces(), length))

    assert (200, b"{}") == await read_all(sender, request)
    assert b"" == upstream.seen[0].body


async def test_empty_pieces_are_no_end(upstream, sender):
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"", b"a", b"", b"b"):
            yield piece

    upstream.tell(ANSWER)

    await read_all(sender, request_of(upstream, body=Upload(pieces())))

    assert b"ab" == upstream.seen[0].body


@pytest.mark.parametrize("length", [2 * len(PIECE), None])
async def test_after_an_upload_its_connection_serves_again(upstream, sender, length):
    upstream.tell(ANSWER)

    for _ in range(2):
        upload = Upload(Source(2).pieces(), length)
        assert (200, b"{}") == await read_all(sender, request_of(upstream, body=upload))

    assert 1 == len({seen.connection for seen in upstream.seen})


async def test_no_more_is_taken_of_an_upload_than_the_upstream_reads(upstream, sender):
    upstream.answers_heads, upstream.reads_on = True, False
    upstream.tell(End.HOLD)
    source = Source(10_000)
    task = asyncio.ensure_future(
        sender.send(request_of(upstream, body=Upload(source.pieces(), None)))
    )
    await upstream.request()
    await asyncio.sleep(0.1)
    taken = source.taken
    await asyncio.sleep(0.05)

    assert taken == source.taken < 1_000
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()


# --- an answer that comes first -------------------------------------------------------------------------------------


@pytest.mark.parametrize("ask", [read_all, poured])
@pytest.mark.parametrize(
    "reads_on", [pytest.param(True, id="reading on"), pytest.param(False, id="reading no more")]
)
@pytest.mark.parametrize("length", [10_000 * len(PIECE), None])
async def test_an_answer_may_come_before_the_end(upstream, sender, ask, reads_on, length):
    upstream.answers_heads, upstream.reads_on = True, reads_on
    upstream.tell(Pause(0.02), whole(b'{"no":1}', 413))
    source = Source(10_000)

    answer = await ask(sender, request_of(upstream, body=Upload(source.pieces(), length)))

    assert (413, b'{"no":1}') == answer
    assert source.taken < 10_000
    upstream.read_on()
    await upstream.all_gone()


async def test_an_answer_may_come_while_the_next_piece_is_waited_for(upstream, sender):
    upstream.answers_heads = True
    upstream.tell(Pause(0.02), whole(b'{"no":1}', 413))
    upload = Upload(Source(1, asyncio.Event()).pieces(), None)

    assert (413, b'{"no":1}') == await read_all(sender, request_of(upstream, body=upload))

    await upstream.all_gone()


async def test_an_answer_that_closes_may_come_before_the_end(upstream, sender):
    upstream.answers_heads = True
    upstream.tell(whole(b'{"no":1}', 413, connection="close"), Pause(0.02), End.CLOSE)
    upload = Upload(Source(1, asyncio.Event()).pieces(), None)

    assert (413, b'{"no":1}') == await read_all(sender, request_of(upstream, body=upload))


async def test_the_next_request_goes_out_on_another_connection(upstream, sender):
    upstream.answers_heads = True
    upstream.tell(whole(b'{"no":1}', 413))
    upload = Upload(Source(1, asyncio.Event()).pieces(), None)
    await read_all(sender, request_of(upstream, body=upload))
    upstream.answers_heads = False
    upstream.answer = lambda _: [ANSWER]

    assert (200, b"{}") == await read_all(sender, request_of(upstream))

    assert 2 == len({seen.connection for seen in upstream.seen})


async def test_100_continue_is_no_answer(upstream, sender):
    upstream.tell(ANSWER)
    upstream.answer = lambda _: [head(100), Pause(0.01), ANSWER]
    upload = Upload(Source(2).pieces(), None)

    assert (200, b"{}") == await read_all(sender, request_of(upstream, body=upload))

    assert PIECE * 2 == upstream.seen[0].body


# --- an upload that breaks ------------------------------------------------------------------------------------------


async def test_what_an_upload_raises_comes_out(upstream, sender):
    upload = Upload(Source(1, ZeroDivisionError("its own")).pieces(), None)

    with pytest.raises(ZeroDivisionError, match="its own"):
        await sent(sender, request_of(upstream, body=upload))

    await upstream.all_gone()


@pytest.mark.parametrize("error", [TimeoutError("its own"), ConnectionResetError("its own")])
async def test_an_upload_s_own_network_error_is_not_the_upstream_s(upstream, sender, error):
    upload = Upload(Source(1, error).pieces(), None)

    with pytest.raises(type(error), match="its own"):
        await sent(sender, request_of(upstream, body=upload, deadlines=within()))


async def test_an_upload_that_takes_too_long_is_late(upstream, sender):
    source = Source(1, asyncio.Event())
    upload = Upload(source.pieces(), None)

    with pytest.raises(UpstreamTimeout):
        await sent(
            sender, request_of(upstream, body=upload, deadlines=within(first_byte_seconds=0.05))
        )

    assert source.is_over
    await upstream.all_gone()


async def test_cancelled_during_an_upload_the_upstream_sees_the_close(upstream, sender):
    source = Source(1, asyncio.Event())
    upload = Upload(source.pieces(), None)
    task = asyncio.ensure_future(sender.send(request_of(upstream, body=upload)))
    await upstream.opened.wait()
    await asyncio.sleep(0.02)

    task.cancel()
    await asyncio.wait({task})

    assert task.cancelled()
    assert source.is_over
    await upstream.all_gone()


@pytest.mark.parametrize("end", [End.CLOSE, End.RESET])
async def test_an_upstream_that_leaves_during_an_upload_is_an_error(upstream, sender, end):
    upstream.answers_heads = True
    upstream.tell(Pause(0.02), end)
    upload = Upload(Source(1, asyncio.Event()).pieces(), None)

    with pytest.raises(GatewayError):
        async with asyncio.timeout(SECONDS):
            await sender.send(request_of(upstream, body=upload))
