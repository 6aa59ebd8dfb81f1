"""One connection: kept, pipelined, and watched for the peer that leaves in any phase."""

import json
import time

import pytest

from app.simulators.http_reader import MAX_BODY_BYTES
from tests.simulators.forms import form_request, upload_parts
from tests.simulators.raw_client import (
    CHAT,
    SECONDS,
    Peer,
    chat_body,
    chat_bytes,
    head_of,
    request_bytes,
)

LIST = request_bytes("GET", "/openai/v1/models")


async def test_a_connection_serves_many_requests(simulators, connect):
    peer = await connect()
    for stream in (True, False, True):
        await peer.send(chat_bytes("openai", stream=stream))
        assert (await peer.reply()).end == "whole"

    assert {one.connection for one in simulators.seen} == {1}


async def test_pipelined_requests_are_answered_in_order(connect):
    peer = await connect()
    asked = [chat_bytes("openai", text=str(number), stream=True) for number in range(5)]
    await peer.send(b"".join(asked) + LIST)

    texts = [(await peer.reply()).text() for _ in range(5)]
    assert texts == [f"echo: {number}" for number in range(5)]
    assert (await peer.reply()).json()["object"] == "list"


async def test_requests_in_single_bytes_are_understood(connect):
    peer = await connect()
    for byte in LIST:
        await peer.send(bytes([byte]))

    assert (await peer.reply()).status == 200


async def test_connection_close_is_obeyed(connect):
    peer = await connect()
    await peer.send(request_bytes("GET", "/openai/v1/models", headers=[("Connection", "close")]))

    assert (await peer.reply()).status == 200
    assert await peer.rest() == b""


async def test_a_body_that_waits_is_asked_for(connect):
    peer = await connect()
    body = json.dumps(chat_body("sim-gpt")).encode()
    await peer.send(head_of("POST", CHAT["openai"], body, [("Expect", "100-continue")], False))

    assert await peer.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    await peer.send(body)
    assert (await peer.reply()).status == 200


async def test_a_pipelined_body_is_asked_for_behind_the_reply_before_it(connect):
    peer = await connect()
    body = json.dumps(chat_body("sim-gpt")).encode()
    waiting = head_of("POST", CHAT["openai"], body, [("Expect", "100-continue")], False)
    await peer.send(chat_bytes("openai", "-sim-gap-5", stream=True) + waiting)

    assert (await peer.reply()).text() == "echo: one two"
    assert await peer.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    await peer.send(body)
    assert (await peer.reply()).status == 200


async def test_a_chunked_body_is_understood(connect):
    peer = await connect()
    body = json.dumps(chat_body("sim-gpt")).encode()
    headers = [("Transfer-Encoding", "chunked"), ("Content-Type", "application/json")]
    await peer.send(head_of("POST", CHAT["openai"], None, headers, False))
    for at in range(0, len(body), 7):
        piece = body[at : at + 7]
        await peer.send(b"%x\r\n%b\r\n" % (len(piece), piece))
    await peer.send(b"0\r\n\r\n")

    assert (await peer.reply()).json()["choices"][0]["message"]["content"] == "echo: one two"


async def test_a_body_of_64_mib_is_taken(simulators, connect):
    peer = await connect()
    body = json.dumps(chat_body("sim-gpt", max_tokens=1)).encode()
    body += b" " * (MAX_BODY_BYTES - len(body))
    await peer.send(head_of("POST", CHAT["openai"], body, None, False))
    await peer.send(body)

    assert (await peer.reply()).status == 200
    assert len(simulators.seen.last.body) == MAX_BODY_BYTES


@pytest.mark.parametrize("data", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"])
async def test_what_is_no_request_is_400_and_the_end(simulators, connect, data):
    peer = await connect()
    await peer.send(data)

    assert (await peer.reply()).status == 400
    assert await peer.rest() == b""
    assert len(simulators.seen) == 0


LEAVING = [
    pytest.param("-sim-head-60000", False, 0, id="before the head"),
    pytest.param("-sim-ttft-60000", True, 0, id="before the first event"),
    pytest.param("-sim-gap-60000", True, 1, id="between events"),
    pytest.param("-sim-stall-2", True, 2, id="stalled"),
    pytest.param("-sim-half", False, 0, id="never answered"),
    pytest.param("-sim-tokens-1000000", True, 1, id="while events pour"),
    pytest.param("-sim-open", True, 5, id="behind [DONE]"),
]


@pytest.mark.parametrize(("suffix", "stream", "events"), LEAVING)
async def test_a_peer_that_leaves_is_noticed_at_once(simulators, suffix, stream, events):
    peer = await Peer.open(simulators)
    await peer.send(chat_bytes("4minds", suffix, stream=stream))
    seen = await simulators.seen.wait_for(lambda one: one.events_sent >= events, SECONDS)
    left_at = time.monotonic()
    peer.close()
    await simulators.seen.wait_for(lambda one: one.left_at is not None, SECONDS)

    assert seen.left_at is not None
    assert 0 <= seen.left_at - left_at < 1
    assert seen.finished_at is None


async def test_a_peer_that_leaves_after_the_reply_has_not_left_early(simulators, chat, ask):
    await chat("openai", stream=True)
    await ask("GET", "/_sim/requests")

    assert [one.left_at for one in simulators.seen] == [None]


async def test_a_peer_that_leaves_at_done_was_sent_the_whole_reply(simulators):
    for _ in range(20):
        peer = await Peer.open(simulators)
        await peer.send(chat_bytes("openai", stream=True))
        await peer.until(b"[DONE]")
        peer.close()
    for number in range(1, 21):
        await simulators.seen.wait_for(
            lambda one, number=number: one.connection == number and one.finished_at, SECONDS
        )

    assert {one.left_at for one in simulators.seen} == {None}


async def test_nothing_is_sent_to_a_peer_that_does_not_read(simulators, connect):
    peer = await connect()
    await peer.send(chat_bytes("4minds", "-sim-tokens-1000000", stream=True))
    seen = await simulators.seen.wait_for(lambda one: one.events_sent > 100, SECONDS)
    peer.close()
    await simulators.seen.wait_for(lambda one: one.left_at is not None, SECONDS)

    assert seen.events_sent < 1_000_000


async def test_an_idle_connection_may_be_closed(connect):
    peer = await connect()
    await peer.send(chat_bytes("4minds", "-sim-closeidle-20"))

    assert (await peer.reply()).end == "whole"
    assert await peer.rest() == b""


async def test_a_connection_that_is_used_again_in_time_is_not_idle(connect):
    peer = await connect()
    for _ in range(2):
        await peer.send(chat_bytes("4minds", "-sim-closeidle-60000"))
        assert (await peer.reply()).end == "whole"


async def test_closing_at_once_leaves_a_whole_reply(connect):
    peer = await connect()
    await peer.send(chat_bytes("4minds", "-sim-closeidle-0"))

    assert (await peer.reply()).end == "whole"
    assert await peer.rest() == b""


async def test_an_upload_whose_peer_leaves_is_seen_with_what_came(simulators, connect):
    upload = form_request("/openai/v1/files", *upload_parts("x" * 500_000))
    peer = await connect()
    await peer.send(upload[:300_000])
    peer.close()
    seen = await simulators.seen.wait_for(lambda one: one.left_at, SECONDS)

    assert (seen.is_whole, seen.finished_at) == (False, None)
    assert 0 < seen.size <= 300_000
    assert seen.as_json()["is_whole"] is False


async def test_an_upload_that_waits_is_asked_for(connect):
    peer = await connect()
    head, _, body = form_request(
        "/openai/v1/files", *upload_parts("hello"), headers=[("Expect", "100-continue")]
    ).partition(b"\r\n\r\n")
    await peer.send(head + b"\r\n\r\n")

    assert await peer.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    await peer.send(body)
    assert (await peer.reply()).json()["bytes"] == 5


def long_upload(words: str, size: int = 3_000_000) -> bytes:
    return form_request("/openai/v1/files", *upload_parts("x" * size), headers=[("x-sim", words)])


async def test_an_upload_is_reset_once_so_much_came(simulators, connect):
    peer = await connect()
    await peer.send(long_upload("drop=200")[:300_000])

    assert (await peer.reply()).end == "reset"
    seen = simulators.seen.last
    assert (seen.is_whole, seen.left_at) == (False, None)
    assert seen.finished_at is not None
    assert seen.size >= 200 * 1024


async def test_an_upload_is_answered_while_it_still_comes(simulators, connect):
    peer = await connect()
    upload = long_upload("early, status=413")
    await peer.send(upload[:100_000])
    reply = await peer.reply()

    assert reply.status == 413
    await peer.send(upload[100_000:])  # read for nothing
    assert len(simulators.seen) == 1
    assert simulators.seen.last.is_whole is False


async def test_an_upload_is_read_as_slowly_as_told(connect):
    peer = await connect()
    began = time.monotonic()
    await peer.send(long_upload("sip=10000", 2_000_000))

    assert (await peer.reply()).status == 200
    assert time.monotonic() - began >= 0.05  # of 195 ms


async def test_an_unknown_word_for_a_body_is_refused_once_it_is_in(connect):
    peer = await connect()
    await peer.send(long_upload("drip=1"))

    assert (await peer.reply()).status == 400
