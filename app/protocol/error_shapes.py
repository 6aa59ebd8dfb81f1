"""
The shapes in which upstreams say that something went wrong, read into one (upstreams E-S1 to E-S7).

A shape gives message, code, param and type. What status they get, and whose fault they are, is decided in
`app.upstreams.refusals`.
"""

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import msgspec

from app.protocol.scrubbing import is_clean, scrub, strings_of

__all__ = ["MAX_MESSAGE_BYTES", "ErrorText", "error_in", "read_error", "scrub"]

MAX_MESSAGE_BYTES = 2048
# A larger body is read, but not relayed as it is: some repeat the whole request.
MAX_VERBATIM_BYTES = 32 * 1024
_MAX_SCRUBBED_CHARACTERS = 8 * 1024
_MAX_WORD_CHARACTERS = 256
_MAX_DETAILS = 20

Object = dict[str, Any]
Secrets = Collection[str]


@dataclass(frozen=True, slots=True)
class ErrorText:
    """An upstream's error in our words.

    *verbatim*: the bytes that may leave as they are: the whole envelope, or it with `type`, `param` or `code`
    added (E-S1). None where there is no envelope, or where it holds a URL, a host or a key. *shape*: which of E-S1
    to E-S7 it was. *number*: a numeric code, which the envelope may not carry (contract F2).
    """

    message: str
    code: str | None = None
    param: str | None = None
    type: str | None = None
    verbatim: bytes | None = None
    shape: str = "E-S7"
    number: int | None = None

    @property
    def is_envelope(self) -> bool:
        """True when the upstream wrote `{"error": {…}}`, with or without *verbatim*."""
        return self.shape == "E-S1"


@dataclass(frozen=True, slots=True)
class _Found:
    """What one shape holds, unread: anything may be anything."""

    message: object
    code: object = None
    param: object = None
    type: object = None


def read_error(
    body: bytes, content_type: str, *, upstream: str, status: int, secrets: Secrets = ()
) -> ErrorText:
    """What *body* says. Never without a message: HTML or nothing is `minds returned HTTP 403` (E-S7).

    Raises nothing, whatever the bytes.
    """
    unsaid = f"{upstream} returned HTTP {status}"
    found = error_in(body, content_type, status=status, unsaid=unsaid, secrets=secrets)
    return ErrorText(unsaid) if found is None else found


def error_in(
    body: bytes, content_type: str = "", *, status: int, unsaid: str, secrets: Secrets = ()
) -> ErrorText | None:
    """The error that *body* holds; None when it has the shape of none. *unsaid*: the message where it has no words."""
    payload = _payload(body, content_type)
    shape, found = _first_shape(_decoded(payload))
    if found is None:
        return None
    return ErrorText(
        message=_message(found.message, secrets) or unsaid,
        code=_word(found.code, secrets),
        param=_word(found.param, secrets),
        type=_word(found.type, secrets),
        verbatim=_verbatim(payload, status, secrets) if shape == "E-S1" else None,
        shape=shape,
        number=_number(found.code),
    )


# --- shapes ---------------------------------------------------------------------------------------------------------


def _openai(value: Object) -> _Found | None:
    error = value.get("error")
    if not isinstance(error, dict):
        return None
    return _Found(error.get("message"), error.get("code"), error.get("param"), error.get("type"))


def _plain(value: Object) -> _Found | None:
    text = value.get("error")
    if not isinstance(text, str):
        return None
    more = _first_text(value.get(name) for name in ("details", "detail", "message"))
    return _Found(f"{text}: {more}" if more else text, value.get("code"))


def _detail(value: Object) -> _Found | None:
    detail = value.get("detail")
    if isinstance(detail, dict):
        # FastAPI's own exceptions may carry an object there, itself in one of these shapes.
        inner = _openai(detail) or _message_alone(detail)
        return None if inner is None else _Found(inner.message, inner.code, inner.param)
    return _Found(detail, value.get("code")) if isinstance(detail, str) else None


def _details(value: Object) -> _Found | None:
    rows = value.get("detail")
    if not isinstance(rows, list):
        return None
    places = [row for row in rows[:_MAX_DETAILS] if isinstance(row, dict)]
    param = next(iter(reversed(_texts(_location(places[0])))), None) if places else None
    return _Found("; ".join(filter(None, map(_place, places))), param=param)


def _array(value: list[Any]) -> _Found | None:
    return _openai(value[0]) if value and isinstance(value[0], dict) else None


def _message_alone(value: Object) -> _Found | None:
    text = value.get("message")
    return _Found(text, value.get("code")) if isinstance(text, str) else None


def _finished_in_error(value: Object) -> _Found | None:
    """A chunk that ends its choice with `error` and says no more (contract J4)."""
    choices = value.get("choices")
    rows = choices if isinstance(choices, list) else []
    ended = any(isinstance(row, dict) and row.get("finish_reason") == "error" for row in rows)
    return _Found(None) if ended else None


# Tried in this order; the first that fits gives the text. An array is E-S5.
_SHAPES: tuple[tuple[str, Callable[[Object], _Found | None]], ...] = (
    ("E-S1", _openai),
    ("E-S2", _plain),
    ("E-S3", _detail),
    ("E-S4", _details),
    ("E-S6", _message_alone),
    ("J4", _finished_in_error),
)


def _first_shape(value: Any) -> tuple[str, _Found | None]:
    if isinstance(value, list):
        return "E-S5", _array(value)
    rows = _SHAPES if isinstance(value, dict) else ()
    hits = ((name, found) for name, shape in rows if (found := shape(value)) is not None)
    return next(hits, ("E-S7", None))


def _place(row: Object) -> str:
    """`loc: msg` of one row of FastAPI's validation list."""
    where = ".".join(str(part) for part in _location(row) if isinstance(part, str | int))
    said = row.get("msg")
    return ": ".join(part for part in (where, said) if isinstance(part, str) and part)


def _location(row: Object) -> list[Any]:
    location = row.get("loc")
    return location if isinstance(location, list) else []


def _texts(values: list[Any]) -> list[str]:
    return [value for value in values if isinstance(value, str)]


def _first_text(values: Any) -> str | None:
    return next((value for value in values if isinstance(value, str) and value), None)


# --- reading --------------------------------------------------------------------------------------------------------


def _payload(body: bytes, content_type: str) -> bytes:
    """*body*, or the data of its first event where an upstream answers an error as a stream."""
    body = body.removeprefix(b"\xef\xbb\xbf")
    if "event-stream" in content_type.lower() or body.startswith((b"data:", b"event:")):
        lines = body.replace(b"\r", b"\n").split(b"\n")
        return next((line[5:].strip() for line in lines if line.startswith(b"data:")), body)
    return body


def _decoded(payload: bytes) -> Any:
    """The JSON value; None when there is none."""
    try:
        return msgspec.json.decode(payload)
    except (ValueError, RecursionError):
        pass
    try:
        # Half a character or a wrong byte must not cost the whole message: the standard library reads around them.
        return json.loads(payload.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def _message(value: object, secrets: Secrets) -> str:
    if not isinstance(value, str):
        return ""
    text = scrub(value[:_MAX_SCRUBBED_CHARACTERS], secrets).strip()
    encoded = text.encode("utf-8")
    if len(encoded) <= MAX_MESSAGE_BYTES:
        return text
    return encoded[: MAX_MESSAGE_BYTES - len("…".encode())].decode("utf-8", "ignore") + "…"


def _word(value: object, secrets: Secrets) -> str | None:
    """A code, param or type that may leave: a short string that needs no scrubbing (contract F2)."""
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_WORD_CHARACTERS:
        return None
    return value if scrub(value, secrets) == value else None


def _number(code: object) -> int | None:
    return code if isinstance(code, int) and not isinstance(code, bool) else None


# --- relaying -------------------------------------------------------------------------------------------------------


def _verbatim(payload: bytes, status: int, secrets: Secrets) -> bytes | None:
    """*payload* as it may leave: byte for byte if complete, with the missing members added if not (contract F3)."""
    if len(payload) > MAX_VERBATIM_BYTES:
        return None
    try:
        whole = msgspec.json.decode(payload)
        outer = msgspec.json.decode(payload, type=dict[str, msgspec.Raw])
        inner = msgspec.json.decode(outer["error"], type=dict[str, msgspec.Raw])
    except (ValueError, RecursionError):
        return None
    if not _first_text([whole["error"].get("message")]) or not _may_leave(payload, whole, secrets):
        return None
    added = _missing(whole["error"], status)
    if not added:
        return payload
    return msgspec.json.encode({**outer, "error": {**inner, **added}})


def _missing(error: Object, status: int) -> Object:
    """The members of *error* that the envelope lacks, or has in a type it does not allow (contract F1, F2)."""
    added: Object = {}
    if not _first_text([error.get("type")]):
        added["type"] = usual_type(status)
    for name in ("param", "code"):
        if name not in error or not isinstance(error[name], str | None):
            added[name] = None
    return added


def usual_type(status: int) -> str:
    """The `type` of an error with *status* that says none (contract, head of table F15 to F51)."""
    if status >= 500:
        return "server_error"
    return "rate_limit_error" if status == 429 else "invalid_request_error"


def _may_leave(payload: bytes, whole: Any, secrets: Secrets) -> bool:
    # The raw text as well: of two members with one name the parser keeps only the last.
    texts = [payload.decode("utf-8"), *strings_of(whole)]
    return all(is_clean(text, secrets) for text in texts)
