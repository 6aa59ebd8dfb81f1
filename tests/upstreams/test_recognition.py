"""OpenMind's recognition sockets, message by message, at times that a test tells (upstreams A9 to A12, A14)."""

import json
import struct
from base64 import b64decode
from typing import Any

import pytest

from app.domain.configuration import RecognitionOptions
from app.domain.errors import UpstreamAnswered, UpstreamDisconnected, UpstreamRefusedCredential
from app.protocol.wav import raw_sound
from app.upstreams.recognition import (
    ELEVENLABS,
    ENGINES,
    GOOGLE,
    RIVA,
    Engine,
    Recognition,
    closed_early,
    engine_language,
    engine_of,
    engine_query,
    engine_rate,
    spoken_failure,
)
from app.upstreams.upstream import Upstream
from tests.fakes.upstreams import UPSTREAM_KEY, upstream_of

OPTIONS = RecognitionOptions()
BEGAN = 100.0


def recognition(
    ms: int = 250, engine: Engine = GOOGLE, rate: int = 16_000, **options: Any
) -> Recognition:
    samples = struct.pack(f"<{ms * rate // 1000}h", *(n % 7 for n in range(ms * rate // 1000)))
    sound = raw_sound(samples, rate)
    return Recognition(engine, sound, "en-US", RecognitionOptions(**options))


def sent(one: Recognition, until: float = 1e9) -> list[tuple[float, dict[str, Any]]]:
    """All that goes out, each piece at the moment it is due."""
    one.begin(BEGAN)
    found = []
    while not one.all_sent and one.next_at <= until:
        at = one.next_at
        found.append((at, json.loads(one.next_message(at))))
    return found


def finished(one: Recognition) -> float:
    """When all of it is out."""
    return sent(one)[-1][0]


# --- which engine ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "engine", "query"),
    [
        pytest.param("whisper-1", GOOGLE, "", id="A9: OpenAI's"),
        pytest.param("gpt-4o-transcribe", GOOGLE, "", id="A9: OpenAI's newer"),
        pytest.param("gpt-4o-mini-transcribe-2025", GOOGLE, "", id="A9: with its date"),
        pytest.param("chirp_3", GOOGLE, "model=chirp_3", id="A9: Google's own"),
        pytest.param("google/chirp_3", GOOGLE, "model=chirp_3", id="A9: with its maker"),
        pytest.param("google/latest_long", GOOGLE, "model=latest_long", id="A9: another of Google's"),
        pytest.param("google/asr", GOOGLE, "", id="A9: Google chooses"),
        pytest.param("google/chirp_3&api_key=x", GOOGLE, "", id="a name cannot write a query"),
        pytest.param("scribe_v1", ELEVENLABS, "", id="A9: ElevenLabs' own"),
        pytest.param("elevenlabs/scribe_v1", ELEVENLABS, "", id="A9: with its maker too"),
        pytest.param("riva", RIVA, "", id="A9: Riva"),
        pytest.param("tts-1", None, None, id="a model that speaks"),
        pytest.param("gpt-4o", None, None, id="a model that chats"),
    ],
)  # fmt: skip
def test_who_listens_for_a_model(model, engine, query):
    assert engine == engine_of(model)
    if engine is not None:
        assert query == engine_query(engine, model)


def test_each_engine_serves_what_openmind_claims():
    """Upstreams G8 and A9 name the same models."""
    claims = {pattern for engine in ENGINES for pattern in engine.models}

    assert claims <= set(upstream_of("openmind").dialect.audio_claims)


@pytest.mark.parametrize(
    ("engine", "rate", "found"),
    [
        pytest.param(GOOGLE, 44_100, 44_100, id="A9: Google takes the file's own"),
        pytest.param(RIVA, 48_000, 48_000, id="A9: Riva too"),
        pytest.param(ELEVENLABS, 22_050, 22_050, id="A9: one of ElevenLabs' four"),
        pytest.param(ELEVENLABS, 48_000, 16_000, id="A9: any other becomes 16 kHz"),
    ],
)
def test_a9_at_which_rate_an_engine_is_fed(engine, rate, found):
    assert found == engine_rate(engine, rate)


@pytest.mark.parametrize(
    ("engine", "asked", "told"),
    [
        pytest.param(GOOGLE, "en", "en-US", id="A10: a language gets its region"),
        pytest.param(GOOGLE, "zh", "cmn-Hans-CN", id="A10: Chinese"),
        pytest.param(GOOGLE, "PT", "pt-BR", id="A10: in any case"),
        pytest.param(GOOGLE, "pt-PT", "pt-PT", id="A10: a tag with a region is verbatim"),
        pytest.param(GOOGLE, "nl", "nl", id="A10: one that is not in the table"),
        pytest.param(GOOGLE, "", "en-US", id="A10: the operator's, where nobody says"),
        pytest.param(ELEVENLABS, "de", "de", id="A10: ElevenLabs verbatim"),
        pytest.param(ELEVENLABS, "", "auto", id="A10: or it finds out"),
        pytest.param(RIVA, "de", "", id="A10: Riva is told nothing"),
    ],
)
def test_a10_what_an_engine_is_told_of_the_language(engine, asked, told):
    assert told == engine_language(engine, asked, OPTIONS)


# --- what is sent ---------------------------------------------------------------------------------------------------


def test_a11_pieces_of_100_ms_then_silence():
    one = recognition(250)
    messages = [message for _, message in sent(one)]
    pieces = [b64decode(message["audio"]) for message in messages]

    assert [3200, 3200, 1600] + [3200] * 15 == [len(piece) for piece in pieces]
    assert bytes(one.sound.samples) == b"".join(pieces[:3])
    assert not any(b"".join(pieces[3:]))


def test_a11_rate_and_language_stand_in_the_first():
    messages = [message for _, message in sent(recognition())]

    assert (16_000, "en-US") == (messages[0]["rate"], messages[0]["language_code"])
    assert [{"audio"}] * 17 == [set(message) for message in messages[1:]]


def test_riva_is_told_no_language():
    one = recognition(engine=RIVA)
    one.language = engine_language(RIVA, "de", OPTIONS)

    assert {"audio", "rate"} == set(sent(one)[0][1])


def test_a11_it_goes_out_faster_than_it_was_said_but_not_by_much():
    times = [at - BEGAN for at, _ in sent(recognition(1000, pace=1.25))]

    assert times[:12] == pytest.approx([n * 0.08 for n in range(12)])


def test_a_late_piece_does_not_slow_those_behind_it_nor_hurry_them_much():
    one = recognition(2000, pace=1.0)
    one.begin(BEGAN)
    one.next_message(BEGAN)
    one.next_message(BEGAN + 0.15)  # 50 ms late: that is caught up with
    assert one.next_at == pytest.approx(BEGAN + 0.2)
    one.next_message(BEGAN + 5)  # a stall: what was missed is not sent at once
    assert one.next_at == pytest.approx(BEGAN + 5)


@pytest.mark.parametrize("ms", [1, 99, 100, 101, 730])
def test_sound_of_any_length_arrives_whole_at_another_rate(ms):
    one = recognition(ms, ELEVENLABS, rate=48_000, silence_seconds=0)
    pieces = [b64decode(message["audio"]) for _, message in sent(one)]

    assert ms * 16 * 2 == sum(map(len, pieces))
    assert ms == one.sent_ms


def test_what_was_sent_is_counted_without_the_silence():
    one = recognition(250)
    one.begin(BEGAN)
    counted = []
    while not one.all_sent:
        one.next_message(one.next_at)
        counted.append(one.sent_ms)

    assert [100, 200, 250, *[250] * 15] == counted


# --- what is heard --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "final"),
    [
        pytest.param({"asr_reply": "hello", "clientId": "1"}, "hello", id="A12: without a type"),
        pytest.param({"type": "committed", "asr_reply": " hello "}, "hello", id="A12: committed"),
        pytest.param({"type": "partial", "asr_reply": "hel"}, None, id="a partial is none"),
        pytest.param({"type": "connection", "message": "Connected"}, None, id="a hello is none"),
        pytest.param({"type": "speech_start"}, None, id="activity is none"),
        pytest.param({"type": "info", "message": "restarting"}, None, id="information is none"),
        pytest.param({"asr_reply": "  "}, None, id="nothing was understood"),
        pytest.param({"asr_reply": 5}, None, id="no text"),
        pytest.param({"type": ["committed"], "asr_reply": "x"}, None, id="no such type"),
        pytest.param([1], None, id="no object"),
    ],
)
def test_what_is_a_final(message, final):
    one = recognition()

    assert final == one.take(json.dumps(message), BEGAN)
    assert one.failure is None


@pytest.mark.parametrize("junk", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"null"])
def test_what_cannot_be_read_says_nothing(junk):
    assert recognition().take(junk, BEGAN) is None


def test_a12_finals_are_joined_by_a_blank():
    one = recognition()
    for words in ("hello", "there ", ""):
        one.take(json.dumps({"asr_reply": words}), BEGAN)

    assert "hello there" == one.text


def test_a11_a_greeting_is_waited_for_where_there_is_one():
    silent, greeted = recognition(), recognition()
    greeted.take('{"type":"connection"}', BEGAN)

    found = [one.may_begin for one in (silent, greeted, recognition(engine=RIVA))]
    assert [False, True, True] == found


@pytest.mark.parametrize(
    ("heard", "after_seconds"),
    [
        pytest.param([], 5.0, id="A12: no final came"),
        pytest.param([(-1.0, "final")], 2.0, id="A12: one came before all was sent"),
        pytest.param([(0.5, "final")], 2.5, id="A12: quiet since a final"),
        pytest.param([(0.5, "final"), (1.5, "partial")], 3.5, id="A12: it goes on speaking"),
        pytest.param([(0.5, "end_of_utterance")], 2.5, id="A12: nothing understood, and over"),
        pytest.param([(0.5, "speech_start")], 5.0, id="activity alone is no end"),
        pytest.param([(0.5, "info")], 5.0, id="information is no speech"),
    ],
)
def test_a12_when_it_is_done(heard, after_seconds):
    one = recognition()
    ended = finished(one)
    for after, kind in heard:
        message = {"asr_reply": "x"} if kind == "final" else {"type": kind, "asr_reply": "y"}
        one.take(json.dumps(message), ended + after)

    assert one.done_at == pytest.approx(ended + after_seconds)


def test_a12_an_engine_that_never_stops_is_left_in_the_end():
    one = recognition(1000)
    ended = finished(one)
    one.take('{"asr_reply":"x"}', ended)
    one.take('{"type":"partial","asr_reply":"y"}', ended + 1000)

    assert one.done_at == one.latest_at == pytest.approx(BEGAN + 1.0 / 1.25 + 30)


# --- what went wrong ------------------------------------------------------------------------------------------------


@pytest.fixture
def upstream() -> Upstream:
    return upstream_of("openmind")


@pytest.mark.parametrize(
    ("words", "kind", "status"),
    [
        pytest.param("Invalid message format: no audio", UpstreamAnswered, 400, id="bad format"),
        pytest.param("Failed to decode audio: odd", UpstreamAnswered, 400, id="bad audio"),
        pytest.param("Speech recognition error: 13", UpstreamDisconnected, 502, id="any other"),
        pytest.param("", UpstreamDisconnected, 502, id="without a word"),
    ],
)
def test_a14_what_an_engine_says_is_wrong(upstream, words, kind, status):
    error = spoken_failure(upstream, words)

    assert (kind, status) == (type(error), error.status)
    assert words in error.message


@pytest.mark.parametrize(
    ("code", "reason", "kind", "status"),
    [
        pytest.param(1008, "Invalid API key", UpstreamRefusedCredential, 502, id="E-C4: the key"),
        pytest.param(1008, "", UpstreamRefusedCredential, 502, id="E-C4: without a word"),
        pytest.param(1008, "Monthly quota used", UpstreamAnswered, 429, id="E-C6: a quota"),
        pytest.param(1008, "Rate LIMIT reached", UpstreamAnswered, 429, id="E-C6: a limit"),
        pytest.param(1011, "limit", UpstreamDisconnected, 502, id="another code"),
        pytest.param(1000, "", UpstreamDisconnected, 502, id="an early end"),
        pytest.param(1006, "", UpstreamDisconnected, 502, id="a cut"),
    ],
)
def test_a14_a_socket_that_ends_too_early(upstream, code, reason, kind, status):
    error = closed_early(upstream, code, reason)

    assert (kind, status) == (type(error), error.status)
    if status == 429:
        assert error.retry_after_seconds == 1


def test_f11_what_it_says_is_scrubbed(upstream):
    words = f"Speech recognition error: https://asr.internal/?api_key={UPSTREAM_KEY}"
    errors = [
        spoken_failure(upstream, words),
        closed_early(upstream, 1008, words),
        closed_early(upstream, 1008, f"quota of {words}"),
    ]

    for error in errors:
        assert UPSTREAM_KEY not in f"{error.message} {getattr(error, 'log_detail', '')}"
        assert "asr.internal" not in error.message
