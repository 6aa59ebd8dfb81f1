"""
Speech as OpenMind wants it asked for, and what its answer is (upstreams 7.1, A1 to A6).

Its service has had three routes with names of two ages. Which route, which names, which voice and which format is
decided here, by pure functions over the operator's options; asking is `app.proxy.speech`.
"""

import re
from base64 import b64decode
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple

import msgspec

from app.domain.configuration import SpeechOptions
from app.domain.errors import InvalidRequest
from app.protocol.lossless import literal
from app.protocol.sound_types import CONTENT_TYPES, Container
from app.protocol.speech import SpeechWish
from app.protocol.wav import raw_sound, wav_header

Engine = Literal["elevenlabs", "riva"]

STREAM_PATH = "/elevenlabs/tts/audio/speech"
JSON_PATH = "/elevenlabs/tts"
RIVA_PATH = "/riva/tts"

_RAW_RATE = 16_000  # of samples that nobody names (A6)
_OPENAI_RATE = 24_000  # of what OpenAI calls pcm (contract O2)
_OPENAI_MODELS = ("tts-1", "tts-1-hd", "gpt-4o*-tts*")
_VOICE_ID = re.compile(r"[A-Za-z0-9]{20}")
_OWN_FORMAT = re.compile(r"(mp3|pcm|opus|ulaw|alaw)(?:_([0-9]{4,6}))?(?:_[0-9]{1,3})?")
_TELEPHONE = ("ulaw", "alaw")
_DROPPED = ("instructions", "elevenlabs_api_key")
_NEW_AND_OLD = {
    "input": "text",
    "voice": "voice_id",
    "model": "model_id",
    "response_format": "output_format",
}
_WRITTEN = frozenset((*_NEW_AND_OLD, *_NEW_AND_OLD.values(), "speed", "stream_format"))


class SpeechTarget(NamedTuple):
    """Who speaks. *model*: its name upstream."""

    engine: Engine
    model: str


@dataclass(frozen=True, slots=True)
class SoundFormat:
    """A format as a client asks for it. *asked*: what ElevenLabs calls it. *content_type*: of an answer in it.

    *is_bare*: nothing in it says what it is; *rate*: of samples of 16 bit, None for anything else. *wraps*: they go out
    behind a RIFF header.
    """

    asked: str
    content_type: bytes
    rate: int | None = None
    wraps: bool = False
    is_bare: bool = False


class SpeechBody(NamedTuple):
    """What goes upstream. *dropped*: members that do not (contract D16)."""

    body: bytes
    dropped: tuple[str, ...]


class Encoded(NamedTuple):
    """A sound out of a JSON answer. *rate*: of bare samples, as the answer says it; None where it does not."""

    audio: bytes
    rate: int | None


class SpeechRoutes:
    """Which route of the two each upstream has: remembered for the life of the process (A1)."""

    def __init__(self) -> None:
        self._without_stream: set[str] = set()

    def paths(self, upstream: str, engine: Engine, options: SpeechOptions) -> tuple[str, ...]:
        """Where *upstream* is asked: the second path after a 404 or 405 of the first."""
        if engine == "riva":
            return (RIVA_PATH,)
        if options.route == "stream":
            return (STREAM_PATH,)
        if options.route == "json" or upstream in self._without_stream:
            return (JSON_PATH,)
        return STREAM_PATH, JSON_PATH

    def stream_is_missing(self, upstream: str) -> None:
        """*upstream* had no STREAM_PATH, and did have JSON_PATH."""
        self._without_stream.add(upstream)


def speech_target(model: str, options: SpeechOptions) -> SpeechTarget | None:
    """Who speaks for *model*; None where it is no model of speech (A3)."""
    if any(fnmatchcase(model, pattern) for pattern in _OPENAI_MODELS):
        return SpeechTarget("elevenlabs", options.model)
    own = model.removeprefix("elevenlabs/")
    if own.startswith("eleven_") or (own != model and own):
        return SpeechTarget("elevenlabs", own)
    if model.startswith("riva"):
        return SpeechTarget("riva", model)
    return None


def sound_format(name: str) -> SoundFormat:
    """The format called *name*, by OpenAI or by ElevenLabs. Raises InvalidRequest for any other (A4, contract F28)."""
    found = _FORMATS.get(name)
    if found is not None:
        return found
    own = _OWN_FORMAT.fullmatch(name)
    if own is None or own[2] is None:
        raise InvalidRequest(
            f"Unsupported value: 'response_format' does not support '{name[:64]}' with this model. "
            f"Supported: {', '.join(_FORMATS)}, and ElevenLabs' own names, such as mp3_44100_192.",
            code="unsupported_value",
            param="response_format",
        )
    if own[1] == "pcm":
        rate = int(own[2])
        return SoundFormat(name, b"audio/pcm;rate=%d" % rate, rate, is_bare=True)
    return SoundFormat(name, _OWN_TYPES[own[1]], is_bare=own[1] in _TELEPHONE)


def speech_body(target: SpeechTarget, wish: SpeechWish, options: SpeechOptions) -> SpeechBody:
    """*wish* in the words of *target* (A2, A3, A5)."""
    dropped = [name for name in _DROPPED if name in wish.others]
    if target.engine == "riva":
        written = {"text": literal(wish.text)}
        if "." in wish.voice:
            written["voice"] = literal(wish.voice)
        if wish.speed is not None:
            dropped.append("speed")
    else:
        written = _elevenlabs(target, wish, options)
    for name, value in wish.others.items():  # an extension of the service's own (contract D3)
        if name not in _WRITTEN and name not in dropped:
            written[name] = value
    lines = b",".join(b"%b:%b" % (literal(name), value) for name, value in written.items())
    return SpeechBody(b"{%b}" % lines, tuple(dropped))


def encoded_sound(body: bytes) -> Encoded | None:
    """The sound in a JSON answer; None where there is none (A6)."""
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    text = answer.response or answer.audio
    if not isinstance(text, str):
        return None
    try:
        audio = b64decode(text, validate=True)
    except ValueError:
        return None
    stated = _OWN_FORMAT.fullmatch(answer.format) if isinstance(answer.format, str) else None
    is_raw = stated is not None and stated[1] == "pcm" and stated[2] is not None
    return Encoded(audio, int(stated[2]) if is_raw and stated else None) if audio else None


def opening(container: Container, wanted: SoundFormat) -> tuple[bytes, bytes]:
    """The content type of an answer that is in *container*, and what goes out before it (A4, A6)."""
    if container != "raw":
        return CONTENT_TYPES[container], b""
    if wanted.wraps and wanted.rate:
        return CONTENT_TYPES["wav"], wav_header(wanted.rate)
    return wanted.content_type, b""


def whole_sound(
    found: Encoded, container: Container, wanted: SoundFormat, engine: Engine
) -> tuple[bytes, bytes]:
    """The content type and the bytes of a sound that came in JSON.

    Bare samples have no type that says what they are, so they go out as a WAV file, but where samples were asked for:
    those have the rate that was asked for.
    """
    if container != "raw" or (wanted.is_bare and wanted.rate is None):
        return opening(container, wanted)[0], found.audio
    rate = found.rate or (wanted.rate if engine == "elevenlabs" else None) or _RAW_RATE
    samples = found.audio[: len(found.audio) // 2 * 2]
    if wanted.rate is None or wanted.wraps:
        return CONTENT_TYPES["wav"], wav_header(rate, len(samples)) + samples
    if rate != wanted.rate:
        sound = raw_sound(samples, rate)
        samples = sound.at_rate(wanted.rate, 0, sound.frames * wanted.rate // rate)
    return wanted.content_type, samples


class _Answer(msgspec.Struct):
    response: object = None
    audio: object = None
    format: object = None


def _elevenlabs(target: SpeechTarget, wish: SpeechWish, options: SpeechOptions) -> dict[str, bytes]:
    values = {
        "input": literal(wish.text),
        "voice": literal(_voice(wish.voice, options)),
        "model": literal(target.model),
        "response_format": literal(sound_format(wish.format).asked),
    }
    written: dict[str, bytes] = {}
    for name, value in values.items():
        written[name] = value
        if options.both_names:
            written[_NEW_AND_OLD[name]] = value
    if wish.speed is not None:
        written["speed"] = b"%g" % wish.speed
    return written


def _voice(name: str, options: SpeechOptions) -> str:
    if _VOICE_ID.fullmatch(name):
        return name
    return options.voices.get(name) or options.voice


_FORMATS = {
    "mp3": SoundFormat("mp3_44100_128", b"audio/mpeg"),
    "opus": SoundFormat("opus_48000_64", b"audio/ogg"),
    "wav": SoundFormat("pcm_24000", b"audio/wav", _OPENAI_RATE, wraps=True, is_bare=True),
    "pcm": SoundFormat("pcm_24000", b"audio/pcm", _OPENAI_RATE, is_bare=True),
}
_OWN_TYPES = {
    "mp3": b"audio/mpeg",
    "opus": b"audio/ogg",
    "ulaw": b"audio/PCMU",
    "alaw": b"audio/PCMA",
}
