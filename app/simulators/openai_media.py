"""Embeddings, sound and moderation of the generic dialect: plain forms, made of nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from array import array
from collections.abc import Iterator
from typing import Any

from app.simulators import sounds
from app.simulators.dialect import Call, Route
from app.simulators.file_shelf import read_form
from app.simulators.form_reader import Part
from app.simulators.model_shelf import ModelShelf
from app.simulators.replies import (
    STREAM_TYPE,
    Event,
    Json,
    Problem,
    RefusalError,
    Reply,
    json_reply,
)

DIMENSIONS = 8
TEXT_TYPE = "text/plain; charset=utf-8"
PCM_RATE = 24_000
MAX_SPOKEN_LETTERS = 4096
FLAGGED = "attack"  # the word that moderation takes offence at
_RIFF_HEAD = 44


def routes(shelf: ModelShelf) -> tuple[Route, ...]:
    """Embeddings, speech, transcriptions, moderations."""

    def transcribe(call: Call) -> Reply:
        return _transcribe(call, shelf)

    return (
        Route("POST", ("embeddings",), _embed, "body", shelf.check),
        Route("POST", ("audio", "speech"), _speak, "body", shelf.check),
        Route("POST", ("audio", "transcriptions"), transcribe),
        Route("POST", ("moderations",), _moderate, "maybe"),
    )


def _embed(call: Call) -> Reply:
    body = call.body or {}
    texts = _texts(body)
    is_base64 = body.get("encoding_format") == "base64"
    rows = [
        {"object": "embedding", "index": place, "embedding": _encoded(_vector(text), is_base64)}
        for place, text in enumerate(texts)
    ]
    tokens = sum(len(text.split()) for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    payload = {"object": "list", "data": rows, "model": call.asked, "usage": usage}
    return json_reply(payload, model=call.asked, prompt_tokens=tokens)


def _texts(body: Json) -> list[str]:
    found = body.get("input")
    texts = [found] if isinstance(found, str) else found
    if not isinstance(texts, list) or not texts or not all(isinstance(t, str) for t in texts):
        raise RefusalError(Problem(400, "input is a text or a list", "invalid", loc=("input",)))
    return texts


def _vector(text: str) -> list[float]:
    """Eighths between -1 and 1, so that they are exact as float32."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return [(byte % 17 - 8) / 8 for byte in digest[:DIMENSIONS]]


def _encoded(vector: list[float], is_base64: bool) -> Any:
    return base64.b64encode(array("f", vector).tobytes()).decode() if is_base64 else vector


def _speak(call: Call) -> Reply:
    body = call.body or {}
    text, kind = body.get("input"), body.get("response_format", "mp3")
    if not isinstance(text, str) or not 0 < len(text) <= MAX_SPOKEN_LETTERS:
        raise RefusalError(Problem(400, "input is a text", "invalid", loc=("input",)))
    ms = sounds.length_ms(text)
    made = {
        "mp3": ("audio/mpeg", sounds.mp3(ms)),
        "opus": ("audio/ogg", sounds.opus(ms)),
        "wav": ("audio/wav", sounds.wav(ms, PCM_RATE)),
        "pcm": ("audio/pcm", sounds.tone(ms, PCM_RATE)),
    }
    if kind not in made:
        message = f"No response_format '{kind}' here."
        raise RefusalError(Problem(400, message, "invalid", loc=("response_format",)))
    content_type, pieces = made[kind]
    if body.get("stream_format") == "sse":
        return Reply(content_type=STREAM_TYPE, events=_audio_events(pieces))
    return Reply(content_type=content_type, pieces=pieces)


def _audio_events(pieces: Iterator[bytes]) -> Iterator[Event]:
    for piece in pieces:
        audio = base64.b64encode(piece).decode("ascii")
        yield Event(payload={"type": "speech.audio.delta", "audio": audio})
    usage = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    yield Event(payload={"type": "speech.audio.done", "usage": usage})


def _transcribe(call: Call, shelf: ModelShelf) -> Reply:
    form = read_form(call)
    file, model = form.file("file"), form.field("model") or ""
    if file is None:
        raise RefusalError(Problem(400, "'file' is required.", "missing", loc=("file",)))
    if not shelf.has(model):
        message = f"The model `{model}` does not exist or you do not have access to it."
        raise RefusalError(Problem(404, message, "model_not_found", loc=("model",)))
    text = _heard(file)
    if form.field("stream") == "true":
        return Reply(content_type=STREAM_TYPE, events=_transcript_events(text))
    kind = form.field("response_format") or "json"
    if kind == "text":
        return Reply(content_type=TEXT_TYPE, body=Event(text=text + "\n"))
    payload: Json = {"text": text}
    if kind == "verbose_json":
        payload |= {"task": "transcribe", "language": "english", "duration": 1.0, "segments": []}
    return json_reply(payload)


def _heard(file: Part) -> str:
    """How long a plain WAV lasts; of anything else, how many bytes came."""
    head = (file.content or b"")[:_RIFF_HEAD]
    if len(head) == _RIFF_HEAD and head[:4] == b"RIFF" and head[36:40] == b"data":
        (bytes_per_second,) = struct.unpack("<I", head[28:32])
        if bytes_per_second:
            return f"heard {(file.size - _RIFF_HEAD) * 1000 // bytes_per_second} ms"
    return f"heard {file.size} bytes"


def _transcript_events(text: str) -> Iterator[Event]:
    for place, word in enumerate(text.split()):
        delta = f" {word}" if place else word
        yield Event(payload={"type": "transcript.text.delta", "delta": delta})
    yield Event(payload={"type": "transcript.text.done", "text": text})


def _moderate(call: Call) -> Reply:
    rows = []
    for text in _texts(call.body or {}):
        is_flagged = FLAGGED in text.lower()
        rows.append(
            {
                "flagged": is_flagged,
                "categories": {"violence": is_flagged},
                "category_scores": {"violence": 1.0 if is_flagged else 0.0},
            }
        )
    model = call.asked or "sim-moderation"
    number = hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:8]
    return json_reply({"id": f"modr-{number}", "model": model, "results": rows})
