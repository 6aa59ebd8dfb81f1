"""What words do to the content of an answer: X21, X24, X25, X27, X28."""

import gzip
import json
import zlib

import pytest

from tests.simulators.raw_client import SECONDS, chat_bytes

SITES = ["4minds", "minds", "openmind", "openai"]
WITH_USAGE = {"stream": True, "stream_options": {"include_usage": True}}


def is_error_of(site: str, body: object) -> bool:
    """Whether *body* is an error in the shape of *site*."""
    assert isinstance(body, dict)
    if site == "minds":
        return isinstance(body["detail"], str)
    if site == "openmind":
        return isinstance(body["error"], str)
    return {"message", "type", "code"} <= set(body["error"])


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("status", [400, 401, 404, 408, 429, 500, 501, 503, 529])
@pytest.mark.parametrize("stream", [False, True])
async def test_any_status_comes_in_the_dialects_shape(chat, site, status, stream):
    reply = await chat(site, f"-sim-status-{status}", stream=stream)

    assert reply.status == status
    assert is_error_of(site, reply.json())


@pytest.mark.parametrize("status", [204, 304])
async def test_a_status_without_body_has_none(chat, status):
    reply = await chat("4minds", f"-sim-status-{status}")

    assert (reply.status, reply.body) == (status, b"")
    assert reply.header("content-length") is None


async def test_a_1xx_may_be_the_last_word(chat):
    reply = await chat("4minds", "-sim-status-102")

    assert (reply.status, reply.end) == (102, "closed")


@pytest.mark.parametrize("site", ["4minds", "openai"])
async def test_a_rate_limit_says_when_to_come_again(chat, site):
    reply = await chat(site, "-sim-rate-7")

    assert (reply.status, reply.header("retry-after")) == (429, "7")
    assert reply.json()["error"]["code"] == "rate_limit_exceeded"


@pytest.mark.parametrize("site", ["4minds", "openai"])
async def test_a_quota_is_lasting(chat, site):
    reply = await chat(site, "-sim-quota")

    assert (reply.status, reply.header("retry-after")) == (429, None)
    assert reply.json()["error"]["code"] == "insufficient_quota"


@pytest.mark.parametrize("site", SITES)
async def test_a_page_of_html_has_the_status_asked_for(chat, site):
    reply = await chat(site, "-sim-html-502")

    assert reply.status == 502
    assert reply.header("content-type") == "text/html; charset=UTF-8"
    assert reply.body.startswith(b"<!DOCTYPE html>")


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("stream", [False, True])
async def test_200_may_hold_an_error(chat, site, stream):
    reply = await chat(site, "-sim-okerror", stream=stream)

    assert reply.status == 200
    assert is_error_of(site, reply.json())


@pytest.mark.parametrize("site", SITES)
async def test_choices_may_be_null(chat, site):
    assert (await chat(site, "-sim-nullchoices")).json()["choices"] is None


@pytest.mark.parametrize("stream", [False, True])
async def test_a_200_may_be_empty(chat, stream):
    reply = await chat("4minds", "-sim-empty", stream=stream)

    assert (reply.status, reply.body, reply.end) == (200, b"", "whole")
    kind = "text/event-stream" if stream else "application/json"
    assert reply.header("content-type") == kind


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_names_a_place(chat, simulators, status):
    reply = await chat("4minds", f"-sim-redirect-{status}")

    assert reply.status == status
    assert reply.header("location") == f"http://127.0.0.1:{simulators.port}/elsewhere"


@pytest.mark.parametrize("site", SITES)
async def test_json_may_answer_stream_true(chat, site):
    reply = await chat(site, "-sim-json", stream=True)

    assert reply.header("content-type") == "application/json"
    assert reply.json()["object"] == "chat.completion"


@pytest.mark.parametrize("site", SITES)
async def test_a_stream_may_answer_stream_false(chat, site):
    reply = await chat(site, "-sim-sse")

    assert reply.header("content-type") == "text/event-stream"
    assert reply.payloads()[0]["object"] == "chat.completion.chunk"


@pytest.mark.parametrize("number", [1, 2, 4])
async def test_event_n_may_be_no_json(chat, number):
    lines = (await chat("4minds", f"-sim-badjson-{number}", stream=True)).data()

    def is_json(text: str) -> bool:
        try:
            json.loads(text)
        except ValueError:
            return text == "[DONE]"
        return True

    assert [place for place, one in enumerate(lines, 1) if not is_json(one)] == [number]


async def test_a_plain_body_may_be_no_json(chat):
    reply = await chat("4minds", "-sim-badjson")

    assert (reply.status, reply.body) == (200, b'{"id":"broken')


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("count", [0, 2])
async def test_an_error_event_ends_the_stream_after_n(chat, site, count):
    reply = await chat(site, f"-sim-inerror-{count}", stream=True)

    assert len(reply.payloads()) == count + 1
    assert is_error_of(site, reply.payloads()[-1])
    assert (reply.end, reply.data()[-1] == "[DONE]") == ("whole", False)


@pytest.mark.parametrize("site", SITES)
async def test_error_may_be_null_everywhere(chat, site):
    streamed = await chat(site, "-sim-nullerror", stream=True)
    whole = await chat(site, "-sim-nullerror")

    assert all(one["error"] is None for one in [*streamed.payloads(), whole.json()])


@pytest.mark.parametrize("site", ["4minds", "openmind", "openai"])
async def test_done_may_be_missing(chat, site):
    reply = await chat(site, "-sim-nodone", stream=True)

    assert "[DONE]" not in reply.data()
    assert (reply.finishes(), reply.end) == (["stop"], "whole")


async def test_a_chunk_may_follow_done(chat):
    lines = (await chat("4minds", "-sim-afterdone", stream=True)).data()

    assert lines.index("[DONE]") == len(lines) - 2
    assert json.loads(lines[-1])["choices"][0]["delta"]["content"] == "echo:"


async def test_the_body_may_stay_open_behind_done(simulators, connect):
    peer = await connect()
    await peer.send(chat_bytes("4minds", "-sim-open", stream=True))
    await peer.until(b"[DONE]\n\n\r\n")
    seen = simulators.seen.last

    assert (seen.finished_at, peer.buffer) == (None, b"")
    peer.close()
    await simulators.seen.wait_for(lambda one: one.left_at is not None, SECONDS)


@pytest.mark.parametrize("site", SITES)
async def test_finish_reason_may_be_missing(chat, site):
    streamed = await chat(site, "-sim-nofinish", stream=True)
    whole = await chat(site, "-sim-nofinish")

    assert streamed.finishes() == []
    assert site == "minds" or streamed.data()[-1] == "[DONE]"
    assert "finish_reason" not in whole.json()["choices"][0]


async def test_usage_may_be_absent(chat):
    streamed = await chat("4minds", "-sim-nousage", **WITH_USAGE)
    whole = await chat("4minds", "-sim-nousage")

    assert b'usage":{' not in streamed.body
    assert "usage" not in whole.json()


async def test_usage_may_be_null(chat):
    streamed = await chat("4minds", "-sim-nullusage", **WITH_USAGE)
    whole = await chat("4minds", "-sim-nullusage")

    assert streamed.payloads()[-1]["usage"] is None
    assert whole.json()["usage"] is None


@pytest.mark.parametrize("site", SITES)
async def test_stream_options_may_be_refused_by_name(chat, site):
    refused = await chat(site, "-sim-rejectoptions", **WITH_USAGE)
    served = await chat(site, "-sim-rejectoptions", stream=True)

    assert (refused.status, b"stream_options" in refused.body) == (400, True)
    assert served.status == 200


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_may_be_compressed(chat, stream):
    reply = await chat("4minds", "-sim-gzip", stream=stream)
    plain = await chat("4minds", "", stream=stream)

    assert reply.header("content-encoding") == "gzip"
    expected = plain.body.replace(b"chatcmpl-2", b"chatcmpl-1")
    suffixed = expected.replace(
        b'"model":"4minds-model-123"', b'"model":"4minds-model-123-sim-gzip"'
    )
    assert gzip.decompress(reply.body) == suffixed


async def test_each_compressed_event_can_be_read_at_once(chat):
    reply = await chat("4minds", "-sim-gzip", stream=True)
    reader = zlib.decompressobj(wbits=31)

    assert reader.decompress(reply.chunks[0]).endswith(b"\n\n")


async def test_a_reply_may_carry_a_cookie_and_a_credential(chat):
    reply = await chat("4minds", "-sim-setcookie")

    assert reply.header("set-cookie") == "sim_session=secret; Path=/"
    assert reply.header("x-api-key") == "sim-4minds"
    assert reply.header("authorization") == "Bearer sim-4minds"


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize(("suffix", "status"), [("-sim-leak", 500), ("-sim-leak-status-503", 503)])
async def test_an_error_may_give_away_url_and_key(chat, simulators, site, suffix, status):
    reply = await chat(site, suffix)

    assert reply.status == status
    assert simulators.base_url(site).encode() in reply.body
    assert f"sim-{site}".encode() in reply.body


async def test_an_unknown_model_is_refused_before_any_word_is_obeyed(ask):
    body = {"model": "other-model-sim-status-503", "messages": []}
    reply = await ask("POST", "/openai/v1/chat/completions", body)

    assert reply.status == 404
