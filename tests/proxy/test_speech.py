"""`POST /v1/audio/speech`, from the client's body to its sound (contract O1 to O6; upstreams A1 to A7; J1, J12)."""

import asyncio
import json
from base64 import b64decode, b64encode
from typing import Any

import pytest

from app.domain.configuration import LimitOptions, RouteEntry, SpeechOptions, TimeoutOverrides
from app.domain.errors import UpstreamDisconnected, UpstreamUnreachable
from app.domain.prices import Price
from app.protocol.wav import wav_header
from app.proxy.speech import SpeechDesk
from tests.fakes.clients import FakeClient
from tests.fakes.senders import FakeResponse, answer
from tests.fakes.sounding import Sounding, caller
from tests.fakes.upstreams import upstream_of

MP3 = b"ID3\x04" + bytes(range(200)) * 10
NATIVE = {"up": upstream_of("openai", name="up", models=("tts-1",))}
BOTH = {**NATIVE, "openmind": upstream_of("openmind")}
PRICES = {"openmind/eleven_flash_v2_5": Price(character=15_000_000)}  # 15 $ a million


def body_of(**members: object) -> bytes:
    return json.dumps({"model": "tts-1", "input": "Hello", "voice": "alloy", **members}).encode()


def sound(*pieces: Any, kind: bytes = b"audio/mpeg") -> FakeResponse:
    return FakeResponse(200, [(b"content-type", kind)], pieces)


class Speaking(Sounding):
    """One desk."""

    def __init__(self, **options: Any) -> None:
        super().__init__("audio.speech", **options)
        self.desk = SpeechDesk(self.steps)

    async def ask(self, body: bytes | None = None, **members: object) -> FakeClient:
        return await self.serve(self.desk, self.call(body or body_of(**members)))


def paths(one: Speaking) -> list[str]:
    urls = [request.head.url for request in one.senders["openmind"].requests]
    return [url.removeprefix("https://api.openmind.org/api/core") for url in urls]


# --- OpenAI's own form --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        pytest.param(b"application/json", b'{"error":{"message":"Key sk-upstream-99999 is wrong."}}', id="an error"),
        pytest.param(b"application/json; charset=utf-8", b'{"detail":"no"}', id="another one"),
        pytest.param(b"text/html", b"<html>busy</html>", id="a page"),
    ],
)  # fmt: skip
async def test_e_c9_an_error_under_a_200_is_no_sound_and_costs_nothing(content_type, body):
    one = Speaking(upstreams=NATIVE, prices={"up/tts-1": Price(character=5)})
    response = FakeResponse(200, [(b"content-type", content_type)], [body])
    one.script(response, upstream="up")

    client = await one.ask()

    [record] = one.journal.records
    assert (502, 0) == (client.status, record.cost_nano)
    assert b"99999" not in client.body
    assert response.is_closed


async def test_json_that_is_no_error_passes_byte_for_byte():
    one = Speaking(upstreams=NATIVE)
    body = b'{"audio": "AAAA", "n":1.50}'
    one.script(FakeResponse(200, [(b"content-type", b"application/json")], [body]), upstream="up")

    client = await one.ask()

    assert (200, body, b"application/json") == (
        client.status,
        client.body,
        client.header(b"content-type"),
    )


# --- what goes out and what comes back ------------------------------------------------------------------------------


async def test_o3_the_sound_reaches_the_client_as_it_comes():
    one = Speaking()
    one.script(sound(MP3[:700], MP3[700:]))

    client = await one.ask()

    assert (200, b"audio/mpeg", None) == (
        client.status,
        client.header(b"content-type"),
        client.length,
    )
    assert MP3 == client.body
    assert MP3[:700] == client.writes[0]
    assert client.is_finished
    assert (b"openmind", b"eleven_flash_v2_5") == (
        client.header(b"x-mindgate-upstream"),
        client.header(b"x-mindgate-model"),
    )


async def test_a_body_of_openmind_s_own_is_sent_with_its_key_alone():
    one = Speaking()
    sender = one.script(sound(MP3))

    client = await one.ask(instructions="softly", elevenlabs_api_key="sk-stolen", speed=9)

    (sent,) = sender.bodies()
    assert ("Hello", "Hello", 2.0) == (
        json.loads(sent)["input"],
        json.loads(sent)["text"],
        json.loads(sent)["speed"],
    )
    assert b"sk-stolen" not in sent
    assert b"instructions,elevenlabs_api_key" == client.header(b"x-mindgate-dropped")
    names = [name for name, _ in sender.requests[0].head.fields]
    assert b"x-api-key" in names
    assert b"authorization" not in names


@pytest.mark.parametrize(
    ("asked", "kind", "pieces", "content_type", "body"),
    [
        pytest.param(
            "mp3",
            b"audio/mpeg",
            [b"RIFFabcd"],
            b"audio/wav",
            b"RIFFabcd",
            id="O4: a WAV that claims mp3",
        ),
        pytest.param(
            "mp3",
            b"audio/mpeg",
            [b"R", b"IF", b"Fabcd"],
            b"audio/wav",
            b"RIFFabcd",
            id="its first bytes one by one",
        ),
        pytest.param(
            "wav",
            b"audio/pcm",
            [b"\0\1", b"\2\3\4\5"],
            b"audio/wav",
            wav_header(24_000) + b"\0\1\2\3\4\5",
            id="A4: samples behind a header",
        ),
        pytest.param(
            "pcm",
            b"audio/pcm",
            [b"\xff\xfb\x10\x00"],
            b"audio/pcm",
            b"\xff\xfb\x10\x00",
            id="samples that look like a frame",
        ),
        pytest.param("opus", b"audio/ogg", [b"OggSabc"], b"audio/ogg", b"OggSabc", id="O2: opus"),
        pytest.param("mp3", b"audio/mpeg", [b"ID"], b"audio/mpeg", b"ID", id="less than a head"),
        pytest.param(
            "mp3",
            b"application/json; charset=utf-8",
            [b'{"response":"', b64encode(MP3), b'"}'],
            b"audio/mpeg",
            MP3,
            id="A6: base64 on the route that streams",
        ),
        pytest.param(
            "mp3",
            b"application/json",
            [b'{"audio":"' + b64encode(b"RIFFabcd") + b'"}'],
            b"audio/wav",
            b"RIFFabcd",
            id="A6: typed by its first bytes",
        ),
    ],
)
async def test_a_sound_goes_out_as_what_it_is(asked, kind, pieces, content_type, body):
    one = Speaking()
    one.script(sound(*pieces, kind=kind))

    client = await one.ask(response_format=asked)

    assert (200, content_type, body) == (client.status, client.header(b"content-type"), client.body)


async def test_a_sound_in_json_tells_its_length():
    one = Speaking(
        upstreams={"openmind": upstream_of("openmind", speech=SpeechOptions(route="json"))}
    )
    one.script(answer(b'{"response":"' + b64encode(MP3) + b'","format":"mp3_44100_128"}'))

    client = await one.ask()

    assert ["/elevenlabs/tts"] == paths(one)
    assert (len(MP3), MP3) == (client.length, client.body)


async def test_a1_riva_has_a_route_of_its_own():
    one = Speaking()
    sender = one.script(answer(b'{"response":"' + b64encode(b"\0\1" * 50) + b'"}'))

    client = await one.ask(model="riva", voice="English-US.Female-1", response_format="wav")

    assert ["/riva/tts"] == paths(one)
    assert {"text": "Hello", "voice": "English-US.Female-1"} == json.loads(sender.bodies()[0])
    assert wav_header(16_000, 100) + b"\0\1" * 50 == client.body


@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        pytest.param(
            answer(b'{"error":"no"}'), 502, "upstream_error", id="E-C9: an error in a 200"
        ),
        pytest.param(
            answer(b'{"text":"no"}'), 502, "upstream_malformed", id="E-C10: no sound in it"
        ),
        pytest.param(sound(), 502, "upstream_malformed", id="E-C10: nothing at all"),
        pytest.param(
            answer(b'{"error":"ElevenLabs API key not configured"}', 503),
            503,
            "upstream_error",
            id="E-C8: its 503",
        ),
        pytest.param(answer(b'{"error":"x"}', 401), 502, "upstream_auth_error", id="E-C4: our key"),
        pytest.param(UpstreamUnreachable("x"), 502, "upstream_unreachable", id="nobody there"),
    ],
)
async def test_what_an_upstream_cannot_say_is_a_status(said, status, code):
    one = Speaking(prices=PRICES, principal=caller(budget_nano=10**9))
    one.script(said)

    client = await one.ask()

    assert (status, code) == (client.status, json.loads(client.body)["error"]["code"])
    assert (0, 0) == one.used("budget_usd")


# --- two routes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [404, 405])
async def test_a1_the_other_route_is_asked_and_remembered(status):
    one = Speaking()
    spoken = b'{"response":"' + b64encode(MP3) + b'"}'
    one.script(answer(b'{"error":"x"}', status), answer(spoken), answer(spoken))

    first, second = await one.ask(), await one.ask()

    assert MP3 == first.body == second.body
    assert ["/elevenlabs/tts/audio/speech", "/elevenlabs/tts", "/elevenlabs/tts"] == paths(one)


async def test_a1_what_neither_route_knows_is_no_missing_route():
    """A voice that is not there is 404 on both."""
    one = Speaking()
    one.script(answer(b'{"error":"x"}', 404), answer(b'{"error":"x"}', 404), sound(MP3))

    first, second = await one.ask(), await one.ask()

    assert (404, 200) == (first.status, second.status)
    assert "/elevenlabs/tts/audio/speech" == paths(one)[-1]


async def test_a1_any_other_refusal_is_the_answer():
    one = Speaking()
    one.script(answer(b'{"error":"Missing or invalid JSON in request"}', 400))

    assert 400 == (await one.ask()).status
    assert 1 == len(paths(one))


# --- events ---------------------------------------------------------------------------------------------------------


def events_in(client: FakeClient) -> list[dict[str, Any]]:
    return [
        json.loads(event[6:]) for event in client.body.split(b"\n\n") if event.startswith(b"data")
    ]


async def test_o6_one_event_for_each_piece():
    one = Speaking()
    one.script(sound(MP3[:700], MP3[700:]))

    client = await one.ask(stream_format="sse")
    events = events_in(client)

    assert b"text/event-stream; charset=utf-8" == client.header(b"content-type")
    assert ["speech.audio.delta", "speech.audio.delta", "speech.audio.done"] == [
        one["type"] for one in events
    ]
    assert MP3 == b"".join(b64decode(event["audio"]) for event in events[:-1])
    assert b"[DONE]" not in client.body


async def test_a_wav_as_events_begins_with_its_header():
    one = Speaking()
    one.script(sound(b"\0\1\2\3", kind=b"audio/pcm"))

    events = events_in(await one.ask(stream_format="sse", response_format="wav"))

    assert wav_header(24_000) + b"\0\1\2\3" == b64decode(events[0]["audio"])


async def test_j7_a_silent_upstream_keeps_the_line_alive():
    one = Speaking()
    one.script(
        FakeResponse(
            200, [(b"content-type", b"audio/mpeg")], [MP3, None, None, MP3], one.clock.advance
        )
    )

    client = await one.ask(stream_format="sse")

    assert 2 == client.body.count(b": keep-alive\n\n")
    assert "speech.audio.done" == events_in(client)[-1]["type"]


async def test_r4_events_wait_for_a_slow_client():
    one = Speaking()
    response = sound(*[MP3] * 5)
    one.script(response)
    call = one.call(body_of(stream_format="sse"))
    client = call.client
    assert isinstance(client, FakeClient)
    client.is_full = True
    serving = asyncio.ensure_future(one.serve(one.desk, call))
    for _ in range(50):
        await asyncio.sleep(0)

    assert 1 == len(client.writes)
    client.has_room()
    await serving
    assert client.body.endswith(b'"total_tokens":0}}\n\n')


@pytest.mark.parametrize("form", ["audio", "sse"])
async def test_l10_a_sound_that_is_cut_never_looks_whole(form):
    one = Speaking(prices=PRICES)
    response = sound(MP3, UpstreamDisconnected("cut"))
    one.script(response)

    client = await one.ask(stream_format=form)

    assert response.is_closed
    assert b"audio.done" not in client.body
    assert client.was_cut if form == "audio" else b'"upstream_disconnected"' in client.body
    assert ("upstream_cut", 75_000) == (one.record.outcome, one.record.cost_nano)


# --- who may, and what it costs -------------------------------------------------------------------------------------


async def test_a7_it_is_charged_by_the_characters_of_its_text():
    one = Speaking(prices=PRICES, principal=caller(budget_nano=10**9, rpm=10, tpm=10))
    one.script(sound(MP3))

    await one.ask(input="Grüße")

    record = one.record
    assert (75_000, True, 0, 0) == (
        record.cost_nano,
        record.priced,
        record.input_tokens,
        record.output_tokens,
    )
    assert [(75_000, 0), (1, 0), (0, 0)] == [
        one.used(name) for name in ("budget_usd", "rpm", "tpm")
    ]
    assert ["Intent", "UsageRecord"] == one.journal.kinds


async def test_j1_what_it_will_cost_is_reserved_before_anybody_is_asked():
    one = Speaking(prices=PRICES, principal=caller(budget_nano=75_000 - 1))

    client = await one.ask()

    assert (429, "insufficient_quota") == (client.status, json.loads(client.body)["error"]["code"])
    assert [] == paths(one)
    assert (0, 0) == one.used("budget_usd")


async def test_j12_a_model_without_a_price_can_be_refused():
    one = Speaking(options=LimitOptions(unpriced="refuse"), principal=caller(budget_nano=10**9))

    assert 429 == (await one.ask()).status


async def test_j12_or_is_served_and_counted_as_unpriced():
    one = Speaking(principal=caller(budget_nano=10**9))
    one.script(sound(MP3))

    assert 200 == (await one.ask()).status
    assert (0, False) == (one.record.cost_nano, one.record.priced)


@pytest.mark.parametrize(
    ("models", "status"),
    [
        pytest.param(("tts-*",), 200, id="S15: by its name"),
        pytest.param(("openmind/*",), 200, id="S15: by its upstream"),
        pytest.param(("gpt-*",), 404, id="F14: not for this key"),
    ],
)
async def test_a_key_s_patterns_hold(models, status):
    one = Speaking(principal=caller(models))
    one.script(sound(MP3))

    assert status == (await one.ask()).status
    assert (status == 200) == bool(paths(one))


@pytest.mark.parametrize(
    "model",
    [
        pytest.param("gpt-4o", id="a model of OpenMind that does not speak"),
        pytest.param("llama-3", id="a model of nobody"),
        pytest.param("whisper-1", id="one that listens"),
    ],
)
async def test_f18_a_model_that_does_not_speak_is_unknown(model):
    one = Speaking()

    client = await one.ask(model=model)

    assert (404, "model_not_found") == (client.status, json.loads(client.body)["error"]["code"])
    assert [] == paths(one)


async def test_g11_a_bad_request_reaches_nobody_and_costs_nothing():
    one = Speaking(principal=caller(rpm=5))

    assert 400 == (await one.ask(response_format="flac")).status
    assert ([], (0, 0)) == (paths(one), one.used("rpm"))


# --- an upstream of OpenAI's own form -------------------------------------------------------------------------------


async def test_p4_a_native_upstream_gets_the_bytes_received():
    one = Speaking(upstreams=NATIVE, prices={"up/tts-1": Price(character=1_000_000, request=5_000)})
    sender = one.script(
        FakeResponse(200, [(b"content-type", b"audio/flac"), (b"content-length", b"%d" % len(MP3))], [MP3]),
        upstream="up",
    )  # fmt: skip
    body = b'{ "input":"Hello","model":"tts-1","response_format":"flac","instructions":"softly","x":1.10}'

    client = await one.ask(body)

    assert [body] == sender.bodies()
    assert sender.requests[0].head.url.endswith("/v1/audio/speech")
    assert (200, b"audio/flac", len(MP3), MP3) == (
        client.status,
        client.header(b"content-type"),
        client.length,
        client.body,
    )
    assert 5_005 == one.record.cost_nano  # five characters and a request


async def test_a_native_upstream_s_events_pass_as_they_are():
    one = Speaking(upstreams=NATIVE)
    events = b'data: {"type":"speech.audio.done","usage":{"input_tokens":14}}\n\n'
    one.script(
        FakeResponse(200, [(b"content-type", b"text/event-stream")], [events]), upstream="up"
    )

    client = await one.ask(stream_format="sse")

    assert (events, b"no") == (client.body, client.header(b"x-accel-buffering"))


async def test_only_the_model_is_spliced():
    routes = (RouteEntry("voice", ("up/tts-1",)),)
    one = Speaking(upstreams=NATIVE, routes=routes)
    sender = one.script(sound(MP3), upstream="up")

    await one.ask(b'{"model" : "voice","input":"\\u00e9"}')

    assert [b'{"model" : "tts-1","input":"\\u00e9"}'] == sender.bodies()


async def test_r6_where_nothing_was_sent_the_next_is_asked():
    routes = (RouteEntry("voice", ("up/tts-1", "openmind/tts-1")),)
    one = Speaking(upstreams=BOTH, routes=routes)
    one.script(UpstreamUnreachable("x"), upstream="up")
    one.script(sound(MP3))

    client = await one.ask(model="voice")

    assert (200, b"openmind", b"2") == (
        client.status,
        client.header(b"x-mindgate-upstream"),
        client.header(b"x-mindgate-attempts"),
    )


# --- time -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        pytest.param({}, 60, id="5.4: speech begins soon"),
        pytest.param({"first_byte_seconds": 7.0}, 7, id="what the operator wrote holds"),
        pytest.param({"first_byte_seconds": 500.0}, 500, id="a longer one too"),
    ],
)
async def test_how_long_the_first_byte_may_take(options, seconds):
    one = Speaking(
        upstreams={"openmind": upstream_of("openmind", timeouts=TimeoutOverrides(**options))}
    )
    sender = one.script(sound(MP3))

    await one.ask()

    limits = sender.requests[0].deadlines
    assert limits is not None
    assert seconds == limits.first_byte_seconds
