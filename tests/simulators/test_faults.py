"""What happens below HTTP: delays and sizes (X20), breaks (X22), broken framing (X23)."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from tests.simulators.raw_client import SECONDS, Peer, chat_bytes

Connect = Callable[[], Awaitable[Peer]]
SITES = ["4minds", "minds", "minds-api", "openmind", "openai"]


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize(
    ("word", "end"),
    [
        pytest.param("-sim-reset-", "reset", id="reset"),
        pytest.param("-sim-cut-", "closed", id="cut"),
        pytest.param("-sim-eof-", "whole", id="eof"),
    ],
)
async def test_a_break_comes_after_exactly_n_events(chat, site, count, word, end):
    reply = await chat(site, f"{word}{count}", text="a b c d e f g", stream=True)

    assert (reply.status, len(reply.chunks), reply.end) == (200, count, end)
    assert reply.finishes() == []


@pytest.mark.parametrize(
    ("suffix", "end"),
    [
        pytest.param("-sim-refuse", "reset", id="refused"),
        pytest.param("-sim-reset-0", "reset", id="reset before the head"),
        pytest.param("-sim-cut-0", "closed", id="closed before the head"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_break_before_the_head_sends_no_byte(chat, suffix, end, stream):
    reply = await chat("4minds", suffix, stream=stream)

    assert (reply.raw, reply.end) == (b"", end)


async def test_a_clean_end_with_no_event_is_an_empty_stream(chat):
    reply = await chat("4minds", "-sim-eof-0", stream=True)

    assert (reply.status, reply.body, reply.end) == (200, b"", "whole")


@pytest.mark.parametrize("word", ["reset", "cut"])
async def test_a_break_behind_all_events_takes_the_last_chunk(chat, word):
    reply = await chat("4minds", f"-sim-{word}-99", stream=True)

    assert reply.data()[-1] == "[DONE]"
    assert reply.end == ("reset" if word == "reset" else "closed")


@pytest.mark.parametrize(
    ("suffix", "end"),
    [("-sim-reset-1", "reset"), ("-sim-cut-1", "closed"), ("-sim-truncjson", "closed")],
)
async def test_a_plain_answer_breaks_in_its_middle(chat, suffix, end):
    reply = await chat("4minds", suffix)

    length = int(reply.header("content-length"))
    assert reply.end == end
    assert 0 < len(reply.body) < length


async def test_a_plain_answer_that_ends_early_but_clean_is_half_a_json(chat):
    reply = await chat("4minds", "-sim-eof-1")

    assert reply.end == "whole"
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        reply.json()


@pytest.mark.parametrize("suffix", ["-sim-half", "-sim-stall-0"])
async def test_silence_lasts_until_the_peer_leaves(simulators, connect, suffix):
    peer = await connect()
    await peer.send(chat_bytes("4minds", suffix))
    seen = await simulators.seen.wait_for(lambda one: True, SECONDS)
    peer.close()
    await simulators.seen.wait_for(lambda one: one.left_at is not None, SECONDS)

    assert (seen.events_sent, seen.finished_at) == (0, None)


async def test_a_stream_stalls_after_n_events(simulators, connect):
    peer = await connect()
    await peer.send(chat_bytes("4minds", "-sim-stall-2", stream=True))
    seen = await simulators.seen.wait_for(lambda one: one.events_sent == 2, SECONDS)
    for _ in range(2):
        await peer.until(b"\n\n\r\n")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await peer.more()

    assert seen.left_at is None


@pytest.mark.parametrize(
    ("suffix", "least_seconds"),
    [
        pytest.param("-sim-head-60", 0.06, id="before the head"),
        pytest.param("-sim-ttft-60", 0.06, id="before the first event"),
        pytest.param("-sim-gap-15", 0.06, id="between five events"),
        pytest.param("-sim-head-20-ttft-20-gap-5", 0.06, id="all of them"),
    ],
)
async def test_delays_are_kept(chat, suffix, least_seconds):
    began = time.monotonic()
    reply = await chat("4minds", suffix, stream=True)

    assert time.monotonic() - began >= least_seconds
    assert reply.data()[-1] == "[DONE]"


@pytest.mark.parametrize("suffix", ["-sim-head-40-ttft-20", "-sim-ttft-60", "-sim-ttft-60-bytes"])
async def test_a_plain_answer_waits_too(chat, suffix):
    began = time.monotonic()
    reply = await chat("4minds", suffix)

    assert time.monotonic() - began >= 0.06
    assert reply.json()["choices"][0]["message"]["content"] == "echo: one two"


async def test_the_head_leaves_before_the_first_event(connect):
    peer = await connect()
    await peer.send(chat_bytes("4minds", "-sim-ttft-60000", stream=True))

    assert (await peer.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
    assert peer.buffer == b""


@pytest.mark.parametrize("count", [1, 7, 1000])
async def test_an_answer_has_exactly_n_words(chat, count):
    reply = await chat("4minds", f"-sim-tokens-{count}", stream=True)

    assert len(reply.text().split()) == count
    assert len(reply.chunks) == count + 2  # the finish and [DONE]


async def test_one_event_can_be_big(chat):
    reply = await chat("4minds", "-sim-big-300", stream=True)

    assert max(len(chunk) for chunk in reply.chunks) >= 300 * 1024
    assert reply.data()[-1] == "[DONE]"


@pytest.mark.parametrize("stream", [False, True])
async def test_one_write_holds_all_events(chat, simulators, stream):
    reply = await chat("4minds", "-sim-burst", stream=stream)

    assert reply.end == "whole"
    assert simulators.seen.last.events_sent == (5 if stream else 0)


async def test_a_burst_can_be_cut(chat):
    reply = await chat("4minds", "-sim-burst-cut-2", stream=True)

    assert (len(reply.chunks), reply.end) == (2, "closed")


@pytest.mark.parametrize("stream", [False, True])
async def test_bytes_may_come_one_by_one(chat, stream):
    reply = await chat("4minds", "-sim-bytes", stream=stream)

    text = reply.text() if stream else reply.json()["choices"][0]["message"]["content"]
    assert text == "echo: one two"


@pytest.mark.parametrize("stream", [False, True])
class TestGarbage:
    """Each way of breaking the framing; numbers as in X23."""

    async def raw(self, connect: Connect, number: int, stream: bool) -> Peer:
        peer = await connect()
        await peer.send(chat_bytes("4minds", f"-sim-garbage-{number}", stream=stream))
        return peer

    async def test_1_is_no_status_line(self, connect, stream):
        raw = await (await self.raw(connect, 1, stream)).rest()

        assert not raw.startswith(b"HTTP/")

    async def test_2_is_a_bad_chunk_size(self, connect, stream):
        raw = await (await self.raw(connect, 2, stream)).rest()

        assert b"transfer-encoding: chunked" in raw
        assert raw.endswith(b"\r\n\r\nzz\r\n")

    async def test_3_is_twenty_times_1xx(self, connect, stream):
        peer = await self.raw(connect, 3, stream)
        for _ in range(20):
            assert await peer.until(b"\r\n\r\n") == b"HTTP/1.1 103 Early Hints\r\n\r\n"

        assert (await peer.reply()).status == 200

    async def test_4_is_a_head_of_200_kib(self, connect, stream):
        reply = await (await self.raw(connect, 4, stream)).reply()

        assert len(reply.header("x-filler") or "") == 200 * 1024
        assert reply.end == "whole"

    async def test_5_promises_more_than_comes(self, connect, stream):
        reply = await (await self.raw(connect, 5, stream)).reply()

        assert reply.end == "closed"
        assert int(reply.header("content-length") or 0) == len(reply.body) + 10

    async def test_6_promises_less_than_comes(self, connect, stream):
        peer = await self.raw(connect, 6, stream)
        reply = await peer.reply()
        rest = await peer.rest()

        assert reply.end == "whole"
        assert len(rest) == 10

    async def test_7_has_a_length_and_chunks(self, connect, stream):
        reply = await (await self.raw(connect, 7, stream)).reply()

        assert reply.header("transfer-encoding") == "chunked"
        assert int(reply.header("content-length") or 0) == len(reply.body)
