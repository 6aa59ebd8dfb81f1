"""Reading the body of a chat completion, strictly enough that a mangled one is refused."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any, NoReturn

from app.simulators.replies import Json, Problem, RefusalError

MAX_CHOICES = 128  # OpenAI's own bound
ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
# a gateway that splices must replace these, never add a second one
_ACTED_ON = ("model", "messages", "stream", "stream_options", "max_tokens", "store")


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """The members the simulators act on; all others are accepted unread."""

    model: str
    messages: list[Json]
    stream: bool
    include_usage: bool
    has_stream_options: bool
    max_tokens: int | None
    choices: int
    tool_names: frozenset[str]
    wants_json: bool
    metadata: Any


def read_json_object(body: bytes) -> Json:
    """The body as a JSON object. Raises RefusalError 400 `invalid_json`."""
    outermost: list[tuple[str, Any]] = []

    def collect(pairs: list[tuple[str, Any]]) -> Json:
        outermost[:] = pairs  # the outermost object is the last to be complete
        return dict(pairs)

    try:
        text = body.decode("utf-8")
        value = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=collect)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise RefusalError(Problem(400, "Invalid JSON", "invalid_json"))
    counted = Counter(name for name, _ in outermost)
    for name in _ACTED_ON:
        if counted[name] > 1:
            _refuse(name, "Member given twice")
    return value


def read_model(body: Json) -> str:
    """The member `model`. Raises RefusalError when it is no non-empty string."""
    model = body.get("model")
    if not isinstance(model, str) or not model:
        _refuse("model", "Field required" if model is None else "Input should be a valid string")
    return model


def read_chat(body: Json, roles: frozenset[str] = ROLES) -> ChatRequest:
    """The request in *body*. Raises RefusalError 400 with the faulty member in `loc`."""
    options = body.get("stream_options")
    if not isinstance(options, dict | None):
        _refuse("stream_options", "Input should be a valid dictionary")
    limits = [_whole(body, name) for name in ("max_tokens", "max_completion_tokens")]
    return ChatRequest(
        model=read_model(body),
        messages=_read_messages(body.get("messages"), roles),
        stream=_flag(body, "stream"),
        include_usage=bool(options and options.get("include_usage")),
        has_stream_options=options is not None,
        max_tokens=min((one for one in limits if one is not None), default=None),
        choices=_whole(body, "n", MAX_CHOICES) or 1,
        tool_names=_tool_names(body.get("tools")),
        wants_json=_wants_json(body.get("response_format")),
        metadata=body.get("metadata"),
    )


def _read_messages(messages: Any, roles: frozenset[str]) -> list[Json]:
    if not isinstance(messages, list) or not messages:
        _refuse("messages", "Field required" if messages is None else "Input should be a list")
    for place, message in enumerate(messages):
        if not isinstance(message, dict):
            _refuse("messages", "Input should be an object", place)
        if message.get("role") not in roles:
            _refuse("messages", f"Invalid role: {message.get('role')}", place, "role")
        if not isinstance(message.get("content"), str | list | None):
            _refuse("messages", "Input should be a string or a list", place, "content")
    return messages


def _tool_names(tools: Any) -> frozenset[str]:
    if not isinstance(tools, list | None):
        _refuse("tools", "Input should be a list")
    functions = [tool.get("function") for tool in tools or () if isinstance(tool, dict)]
    return frozenset(f["name"] for f in functions if isinstance(f, dict) and "name" in f)


def _wants_json(response_format: Any) -> bool:
    if not isinstance(response_format, dict | None):
        _refuse("response_format", "Input should be an object")
    kind = (response_format or {}).get("type")
    return kind in ("json_object", "json_schema")


def _whole(body: Json, name: str, most: int = 10**9) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= most:
        _refuse(name, "Input should be a positive integer")
    return value


def _flag(body: Json, name: str) -> bool:
    value = body.get(name)
    if not isinstance(value, bool | None):
        _refuse(name, "Input should be a valid boolean")
    return bool(value)


def _refuse(member: str, message: str, *rest: str | int) -> NoReturn:
    raise RefusalError(Problem(400, message, "invalid_request", loc=(member, *rest)))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
