"""
The members of a chat chunk that decide; all others pass unread.

msgspec reads these classes by their annotations, which compiled code does not keep: this module stays interpreted
(docs/decisions/0018).
"""

import msgspec
from msgspec import UNSET, Raw, UnsetType


class Function(msgspec.Struct):
    """The part of a tool call that is streamed."""

    name: str | None = None
    arguments: str | UnsetType | None = UNSET


class ToolFragment(msgspec.Struct):
    """One element of `delta.tool_calls`. A custom tool keeps its text in *custom*, unread."""

    index: int
    id: str | None = None
    type: str | None = None
    function: Function | UnsetType = UNSET
    custom: Raw | UnsetType = UNSET


class Delta(msgspec.Struct):
    """What a chunk adds. Reasoning has two names in the wild; neither is repaired."""

    role: str | None = None
    content: str | None = None
    refusal: Raw | UnsetType = UNSET
    reasoning_content: Raw | UnsetType = UNSET
    reasoning: Raw | UnsetType = UNSET
    tool_calls: list[ToolFragment] | None = None


class Choice(msgspec.Struct):
    """One element of `choices`."""

    index: int
    delta: Delta
    finish_reason: str | None = None
    message: Raw | UnsetType = UNSET


class Chunk(msgspec.Struct):
    """The fields that decide; all others pass unread."""

    id: str
    object: str
    created: int
    model: str
    choices: list[Choice]
    usage: Raw | UnsetType = UNSET
    error: Raw | UnsetType = UNSET


CHUNK = msgspec.json.Decoder(Chunk)
