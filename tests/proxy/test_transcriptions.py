"""`POST /v1/audio/transcriptions`, from the client's form to its transcript (contract O7, O8; upstreams A8 to A14)."""

import asyncio
import json
import struct
from typing import Any

import pytest

from app.domain.configuration import RouteEntry
from app.domain.errors import UpstreamRefusedCredential, UpstreamUnreachable
from app.domain.ledger import Progress
from app.domain.prices import Price
from app.protocol.wav import wav_header
from app.proxy.call import Call
from app.proxy.recogniser import Recogniser
from app.proxy.transcriptions import TranscriptionDesk
from tests.fakes.clients import FakeClient
from tests.fakes.engines import FakeDialing, FakeEngine, Sleeping
from tests.fakes.senders import FakeResponse, answer
from tests.fakes.sounding import Sounding, caller
from tests.fakes.upstreams import UPSTREAM_KEY, upstream_of

BOUNDARY = b"b0undary"
FORM = b"multipart/form-data; boundary=b0undary"
NATIVE = {"up": upstream_of("openai", name="up", models=("whisper-1",))}
BOTH = {**NATIVE, "openmind": upstream_of("openmind")}
PRICES = {"openmind/whisper-1": Price(audio_second=100_000_000)}  # 0.0001 $ a second


def wav(seconds: float, rate: int = 16_000) -> bytes:
    samples = struct.pack(f"<{int(seconds * rate)}h", *(n % 99 for n in range(int(seconds * rate))))
    return wav_header(rate, len(samples)) + samples


def form(file: bytes | None = None, kind: str = "audio/wav", **fields: str) -> bytes:
    """The file stands first, as one of the SDKs has it."""
    head = f'form-data; name="file"; filename="a.wav"\r\nContent-Type: {kind}'
    parts = [(head.encode(), wav(0.4) if file is None else file)]
    for name, value in {"model": "whisper-1", **fields}.items():
        parts.append((b'form-data; name="%b"' % name.encode(), value.encode()))
    written = [
        b"--%b\r\nContent-Disposition: %b\r\n\r\n%b\r\n" % (BOUNDARY, *part) for part in parts
    ]
    return b"".join(written) + b"--%b--\r\n" % BOUNDARY


class Listening(Sounding):
    """One desk and one engine that says *finals* once it has all of the sound."""

    def __init__(self, *finals: str, most_bytes: int = 1 << 30, **options: Any) -> None:
        super().__init__("audio.transcriptions", **options)
        self.engine = FakeEngine(self.clock)
        self.engine.on_told = self._told
        self.finals = list(finals)
        self.dialing = FakeDialing(self.engine, self.billing)
        self.desk = TranscriptionDesk(
            self.steps,
            self.dialing,
            Recogniser(self.clock, Sleeping(self.clock)),
            most_bytes=most_bytes,
        )

    def _told(self, count: int) -> None:
        if count == 4:
            for final in self.finals:
                self.engine.say(asr_reply=final)

    def calling(self, body: bytes, kind: bytes = FORM) -> Call:
        return self.call(body, headers=[(b"content-type", kind)])

    async def ask(self, body: bytes | None = None, **fields: Any) -> FakeClient:
        return await self.serve(self.desk, self.calling(form(**fields) if body is None else body))


def error_of(client: FakeClient) -> tuple[int, str | None, str | None]:
    error = json.loads(client.body)["error"]
    return client.status, error["code"], error["param"]


# --- the engines ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "content_type", "body"),
    [
        pytest.param(
            "json",
            b"application/json",
            {"text": "hello there", "usage": {"type": "duration", "seconds": 0.4}},
            id="A13: json",
        ),
        pytest.param(
            "verbose_json",
            b"application/json",
            {
                "task": "transcribe",
                "language": "en",
                "duration": 0.4,
                "text": "hello there",
                "segments": [],
                "usage": {"type": "duration", "seconds": 0.4},
            },
            id="A13: verbose_json",
        ),
    ],
)
async def test_a_sound_is_understood(asked, content_type, body):
    one = Listening("hello", "there")

    client = await one.ask(response_format=asked, language="en", prompt="Hi")

    assert (200, content_type, body) == (
        client.status,
        client.header(b"content-type"),
        json.loads(client.body),
    )
    assert len(client.body) == client.length
    assert b"prompt" == client.header(b"x-mindgate-dropped")
    assert ("en-US", 16_000) == (
        one.engine.told[0][1]["language_code"],
        one.engine.told[0][1]["rate"],
    )


async def test_a13_a_transcript_as_text():
    client = await Listening("hello").ask(response_format="text")

    assert (b"text/plain; charset=utf-8", b"hello") == (client.header(b"content-type"), client.body)


async def test_a13_a_transcript_as_it_is_understood():
    client = await Listening("hello", "there").ask(stream="true")
    events = [json.loads(event[6:]) for event in client.body.split(b"\n\n") if event]

    assert b"text/event-stream; charset=utf-8" == client.header(b"content-type")
    assert ["transcript.text.delta", "transcript.text.delta", "transcript.text.done"] == [
        event["type"] for event in events
    ]
    assert "hello there" == "".join(event["delta"] for event in events[:-1])
    assert "hello there" == events[-1]["text"]


async def test_j7_a_long_silence_keeps_the_line_alive():
    one = Listening("hello")

    client = await one.ask(form(wav(60), stream="true"))

    assert b": keep-alive\n\n" in client.body
    assert 200 == client.status


async def test_o8_no_speech_is_an_empty_text():
    client = await Listening().ask()

    assert (200, "") == (client.status, json.loads(client.body)["text"])


@pytest.mark.parametrize(
    ("model", "fields", "url"),
    [
        pytest.param(
            "whisper-1", {}, "wss://api.openmind.org/api/core/google/asr?api_key=", id="A9: Google"
        ),
        pytest.param(
            "chirp_3",
            {},
            "wss://api.openmind.org/api/core/google/asr?model=chirp_3&api_key=",
            id="A9: by its name",
        ),
        pytest.param(
            "scribe_v1",
            {},
            "wss://api.openmind.org/api/core/elevenlabs/asr?api_key=",
            id="A9: ElevenLabs",
        ),
        pytest.param("riva", {}, "wss://api-asr.openmind.org/?api_key=", id="A9: Riva"),
        pytest.param(
            "riva",
            {"riva_asr_url": "ws://asr.lan:6790/"},
            "ws://asr.lan:6790/?api_key=",
            id="K6: Riva elsewhere",
        ),
        pytest.param(
            "whisper-1",
            {"websocket_base": "wss://ws.openmind.org/core"},
            "wss://ws.openmind.org/core/google/asr?api_key=",
            id="K6: sockets elsewhere",
        ),
    ],
)
async def test_a_model_s_engine_is_dialled_with_the_key_inside(model, fields, url):
    one = Listening("hello", upstreams={"openmind": upstream_of("openmind", **fields)})

    client = await one.ask(model=model)

    assert 200 == client.status
    assert [url + UPSTREAM_KEY] == one.dialing.urls
    assert not any(UPSTREAM_KEY.encode() in value for _, value in one.dialing.fields[0])


async def test_a8_bare_samples_say_their_rate():
    one = Listening("hello")

    client = await one.ask(form(bytes(16_000), kind="audio/pcm;rate=8000"))

    assert 200 == client.status
    assert 8000 == one.engine.told[0][1]["rate"]
    assert 1.0 == json.loads(client.body)["usage"]["seconds"]


async def test_o2_or_have_openai_s():
    one = Listening("hello")
    await one.ask(form(bytes(4800), kind="audio/pcm"))

    assert 24_000 == one.engine.told[0][1]["rate"]


# --- what cannot be ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        pytest.param(
            form(b"ID3" + bytes(99)), (400, "unsupported_file_type", "file"), id="A8: an mp3"
        ),
        pytest.param(form(b""), (400, "unsupported_file_type", "file"), id="A8: nothing"),
        pytest.param(form(wav(0)), (400, "unsupported_value", "file"), id="no sound in it"),
        pytest.param(form(wav(601, 4000)), (400, "unsupported_value", "file"), id="K10: too long"),
        pytest.param(
            form(bytes(9), "audio/pcm;rate=1"),
            (400, "unsupported_file_type", "file"),
            id="a rate that none has",
        ),
        pytest.param(
            form(response_format="vtt"),
            (400, "unsupported_value", "response_format"),
            id="A13: vtt",
        ),
        pytest.param(
            form(model=""), (400, "missing_required_parameter", "model"), id="F25: no model"
        ),
        pytest.param(
            form(model="tts-1"), (404, "model_not_found", None), id="F18: a model that speaks"
        ),
        pytest.param(
            form(model="llama"), (404, "model_not_found", None), id="F18: a model of nobody"
        ),
        pytest.param(form()[:-20], (400, None, None), id="L6: half a form"),
    ],
)
async def test_what_cannot_be_heard_reaches_nobody_and_costs_nothing(body, refusal):
    one = Listening(principal=caller(rpm=5))

    client = await one.ask(body)

    assert refusal == error_of(client)
    assert ([], (0, 0)) == (one.dialing.urls, one.used("rpm"))


async def test_a_form_is_needed():
    one = Listening()

    client = await one.serve(one.desk, one.calling(b"{}", b"application/json"))

    assert 415 == client.status


@pytest.mark.parametrize("most_bytes", [1000, 1 << 40])
async def test_f33_a_form_is_bounded(most_bytes):
    one = Listening(most_bytes=most_bytes)
    body = form(wav(1)) if most_bytes == 1000 else bytes(25 * 1024 * 1024 + 1)

    assert 413 == (await one.ask(body)).status


async def test_a14_an_engine_s_fault_is_a_status():
    one = Listening()
    words = "Failed to decode audio: odd"
    one.engine.on_told = lambda _: one.engine.say(type="error", message=words)

    assert (400, None, "file") == error_of(await one.ask())


async def test_a14_behind_the_first_words_it_is_an_event():
    one = Listening("hello")
    one.engine.on_end = lambda: None

    def speaks_and_goes(count: int) -> None:
        if count == 2:
            one.engine.say(asr_reply="hello")
        if count == 6:
            one.engine.hang_up(1006)

    one.engine.on_told = speaks_and_goes

    client = await one.ask(stream="true")

    assert b"transcript.text.done" not in client.body
    assert b'"upstream_disconnected"' in client.body.split(b"\n\n")[-2]


async def test_a14_a_refused_handshake_is_the_operator_s_affair():
    one = Listening()
    one.dialing.refusal = UpstreamRefusedCredential("no")

    assert (502, "upstream_auth_error", None) == error_of(await one.ask())


async def test_law_5_a_client_that_leaves_closes_the_socket_at_once():
    one = Listening()
    reached = asyncio.Event()
    one.engine.on_told = lambda count: reached.set() if count == 3 else None
    serving = asyncio.ensure_future(one.serve(one.desk, one.calling(form(wav(60)))))
    await reached.wait()

    serving.cancel()
    await asyncio.wait([serving])

    assert one.engine.was_aborted
    assert 1 == len(asyncio.all_tasks())


# --- what it costs ----------------------------------------------------------------------------------------------------


async def test_a13_it_is_charged_by_the_second():
    one = Listening("hello", prices=PRICES, principal=caller(budget_nano=10**9, rpm=5, tpm=5))

    await one.ask(form(wav(3.2)))

    assert (320_000, True) == (one.record.cost_nano, one.record.priced)
    assert [(320_000, 0), (1, 0), (0, 0)] == [
        one.used(name) for name in ("budget_usd", "rpm", "tpm")
    ]


async def test_j1_what_it_will_cost_is_reserved_before_anybody_is_asked():
    one = Listening(prices=PRICES, principal=caller(budget_nano=319_999))

    client = await one.ask(form(wav(3.2)))

    assert (429, "insufficient_quota", None) == error_of(client)
    assert [] == one.dialing.urls


async def test_j14_what_was_sent_is_charged_when_the_engine_cuts_it():
    one = Listening(prices=PRICES, principal=caller(budget_nano=10**9))
    one.engine.on_told = lambda count: one.engine.hang_up(1006) if count == 10 else None

    assert 502 == (await one.ask(form(wav(60)))).status
    assert ("upstream_cut", 100_000) == (one.record.outcome, one.record.cost_nano)


async def test_j4_how_far_it_has_come_is_noted_now_and_then():
    one = Listening("hello", prices=PRICES)

    await one.ask(form(wav(35)))

    notes = [note.cost_nano for note in one.journal.notes if isinstance(note, Progress)]
    assert [1_000_000, 2_000_000, 3_000_000] == notes


# --- an upstream of OpenAI's own form -------------------------------------------------------------------------------


async def test_p4_a_native_upstream_gets_the_form_as_it_came():
    one = Listening(upstreams=NATIVE, prices={"up/whisper-1": Price(request=5_000_000)})
    sender = one.script(answer(b'{"text":"hi"}'), upstream="up")
    body = form(b"ID3 anything", response_format="srt", model="whisper-1")

    client = await one.ask(body)

    assert (200, b'{"text":"hi"}') == (client.status, client.body)
    assert [body] == sender.bodies()
    assert (b"content-type", FORM) in sender.requests[0].headers
    assert sender.requests[0].head.url.endswith("/v1/audio/transcriptions")
    assert 5_000 == one.record.cost_nano


async def test_only_the_model_s_value_is_replaced():
    routes = (RouteEntry("ears", ("up/whisper-1",)),)
    one = Listening(upstreams=NATIVE, routes=routes)
    sender = one.script(answer(b"{}"), upstream="up")

    await one.ask(model="ears")

    assert [form(model="whisper-1")] == sender.bodies()


async def test_s15_a_key_s_patterns_hold_for_a_native_upstream_too():
    one = Listening(upstreams=NATIVE, principal=caller(("gpt-*",)))
    sender = one.script(upstream="up")

    assert (404, "model_not_found", None) == error_of(await one.ask())
    assert [] == sender.requests


@pytest.mark.parametrize("order", [("up", "openmind"), ("openmind", "up")])
async def test_r6_where_nothing_was_sent_the_next_is_asked(order):
    targets = tuple(f"{name}/whisper-1" for name in order)
    one = Listening("hello", upstreams=BOTH, routes=(RouteEntry("ears", targets),))
    if order[0] == "up":
        one.script(UpstreamUnreachable("x"), upstream="up")
    else:
        one.dialing.refusal = UpstreamUnreachable("x")
        one.script(FakeResponse(200, pieces=[b'{"text":"hello"}']), upstream="up")

    client = await one.ask(model="ears")

    assert (200, "hello", b"2") == (
        client.status,
        json.loads(client.body)["text"],
        client.header(b"x-mindgate-attempts"),
    )
