"""
OpenMind's recognition sockets: which there are, what they are sent and when, and what they say (upstreams 7.2, A9 to
A12, A14).

One `Recognition` is one sound at one socket, without I/O and without a clock: it is told the time with everything that
happens, says what is to be sent next and when, and when it is done. Who moves the bytes is `app.proxy.recogniser`.
"""

from base64 import b64encode
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

import msgspec

from app.domain.configuration import RecognitionOptions
from app.domain.errors import (
    GatewayError,
    UpstreamAnswered,
    UpstreamDisconnected,
    UpstreamRefusedCredential,
)
from app.protocol.scrubbing import scrub
from app.protocol.wav import Sound
from app.upstreams.upstream import Upstream

EngineName = Literal["google", "elevenlabs", "riva"]

HELLO_SECONDS = 0.5
CLOSING_SECONDS = 2.0  # how long finals are waited for behind our close
_PIECE_MS = 100
_NO_FINAL_SECONDS = 5.0
_GRACE_SECONDS = 30.0
_LONGEST_MESSAGE = 2048
_POLICY_CLOSE = 1008
_QUOTA_WORDS = ("limit", "quota")
_BAD_AUDIO = ("Invalid message format", "Failed to decode audio")
_QUOTA_WAIT_SECONDS = 1.0
_UNKNOWN_LANGUAGE = "auto"
_ENCODE = msgspec.json.Encoder().encode

# OpenAI's two letters and what Google's engine calls them (upstreams A10).
_LANGUAGES = {
    "en": "en-US",
    "es": "es-ES",
    "fr": "fr-FR",
    "de": "de-DE",
    "it": "it-IT",
    "pt": "pt-BR",
    "ja": "ja-JP",
    "ko": "ko-KR",
    "zh": "cmn-Hans-CN",
}


@dataclass(frozen=True, slots=True)
class Engine:
    """One row of upstreams 7.2.

    *path*: below the base of websockets, "" where it has an address of its own. *models*: the names it serves.
    *rates*: those it takes, none: any. *says_hello*: it speaks first. *languages*: how it wants one said, None: not.
    *submodels*: those of its own that a model's name may choose.
    """

    name: EngineName
    path: str
    models: tuple[str, ...]
    rates: tuple[int, ...] = ()
    says_hello: bool = True
    languages: Literal["regions", "any"] | None = None
    submodels: tuple[str, ...] = ()


GOOGLE = Engine(
    "google",
    "/google/asr",
    ("whisper-*", "*-transcribe*", "chirp*", "google/*"),
    languages="regions",
    submodels=("chirp*", "latest_*"),
)
ELEVENLABS = Engine(
    "elevenlabs",
    "/elevenlabs/asr",
    ("scribe*", "elevenlabs/*"),
    rates=(16_000, 8_000, 22_050, 44_100),
    languages="any",
)
RIVA = Engine("riva", "", ("riva*",), says_hello=False)
ENGINES = (GOOGLE, ELEVENLABS, RIVA)


def engine_of(model: str) -> Engine | None:
    """Which engine recognises for *model*; None where it is no model of recognition (A9)."""
    for engine in ENGINES:
        if any(fnmatchcase(model, pattern) for pattern in engine.models):
            return engine
    return None


def engine_query(engine: Engine, model: str) -> str:
    """What the engine's address says of *model*, "" where the engine has to choose."""
    own = model.removeprefix("google/")
    if own.replace("_", "").isalnum() and any(fnmatchcase(own, row) for row in engine.submodels):
        return f"model={own}"
    return ""


def engine_rate(engine: Engine, rate: int) -> int:
    """The rate at which *engine* is sent a sound of *rate* (A9)."""
    return rate if not engine.rates or rate in engine.rates else engine.rates[0]


def engine_language(engine: Engine, asked: str, options: RecognitionOptions) -> str:
    """What *engine* is told of the language; "" where it is told nothing (A10)."""
    if engine.languages is None:
        return ""
    if engine.languages == "any":
        return asked or _UNKNOWN_LANGUAGE
    return _LANGUAGES.get(asked.lower(), asked) or options.language


@dataclass(slots=True)
class Recognition:
    """One *sound* on its way to one *engine*. All times are seconds of one clock that the caller reads.

    *finals*: what was understood so far. *failure*: what the engine said is wrong, in its words; None while nothing is.
    *sent_ms*: of the sound, without the silence behind it. *next_at*: when the next piece is due.
    """

    engine: Engine
    sound: Sound
    language: str
    options: RecognitionOptions
    finals: list[str] = field(default_factory=list)
    failure: str | None = None
    sent_ms: int = 0
    next_at: float = 0.0
    _rate: int = 0
    _frames: int = 0
    _at: int = 0  # the frame that is next
    _silence_ms: int = 0  # still to be sent
    _began_at: float = 0.0
    _all_sent_at: float = 0.0
    _heard_at: float = 0.0  # when the engine last spoke of speech
    _has_ended: bool = False  # it has said that an utterance is over
    _has_greeted: bool = False

    def __post_init__(self) -> None:
        self._rate = engine_rate(self.engine, self.sound.rate)
        self._frames = self.sound.frames * self._rate // self.sound.rate
        self._silence_ms = int(self.options.silence_seconds * 1000)

    # --- what is sent -------------------------------------------------------------------------------------------------

    @property
    def may_begin(self) -> bool:
        """True once there is no greeting left to wait for."""
        return self._has_greeted or not self.engine.says_hello

    @property
    def piece_bytes(self) -> int:
        """How much of the file goes into a piece."""
        return self.sound.bytes_per_second * _PIECE_MS // 1000

    @property
    def all_sent(self) -> bool:
        """True once sound and silence are out."""
        return self._at >= self._frames and self._silence_ms <= 0

    def begin(self, now: float) -> None:
        """The first piece is due now."""
        self._began_at = self.next_at = now

    def next_message(self, now: float) -> str:
        """The piece that is due, as it goes onto the socket; another follows while not `all_sent`."""
        is_first = self._at == 0
        audio, lasts_ms = self._next_piece()
        message: dict[str, object] = {"audio": b64encode(audio).decode()}
        if is_first:
            message["rate"] = self._rate
            if self.language:
                message["language_code"] = self.language
        # From where it was due, not from now: a late piece must not slow all that follow it.
        self.next_at = (
            max(self.next_at, now - _PIECE_MS / 1000) + lasts_ms / 1000 / self.options.pace
        )
        if self.all_sent:
            self._all_sent_at = now
        return _ENCODE(message).decode()

    def _next_piece(self) -> tuple[bytes, int]:
        size = max(self._rate * _PIECE_MS // 1000, 1)
        if self._at < self._frames:
            stop = min(self._at + size, self._frames)
            piece = self.sound.at_rate(self._rate, self._at, stop)
            self._at = stop
            self.sent_ms, before_ms = -(-stop * 1000 // self._rate), self.sent_ms
            return piece, self.sent_ms - before_ms
        lasts_ms = min(_PIECE_MS, self._silence_ms)
        self._silence_ms -= _PIECE_MS
        return bytes(self._rate * lasts_ms // 1000 * 2), lasts_ms

    # --- what is heard ------------------------------------------------------------------------------------------------

    def take(self, text: str | bytes, now: float) -> str | None:
        """A message of the engine's: the final it holds, None for any other. What cannot be read says nothing."""
        try:
            said = msgspec.json.decode(text, type=_Said)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        match said.type:
            case "connection":
                self._has_greeted = True
            case "error":
                self.failure = said.message if isinstance(said.message, str) else ""
            case "info":
                pass
            case None | "committed":
                return self._final(said.asr_reply, now)
            case kind:  # a partial, or what goes on
                self._heard_at = now
                self._has_ended = self._has_ended or kind == "end_of_utterance"
        return None

    def _final(self, words: object, now: float) -> str | None:
        if not isinstance(words, str):
            return None
        self._heard_at = now
        final = words.strip()
        if final:
            self.finals.append(final)
        return final or None

    @property
    def text(self) -> str:
        """All finals so far (A12)."""
        return " ".join(self.finals)

    @property
    def latest_at(self) -> float:
        """When it is given up, whatever has come by then (A12)."""
        return self._began_at + self.sound.duration_ms / 1000 / self.options.pace + _GRACE_SECONDS

    @property
    def done_at(self) -> float:
        """When nothing more will be waited for, as it stands now; asked once `all_sent` (A12)."""
        sent_at = self._all_sent_at
        if not (self.finals or self._has_ended):
            return min(sent_at + _NO_FINAL_SECONDS, self.latest_at)
        return min(max(sent_at, self._heard_at) + self.options.quiet_seconds, self.latest_at)


class _Said(msgspec.Struct):
    type: object = None
    asr_reply: object = None
    message: object = None


# --- what went wrong ------------------------------------------------------------------------------------------------


def spoken_failure(upstream: Upstream, words: str) -> GatewayError:
    """The error for an engine that said *words* (A14)."""
    text = scrub(words, upstream.secrets())[:_LONGEST_MESSAGE]
    if words.startswith(_BAD_AUDIO):
        return UpstreamAnswered(text, status=400, type="invalid_request_error", param="file")
    return UpstreamDisconnected(
        f"Upstream '{upstream.name}' gave up recognising speech: {text or 'it did not say why'}."
    )


def closed_early(upstream: Upstream, code: int, reason: str) -> GatewayError:
    """The error for a socket that ended before all was sent (A14)."""
    text = scrub(reason, upstream.secrets())[:_LONGEST_MESSAGE]
    if code != _POLICY_CLOSE:
        return UpstreamDisconnected(
            f"Upstream '{upstream.name}' closed its socket before all of the sound was sent."
        )
    if any(word in reason.lower() for word in _QUOTA_WORDS):
        return UpstreamAnswered(
            text or "Too many requests.",
            status=429,
            type="rate_limit_error",
            code="rate_limit_exceeded",
            retry_after_seconds=_QUOTA_WAIT_SECONDS,
        )
    error = UpstreamRefusedCredential(
        f"Upstream '{upstream.name}' refused the gateway's credential. This is not your key."
    )
    error.log_detail = text
    return error
