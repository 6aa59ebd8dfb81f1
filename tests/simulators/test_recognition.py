"""The recognition engines without a socket (X16), on a clock of the test's own."""

import base64
import json
import struct

import pytest

from app.simulators.control import Script
from app.simulators.recognition import ELEVENLABS, GOOGLE, RIVA, TOO_FAST, Recognition
from app.simulators.session import Close
from app.simulators.sounds import tone

CLIENT = "1738713600000-0000000000000001"


def pcm(sound_ms: int, silence_ms: int = 0, rate: int = 16_000) -> bytes:
    return b"".join(tone(sound_ms, rate)) + bytes(rate * silence_ms // 1000 * 2)


def spoken(audio: bytes, **more) -> str:
    return json.dumps({"audio": base64.b64encode(audio).decode(), **more})


def framed(audio: bytes, **header) -> bytes:
    head = json.dumps(header).encode()
    return struct.pack(">I", len(head)) + head + audio


def talk(engine, words=None):
    return Recognition(engine, Script(words or {}), 1)


def heard(session, *messages, at_seconds=100.0):
    """What is said to the messages, a minute apart; JSON as objects."""
    said = []
    for place, message in enumerate(messages):
        said += session.hear(message, at_seconds + 60 * place)
    return [json.loads(one) if isinstance(one, str) else one for one in said]


@pytest.mark.parametrize(
    ("engine", "words", "hello"),
    [
        (GOOGLE, {}, ["connection"]),
        (ELEVENLABS, {}, ["connection"]),
        (RIVA, {}, []),
        (GOOGLE, {"nohello": 1}, []),
    ],
)
def test_the_hello(engine, words, hello):
    said = [json.loads(one) for one in talk(engine, words).greet()]

    assert [one["type"] for one in said] == hello
    assert [one["clientId"] for one in said] == [CLIENT] * len(hello)


def test_google_tells_activity_around_a_final():
    session = talk(GOOGLE)
    said = heard(session, spoken(pcm(1000, 600), rate=16_000, language_code="en-US"))

    assert said == [
        {"type": "speech_start", "clientId": CLIENT},
        {"type": "speech_end", "clientId": CLIENT},
        {"type": "end_of_utterance", "clientId": CLIENT},
        {"asr_reply": "heard 1000 ms", "clientId": CLIENT},
    ]


def test_elevenlabs_tells_partials_and_then_commits():
    said = heard(talk(ELEVENLABS), spoken(pcm(1000, 600), rate=16_000))

    assert [(one["type"], one["asr_reply"]) for one in said] == [
        ("partial", "hea"),
        ("partial", "heard"),
        ("partial", "heard"),
        ("committed", "heard 1000 ms"),
    ]
    assert [one.get("time") for one in said] == [100, 200, 1000, None]


def test_untyped_finals_of_elevenlabs():
    said = heard(talk(ELEVENLABS, {"untyped": 1}), spoken(pcm(1000, 600)))

    assert said[-1] == {"asr_reply": "heard 1000 ms", "clientId": CLIENT}


def test_riva_says_the_words_alone():
    assert heard(talk(RIVA), spoken(pcm(1000, 600), rate=16_000)) == [
        {"asr_reply": "heard 1000 ms"}
    ]


def test_what_is_left_is_said_at_the_end():
    session = talk(RIVA)
    assert heard(session, spoken(pcm(700, 400))) == []

    assert session.farewell() == ['{"asr_reply":"heard 700 ms"}']
    assert session.farewell() == []


def test_a_talk_without_audio_ends_without_a_word():
    assert list(talk(GOOGLE).farewell()) == []


def test_the_first_rate_counts():
    session = talk(RIVA)
    messages = [spoken(pcm(500, 0, 8000), rate=8000), spoken(pcm(0, 600, 8000), rate=44_100)]

    assert heard(session, *messages) == [{"asr_reply": "heard 500 ms"}]


def test_google_takes_binary_frames():
    said = heard(talk(GOOGLE), framed(pcm(300, 600, 8000), rate=8000, language_code="en-US"))

    assert said[-1]["asr_reply"] == "heard 300 ms"


def test_riva_takes_bare_samples():
    assert heard(talk(RIVA), pcm(300, 600)) == [{"asr_reply": "heard 300 ms"}]


@pytest.mark.parametrize(
    ("engine", "message", "says"),
    [
        pytest.param(GOOGLE, "{", "Invalid message format", id="no JSON"),
        pytest.param(GOOGLE, "[]", "Invalid message format", id="no object"),
        pytest.param(GOOGLE, "{}", "Invalid message format", id="no audio"),
        pytest.param(GOOGLE, '{"audio":"***"}', "Failed to decode audio", id="no base64"),
        pytest.param(GOOGLE, b"\x00", "Invalid message format", id="a frame too short"),
        pytest.param(GOOGLE, b"\x00\x00\x00\x09{}", "Invalid message format", id="a long header"),
        pytest.param(GOOGLE, '{"audio":"","rate":"x"}', "Invalid message format", id="no rate"),
        pytest.param(ELEVENLABS, b"\x00\x00", "Invalid message format", id="binary"),
        pytest.param(
            ELEVENLABS, '{"audio":"","rate":24000}', "Invalid message format", id="another rate"
        ),
    ],
)
def test_a_message_that_is_wrong_is_an_error_and_the_talk_goes_on(engine, message, says):
    session = talk(engine)
    (said,) = heard(session, message)

    assert said["type"] == "error"
    assert said["message"].startswith(says)
    assert heard(session, spoken(pcm(300, 600)))[-1]["asr_reply"] == "heard 300 ms"


@pytest.mark.parametrize("message", ["{", "{}", '{"audio":"***"}'])
def test_riva_ignores_what_it_does_not_understand(message):
    session = talk(RIVA)

    assert heard(session, message) == []
    assert heard(session, spoken(pcm(300, 600))) == [{"asr_reply": "heard 300 ms"}]


def test_more_than_eight_times_real_time_is_an_error():
    session = talk(GOOGLE)
    fast = [session.hear(spoken(bytes(32_000)), 100.0 + 0.1 * n) for n in range(30)]

    said = [one for answers in fast for one in answers]
    assert json.loads(said[0]) == {"type": "error", "message": TOO_FAST}
    assert said[1:] == [Close(1011, "Audio buffer full")]
    assert session.farewell() == []


def test_eight_times_real_time_is_not_too_fast():
    session = talk(GOOGLE)

    said = [one for n in range(40) for one in session.hear(spoken(bytes(32_000)), n / 8)]
    assert said == []


@pytest.mark.parametrize("engine", [GOOGLE, ELEVENLABS])
def test_an_info_comes_after_so_many_seconds_of_audio(engine):
    session = talk(engine, {"info": 2})
    said = heard(session, *[spoken(bytes(32_000))] * 5)

    assert [one["type"] for one in said] == ["info", "info"]


def test_riva_closes_instead():
    assert heard(talk(RIVA, {"info": 2}), *[spoken(bytes(32_000))] * 2) == [
        Close(1000, "Session too long")
    ]
