"""
What a request for speech asks for, and speech as a stream of events (contract O1, O5, O6; upstreams A5, A7).

Reading is two steps, since an upstream that speaks OpenAI's own form judges the members itself: `read_speech` wants no
more than a model, `wish_of` all that another upstream's form is made of.
"""

import math
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from app.domain.errors import InvalidRequest
from app.protocol.json_bodies import read_json_body
from app.protocol.lossless import NULL, literal
from app.protocol.lossless import members as values_of
from app.protocol.members import Span
from app.protocol.request_faults import invalid_type, missing
from app.protocol.splicing import Splice, spliced

_ACTED_ON = frozenset(("model", "input", "voice", "response_format", "speed", "stream_format"))
_LONGEST_INPUT = 4096  # characters (upstreams A5)
_SLOWEST, _FASTEST = 0.5, 2.0
_DELTA_BYTES = 48 * 1024  # an event stays below 128 KiB (contract H12)

DONE = (
    b'data: {"type":"speech.audio.done",'
    b'"usage":{"input_tokens":0,"output_tokens":0,"total_tokens":0}}\n\n'
)


class SpeechRequest(NamedTuple):
    """A body of which only the model was judged. *values*: each member as it stands in *body*."""

    body: bytes
    model: str
    model_at: Span
    values: Mapping[str, bytes]

    @property
    def characters(self) -> int:
        """Of the text that is to be spoken; 0 where there is none."""
        text = _text_or_none(self.values.get("input", NULL))
        return len(text) if text is not None else 0

    def renamed(self, model: str) -> bytes:
        """The body for *model*: the bytes received where that is its name already (contract D1, D2)."""
        if model == self.model:
            return self.body
        return spliced(self.body, [Splice(*self.model_at, literal(model))])


@dataclass(frozen=True, slots=True)
class SpeechWish:
    """What is to be spoken and how. *voice* "": not said. *speed* None: not said. *format*: as the client wrote it.

    *others*: members that mean nothing here, as they stand in the body.
    """

    text: str
    voice: str
    format: str
    speed: float | None
    as_events: bool
    others: Mapping[str, bytes]


def read_speech(body: bytes) -> SpeechRequest:
    """The body of POST /v1/audio/speech. Raises InvalidRequest (contract D6, F23 to F25)."""
    found = read_json_body(body, _ACTED_ON)
    model, member = found.text_member("model"), found.members.find("model")
    if not model or member is None:
        raise InvalidRequest(
            "you must provide a model parameter", code="missing_required_parameter", param="model"
        )
    text = found.text
    values = {one.name: text[one.value.start : one.value.end] for one in found.members}
    return SpeechRequest(text, model, member.value, values)


def wish_of(request: SpeechRequest) -> SpeechWish:
    """What *request* asks for, where every member of OpenAI's has to be understood.

    Raises InvalidRequest (contract F24, F26, F28).
    """
    values = request.values
    text = _text(values, "input")
    if text is None:
        raise missing("input")
    if not 0 < len(text) <= _LONGEST_INPUT:
        raise _unsupported(
            "input", f"it must have 1 to {_LONGEST_INPUT} characters, and has {len(text)}."
        )
    stream_format = _text(values, "stream_format") or "audio"
    if stream_format not in ("audio", "sse"):
        raise _unsupported("stream_format", "it is 'audio' or 'sse'.")
    return SpeechWish(
        text=text,
        voice=_voice(values.get("voice", NULL)),
        format=_text(values, "response_format") or "mp3",
        speed=_speed(values.get("speed", NULL)),
        as_events=stream_format == "sse",
        others={name: value for name, value in values.items() if name not in _ACTED_ON},
    )


def deltas(audio: bytes) -> Iterator[bytes]:
    """*audio* as events, each whole and small enough for every client (contract H1, H12, O6)."""
    for at in range(0, len(audio), _DELTA_BYTES):
        piece = b64encode(audio[at : at + _DELTA_BYTES])
        yield b'data: {"type":"speech.audio.delta","audio":"%b"}\n\n' % piece


def _voice(value: bytes) -> str:
    """A name, or the id in `{"id": …}` (contract O5)."""
    if value.startswith(b"{"):
        named = _text_or_none(values_of(value).get("id", NULL))
        if named is None:
            raise invalid_type("voice.id", "a string", values_of(value).get("id", NULL))
        return named
    if value == NULL:
        return ""
    name = _text_or_none(value)
    if name is None:
        raise invalid_type("voice", "a string or an object with an id", value)
    return name


def _speed(value: bytes) -> float | None:
    """Within what the upstream allows (upstreams A5)."""
    if value == NULL:
        return None
    try:
        speed = msgspec.json.decode(value, type=float)
    except msgspec.DecodeError:
        raise invalid_type("speed", "a number", value) from None
    if math.isnan(speed):
        raise invalid_type("speed", "a number", value)
    return min(max(speed, _SLOWEST), _FASTEST)


def _text(values: Mapping[str, bytes], name: str) -> str | None:
    """The member *name*; None where it is absent or null. Raises InvalidRequest where it is no string."""
    value = values.get(name, NULL)
    if value == NULL:
        return None
    text = _text_or_none(value)
    if text is None:
        raise invalid_type(name, "a string", value)
    return text


def _text_or_none(value: bytes) -> str | None:
    if not value.startswith(b'"'):
        return None
    try:
        return msgspec.json.decode(value, type=str)
    except msgspec.DecodeError:  # half a character
        return value[1:-1].decode("utf-8", "replace")


def _unsupported(param: str, reason: str) -> InvalidRequest:
    return InvalidRequest(
        f"Unsupported value: '{param}': {reason}", code="unsupported_value", param=param
    )
