"""One answer: read or poured, paused, released; nothing is lost, and nothing comes behind the end."""

import asyncio

import pytest

from app.wire.errors import CutBody, WireError
from app.wire.responses import Response
from tests.fakes.scripted_upstream import SECONDS

MANY = b"x" * (64 * 1024 + 1)


class Source:
    """Notes what a response asks of its connection."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def pause(self) -> None:
        self.asked.append("pause")

    def resume(self) -> None:
        self.asked.append("resume")

    def linger(self) -> None:
        self.asked.append("linger")

    def close(self) -> None:
        self.asked.append("close")


class Sink:
    """Notes what is poured. *on_piece* is called with each piece."""

    def __init__(self) -> None:
        self.got: list[bytes | WireError | None] = []

    def take(self, piece: bytes) -> None:
        self.got.append(piece)

    def end(self, failure: WireError | None) -> None:
        self.got.append(failure)


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
async def response(source: Source) -> Response:
    one = Response(source, asyncio.get_running_loop().create_future())
    one.answered(200, [])
    return one


async def test_what_came_is_read_in_one_piece_and_then_silence(response):
    response.take(b"a")
    response.take(b"b")

    patience = (SECONDS, 0.01, 0)
    assert [b"ab", None, None] == [await response.read(seconds) for seconds in patience]


async def test_a_reader_is_woken_by_the_next_bytes(response):
    reading = asyncio.ensure_future(response.read(SECONDS))
    await asyncio.sleep(0)

    response.take(b"a")

    assert await reading == b"a"


async def test_the_end_comes_behind_what_was_not_read_yet(response):
    response.take(b"a")
    response.ended(None)

    assert [b"a", b"", b""] == [await response.read(0) for _ in range(3)]


async def test_a_failure_comes_behind_what_was_not_read_yet_and_stays(response):
    response.take(b"a")
    response.ended(CutBody())

    assert await response.read(0) == b"a"
    for _ in range(2):
        with pytest.raises(CutBody):
            await response.read(0)


@pytest.mark.parametrize("failure", [None, CutBody()])
async def test_a_waiting_reader_is_told_the_end(response, failure):
    reading = asyncio.ensure_future(response.read(SECONDS))
    await asyncio.sleep(0)

    response.ended(failure)

    told = await asyncio.gather(reading, return_exceptions=True)
    assert [failure or b""] == list(told)


async def test_a_read_that_is_cancelled_loses_nothing(response):
    reading = asyncio.ensure_future(response.read(SECONDS))
    await asyncio.sleep(0)
    response.take(b"a")
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)

    assert await response.read(0) == b"a"


async def test_r4_its_connection_is_not_read_while_much_waits_unread(response, source):
    response.take(MANY)
    assert source.asked == ["pause"]

    await response.read(0)

    assert source.asked == ["pause", "resume"]


async def test_r4_nor_while_much_came_for_a_reader_that_has_not_had_its_turn_yet(response, source):
    reading = asyncio.ensure_future(response.read(SECONDS))
    await asyncio.sleep(0)

    response.take(MANY)
    assert source.asked == ["pause"]

    assert await reading == MANY
    assert source.asked == ["pause", "resume"]


async def test_poured_each_read_s_bytes_come_in_one_call_and_the_end_once(response):
    sink = Sink()

    response.pour(sink.take, sink.end)
    response.take(b"a")
    response.take(b"b")
    response.ended(None)

    assert sink.got == [b"a", b"b", None]


@pytest.mark.parametrize("failure", [None, CutBody()])
async def test_what_is_here_already_is_poured_at_once(response, failure):
    response.take(b"a")
    response.take(b"b")
    response.ended(failure)
    sink = Sink()

    response.pour(sink.take, sink.end)

    assert sink.got == [b"ab", failure]


@pytest.mark.parametrize("give_up", [Response.release, Response.close])
async def test_a_sink_may_give_up_at_the_first_piece_and_hears_no_more(response, source, give_up):
    sink = Sink()
    response.take(b"a")
    response.ended(None)

    def take(piece: bytes) -> None:
        sink.take(piece)
        give_up(response)

    response.pour(take, sink.end)

    assert sink.got == [b"a"]


@pytest.mark.parametrize(
    ("give_up", "asked"), [(Response.release, "linger"), (Response.close, "close")]
)
async def test_given_up_nothing_is_handed_out_and_its_connection_is_told_once(
    response, source, give_up, asked
):
    sink = Sink()
    response.pour(sink.take, sink.end)

    give_up(response)
    response.take(b"a")
    response.ended(CutBody())
    response.release()
    response.close()
    response.pause()

    assert sink.got == []
    assert [each for each in source.asked if each != "resume"] == [asked]
