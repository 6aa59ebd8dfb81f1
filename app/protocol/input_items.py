"""
Responses input as chat messages (contract P2).

An item becomes a message, a call joins the message of the assistant that made it, an output is a tool's message.
Values are a JSON text's own bytes; members that only a vendor knows travel with the message, part or call they stand
in (D3), and so does a chat message that somebody put among the items.
"""

from dataclasses import dataclass, field

from app.protocol import lossless
from app.protocol.content import arguments_text
from app.protocol.lossless import NULL
from app.protocol.request_faults import invalid_type, missing, unsupported

# What hosted tools and the model's own thinking leave in a conversation: chat has no place for it.
_RECORDS = frozenset(
    (
        *("reasoning", "web_search_call", "file_search_call", "code_interpreter_call"),
        *("image_generation_call", "mcp_list_tools", "mcp_call"),
    )
)
_CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
_OUTPUTS = frozenset(("function_call_output", "custom_tool_call_output"))
_ITEM_ONLY = ("type", "id", "status", "phase")
_IN_FILE = ("file_data", "file_id", "filename")
_OUTPUT_ONLY = ("annotations", "logprobs")


@dataclass(slots=True)
class Conversation:
    """Input items made messages, in order. Calls wait until something else follows, so that one message has them."""

    dropped: list[str] = field(default_factory=list)
    _said: list[dict[str, bytes]] = field(default_factory=list)
    _calls: list[bytes] = field(default_factory=list)

    def messages(self) -> bytes:
        """All that was said, as the value of `messages`."""
        self._place_calls()
        return lossless.array_of(lossless.object_of(message) for message in self._said)

    def say(self, role: bytes, content: bytes, **more: bytes) -> None:
        """One message more."""
        self._place_calls()
        self._said.append({"role": role, **more, "content": content})

    def read(self, value: bytes) -> None:
        """Adds what the value of `input` says. Raises InvalidRequest, and NotJson."""
        if lossless.is_text(value):
            return self.say(b'"user"', value)
        if value == NULL:
            raise missing("input")
        if value[:1] != b"[":
            raise invalid_type("input", "a string or an array", value)
        for number, item in enumerate(lossless.elements(value)):
            if item[:1] != b"{":
                raise invalid_type(f"input[{number}]", "an object", item)
            self._item(lossless.members(item), f"input[{number}]")
        return None

    def _item(self, found: dict[str, bytes], where: str) -> None:
        kind = lossless.text_of(found.get("type")) or "message"
        if kind == "message":
            self._message(found, where)
        elif kind in _CALLS:
            self._calls.append(_tool_call(found, _CALLS[kind], where))
        elif kind in _OUTPUTS:
            call_id = _required(found, "call_id", where)
            self.say(b'"tool"', _output(found, where), tool_call_id=call_id)
        elif kind not in _RECORDS:
            raise unsupported(
                where,
                f"has the type '{kind[:64]}', which chat completions do not know. "
                "Send what it stands for as messages, function calls and their outputs.",
            )
        elif kind != "reasoning":
            self.dropped.append(kind)

    def _message(self, found: dict[str, bytes], where: str) -> None:
        _required(found, "role", where)
        self._place_calls()
        message = {name: value for name, value in found.items() if name not in _ITEM_ONLY}
        if "content" in message:
            message["content"] = _content(message["content"], f"{where}.content")
        self._said.append(message)

    def _place_calls(self) -> None:
        """The calls go into the message of the assistant that said them, or into one of their own."""
        if not self._calls:
            return
        last = self._said[-1] if self._said else {}
        if lossless.text_of(last.get("role")) != "assistant" or "tool_calls" in last:
            last = {"role": b'"assistant"', "content": NULL}
            self._said.append(last)
        last["tool_calls"] = lossless.array_of(self._calls)
        self._calls = []


def _tool_call(found: dict[str, bytes], arguments: str, where: str) -> bytes:
    """A call as chat has it; members of a vendor's stay beside it (Gemini's thought signature, contract D3)."""
    call_id, name = _required(found, "call_id", where), _required(found, "name", where)
    said = found.get(arguments)
    if arguments == "input":  # a custom tool's text: chat's functions take an object
        said = lossless.object_of({"input": said or b'""'})
    function = {"name": name, "arguments": arguments_text(said, absent=b'"{}"')}
    known = (*_ITEM_ONLY, "call_id", "name", arguments)
    more = {key: value for key, value in found.items() if key not in known}
    own = {"id": call_id, "type": b'"function"', "function": lossless.object_of(function)}
    return lossless.object_of(own | more)


def _output(found: dict[str, bytes], where: str) -> bytes:
    """What a tool gave, as content: other than a string or parts, its own JSON text."""
    output = _required(found, "output", where)
    if lossless.is_text(output) or output[:1] == b"[":
        return _content(output, f"{where}.output")
    return lossless.as_text(output)


def _content(value: bytes, where: str) -> bytes:
    """Content as chat has it: a string as it came, a lone text its string, which every upstream understands."""
    if value[:1] != b"[":
        return value
    parts = [_part(part, f"{where}[{at}]") for at, part in enumerate(lossless.elements(value))]
    if len(parts) == 1 and parts[0][:1] == b"{":
        only = lossless.members(parts[0])
        if only.keys() == {"type", "text"} and lossless.is_text(only["text"]):
            return only["text"]
    return lossless.array_of(parts)


def _part(value: bytes, where: str) -> bytes:
    """One part as chat has it. A refusal, and what is chat's or nobody's, stays as it came."""
    found = lossless.members(value) if value[:1] == b"{" else {}
    kind = lossless.text_of(found.get("type"))
    if kind in ("input_text", "output_text"):
        kept = {name: inner for name, inner in found.items() if name not in _OUTPUT_ONLY}
        return lossless.object_of(kept | {"type": b'"text"'})
    if kind == "input_image":
        return _image(found, where)
    if kind == "input_file":
        return _file(found, where)
    return value


def _image(found: dict[str, bytes], where: str) -> bytes:
    if found.get("file_id", NULL) != NULL:
        raise unsupported(
            f"{where}.file_id",
            "is not supported on chat completions. Send the image as 'image_url'.",
        )
    image = {"url": _required(found, "image_url", where)}
    if found.get("detail", NULL) != NULL:
        image["detail"] = found["detail"]
    known = ("type", "image_url", "detail", "file_id")
    more = {name: value for name, value in found.items() if name not in known}
    return lossless.object_of(
        {"type": b'"image_url"', "image_url": lossless.object_of(image), **more}
    )


def _file(found: dict[str, bytes], where: str) -> bytes:
    if found.get("file_url", NULL) != NULL:
        raise unsupported(
            f"{where}.file_url",
            "is not supported on chat completions. Send the file as 'file_data'.",
        )
    file = {name: found[name] for name in _IN_FILE if found.get(name, NULL) != NULL}
    known = ("type", "file_url", *_IN_FILE)
    more = {name: value for name, value in found.items() if name not in known}
    return lossless.object_of({"type": b'"file"', "file": lossless.object_of(file), **more})


def _required(found: dict[str, bytes], name: str, where: str) -> bytes:
    value = found.get(name, NULL)
    if value == NULL:
        raise missing(f"{where}.{name}")
    return value
