"""Embeddings, sound and moderation of the generic dialect."""

import base64
from array import array

import pytest

from app.simulators import sounds
from tests.simulators.forms import form_request, part

BASE = "/openai/v1"


async def test_an_embedding_is_the_same_each_time_and_in_both_encodings(ask):
    body = {"model": "sim-embed", "input": ["one two", "three"]}
    plain = (await ask("POST", f"{BASE}/embeddings", body)).json()
    coded = await ask("POST", f"{BASE}/embeddings", {**body, "encoding_format": "base64"})

    assert plain["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    vectors = [row["embedding"] for row in plain["data"]]
    assert vectors[0] != vectors[1]
    decoded = [base64.b64decode(row["embedding"]) for row in coded.json()["data"]]
    assert [list(array("f", one)) for one in decoded] == vectors


async def test_embeddings_are_counted(simulators, ask):
    await ask("POST", f"{BASE}/embeddings", {"model": "sim-gpt", "input": "one two"})

    assert simulators.seen.usage() == {"sim-gpt": {"prompt_tokens": 2, "completion_tokens": 0}}


@pytest.mark.parametrize(
    ("kind", "content_type", "start"),
    [
        ("mp3", "audio/mpeg", b"\xff\xfb"),
        ("opus", "audio/ogg", b"OggS"),
        ("wav", "audio/wav", b"RIFF"),
        ("pcm", "audio/pcm", b"\x00\x00"),
    ],
)
async def test_speech_has_the_format_that_was_asked(ask, kind, content_type, start):
    body = {"model": "sim-tts", "input": "hello", "voice": "alloy", "response_format": kind}
    reply = await ask("POST", f"{BASE}/audio/speech", body)

    assert (reply.header("content-type"), reply.body[: len(start)]) == (content_type, start)
    assert reply.header("transfer-encoding") == "chunked"


async def test_speech_as_events_is_the_same_sound(ask):
    body = {"model": "sim-tts", "input": "hello", "voice": "a", "response_format": "pcm"}
    plain = await ask("POST", f"{BASE}/audio/speech", body)
    events = (
        await ask("POST", f"{BASE}/audio/speech", {**body, "stream_format": "sse"})
    ).payloads()

    audio = b"".join(base64.b64decode(one["audio"]) for one in events[:-1])
    assert audio == plain.body
    assert events[-1]["type"] == "speech.audio.done"


@pytest.mark.parametrize(
    "change", [{"input": ""}, {"input": 7}, {"response_format": "aac"}, {"input": "x" * 4097}]
)
async def test_speech_that_cannot_be_is_400(ask, change):
    body = {"model": "sim-tts", "input": "hello", "voice": "alloy", **change}

    assert (await ask("POST", f"{BASE}/audio/speech", body)).status == 400


@pytest.fixture
def transcribe(send):
    async def transcribed(content, **fields):
        parts = [part(name, value) for name, value in {"model": "sim-whisper", **fields}.items()]
        file = part("file", content, "a.wav")
        return await send(form_request(f"{BASE}/audio/transcriptions", *parts, file))

    return transcribed


async def test_a_transcript_says_how_long_the_sound_was(transcribe):
    assert (await transcribe(b"".join(sounds.wav(1200, 16000)))).json() == {"text": "heard 1200 ms"}
    assert (await transcribe(b"xyz")).json() == {"text": "heard 3 bytes"}


async def test_a_transcript_comes_in_every_form(transcribe):
    verbose = (await transcribe(b"xyz", response_format="verbose_json")).json()
    streamed = (await transcribe(b"xyz", stream="true")).payloads()

    assert (await transcribe(b"xyz", response_format="text")).body == b"heard 3 bytes\n"
    assert (verbose["task"], verbose["text"]) == ("transcribe", "heard 3 bytes")
    assert "".join(one["delta"] for one in streamed[:-1]) == streamed[-1]["text"]


async def test_a_transcript_needs_a_file_and_a_model_that_is_there(send, transcribe):
    bare = form_request(f"{BASE}/audio/transcriptions", part("model", "sim-whisper"))

    assert (await send(bare)).status == 400
    assert (await transcribe(b"x", model="nosuch")).status == 404


async def test_moderation_takes_offence_at_one_word(ask):
    results = (await ask("POST", f"{BASE}/moderations", {"input": ["Attack!", "hello"]})).json()

    assert [row["flagged"] for row in results["results"]] == [True, False]


async def test_unlisted_models_answer_but_are_not_listed(ask):
    listed = (await ask("GET", f"{BASE}/models")).json()["data"]

    assert [row["id"] for row in listed] == ["sim-gpt", "org/model:v1", "name with space"]
