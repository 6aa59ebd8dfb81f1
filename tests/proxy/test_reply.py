"""The reply: when its head goes, what stands in it, how it fails (contract C1, C3, C8, F8, J1; laws 2 and 7)."""

import asyncio
import json
from typing import Any

import pytest

from app.domain.errors import Draining, ModelNotFound, UpstreamDisconnected, UpstreamUnreachable
from app.proxy.reply import Reply
from tests.fakes.billing import FakeJournal, billing_of
from tests.fakes.clients import FakeClient
from tests.fakes.clock import Clock
from tests.fakes.exchanges import exchange_with

CUT = UpstreamDisconnected("Upstream 'up' ended its stream before the answer was complete.")


class Replying:
    def __init__(self, method: str = "POST", **fields) -> None:
        self.clock, self.client = Clock(100.0), FakeClient(method)
        self.exchange = exchange_with("req_1", method, "chat.create", received_at=100.0, **fields)
        self.reply = Reply(self.client, self.exchange, self.clock, billing_of(self.clock))


ASKED: dict[str, Any] = {
    "upstream": "openmind",
    "model": "gpt-4o",
    "attempts": 1,
    "upstream_request_id": "up-7",
    "dropped": ("store", "user"),
}


async def test_a_whole_reply_tells_its_length_and_its_id():
    one = Replying()

    await one.reply.whole(b'{"a":1}')

    assert (200, b'{"a":1}', True) == (one.client.status, one.client.body, one.client.is_finished)
    assert one.client.length == 7
    assert one.client.header(b"content-type") == b"application/json"
    assert one.client.header(b"x-request-id") == b"req_1"
    assert (200, 7) == (one.exchange.status, one.exchange.bytes_out)


async def test_a11_head_has_the_length_and_no_body():
    one = Replying("HEAD")

    await one.reply.whole(b'{"a":1}')

    assert (7, b"") == (one.client.length, one.client.body)
    assert one.client.is_finished


async def test_c3_it_says_who_served_it():
    one = Replying(**ASKED)
    one.exchange.sent_at, one.exchange.upstream_first_at = 100.1, 100.4
    one.clock.advance(0.5)

    await one.reply.whole(b"{}")

    shown = {
        name: one.client.header(b"x-mindgate-" + name)
        for name in (b"upstream", b"model", b"attempts", b"upstream-request-id", b"dropped")
    }
    assert shown == {
        b"upstream": b"openmind",
        b"model": b"gpt-4o",
        b"attempts": b"1",
        b"upstream-request-id": b"up-7",
        b"dropped": b"store,user",
    }
    assert b"upstream;dur=300.0" in (one.client.header(b"server-timing") or b"")
    assert b"gateway;dur=200.0" in (one.client.header(b"server-timing") or b"")


async def test_before_an_upstream_was_asked_it_names_none():
    one = Replying()

    one.reply.failure(ModelNotFound("no"))

    assert not [name for name, _ in one.client.reply_headers if name.startswith(b"x-mindgate")]


@pytest.mark.parametrize(
    ("model", "value"),
    [
        ("gpt-4o", b"gpt-4o"),
        ("meta/llama:7b", b"meta/llama:7b"),
        ("Gemma-12B AWQ", b"Gemma-12B AWQ"),
        ("modèle", b"mod%C3%A8le"),
        ("a\r\nset-cookie: x", b"a%0D%0Aset-cookie: x"),
        ("a\x00b", b"a%00b"),
        ("100%", b"100%"),
    ],
)
async def test_a_model_s_name_can_forge_no_header(model, value):
    one = Replying(**ASKED | {"model": model})

    await one.reply.whole(b"{}")

    assert value == one.client.header(b"x-mindgate-model")


async def test_f8_an_error_before_the_first_event_has_its_own_status():
    one = Replying()

    one.reply.failure(ModelNotFound("no such thing"))

    assert (404, True) == (one.client.status, one.client.is_finished)
    assert json.loads(one.client.body)["error"]["message"] == "no such thing"
    assert one.client.length == len(one.client.body)


async def test_the_head_of_a_stream_goes_with_its_first_event():
    one = Replying()
    assert not one.reply.has_begun

    one.reply.events(b"data: 1\n\n")
    one.reply.events(b"data: 2\n\n")
    await one.reply.end_of_stream()

    assert [b"data: 1\n\n", b"data: 2\n\n"] == one.client.writes
    assert one.client.header(b"content-type") == b"text/event-stream; charset=utf-8"
    assert one.client.header(b"cache-control") == b"no-cache, no-transform"
    assert one.client.header(b"x-accel-buffering") == b"no"
    assert one.client.header(b"content-length") is None


async def test_law_7_an_error_after_it_is_the_last_event_without_done():
    one = Replying()
    one.reply.events(b"data: 1\n\n")

    one.reply.failure(CUT)

    assert one.client.status == 200
    assert one.client.is_finished
    last = one.client.writes[-1]
    assert last.startswith(b'data: {"error":{')
    assert last.endswith(b"}\n\n")
    assert b"[DONE]" not in one.client.body


async def test_a_comment_is_no_content():
    one = Replying()
    one.clock.advance(5)

    one.reply.comment(b": keep-alive\n\n")

    assert (200, None, 0) == (one.client.status, one.exchange.first_byte_at, one.exchange.bytes_out)
    assert (105.0, 100.0) == (one.reply.last_sent_at, one.reply.last_event_at)
    one.clock.advance(1)
    one.reply.events(b"data: 1\n\n")
    assert (106.0, 106.0) == (one.exchange.first_byte_at, one.reply.last_event_at)


async def test_ttft_is_the_first_content_byte():
    one = Replying()
    for _ in range(3):
        one.clock.advance(1)
        one.reply.events(b"data: x\n\n")

    assert one.exchange.first_byte_at == 101.0


@pytest.mark.parametrize(("attempts", "advice"), [(0, None), (1, None), (2, b"false")])
async def test_g1_after_a_second_attempt_the_client_need_not_try(attempts, advice):
    one = Replying(**ASKED | {"attempts": attempts})

    one.reply.failure(UpstreamUnreachable("m"))

    assert advice == one.client.header(b"x-should-retry")


async def test_what_the_upstream_s_head_may_show_is_shown():
    one = Replying()
    one.reply.relayed = [(b"openai-processing-ms", b"7")]

    one.reply.events(b"data: 1\n\n")

    assert one.client.header(b"openai-processing-ms") == b"7"


async def test_r3_a_large_reply_is_not_complete_before_the_client_has_taken_most_of_it():
    one = Replying()
    one.client.is_full = True
    running = asyncio.ensure_future(one.reply.whole(b" " * 100_000))
    await asyncio.sleep(0)
    assert (1, False) == (len(one.client.writes), one.client.is_finished)

    one.client.has_room()
    await running

    assert one.client.is_finished


async def test_r3_nor_is_a_stream():
    one = Replying()
    one.reply.events(b"data: 1\n\n")
    one.client.is_full = True
    running = asyncio.ensure_future(one.reply.end_of_stream(b"data: [DONE]\n\n"))
    await asyncio.sleep(0)
    assert (2, False) == (len(one.client.writes), one.client.is_finished)

    one.client.has_room()
    await running

    assert one.client.is_finished


async def test_law_7_no_error_stands_behind_a_stream_that_was_complete():
    one = Replying()
    one.reply.events(b"data: 1\n\n")
    one.client.is_full = True
    running = asyncio.ensure_future(one.reply.end_of_stream(b"data: [DONE]\n\n"))
    await asyncio.sleep(0)
    running.cancel()

    one.reply.failure(CUT)

    assert one.client.body.endswith(b"data: [DONE]\n\n")
    assert one.client.is_finished


async def test_j5_an_answer_that_is_booked_is_sent_though_the_gateway_stops():
    """`fsync: always`: the record stands, so the client must not be told to ask again."""
    journal = FakeJournal()
    journal.durability = asyncio.get_running_loop().create_future()
    one = Replying(**ASKED, sent_at=100.0)
    one.exchange.is_intended = True
    one.reply = Reply(one.client, one.exchange, one.clock, billing_of(one.clock, journal=journal))
    ending = asyncio.get_running_loop().create_task(one.reply.whole(b'{"a":1}'))
    await asyncio.sleep(0)
    assert journal.records
    ending.cancel()
    await asyncio.wait([ending])

    one.reply.failure(Draining("The gateway is shutting down."))

    assert (200, b'{"a":1}', True) == (one.client.status, one.client.body, one.client.is_finished)
    assert len(journal.records) == 1


async def test_j5_the_record_stands_before_the_last_byte():
    journal = FakeJournal()
    one = Replying(**ASKED, sent_at=100.0)
    one.exchange.is_intended = True
    one.reply = Reply(one.client, one.exchange, one.clock, billing_of(one.clock, journal=journal))
    one.client.is_full = True
    ending = asyncio.get_running_loop().create_task(one.reply.whole(b"x" * 2000))
    await asyncio.sleep(0)
    sent, booked = len(one.client.body), list(journal.records)
    one.client.has_room()
    await ending

    assert (2000 - 512, []) == (sent, booked)
    assert (2000, 1) == (len(one.client.body), len(journal.records))
