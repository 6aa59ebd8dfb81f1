"""What a request for speech asks for, and speech as events (contract D1, D6, O5, O6, H12; upstreams A5)."""

import json
from base64 import b64decode

import pytest

from app.domain.errors import InvalidRequest
from app.protocol.speech import DONE, SpeechWish, deltas, read_speech, wish_of


def body_of(**members: object) -> bytes:
    return json.dumps({"model": "tts-1", "input": "Hello", "voice": "alloy", **members}).encode()


def wish(**members: object) -> SpeechWish:
    return wish_of(read_speech(body_of(**members)))


def test_the_usual_body_asks_for_mp3():
    assert SpeechWish("Hello", "alloy", "mp3", None, False, {}) == wish()


@pytest.mark.parametrize(
    ("members", "found"),
    [
        pytest.param({"voice": {"id": "v_1"}}, ("v_1", None), id="O5: a voice by its id"),
        pytest.param({"voice": None}, ("", None), id="no voice said"),
        pytest.param({"speed": 0.1}, ("alloy", 0.5), id="A5: too slow is clamped"),
        pytest.param({"speed": 4}, ("alloy", 2.0), id="A5: too fast is clamped"),
        pytest.param({"speed": 1.25}, ("alloy", 1.25), id="a speed in between"),
        pytest.param({"speed": None}, ("alloy", None), id="null is not said"),
    ],
)
def test_voice_and_speed(members, found):
    read = wish(**members)

    assert found == (read.voice, read.speed)


@pytest.mark.parametrize(
    ("members", "code", "param"),
    [
        pytest.param({"input": ""}, "unsupported_value", "input", id="A5: no text"),
        pytest.param({"input": "x" * 4097}, "unsupported_value", "input", id="A5: too much text"),
        pytest.param({"input": None}, "missing_required_parameter", "input", id="F26: null text"),
        pytest.param({"input": ["a"]}, "invalid_type", "input", id="F24: a list of texts"),
        pytest.param({"voice": 5}, "invalid_type", "voice", id="F24: a number for a voice"),
        pytest.param({"voice": {}}, "invalid_type", "voice.id", id="a voice without its id"),
        pytest.param({"voice": {"id": 5}}, "invalid_type", "voice.id", id="an id that is no text"),
        pytest.param({"speed": "fast"}, "invalid_type", "speed", id="F24: a word for a speed"),
        pytest.param({"speed": True}, "invalid_type", "speed", id="F24: a switch for a speed"),
        pytest.param({"response_format": 3}, "invalid_type", "response_format", id="F24: a number"),
        pytest.param(
            {"stream_format": "mp3"}, "unsupported_value", "stream_format", id="F28: no such form"
        ),
    ],
)
def test_what_cannot_be_spoken_is_named(members, code, param):
    with pytest.raises(InvalidRequest) as caught:
        wish(**members)

    assert (code, param) == (caught.value.code, caught.value.param)


def test_the_longest_text_is_counted_in_characters():
    assert 4096 == read_speech(body_of(input="é" * 4096)).characters
    assert wish(input="é" * 4096).text == "é" * 4096


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"", "invalid_json", id="F23: nothing"),
        pytest.param(b'{"model":"a"', "invalid_json", id="F23: half"),
        pytest.param(b'{"input":"a"}', "missing_required_parameter", id="F25: no model"),
        pytest.param(b'{"model":null,"input":"a"}', "missing_required_parameter", id="F25: null"),
        pytest.param(b'{"model":["a"],"input":"a"}', "invalid_type", id="F24: a list of models"),
        pytest.param(b'{"model":"a","model":"b"}', "invalid_json", id="D6: two models"),
        pytest.param(b'{"model":"a","input":"b","input":"c"}', "invalid_json", id="D6: two texts"),
    ],
)
def test_a_broken_body_is_refused(body, code):
    with pytest.raises(InvalidRequest) as caught:
        read_speech(body)

    assert code == caught.value.code


def test_d1_a_body_for_the_same_model_leaves_as_it_came():
    body = b'{ "input":"a\\u00e9", "model" : "tts-1","x":1.10,"n":1e400}'
    request = read_speech(body)

    assert request.renamed("tts-1") is request.body == body
    assert body.replace(b'"tts-1"', b'"voice/1"') == request.renamed("voice/1")


def test_a_native_body_is_counted_without_being_judged():
    assert 0 == read_speech(b'{"model":"a","input":["b"]}').characters


def test_d4_half_a_character_is_still_text():
    assert wish_of(read_speech(b'{"model":"a","input":"b\\ud83d!"}')).text.startswith("b")


def test_what_means_nothing_here_is_kept_as_it_stands():
    read = wish_of(read_speech(body_of(seed=12345678901234567890, instructions="softly")))

    assert {"seed": b"12345678901234567890", "instructions": b'"softly"'} == read.others


def test_o6_all_of_the_sound_comes_in_events_that_every_client_takes():
    sound = bytes(range(256)) * 700
    events = list(deltas(sound))
    texts = [json.loads(event.removeprefix(b"data: ")) for event in events]

    assert sound == b"".join(b64decode(one["audio"]) for one in texts)
    assert {"speech.audio.delta"} == {one["type"] for one in texts}
    assert all(event.endswith(b"\n\n") and event.count(b"\n") == 2 for event in events)
    assert max(map(len, events)) < 128 * 1024
    assert {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0} == json.loads(DONE[6:])[
        "usage"
    ]
