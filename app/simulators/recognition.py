"""OpenMind's recognition sockets (X16): Google, ElevenLabs and Riva hear how long a sound was."""

from __future__ import annotations

import base64
import binascii
import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from app.simulators.control import Script
from app.simulators.hearing import Heard, Hearing
from app.simulators.replies import Json, compact
from app.simulators.session import Close, Say

DEFAULT_RATE = 16_000
FASTEST = 8  # times real time
SLACK_SECONDS = 2.0  # of audio that may come at once
TOO_FAST = "Speech recognition error: audio comes faster than 8 times real time"
_PARTIALS = {100: "hea"}  # by milliseconds; later ones have the word whole


@dataclass(frozen=True, slots=True)
class Engine:
    """How one engine speaks. *takes_bare*: binary messages are samples, and bad JSON is ignored."""

    name: str
    rates: frozenset[int] | None = None
    has_hello: bool = True
    has_activity: bool = False
    has_partials: bool = False
    takes_frames: bool = False
    takes_bare: bool = False


ENGINES = (
    Engine("google", has_activity=True, takes_frames=True),
    Engine("elevenlabs", rates=frozenset({8000, 16000, 22050, 44100}), has_partials=True),
    Engine("riva", has_hello=False, takes_bare=True),
)
GOOGLE, ELEVENLABS, RIVA = ENGINES


class _FaultyMessageError(Exception):
    """A message that cannot be understood; the text is what is said about it."""


class Recognition:
    """One socket's talk."""

    def __init__(self, engine: Engine, script: Script, number: int) -> None:
        """*number* makes its `clientId`, so that answers are exact."""
        self._engine = engine
        self._script = script
        self._client_id = f"1738713600000-{number:016x}"
        self._ear: Hearing | None = None
        self._began_at: float | None = None
        self._informed = 0
        self._is_over = False

    def greet(self) -> Sequence[Say]:
        """The hello, where there is one."""
        if not self._engine.has_hello or "nohello" in self._script:
            return []
        hello = {"type": "connection", "message": "Connected to ASR v2 service"}
        return [compact({**hello, "clientId": self._client_id})]

    def hear(self, message: str | bytes, at_seconds: float) -> Sequence[Say]:
        """Finals, partials and activity of the audio in *message*; an error where it has none."""
        if self._is_over:
            return []
        try:
            pcm = self._read(message)
        except _FaultyMessageError as fault:
            return [] if self._engine.takes_bare else [_error(str(fault))]
        ear = self._ear = self._ear or Hearing(DEFAULT_RATE)
        if self._began_at is None:
            self._began_at = at_seconds
        said: list[Say] = [line for heard in ear.hear(pcm) for line in self._lines(heard)]
        if ear.total_ms / 1000 > FASTEST * (at_seconds - self._began_at) + SLACK_SECONDS:
            self._is_over = True
            return [*said, *self._farewell_to_haste()]
        return [*said, *self._information(ear)]

    def farewell(self) -> Sequence[str]:
        """The final of what is left."""
        if self._ear is None or self._is_over:
            return []
        return [line for heard in self._ear.last() for line in self._lines(heard)]

    def _read(self, message: str | bytes) -> bytes:
        """The samples in a message. Raises _FaultyMessageError."""
        if isinstance(message, bytes):
            if self._engine.takes_bare:
                return message
            if not self._engine.takes_frames:
                raise _FaultyMessageError("Invalid message format: text is expected")
            header, pcm = _split_frame(message)
            self._set_rate(_object(header))
            return pcm
        fields = _object(message)
        self._set_rate(fields)
        audio = fields.get("audio")
        if not isinstance(audio, str):
            raise _FaultyMessageError("Invalid message format: no audio")
        try:
            return base64.b64decode(audio, validate=True)
        except binascii.Error as error:
            raise _FaultyMessageError(f"Failed to decode audio: {error}") from error

    def _set_rate(self, fields: Json) -> None:
        """The first message with audio decides; later rates are not read."""
        if self._ear is not None:
            return
        rate = fields.get("rate", DEFAULT_RATE)
        allowed = self._engine.rates
        if type(rate) is not int or not 8000 <= rate <= 48_000 or (allowed and rate not in allowed):
            raise _FaultyMessageError(f"Invalid message format: rate {rate!r}")
        self._ear = Hearing(rate)

    def _lines(self, heard: Heard) -> Iterator[str]:
        if heard.what == "start":
            yield from self._activity("speech_start")
        elif heard.what == "final":
            yield from self._activity("speech_end")
            yield from self._activity("end_of_utterance")
            yield compact(self._final(heard.ms))
        elif self._engine.has_partials:
            text = _PARTIALS.get(heard.ms, "heard")
            partial = {"type": "partial", "asr_reply": text, "clientId": self._client_id}
            yield compact({**partial, "time": heard.ms})

    def _activity(self, kind: str) -> Iterator[str]:
        if self._engine.has_activity:
            yield compact({"type": kind, "clientId": self._client_id})

    def _final(self, ms: int) -> Json:
        reply: Json = {"asr_reply": f"heard {ms} ms"}
        if self._engine.has_hello:
            reply["clientId"] = self._client_id
        if self._engine.has_partials and "untyped" not in self._script:
            reply = {"type": "committed", **reply}
        return reply

    def _information(self, ear: Hearing) -> Iterator[Say]:
        """The restart that comes after so much audio; Riva closes instead."""
        seconds = self._script.number("info")
        if not seconds or ear.total_ms // 1000 // seconds <= self._informed:
            return
        self._informed += 1
        if self._engine.takes_bare:
            yield Close(1000, "Session too long")
        else:
            yield compact({"type": "info", "message": "Restarting the recognition stream"})

    def _farewell_to_haste(self) -> Iterator[Say]:
        if not self._engine.takes_bare:
            yield _error(TOO_FAST)
        yield Close(1011, "Audio buffer full")


def _split_frame(message: bytes) -> tuple[bytes, bytes]:
    """Google's binary form: a uint32 length in network order, that much JSON, the samples."""
    if len(message) < 4:
        raise _FaultyMessageError("Invalid message format: frame too short")
    (length,) = struct.unpack(">I", message[:4])
    if length > len(message) - 4:
        raise _FaultyMessageError("Invalid message format: header longer than its frame")
    return message[4 : 4 + length], message[4 + length :]


def _object(text: str | bytes) -> Json:
    fields: Any = None
    try:
        fields = json.loads(text)
    except ValueError as error:
        raise _FaultyMessageError("Invalid message format: no JSON") from error
    if not isinstance(fields, dict):
        raise _FaultyMessageError("Invalid message format: no object")
    return fields


def _error(message: str) -> str:
    return compact({"type": "error", "message": message})
