"""What a form asks for, and the forms of a transcript (contract O7, O8, D6, D16; upstreams A8, A13)."""

import json

import pytest

from app.domain.errors import InvalidRequest
from app.protocol.multipart import read_form
from app.protocol.transcripts import (
    Transcript,
    body_of,
    delta_event,
    done_event,
    model_in,
    read_transcription,
    with_model,
)

BOUNDARY = b"b0undary"
FILE = ("file", "RIFF…", "a.wav", "audio/wav")


def form(*fields: tuple[str, ...]) -> bytes:
    """Each field is a name and a value, and of a file its filename and type."""
    written = b""
    for name, value, *file in fields:
        about = f'form-data; name="{name}"' + (f'; filename="{file[0]}"' if file else "")
        written += b"--%b\r\nContent-Disposition: %b\r\n" % (BOUNDARY, about.encode())
        if file:
            written += b"Content-Type: %b\r\n" % file[1].encode()
        written += b"\r\n%b\r\n" % value.encode()
    return written + b"--%b--\r\n" % BOUNDARY


def read(*fields: tuple[str, ...]):
    return read_transcription(read_form(form(("model", "whisper-1"), FILE, *fields), BOUNDARY))


def test_the_usual_form_asks_for_json():
    found = read()

    assert ("RIFF…".encode(), "audio/wav", "", "json", False, ()) == (
        found.file,
        found.file_type,
        found.language,
        found.format,
        found.stream,
        found.dropped,
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param([("language", "pt-BR")], ("pt-BR", "json", False), id="a language"),
        pytest.param([("response_format", "text")], ("", "text", False), id="plain text"),
        pytest.param([("response_format", "verbose_json")], ("", "verbose_json", False), id="more"),
        pytest.param([("stream", "true")], ("", "json", True), id="a stream"),
        pytest.param([("stream", "True")], ("", "json", True), id="a stream, as Python writes it"),
        pytest.param([("stream", "false")], ("", "json", False), id="no stream"),
    ],
)
def test_what_a_form_asks_for(fields, expected):
    found = read(*fields)

    assert expected == (found.language, found.format, found.stream)


def test_d16_what_is_not_heeded_is_named():
    assert ("prompt", "temperature") == read(("temperature", "0.2"), ("prompt", "Hi")).dropped


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        pytest.param(
            [("response_format", "srt")], "unsupported_value", "response_format", id="srt"
        ),
        pytest.param(
            [("response_format", "vtt")], "unsupported_value", "response_format", id="vtt"
        ),
        pytest.param(
            [("response_format", "diarized_json")], "unsupported_value", "response_format", id="who"
        ),
        pytest.param(
            [("timestamp_granularities[]", "word")],
            "unsupported_parameter",
            "timestamp_granularities",
            id="times",
        ),
        pytest.param([("include[]", "logprobs")], "unsupported_parameter", "include", id="chances"),
        pytest.param([("stream", "maybe")], "invalid_type", "stream", id="no switch"),
        pytest.param([("language", "en\r\nx")], "unsupported_value", "language", id="no tag"),
        pytest.param([FILE], None, "file", id="D6: two files"),
        pytest.param([("language", "en"), ("language", "de")], None, "language", id="D6: two tags"),
    ],
)
def test_what_cannot_be_had_is_named(fields, code, param):
    with pytest.raises(InvalidRequest) as caught:
        read(*fields)

    assert (code, param) == (caught.value.code, caught.value.param)


def test_f26_a_form_without_a_file():
    with pytest.raises(InvalidRequest) as caught:
        read_transcription(read_form(form(("model", "m")), BOUNDARY))

    assert ("missing_required_parameter", "file") == (caught.value.code, caught.value.param)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([FILE], id="F25: none"),
        pytest.param([("model", " ")], id="F25: blank"),
        pytest.param([("model", "a"), ("model", "b")], id="D6: two"),
    ],
)
def test_a_form_names_one_model(fields):
    with pytest.raises(InvalidRequest) as caught:
        model_in(read_form(form(*fields), BOUNDARY))

    assert "model" == caught.value.param


def test_only_the_model_s_own_value_is_replaced():
    """Wherever it stands, and whatever stands in the file."""
    body = form(("file", "model\r\nwhisper-1", "model", "audio/wav"), ("model", "up/whisper-1"))

    found = with_model(body, BOUNDARY, "whisper-1")

    assert (
        form(("file", "model\r\nwhisper-1", "model", "audio/wav"), ("model", "whisper-1")) == found
    )


SAID = Transcript("hello wörld", "en-US", 3200)
USAGE = {"type": "duration", "seconds": 3.2}


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        pytest.param("json", {"text": "hello wörld", "usage": USAGE}, id="json"),
        pytest.param(
            "verbose_json",
            {
                "task": "transcribe",
                "language": "en-US",
                "duration": 3.2,
                "text": "hello wörld",
                "segments": [],
                "usage": USAGE,
            },
            id="verbose_json",
        ),
    ],
)
def test_o8_a_transcript_as_json(form, expected):
    content_type, body = body_of(SAID, form)

    assert (b"application/json", expected) == (content_type, json.loads(body))


def test_o8_a_transcript_as_text():
    assert (b"text/plain; charset=utf-8", "hello wörld".encode()) == body_of(SAID, "text")


def test_o8_no_speech_is_an_empty_text():
    assert "" == json.loads(body_of(Transcript("", "", 500), "json")[1])["text"]


def test_a13_a_transcript_as_events_without_names():
    delta, done = delta_event("he\nllo"), done_event(SAID)

    assert {"type": "transcript.text.delta", "delta": "he\nllo"} == json.loads(delta[6:])
    assert {"type": "transcript.text.done", "text": "hello wörld", "usage": USAGE} == json.loads(
        done[6:]
    )
    assert all(one.startswith(b"data: ") and one.count(b"\n") == 2 for one in (delta, done))
