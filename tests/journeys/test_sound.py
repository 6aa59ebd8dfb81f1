"""Speech and transcription by the official Python SDK over OpenMind (upstreams 7.1, 7.2; contract O)."""

import io
import json
import struct
import wave
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from openai import AsyncOpenAI, BadRequestError

from tests.fakes.gateways import KEY, RunningGateway, running_demo

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway() -> AsyncIterator[RunningGateway]:
    async with running_demo() as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(gateway: RunningGateway) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(
        base_url=gateway.base_url, api_key=KEY, max_retries=0, timeout=30
    ) as found:
        yield found


def tone(seconds: float, rate: int = 16_000) -> bytes:
    """A WAV file of a plain square wave."""
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        period = [9000] * 20 + [-9000] * 20
        samples = (period * (int(seconds * rate) // 40 + 1))[: int(seconds * rate)]
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))
    return written.getvalue()


# --- speech ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "voice", "wanted", "kind"),
    [
        pytest.param("tts-1", "alloy", "mp3", "audio/mpeg", id="OpenAI's names, mp3"),
        pytest.param("gpt-4o-mini-tts", "alloy", "wav", "audio/wav", id="wav"),
        pytest.param("tts-1-hd", "nova", "pcm", "audio/pcm", id="raw samples"),
        pytest.param("tts-1", "nova", "opus", "audio/ogg", id="opus"),
        pytest.param(
            "eleven_flash_v2_5", "JBFqnCBsd6RMkjVDRZzb", "mp3", "audio/mpeg", id="ElevenLabs' own names"
        ),
        pytest.param("riva", "English-US.Female-1", "wav", "audio/wav", id="Riva"),
    ],
)  # fmt: skip
async def test_text_is_spoken(client, model, voice, wanted, kind):
    asked: Any = {"model": model, "voice": voice, "response_format": wanted}
    answer = await client.audio.speech.with_raw_response.create(input="Hello there", **asked)
    sound = answer.content

    assert kind == answer.headers["content-type"]
    assert len(sound) > 500
    if wanted == "wav":
        assert (b"RIFF", b"WAVE") == (sound[:4], sound[8:12])


async def test_speech_comes_as_events(gateway):
    body = {"model": "tts-1", "voice": "alloy", "input": "Hello", "stream_format": "sse"}
    async with httpx2.AsyncClient(headers=gateway.headers) as plain:
        answer = await plain.post(f"{gateway.base_url}/audio/speech", json=body)
    events = [
        json.loads(line.removeprefix("data: ")) for line in answer.text.splitlines() if line.startswith("data: {")
    ]  # fmt: skip

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert {"speech.audio.delta"} == {one["type"] for one in events[:-1]}
    assert ("speech.audio.done", {"input_tokens", "output_tokens", "total_tokens"}) == (
        events[-1]["type"],
        set(events[-1]["usage"]),
    )


@pytest.mark.parametrize(
    ("members", "param"),
    [
        pytest.param({"response_format": "flac"}, "response_format", id="a format nobody makes"),
        pytest.param({"input": "x" * 4097}, "input", id="too much text"),
        pytest.param({"input": 5}, "input", id="no text"),
    ],
)
async def test_what_cannot_be_spoken_is_the_client_s_fault(client, members, param):
    asked: Any = {"model": "tts-1", "voice": "alloy", "input": "Hello", **members}
    with pytest.raises(BadRequestError) as raised:
        await client.audio.speech.create(**asked)

    assert param == raised.value.param


# --- transcription --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model",
    [
        pytest.param("whisper-1", id="Google"),
        pytest.param("scribe_v1", id="ElevenLabs"),
        pytest.param("riva", id="Riva"),
    ],
)
async def test_sound_is_heard(client, model):
    answer = await client.audio.transcriptions.create(model=model, file=("a.wav", tone(0.6)))

    assert answer.text.startswith("heard")


async def test_a_transcript_has_other_forms(client):
    sound = ("a.wav", tone(0.4))
    ask: Any = client.audio.transcriptions.create
    text = await ask(model="whisper-1", file=sound, response_format="text")
    verbose = await ask(
        model="whisper-1", file=sound, response_format="verbose_json", language="en"
    )
    stream = await ask(model="whisper-1", file=sound, stream=True)
    events = [event async for event in stream]

    assert "heard" in str(text)
    assert 0.4 == pytest.approx(float(verbose.duration), abs=0.01)
    assert ("transcript.text.delta", "transcript.text.done") == (events[0].type, events[-1].type)
    assert events[-1].text.startswith("heard")


@pytest.mark.parametrize(
    ("file", "members", "code"),
    [
        pytest.param(("a.mp3", b"ID3" + bytes(100)), {}, "unsupported_file_type", id="mp3"),
        pytest.param(
            ("a.wav", tone(0.1)), {"response_format": "srt"}, "unsupported_value", id="srt"
        ),
    ],
)
async def test_what_cannot_be_heard_is_the_client_s_fault(client, file, members, code):
    asked: Any = {"model": "whisper-1", "file": file, **members}
    with pytest.raises(BadRequestError) as raised:
        await client.audio.transcriptions.create(**asked)

    assert code == raised.value.code
