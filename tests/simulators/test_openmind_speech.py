"""OpenMind speaks (X15, N1): a tone as long as the text, in the forms of both ages."""

import base64

import pytest

from app.simulators import sounds

CORE = "/openmind/api/core"
BINARY = f"{CORE}/elevenlabs/tts/audio/speech"
ENCODED = f"{CORE}/elevenlabs/tts"
RIVA = f"{CORE}/riva/tts"


def sim(words: str) -> list[tuple[str, str]]:
    return [("x-sim", words)]


@pytest.mark.parametrize(
    ("asked", "content_type", "start"),
    [
        (None, "audio/mpeg", b"\xff\xfb"),
        ("mp3_22050_32", "audio/mpeg", b"\xff\xfb"),
        ("pcm_16000", "audio/pcm", b"\x00\x00"),
        ("pcm_24000", "audio/pcm", b"\x00\x00"),
        ("opus_48000_64", "audio/ogg", b"OggS"),
    ],
)
async def test_the_binary_route_streams_the_format_that_was_asked(ask, asked, content_type, start):
    body = {"input": "hello"} if asked is None else {"input": "hello", "response_format": asked}
    reply = await ask("POST", BINARY, body)

    assert (reply.status, reply.header("content-type")) == (200, content_type)
    assert reply.body.startswith(start)
    assert len(reply.chunks) > 1


@pytest.mark.parametrize(
    ("text", "speed", "ms"), [("x" * 10, 1.0, 600), ("x" * 10, 2.0, 300), ("x" * 100, 0.5, 12_000)]
)
async def test_the_tone_is_as_long_as_the_text(ask, text, speed, ms):
    body = {"input": text, "response_format": "pcm_16000", "speed": speed}
    reply = await ask("POST", BINARY, body)

    assert len(reply.body) == ms * 16 * 2
    assert reply.body == b"".join(sounds.tone(ms, 16_000))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (BINARY, {}),
        (BINARY, {"text": "hello"}),
        (BINARY, {"input": 7}),
        (BINARY, {"input": "x", "response_format": "aac"}),
        (BINARY, {"input": "x", "speed": 3}),
        (BINARY, {"input": "x", "speed": "1"}),
        (ENCODED, {}),
        (RIVA, {"input": "hello"}),
    ],
)
async def test_speech_that_cannot_be_is_400(ask, path, body):
    reply = await ask("POST", path, body)

    assert (reply.status, list(reply.json())) == (400, ["error"])


async def test_of_2026_the_answer_says_its_format_and_its_text(ask):
    answer = (await ask("POST", ENCODED, {"input": "hello"})).json()

    assert (answer["format"], answer["text"]) == ("mp3_44100_128", "hello")
    assert base64.b64decode(answer["response"]).startswith(b"\xff\xfb")


@pytest.mark.parametrize(("body", "status"), [({"text": "hello"}, 200), ({"input": "hello"}, 400)])
async def test_of_2025_the_answer_is_the_sound_alone(ask, body, status):
    reply = await ask("POST", ENCODED, body, headers=sim("old"))

    assert reply.status == status
    assert status == 400 or list(reply.json()) == ["response"]


async def test_of_2025_the_binary_route_is_not_there(ask):
    body = {"input": "hello", "text": "hello"}

    assert (await ask("POST", BINARY, body, headers=sim("old"))).status == 404
    body["model"] = "eleven_flash_v2_5-sim-old"
    assert (await ask("POST", BINARY, body)).status == 404


async def test_old_and_new_names_together_suit_both_ages(ask):
    body = {
        "input": "hello",
        "text": "hello",
        "response_format": "pcm_24000",
        "output_format": "pcm_24000",
    }
    ages = [(await ask("POST", ENCODED, body, headers=sim(w))).json() for w in ("old", "burst")]

    assert ages[0]["response"] == ages[1]["response"]


@pytest.mark.parametrize("path", [ENCODED, RIVA])
async def test_the_sound_may_be_called_audio(ask, path):
    answer = (await ask("POST", path, {"text": "hello"}, headers=sim("audiokey"))).json()

    assert "audio" in answer
    assert "response" not in answer


async def test_a_wav_may_be_said_to_be_mp3(ask):
    binary = await ask("POST", BINARY, {"input": "hello"}, headers=sim("mislabel"))
    encoded = (await ask("POST", ENCODED, {"input": "hello"}, headers=sim("mislabel"))).json()
    riva = (await ask("POST", RIVA, {"text": "hello"}, headers=sim("mislabel"))).json()

    assert (binary.header("content-type"), binary.body[:4]) == ("audio/mpeg", b"RIFF")
    assert encoded["format"].startswith("mp3")
    assert base64.b64decode(encoded["response"]) == binary.body
    assert riva["content_type"] == "audio/mpeg"


async def test_riva_answers_a_wav_and_of_2025_bare_samples(ask):
    now = (await ask("POST", RIVA, {"text": "hello"})).json()
    then = (await ask("POST", RIVA, {"text": "hello"}, headers=sim("old"))).json()

    assert now["content_type"] == "audio/wav"
    wav = base64.b64decode(now["response"])
    assert wav == b"".join(sounds.wav(300, 16_000))
    assert base64.b64decode(then["response"]) == wav[44:]


@pytest.mark.parametrize(("words", "end"), [("cut=2", "closed"), ("reset=1", "reset")])
async def test_a_sound_breaks_where_it_is_told(ask, words, end):
    reply = await ask("POST", BINARY, {"input": "x" * 99}, headers=sim(words))

    assert reply.end == end


async def test_errors_of_speech_have_openminds_shape(ask):
    reply = await ask("POST", BINARY, {"input": "x"}, headers=sim("unconfigured"))

    assert (reply.status, reply.json()) == (503, {"error": "openai API key not configured"})


async def test_a_tone_goes_on_over_seconds_without_a_crack():
    whole = b"".join(sounds.tone(2500, 8000))

    assert len(whole) == 2500 * 8 * 2
    assert whole[:16_000] == whole[16_000:32_000]
