"""
The bytes of every request and answer, made once.

What the upstream shall do stands in the first message, behind an `@`: every gateway passes that on as it is, while
paths and headers may change on the way.
"""

import base64
import json
import random
from typing import Any

MODEL = "bench-small"
# Answers carry these fields, as OpenAI's own do; a gateway has to read them.
_ANSWER_FIELDS = (
    b"date: Sun, 01 Nov 2026 12:00:00 GMT\r\n"
    b"content-type: %b\r\n"
    b"x-request-id: req_0123456789abcdef0123456789abcdef\r\n"
    b"openai-processing-ms: 12\r\n"
    b"openai-version: 2020-10-01\r\n"
)
# What the official Python SDK sends beside the credential and the framing; but nobody shall compress for loopback.
_SDK_FIELDS = (
    "accept: application/json\r\n"
    "accept-encoding: identity\r\n"
    "content-type: application/json\r\n"
    "user-agent: OpenAI/Python 3.54.0\r\n"
    "x-stainless-lang: python\r\n"
    "x-stainless-package-version: 3.54.0\r\n"
    "x-stainless-os: Linux\r\n"
    "x-stainless-arch: x64\r\n"
    "x-stainless-runtime: CPython\r\n"
    "x-stainless-runtime-version: 3.11.7\r\n"
    "x-stainless-async: async:asyncio\r\n"
    "x-stainless-retry-count: 0\r\n"
    "x-stainless-read-timeout: 600\r\n"
)

TEXT = (
    "A gateway stands in every request of a team, so what it adds is paid each time: in latency, which a person "
    "notices only when it is large, and in processor time, which somebody pays for even when nobody notices. That is "
    "why both are measured here, together, and against a plain proxy."
)
_USAGE = {"prompt_tokens": 42, "completion_tokens": 57, "total_tokens": 99}

BURST_EVENTS = 100  # with the role and the finish, without usage and [DONE]
STAMP_DIGITS = 16  # of a time in microseconds, inside a trickled event
STAMP = b'"@'  # what stands before it, however a gateway writes the JSON again


def compact(value: Any) -> bytes:
    """*value* as JSON without blanks, as vendors send it."""
    return json.dumps(value, separators=(",", ":")).encode()


# --- answers --------------------------------------------------------------------------------------------------------


def whole_answer(body: bytes) -> bytes:
    """A 200 with a JSON *body*, complete."""
    fields = _ANSWER_FIELDS % b"application/json"
    return b"HTTP/1.1 200 OK\r\n%bcontent-length: %d\r\n\r\n%b" % (fields, len(body), body)


def completion() -> bytes:
    """The body of a small chat completion."""
    message: dict[str, Any] = {
        "role": "assistant",
        "content": TEXT,
        "refusal": None,
        "annotations": [],
    }
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return compact(
        {
            "id": "chatcmpl-0123456789abcdefghijklmnopqrs",
            "object": "chat.completion",
            "created": 1793534400,
            "model": MODEL,
            "choices": [choice],
            "usage": _USAGE,
            "service_tier": "default",
            "system_fingerprint": "fp_0123456789",
        }
    )


def _chunk(delta: dict[str, str], finish: str | None, *, has_usage: bool) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    said = {
        "id": "chatcmpl-0123456789abcdefghijklmnopqrs",
        "object": "chat.completion.chunk",
        "created": 1793534400,
        "model": MODEL,
        "service_tier": "default",
        "system_fingerprint": "fp_0123456789",
        "choices": [choice],
    }
    return said | ({"usage": None} if has_usage else {})


def event(value: dict[str, Any]) -> bytes:
    """One server-sent event, as an HTTP chunk of its own."""
    return http_chunk(b"data: %b\n\n" % compact(value))


def http_chunk(data: bytes) -> bytes:
    """*data* as a piece of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\n"
    + _ANSWER_FIELDS % b"text/event-stream; charset=utf-8"
    + b"transfer-encoding: chunked\r\n\r\n"
)


def stream_start(*, has_usage: bool) -> bytes:
    """The event that says the role."""
    return event(_chunk({"role": "assistant", "content": ""}, None, has_usage=has_usage))


def stream_word(word: str, *, has_usage: bool) -> bytes:
    """An event with a piece of the text."""
    return event(_chunk({"content": word}, None, has_usage=has_usage))


def stream_end(*, has_usage: bool) -> bytes:
    """The finish, usage for who asked, [DONE] and the end of the body."""
    last = event(_chunk({}, "stop", has_usage=has_usage))
    if has_usage:
        last += event(_chunk({}, None, has_usage=False) | {"choices": [], "usage": _USAGE})
    return last + http_chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


def burst(*, has_usage: bool) -> bytes:
    """A complete streamed answer of BURST_EVENTS events, written in one go."""
    words = (TEXT.split() * 3)[: BURST_EVENTS - 2]
    spoken = b"".join(stream_word(f" {word}", has_usage=has_usage) for word in words)
    start, end = stream_start(has_usage=has_usage), stream_end(has_usage=has_usage)
    return STREAM_HEAD + start + spoken + end


def stamped(*, has_usage: bool) -> bytes:
    """An event with room for a time: `%d` it with whole microseconds."""
    zeros = "0" * STAMP_DIGITS
    plain = stream_word(f"@{zeros}", has_usage=has_usage)
    return plain.replace(b"%", b"%%").replace(zeros.encode(), b"%%0%dd" % STAMP_DIGITS)


# --- requests -------------------------------------------------------------------------------------------------------


def chat(task: str, *, model: str, stream: bool) -> bytes:
    """The body of a request for a chat completion. *task*: what the upstream shall do; "" for a small answer."""
    messages = [
        {"role": "system", "content": f"You answer in one paragraph.{task and ' ' + task}"},
        {"role": "user", "content": "What does a gateway cost, and why is that worth a figure?"},
    ]
    said = {"model": model, "messages": messages, "temperature": 0.2, "max_tokens": 200}
    return compact(said | ({"stream": True} if stream else {}))


def chat_with_images(total_bytes: int, *, model: str) -> bytes:
    """A body of *total_bytes* and a little more, nearly all of it four images in base64."""
    noise = random.Random(1)
    parts: list[dict[str, Any]] = [{"type": "text", "text": "What do these have in common?"}]
    task = f"Name what is the same. @weigh {total_bytes}"  # the upstream refuses a body that lost something
    for _ in range(4):
        pixels = base64.b64encode(noise.randbytes(total_bytes * 3 // 16 + 3)).decode()
        url = f"data:image/png;base64,{pixels}"
        parts.append({"type": "image_url", "image_url": {"url": url}})
    messages = [{"role": "system", "content": task}, {"role": "user", "content": parts}]
    return compact({"model": model, "messages": messages})


def post(path: str, host: str, body: bytes, fields: tuple[tuple[str, str], ...] = ()) -> bytes:
    """A complete request as the official SDK would send it; *fields* are further header fields."""
    more = "".join(f"{name}: {value}\r\n" for name, value in fields)
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {host}\r\n{_SDK_FIELDS}{more}"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def get(path: str, host: str, fields: tuple[tuple[str, str], ...] = ()) -> bytes:
    """The same for a GET."""
    more = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f"GET {path} HTTP/1.1\r\nhost: {host}\r\n{_SDK_FIELDS}{more}\r\n".encode()


FILE_ID = "file-bench"


def file_object() -> bytes:
    """What an upstream says about one file."""
    return compact(
        {
            "id": FILE_ID,
            "object": "file",
            "bytes": 1234,
            "created_at": 1740830400,
            "filename": "training.jsonl",
            "purpose": "fine-tune",
            "status": "processed",
        }
    )


_BOUNDARY = "bench-0123456789abcdef"
UPLOAD_TYPE = f"multipart/form-data; boundary={_BOUNDARY}"
UPLOAD_START = (
    f'--{_BOUNDARY}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n'
    f'--{_BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="bench.jsonl"\r\n'
    "content-type: application/octet-stream\r\n\r\n"
).encode()
UPLOAD_END = f"\r\n--{_BOUNDARY}--\r\n".encode()
