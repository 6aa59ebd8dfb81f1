"""What is answered (X2): `echo: T` for the last user text T, counted in words."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.simulators.chat_request import ChatRequest
from app.simulators.control import Script
from app.simulators.replies import Json, compact

_PIECE = re.compile(r"\s*\S+(?:\s+\Z)?|\s+\Z")
_CALL = re.compile(r"call\s+(\S+)\s+(\{.*\})\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a function; the fragments of its arguments make the JSON text when joined."""

    name: str
    fragments: tuple[str, str, str]

    @property
    def arguments(self) -> str:
        """The arguments whole."""
        return "".join(self.fragments)


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer in the pieces in which it streams: one word each, or one tool call."""

    pieces: Sequence[str]
    finish_reason: str
    prompt_tokens: int
    tool_call: ToolCall | None = None

    @property
    def text(self) -> str:
        """The answer whole."""
        return "".join(self.pieces)

    @property
    def completion_tokens(self) -> int:
        """Words of the answer; of a tool call its name and three fragments, one each."""
        return 1 + len(self.tool_call.fragments) if self.tool_call else len(self.pieces)


def answer_to(chat: ChatRequest, script: Script) -> Answer:
    """The answer to *chat*, as `tokens`, `big` and `max_tokens` shape it."""
    asked = last_user_text(chat.messages)
    prompt_tokens = sum(len(text_of(one).split()) for one in chat.messages)
    call = _tool_call(asked, chat.tool_names)
    if call is not None:
        return Answer((), "tool_calls", prompt_tokens, call)
    pieces = _pieces(compact({"echo": asked}) if chat.wants_json else f"echo: {asked}", script)
    if chat.max_tokens is not None and chat.max_tokens < len(pieces):
        return Answer(pieces[: chat.max_tokens], "length", prompt_tokens)
    return Answer(pieces, "stop", prompt_tokens)


def last_user_text(messages: list[Json]) -> str:
    """The text of the last message of role user; empty when there is none."""
    users = [one for one in messages if one.get("role") == "user"]
    return text_of(users[-1]) if users else ""


def text_of(message: Json) -> str:
    """The text of a message; images are counted behind it."""
    content = message.get("content")
    if not isinstance(content, list):
        return content or ""
    parts = [part for part in content if isinstance(part, dict)]
    text = "".join(str(part["text"]) for part in parts if isinstance(part.get("text"), str))
    images = sum(part.get("type") in ("image_url", "input_image") for part in parts)
    return f"{text} [images: {images}]" if images else text


def split_words(text: str) -> list[str]:
    """*text* in pieces of one word each, blanks before it included; joined they are *text*."""
    return _PIECE.findall(text)


def _pieces(text: str, script: Script) -> Sequence[str]:
    count, big = script.number("tokens"), script.number("big")
    pieces = split_words(text)
    if count is not None:
        pieces = ["w1", *(f" w{place}" for place in range(2, count + 1))]
    if big is not None:
        pieces[:1] = ["x" * (big * 1024)]
    return pieces


def _tool_call(asked: str, names: frozenset[str]) -> ToolCall | None:
    match = _CALL.fullmatch(asked)
    if match is None or match.group(1) not in names or not _is_object(match.group(2)):
        return None
    arguments = match.group(2)
    third = -(-len(arguments) // 3)
    fragments = (arguments[:third], arguments[third : 2 * third], arguments[2 * third :])
    return ToolCall(match.group(1), fragments)


def _is_object(text: str) -> bool:
    value: Any = None
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return isinstance(value, dict)
