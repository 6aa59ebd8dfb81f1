"""
Content that is no string made one, and tool calls given what every client needs.

The same for chunks and whole answers (contract E3, I6 to I8; upstreams M-S4). Values are a JSON text's own bytes.
"""

from app.protocol import lossless
from app.protocol.answer_rules import Identity
from app.protocol.lossless import NULL


def text_of_content(value: bytes) -> bytes:
    """The content as a JSON string: a string as it came, of an `sql_query` its query, of a list of parts their
    texts, of anything else its compact JSON text (upstreams M-S4). Raises NotJson.
    """
    if lossless.is_text(value):
        return value
    if value[:1] == b"[":
        return lossless.joined(_part_texts(value))
    if value[:1] == b"{":
        found = lossless.members(value)
        query = found.get("query", NULL)
        if found.get("type") == b'"sql_query"' and lossless.is_text(query):
            return query
    return lossless.as_text(value)


def _part_texts(value: bytes) -> list[bytes]:
    texts: list[bytes] = []
    for part in lossless.elements(value):
        text = lossless.members(part).get("text", NULL) if part[:1] == b"{" else part
        if lossless.is_text(text):
            texts.append(text)
    return texts


def arguments_text(value: bytes | None, *, absent: bytes) -> bytes:
    """A tool call's arguments as a JSON string; *absent* stands in for none (contract E3)."""
    if value is None or value == NULL:
        return absent
    return value if lossless.is_text(value) else lossless.as_text(value)


def made_up_call_id(identity: Identity, choice: int, call: int) -> bytes:
    """A `call_…` id, the same each time it is asked for within one answer (contract I8)."""
    unique = identity.id.rpartition("-")[2]
    return lossless.literal(f"call_{unique}_{choice}_{call}")


def whole_tool_call(found: dict[str, bytes], made_up_id: bytes, *, absent: bytes) -> bytes:
    """The call with `id`, `type` and string arguments; all else as it came.

    Raises NotJson for a function call without a name, which no client could answer. A call of another type than
    `function` (a custom tool) keeps its own members.
    """
    call = dict(found)
    if not lossless.text_of(call.get("id")):
        call["id"] = made_up_id
    function = call.get("function", NULL)
    if function[:1] == b"{":
        call["type"] = b'"function"'
        inner = lossless.members(function)
        if not lossless.text_of(inner.get("name")):
            raise lossless.NotJson("a tool call without a name")
        arguments = arguments_text(inner.get("arguments"), absent=absent)
        if inner.get("arguments") != arguments:
            call["function"] = lossless.object_of(inner | {"arguments": arguments})
    elif lossless.text_of(call.get("type")) in (None, "", "function"):
        raise lossless.NotJson("a tool call without a function")
    return lossless.object_of(call)


def identified(found: dict[str, bytes], fixed: dict[str, bytes]) -> dict[str, bytes]:
    """The members with *fixed* ones in their places; those that were missing come first, in *fixed*'s order."""
    missing = {name: value for name, value in fixed.items() if name not in found}
    present = {name: fixed.get(name, value) for name, value in found.items()}
    return missing | present


def integer_of(value: bytes | None) -> int | None:
    """The whole number the value is, or comes down to (1740830400.5); None for anything else."""
    if value is None or len(value) > 32 or value[:1] not in b"-0123456789":
        return None
    try:
        return int(value) if value.lstrip(b"-").isdigit() else int(float(value))
    except (ValueError, OverflowError):
        return None
