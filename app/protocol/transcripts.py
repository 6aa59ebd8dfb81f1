"""
What a request for a transcript asks for, and the forms in which it is given (contract O7, O8; upstreams A8, A13).

Taking a multipart body apart is `app.protocol.multipart`; here its parts get their meaning.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from app.domain.errors import InvalidRequest
from app.protocol.multipart import Kind, Part, Scanner
from app.protocol.request_faults import missing, unsupported

Format = Literal["json", "text", "verbose_json"]

TEXT_TYPE = b"text/plain; charset=utf-8"
JSON_TYPE = b"application/json"

_FORMATS: tuple[Format, ...] = ("json", "text", "verbose_json")
_WITHOUT_TIMES = "is not supported with this model: it tells no times."
_WITHOUT_CHANCES = "is not supported with this model: it tells no probabilities."
_UNHEEDED = ("prompt", "temperature", "chunking_strategy")
_TAG = re.compile(r"[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8}){0,4}")
_ENCODE = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class TranscriptionRequest:
    """*language* "": not said. *dropped*: fields that were sent and are not heeded (contract D16)."""

    file: bytes
    file_type: str
    language: str
    format: Format
    stream: bool
    dropped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said. *language*: "" where nobody knows. *audio_ms*: how long the sound was."""

    text: str
    language: str
    audio_ms: int


def model_in(parts: Sequence[Part]) -> str:
    """The model that a form names. Raises InvalidRequest (contract D6, F25)."""
    model = _field(parts, "model")
    if not model:
        raise InvalidRequest(
            "you must provide a model parameter", code="missing_required_parameter", param="model"
        )
    return model


def with_model(body: bytes, boundary: bytes, model: str) -> bytes:
    """The form *body* with *model* for the one it names; every other byte as it came."""
    scanner, is_model = Scanner(boundary), False
    written: list[bytes] = []
    for kind, raw, head in [*scanner.feed(body), *scanner.end()]:
        if head is not None:
            is_model = head.name == "model"
            written += (raw, model.encode()) if is_model else (raw,)
        elif not (is_model and kind is Kind.BODY):
            written.append(raw)
    return b"".join(written)


def read_transcription(parts: Sequence[Part]) -> TranscriptionRequest:
    """What a form asks for, where every field of OpenAI's has to be understood.

    Raises InvalidRequest (contract F24, F26 to F28).
    """
    names = {part.head.name.removesuffix("[]") for part in parts}
    if "timestamp_granularities" in names:
        raise unsupported("timestamp_granularities", _WITHOUT_TIMES)
    if "include" in names:
        raise unsupported("include", _WITHOUT_CHANCES)
    file = _only(parts, "file")
    if file is None:
        raise missing("file")
    stream = _field(parts, "stream").lower()
    if stream not in ("", "true", "false"):
        raise InvalidRequest(
            "Invalid type for 'stream': expected 'true' or 'false'.",
            code="invalid_type",
            param="stream",
        )
    return TranscriptionRequest(
        file=file.content,
        file_type=file.head.content_type.decode("latin-1"),
        language=_language(_field(parts, "language")),
        format=_format(_field(parts, "response_format")),
        stream=stream == "true",
        dropped=tuple(name for name in _UNHEEDED if name in names),
    )


def body_of(transcript: Transcript, form: Format) -> tuple[bytes, bytes]:
    """*transcript* in *form*: its content type and its bytes."""
    if form == "text":
        return TEXT_TYPE, transcript.text.encode("utf-8", "replace")
    seconds = transcript.audio_ms / 1000
    usage = {"type": "duration", "seconds": seconds}
    if form == "json":
        return JSON_TYPE, _ENCODE({"text": transcript.text, "usage": usage})
    verbose = {
        "task": "transcribe",
        "language": transcript.language,
        "duration": seconds,
        "text": transcript.text,
        "segments": [],
        "usage": usage,
    }
    return JSON_TYPE, _ENCODE(verbose)


def delta_event(text: str) -> bytes:
    """What was understood by now, as an event: without a name (contract H2)."""
    return b"data: %b\n\n" % _ENCODE({"type": "transcript.text.delta", "delta": text})


def done_event(transcript: Transcript) -> bytes:
    """The last event: all of it."""
    usage = {"type": "duration", "seconds": transcript.audio_ms / 1000}
    done = {"type": "transcript.text.done", "text": transcript.text, "usage": usage}
    return b"data: %b\n\n" % _ENCODE(done)


def _language(tag: str) -> str:
    if tag and not _TAG.fullmatch(tag):
        raise InvalidRequest(
            "Unsupported value: 'language' is a tag such as 'en' or 'pt-BR'.",
            code="unsupported_value",
            param="language",
        )
    return tag


def _format(name: str) -> Format:
    found = next((form for form in _FORMATS if form == (name or "json")), None)
    if found is None:
        raise InvalidRequest(
            f"Unsupported value: 'response_format' does not support '{name[:64]}' with this model. "
            f"Supported: {', '.join(_FORMATS)}.",
            code="unsupported_value",
            param="response_format",
        )
    return found


def _field(parts: Iterable[Part], name: str) -> str:
    """The text of the field *name*; "" where there is none."""
    part = _only(parts, name)
    return part.content.decode("utf-8", "replace").strip() if part is not None else ""


def _only(parts: Iterable[Part], name: str) -> Part | None:
    """The part called *name*. Raises InvalidRequest where there are two, of which each reader may take another."""
    found = [part for part in parts if part.head.name == name]
    if len(found) > 1:
        raise InvalidRequest(
            f"The field '{name}' stands more than once in the form. Send it once.", param=name
        )
    return found[0] if found else None
