"""Speech as OpenMind wants it asked for, and what its answer is (upstreams A1 to A6, contract O2, O4, O5)."""

import json
from base64 import b64encode
from typing import Any

import pytest

from app.domain.configuration import SpeechOptions
from app.domain.errors import InvalidRequest
from app.protocol.sound_types import container_of
from app.protocol.speech import SpeechWish
from app.protocol.wav import read_wav, wav_header
from app.upstreams.speech_requests import (
    JSON_PATH,
    RIVA_PATH,
    STREAM_PATH,
    Encoded,
    SpeechRoutes,
    SpeechTarget,
    encoded_sound,
    opening,
    sound_format,
    speech_body,
    speech_target,
    whole_sound,
)

OPTIONS = SpeechOptions(voices={"alloy": "a" * 20})
FLASH = SpeechTarget("elevenlabs", "eleven_flash_v2_5")
SAMPLES = bytes(range(200)) * 2


def wish(**fields: Any) -> SpeechWish:
    usual: dict[str, Any] = {
        "text": "Hi",
        "voice": "alloy",
        "format": "mp3",
        "speed": None,
        "as_events": False,
        "others": {},
    }
    return SpeechWish(**usual | fields)


# --- whom and where -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "target"),
    [
        pytest.param("tts-1", FLASH, id="A3: OpenAI's"),
        pytest.param("tts-1-hd", FLASH, id="A3: OpenAI's better one"),
        pytest.param("gpt-4o-mini-tts", FLASH, id="A3: OpenAI's newest"),
        pytest.param("gpt-4o-mini-tts-2025-12-15", FLASH, id="A3: with its date"),
        pytest.param("eleven_v3", SpeechTarget("elevenlabs", "eleven_v3"), id="A3: ElevenLabs' own"),
        pytest.param(
            "elevenlabs/eleven_v3", SpeechTarget("elevenlabs", "eleven_v3"), id="A3: with its maker"
        ),
        pytest.param("riva", SpeechTarget("riva", "riva"), id="A1: Riva"),
        pytest.param("riva-tts", SpeechTarget("riva", "riva-tts"), id="A1: Riva by another name"),
        pytest.param("gpt-4o", None, id="a model that does not speak"),
        pytest.param("elevenlabs/", None, id="a maker without a model"),
        pytest.param("whisper-1", None, id="a model that listens"),
    ],
)  # fmt: skip
def test_who_speaks_for_a_model(model, target):
    assert target == speech_target(model, OPTIONS)


def test_k9_the_operator_chooses_who_speaks_for_openai_s_names():
    options = SpeechOptions(model="eleven_v3")

    assert SpeechTarget("elevenlabs", "eleven_v3") == speech_target("tts-1", options)


@pytest.mark.parametrize(
    ("engine", "route", "paths"),
    [
        pytest.param("elevenlabs", "auto", (STREAM_PATH, JSON_PATH), id="A1: the stream first"),
        pytest.param("elevenlabs", "stream", (STREAM_PATH,), id="K9: the stream alone"),
        pytest.param("elevenlabs", "json", (JSON_PATH,), id="K9: the other alone"),
        pytest.param("riva", "auto", (RIVA_PATH,), id="Riva has one"),
        pytest.param("riva", "json", (RIVA_PATH,), id="Riva has one, whatever is set"),
    ],
)
def test_where_speech_is_asked_for(engine, route, paths):
    assert paths == SpeechRoutes().paths("up", engine, SpeechOptions(route=route))


def test_a1_a_missing_route_is_remembered_for_its_upstream():
    routes = SpeechRoutes()
    routes.stream_is_missing("up")

    assert (JSON_PATH,) == routes.paths("up", "elevenlabs", OPTIONS)
    assert (STREAM_PATH, JSON_PATH) == routes.paths("other", "elevenlabs", OPTIONS)
    assert (STREAM_PATH,) == routes.paths("up", "elevenlabs", SpeechOptions(route="stream"))


# --- the body -------------------------------------------------------------------------------------------------------


def test_a2_a_body_holds_the_names_of_both_ages():
    body, dropped = speech_body(FLASH, wish(speed=1.25), OPTIONS)

    assert {
        "input": "Hi",
        "text": "Hi",
        "voice": "a" * 20,
        "voice_id": "a" * 20,
        "model": "eleven_flash_v2_5",
        "model_id": "eleven_flash_v2_5",
        "response_format": "mp3_44100_128",
        "output_format": "mp3_44100_128",
        "speed": 1.25,
    } == json.loads(body)
    assert () == dropped


def test_a2_or_the_new_names_alone():
    body, _ = speech_body(FLASH, wish(), SpeechOptions(both_names=False))

    assert {"input", "voice", "model", "response_format"} == set(json.loads(body))


@pytest.mark.parametrize(
    ("voice", "sent"),
    [
        pytest.param("Zb3kCBsd6RMkjVDRZzb9", "Zb3kCBsd6RMkjVDRZzb9", id="A3: an id is verbatim"),
        pytest.param("alloy", "a" * 20, id="A3: a name in the table"),
        pytest.param("nova", "JBFqnCBsd6RMkjVDRZzb", id="A3: one that is not"),
        pytest.param("", "JBFqnCBsd6RMkjVDRZzb", id="none"),
        pytest.param("../../admin/secrets!!", "JBFqnCBsd6RMkjVDRZzb", id="a path is no id"),
    ],
)
def test_o5_a_voice_is_an_id_or_falls_to_the_default(voice, sent):
    body, _ = speech_body(FLASH, wish(voice=voice), OPTIONS)

    assert sent == json.loads(body)["voice"]


@pytest.mark.parametrize(
    ("fields", "sent", "dropped"),
    [
        pytest.param({}, {"text": "Hi"}, (), id="a voice that is not Riva's stays behind"),
        pytest.param(
            {"voice": "English-US.Female-1"},
            {"text": "Hi", "voice": "English-US.Female-1"},
            (),
            id="A3: one with a dot goes",
        ),
        pytest.param({"speed": 1.5}, {"text": "Hi"}, ("speed",), id="it knows no speed"),
        pytest.param(
            {"others": {"language_code": b'"de-DE"'}},
            {"text": "Hi", "language_code": "de-DE"},
            (),
            id="D3: its own members pass",
        ),
    ],
)
def test_a_body_for_riva(fields, sent, dropped):
    body, lost = speech_body(SpeechTarget("riva", "riva"), wish(**fields), OPTIONS)

    assert (sent, dropped) == (json.loads(body), lost)


def test_a_client_steers_no_credential_and_no_name_that_is_ours():
    others = {
        "elevenlabs_api_key": b'"sk-stolen"',
        "instructions": b'"softly"',
        "voice_id": b'"x"',
        "model_id": b'"x"',
        "voice_settings": b'{"stability":0.50}',
    }

    body, dropped = speech_body(FLASH, wish(others=others), OPTIONS)

    assert b"sk-stolen" not in body
    assert b"softly" not in body
    assert b'"voice_settings":{"stability":0.50}' in body
    assert ("a" * 20, "eleven_flash_v2_5") == (
        json.loads(body)["voice_id"],
        json.loads(body)["model_id"],
    )
    assert ("instructions", "elevenlabs_api_key") == dropped


# --- formats --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "asked", "content_type"),
    [
        pytest.param("mp3", "mp3_44100_128", b"audio/mpeg", id="A4: mp3"),
        pytest.param("pcm", "pcm_24000", b"audio/pcm", id="A4: pcm"),
        pytest.param("wav", "pcm_24000", b"audio/wav", id="A4: wav"),
        pytest.param("opus", "opus_48000_64", b"audio/ogg", id="A4: opus"),
        pytest.param("mp3_44100_192", "mp3_44100_192", b"audio/mpeg", id="A4: ElevenLabs' own"),
        pytest.param("pcm_16000", "pcm_16000", b"audio/pcm;rate=16000", id="A4: its samples"),
        pytest.param("ulaw_8000", "ulaw_8000", b"audio/PCMU", id="A4: as a telephone has it"),
    ],
)
def test_a_format_and_its_type(name, asked, content_type):
    found = sound_format(name)

    assert (asked, content_type) == (found.asked, found.content_type)


@pytest.mark.parametrize("name", ["aac", "flac", "mp3_", "ogg", "pcm_1", 'mp3_44100"', ""])
def test_f28_a_format_that_nobody_makes(name):
    with pytest.raises(InvalidRequest) as caught:
        sound_format(name)

    assert ("unsupported_value", "response_format") == (caught.value.code, caught.value.param)


@pytest.mark.parametrize(
    ("head", "asked", "content_type", "before"),
    [
        pytest.param(b"ID3\x04", "mp3", b"audio/mpeg", b"", id="what was asked for"),
        pytest.param(b"RIFF", "mp3", b"audio/wav", b"", id="O4: a WAV that claims to be mp3"),
        pytest.param(b"RIFF", "wav", b"audio/wav", b"", id="a WAV has its header"),
        pytest.param(b"\0\0\1\0", "wav", b"audio/wav", wav_header(24_000), id="A4: it gets one"),
        pytest.param(b"\0\0\1\0", "pcm", b"audio/pcm", b"", id="samples as they come"),
        pytest.param(b"\xff\xfb\x90\0", "pcm", b"audio/pcm", b"", id="samples like a frame"),
        pytest.param(b"\xff\xfb\x90\0", "opus", b"audio/mpeg", b"", id="an mp3 for an opus"),
        pytest.param(b"\0\0\1\0", "mp3", b"audio/mpeg", b"", id="unknown: as it claims"),
    ],
)
def test_a_stream_goes_out_as_what_it_is(head, asked, content_type, before):
    wanted = sound_format(asked)
    container = container_of(head, samples_are_due=wanted.is_bare)

    assert (content_type, before) == opening(container, wanted)


# --- answers in JSON ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        pytest.param({"response": b64encode(b"abc").decode()}, Encoded(b"abc", None), id="2025"),
        pytest.param(
            {"response": b64encode(b"abc").decode(), "format": "mp3_44100_128", "text": "t"},
            Encoded(b"abc", None),
            id="2026",
        ),
        pytest.param({"audio": b64encode(b"abc").decode()}, Encoded(b"abc", None), id="Riva's other"),
        pytest.param(
            {"response": b64encode(b"abc").decode(), "format": "pcm_22050"},
            Encoded(b"abc", 22_050),
            id="samples of a rate that it says",
        ),
        pytest.param({"error": "no"}, None, id="an error"),
        pytest.param({"response": ""}, None, id="nothing"),
        pytest.param({"response": "no base64!"}, None, id="no base64"),
        pytest.param({"response": ["YWJj"]}, None, id="a list"),
        pytest.param(["YWJj"], None, id="no object"),
    ],
)  # fmt: skip
def test_a_sound_in_json(answer, found):
    assert found == encoded_sound(json.dumps(answer).encode())


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"response":"\xff"}', b"[" * 100_000])
def test_what_is_no_json_is_no_sound(body):
    assert encoded_sound(body) is None


def whole(found: Encoded, asked: str, engine: Any = "elevenlabs") -> tuple[bytes, bytes]:
    wanted = sound_format(asked)
    container = container_of(found.audio, samples_are_due=wanted.is_bare)
    return whole_sound(found, container, wanted, engine)


@pytest.mark.parametrize(
    ("engine", "said", "rate"),
    [
        pytest.param("riva", None, 16_000, id="A6: nobody says: 16 kHz"),
        pytest.param("elevenlabs", None, 24_000, id="as it was asked for"),
        pytest.param("elevenlabs", 44_100, 44_100, id="as it says"),
    ],
)
def test_a6_bare_samples_become_a_wav(engine, said, rate):
    content_type, body = whole(Encoded(SAMPLES, said), "wav", engine)
    sound = read_wav(body)

    assert (b"audio/wav", rate, len(SAMPLES) // 2) == (content_type, sound.rate, sound.frames)
    assert body.endswith(SAMPLES)
    assert int.from_bytes(body[4:8], "little") == len(body) - 8


def test_bare_samples_that_nobody_asked_for_become_a_wav_too():
    content_type, body = whole(Encoded(SAMPLES, None), "mp3", "riva")

    assert (b"audio/wav", 16_000) == (content_type, read_wav(body).rate)


def test_o2_pcm_is_24_khz_whoever_speaks():
    content_type, body = whole(Encoded(SAMPLES, None), "pcm", "riva")

    assert (b"audio/pcm", len(SAMPLES) * 24 // 16) == (content_type, len(body))


@pytest.mark.parametrize(
    ("audio", "asked", "content_type"),
    [
        pytest.param(b"ID3\x04abc", "wav", b"audio/mpeg", id="an mp3 for a WAV"),
        pytest.param(b"RIFFabcd", "mp3", b"audio/wav", id="a WAV for an mp3"),
        pytest.param(b"\xff\xff\xff\xff", "ulaw_8000", b"audio/PCMU", id="a telephone's silence"),
    ],
)
def test_a6_a_container_goes_out_as_it_came_under_its_true_type(audio, asked, content_type):
    assert (content_type, audio) == whole(Encoded(audio, None), asked)
