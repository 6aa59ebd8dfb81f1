"""OpenMind's speech (X15): a tone as long as the text, in binary or base64, of either age."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator

from app.simulators import sounds
from app.simulators.control import Script
from app.simulators.dialect import Call, Route
from app.simulators.replies import Json, Problem, RefusalError, Reply, json_reply

DEFAULT_FORMAT = "mp3_44100_128"
RIVA_RATE = 16_000
INVALID = "Missing or invalid JSON in request"
_FORMAT = re.compile(r"(mp3|pcm|opus)_(8000|16000|22050|24000|44100|48000)(_\d{2,3})?")
_TYPES = {"mp3": "audio/mpeg", "pcm": "audio/pcm", "opus": "audio/ogg"}


def routes() -> tuple[Route, ...]:
    """The three addresses; the model may carry control words."""
    return (
        Route("POST", ("elevenlabs", "tts", "audio", "speech"), _stream, "maybe", _check_age),
        Route("POST", ("elevenlabs", "tts"), _answer, "maybe"),
        Route("POST", ("riva", "tts"), _answer_riva, "maybe"),
    )


def _check_age(call: Call) -> None:
    if "old" in call.script:
        raise RefusalError(Problem(404, "404 page not found", "unknown_url"))


def _stream(call: Call) -> Reply:
    body = call.body or {}
    kind, pieces = _sound(call.script, body, _text(body, "input"))
    return Reply(content_type=_TYPES[kind], pieces=pieces)


def _answer(call: Call) -> Reply:
    """2025 knows `text` alone and answers `response` alone; 2026 takes the names of both."""
    body, script = call.body or {}, call.script
    is_old = "old" in script
    text = _text(body, "text") if is_old else _text(body, "input", "text")
    _, pieces = _sound(script, body, text)
    answer: Json = {_audio_key(script): _base64(pieces)}
    if not is_old:
        answer |= {"format": _format(body), "text": text}
    return json_reply(answer)


def _answer_riva(call: Call) -> Reply:
    """A WAV; of the older age bare samples, and no word about them."""
    body, script = call.body or {}, call.script
    ms = sounds.length_ms(_text(body, "text"))
    if "old" in script:
        return json_reply({_audio_key(script): _base64(sounds.tone(ms, RIVA_RATE))})
    content_type = "audio/mpeg" if "mislabel" in script else "audio/wav"
    encoded = _base64(sounds.wav(ms, RIVA_RATE))
    return json_reply({_audio_key(script): encoded, "content_type": content_type})


def _sound(script: Script, body: Json, text: str) -> tuple[str, Iterator[bytes]]:
    """The kind that is told, and the pieces of what is sent."""
    speed = body.get("speed", 1.0)
    if isinstance(speed, bool) or not isinstance(speed, int | float) or not 0.5 <= speed <= 2:
        raise RefusalError(Problem(400, "speed is between 0.5 and 2.0", ""))
    ms = sounds.length_ms(text, speed)
    match = _FORMAT.fullmatch(_format(body))
    if match is None:
        raise RefusalError(Problem(400, f"unsupported output format: {_format(body)}", ""))
    kind, rate = match.group(1), int(match.group(2))
    if "mislabel" in script:
        return "mp3", sounds.wav(ms, RIVA_RATE)
    makers: dict[str, Callable[[], Iterator[bytes]]] = {
        "mp3": lambda: sounds.mp3(ms),
        "pcm": lambda: sounds.tone(ms, rate),
        "opus": lambda: sounds.opus(ms),
    }
    return kind, makers[kind]()


def _format(body: Json) -> str:
    return str(body.get("response_format") or body.get("output_format") or DEFAULT_FORMAT)


def _audio_key(script: Script) -> str:
    return "audio" if "audiokey" in script else "response"


def _text(body: Json, *names: str) -> str:
    text = next((body[name] for name in names if body.get(name)), None)
    if not isinstance(text, str):
        raise RefusalError(Problem(400, INVALID, ""))
    return text


def _base64(pieces: Iterator[bytes]) -> str:
    return base64.b64encode(b"".join(pieces)).decode("ascii")
