"""
A Responses-shaped body on `/chat/completions`, understood as the chat completion it means (contract D17).

Cursor sends such: `input` for `messages`, tools without their inner `function`. What chat has a word for is said in
that word, what it cannot honour is refused (F27), the rest is dropped and named (P2 to P6). Values travel as their own
bytes (D4), and a member that means the same in both shapes stays where it stands.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from app.domain.errors import InvalidRequest
from app.protocol import lossless
from app.protocol.input_items import Conversation
from app.protocol.lossless import NULL
from app.protocol.members import Member
from app.protocol.request_faults import invalid_type, unsupported
from app.protocol.splicing import Splice, removal, spliced

_FUNCTION, _CUSTOM = b'"function"', b'"custom"'
_TOOL_MEMBERS = ("tools", "tool_choice", "parallel_tool_calls")
_UNSUPPORTED = ("previous_response_id", "conversation", "prompt")
_IGNORED = ("include", "truncation", "max_tool_calls")
_LIMITS = ("max_completion_tokens", "max_tokens")
_CHAT_NAMES = (*_LIMITS, "response_format", "verbosity", "reasoning_effort")
_READ = frozenset(
    (
        *("input", "instructions", "max_output_tokens", "text", "reasoning", "background"),
        *(*_TOOL_MEMBERS, *_UNSUPPORTED, *_IGNORED, *_CHAT_NAMES),
    )
)
# Tools by the name in which their loss is told: a client's own text goes into no header.
_HOSTED = frozenset(
    (
        *("web_search", "web_search_preview", "file_search", "code_interpreter", "mcp"),
        *("image_generation", "custom", "computer_use_preview", "local_shell"),
    )
)
_IN_FUNCTION = ("name", "description", "parameters", "strict")


class _ToolShape(msgspec.Struct):
    """As much of a tool, or of a choice of one, as tells its shape."""

    type: msgspec.Raw = msgspec.Raw()
    name: msgspec.Raw = msgspec.Raw()
    function: msgspec.Raw = msgspec.Raw()
    custom: msgspec.Raw = msgspec.Raw()


class _Named(msgspec.Struct):
    """A tool or a choice with its own name, if it has one outside of `function`."""

    name: msgspec.Raw = msgspec.Raw()


# At the speed of C and past all else: 30 µs for 50 KB of tools, where `app.protocol.members` takes 9 ms.
_TOOLS = msgspec.json.Decoder(list[_ToolShape])
_CHOICE = msgspec.json.Decoder(_ToolShape)
_NAMED_TOOLS = msgspec.json.Decoder(list[_Named] | None)
_NAMED_CHOICE = msgspec.json.Decoder(_Named | str | None)


@dataclass(frozen=True, slots=True)
class ChatBody:
    """A chat body. *dropped*: what was in the body it comes from and has no place in chat, each name once."""

    body: bytes
    dropped: tuple[str, ...] = ()


def is_chat_shaped(values: Mapping[str, msgspec.Raw]) -> bool:
    """True when `as_chat_body` would leave the body with these top-level members as it is; False when that takes a
    closer look."""
    if "input" in values and "messages" not in values:
        return False
    tools, choice = values.get("tools"), values.get("tool_choice")
    try:
        named = list(_NAMED_TOOLS.decode(tools) or ()) if tools is not None else []
        if choice is not None:
            named.append(_NAMED_CHOICE.decode(choice))
    except lossless.UNREADABLE:
        return False
    return not any(isinstance(one, _Named) and len(one.name) for one in named)


def as_chat_body(body: bytes, members: tuple[Member, ...]) -> ChatBody:
    """The chat body that *body*, whose top level is *members*, means; the same object when it is one already.

    With `input` and no `messages` the whole body is read as a Responses one; otherwise flat tools alone are nested.
    Raises InvalidRequest (contract F24, F26, F27; D6 for a repeated member). Source: contract D17, P2 to P6.
    """
    values = {
        member.name: body[member.value.start : member.value.end]
        for member in members
        if member.name in _READ
    }
    is_whole = "input" in values and all(member.name != "messages" for member in members)
    if not is_whole and not _has_flat_tools(values):
        return ChatBody(body)
    _refuse_repetitions(members, _READ if is_whole else frozenset(_TOOL_MEMBERS))
    try:
        translation = _Translation(values, is_whole=is_whole)
    except lossless.NotJson as fault:
        raise InvalidRequest(
            "We could not parse the JSON body of your request.", code="invalid_json"
        ) from fault
    return ChatBody(
        _with_places(body, members, translation.places), tuple(dict.fromkeys(translation.dropped))
    )


def _has_flat_tools(values: Mapping[str, bytes]) -> bool:
    tools, choice = values.get("tools", b""), values.get("tool_choice", b"")
    shapes = _decoded(_TOOLS, tools) if tools[:1] == b"[" else []
    if choice[:1] == b"{":
        shapes += _decoded(_CHOICE, choice)
    return any(_is_flat(shape) for shape in shapes)


def _decoded(
    decoder: msgspec.json.Decoder[list[_ToolShape]] | msgspec.json.Decoder[_ToolShape], value: bytes
) -> list[_ToolShape]:
    """The shapes in *value*; none when it holds something else than objects, which is the upstream's to judge."""
    try:
        found = decoder.decode(value)
    except msgspec.ValidationError:
        return []
    except msgspec.DecodeError:  # no fault in the syntax is left but this
        stand_ins = lossless.without_lone_surrogates(value)
        return _decoded(decoder, stand_ins.text) if stand_ins else []
    return found if isinstance(found, list) else [found]


def _is_flat(shape: _ToolShape) -> bool:
    kind = bytes(shape.type)
    inner = {_FUNCTION: shape.function, _CUSTOM: shape.custom}.get(kind)
    return inner is not None and not bytes(inner) and bytes(shape.name) != b""


def _refuse_repetitions(members: tuple[Member, ...], names: frozenset[str]) -> None:
    seen: set[str] = set()
    for name in (member.name for member in members if member.name in names):
        if name in seen:
            raise InvalidRequest(
                f"The member '{name}' stands more than once in the JSON body. Send it once.",
                code="invalid_json",
                param=name,
            )
        seen.add(name)


def _with_places(
    body: bytes, members: tuple[Member, ...], places: Mapping[str, dict[str, bytes]]
) -> bytes:
    """*body* with the members named in *places* replaced by the ones given there, or removed where none is."""
    gone = frozenset(name for name, chat in places.items() if not chat)
    replaced = [
        Splice(member.start, member.value.end, lossless.object_of(places[member.name])[1:-1])
        for member in members
        if places.get(member.name)
    ]
    return spliced(body, [*replaced, *removal(list(members), gone)])


class _Translation:
    """*places*: for each member that cannot stay, the chat members in its place. *dropped*: what was lost."""

    def __init__(self, values: Mapping[str, bytes], *, is_whole: bool) -> None:
        self.places: dict[str, dict[str, bytes]] = {}
        self.dropped: list[str] = []
        self._values = values
        self._is_whole = is_whole
        if is_whole:
            self._refuse_unsupported()
            self._input()
            self._put("max_output_tokens", {_LIMITS[0]: values.get("max_output_tokens", NULL)})
            self._text()
            self._reasoning()
            self._ignore()
        self._tools()

    def _given(self, name: str) -> bytes | None:
        """The member's value; None when it is absent or null."""
        value = self._values.get(name, NULL)
        return None if value == NULL else value

    def _object(self, name: str) -> dict[str, bytes]:
        value = self._given(name)
        if value is None:
            return {}
        if value[:1] != b"{":
            raise invalid_type(name, "an object", value)
        return lossless.members(value)

    def _put(self, name: str, chat: Mapping[str, bytes | None]) -> None:
        """*chat* stands in for the member *name*, without its nulls; chat's own members of those names win."""
        if name not in self._values:
            return
        told = {key: value for key, value in chat.items() if value is not None and value != NULL}
        kept = {key: value for key, value in told.items() if not self._is_taken(key)}
        if kept != told:
            self.dropped.append(name)
        self.places[name] = kept
        self.places |= {key: {} for key in kept if key in self._values}  # there as null

    def _is_taken(self, name: str) -> bool:
        return any(
            self._given(one) is not None for one in (_LIMITS if name in _LIMITS else (name,))
        )

    def _refuse_unsupported(self) -> None:
        for name in _UNSUPPORTED:
            if self._given(name) is not None:
                raise unsupported(
                    name, "is not supported on chat completions. Send all of it as 'input'."
                )
        if self._given("background") == b"true":
            raise unsupported("background", "is not supported on chat completions.")

    def _ignore(self) -> None:
        self.places |= {name: {} for name in (*_IGNORED, "background") if name in self._values}
        self.dropped += [name for name in _IGNORED if self._given(name) is not None]

    def _input(self) -> None:
        conversation = Conversation()
        instructions = self._given("instructions")
        if instructions is not None and not lossless.is_text(instructions):
            raise invalid_type("instructions", "a string", instructions)
        if instructions is not None and not lossless.is_empty_text(instructions):
            conversation.say(b'"system"', instructions)
        conversation.read(self._values["input"])
        self.places["input"] = {"messages": conversation.messages()}
        self.dropped += conversation.dropped
        if "instructions" in self._values:
            self.places["instructions"] = {}

    def _text(self) -> None:
        text = self._object("text")
        shape = text.get("format")
        shape = _response_format(shape) if shape is not None and shape[:1] == b"{" else shape
        self._put("text", {"response_format": shape, "verbosity": text.get("verbosity")})

    def _reasoning(self) -> None:
        reasoning = self._object("reasoning")
        self._put("reasoning", {"reasoning_effort": reasoning.get("effort")})
        if reasoning.get("summary", NULL) != NULL:
            self.dropped.append("reasoning.summary")

    def _tools(self) -> None:
        tools, choice = self._given("tools"), self._given("tool_choice")
        chat_choice = _choice(choice, is_whole=self._is_whole) if choice is not None else None
        if chat_choice is not None and chat_choice != choice:
            self.places["tool_choice"] = {"tool_choice": chat_choice}
        if tools is None or tools[:1] != b"[":
            return
        kept, lost = _chat_tools(lossless.elements(tools), is_whole=self._is_whole)
        self.dropped += lost
        if kept:
            self.places["tools"] = {"tools": lossless.array_of(kept)}
        elif lost:
            # OpenAI refuses what speaks of tools beside none.
            if chat_choice not in (None, b'"auto"', b'"none"'):
                raise unsupported(
                    "tool_choice",
                    f"demands what chat completions cannot run: {', '.join(sorted(set(lost)))}.",
                )
            self.places |= {name: {} for name in _TOOL_MEMBERS if name in self._values}


def _response_format(value: bytes) -> bytes | None:
    """`text.format` as `response_format`; None for plain text, which is what goes without saying."""
    found = lossless.members(value)
    kind = lossless.text_of(found.get("type"))
    if kind == "text":
        return None
    if kind != "json_schema" or kind in found:
        return value
    schema = {name: inner for name, inner in found.items() if name != "type"}
    return lossless.object_of({"type": found["type"], kind: lossless.object_of(schema)})


def _chat_tools(tools: list[bytes], *, is_whole: bool) -> tuple[list[bytes], list[str]]:
    """The tools as chat has them, and the names of those it cannot run.

    Beside `messages` only flat ones change: another type may be the upstream's own extension (contract D3).
    """
    kept: list[bytes] = []
    lost: list[str] = []
    for tool in tools:
        found = lossless.members(tool) if tool[:1] == b"{" else {}
        kind = lossless.text_of(found.get("type"))
        if kind is None or kind in found:
            kept.append(tool)
        elif kind == "function":
            kept.append(_nested(found) if "name" in found else tool)
        elif is_whole or (kind == "custom" and "name" in found):
            lost.append(kind if kind in _HOSTED else "tools")
        else:
            kept.append(tool)
    return kept, lost


def _nested(found: dict[str, bytes]) -> bytes:
    """A flat function, as a tool or as a choice, with its own members inside `function`; others stay beside it."""
    inner = {name: value for name, value in found.items() if name in _IN_FUNCTION}
    outer = {name: value for name, value in found.items() if name not in _IN_FUNCTION}
    return lossless.object_of(outer | {"function": lossless.object_of(inner)})


def _choice(value: bytes, *, is_whole: bool) -> bytes:
    """The tool choice as chat has it. Raises InvalidRequest when it demands a tool that chat cannot run (P6)."""
    found = lossless.members(value) if value[:1] == b"{" else {}
    kind = lossless.text_of(found.get("type"))
    if kind is None or kind in found:
        return value
    if kind == "function":
        return _nested(found) if "name" in found else value
    if kind == "allowed_tools":
        return _allowed_tools(found, is_whole=is_whole)
    if is_whole or kind == "custom":
        raise unsupported("tool_choice", f"demands what chat completions cannot run: {kind[:64]}.")
    return value


def _allowed_tools(found: dict[str, bytes], *, is_whole: bool) -> bytes:
    tools = found.get("tools", b"[]")
    if tools[:1] != b"[":
        raise invalid_type("tool_choice.tools", "an array", tools)
    kept, lost = _chat_tools(lossless.elements(tools), is_whole=is_whole)
    if lost and not kept:
        if found.get("mode") == b'"required"':
            raise unsupported(
                "tool_choice",
                f"demands what chat completions cannot run: {', '.join(sorted(set(lost)))}.",
            )
        return b'"none"'
    inner = {name: value for name, value in found.items() if name != "type"}
    allowed = lossless.object_of(inner | {"tools": lossless.array_of(kept)})
    return lossless.object_of({"type": found["type"], "allowed_tools": allowed})
