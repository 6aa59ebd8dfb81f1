"""
A chunk that is not canonical made so, member by member (upstreams S3, contract I1 to I10, I14).

Only levels at fault are taken apart; the rest keeps its bytes. Nothing here decides whether the result is good:
`chunks.is_canonical` does, afterwards.
"""

from app.protocol import lossless
from app.protocol.answer_rules import Identity
from app.protocol.chunks import (
    CHUNK_OBJECT,
    MOST_CHOICES,
    MOST_TOOL_CALLS,
    ChoiceProgress,
    StreamProgress,
)
from app.protocol.content import (
    arguments_text,
    identified,
    integer_of,
    made_up_call_id,
    text_of_content,
    whole_tool_call,
)
from app.protocol.lossless import NULL
from app.protocol.usage import is_whole

_ASSISTANT = b'"assistant"'
_OBJECT = lossless.literal(CHUNK_OBJECT)


class ChunkRepair:
    """Repairs the chunks of one stream. *include_usage*: the client asked for the usage chunk."""

    __slots__ = ("identity", "include_usage")

    def __init__(self, identity: Identity, include_usage: bool) -> None:
        self.identity = identity
        self.include_usage = include_usage

    def repaired(self, data: bytes, said: StreamProgress) -> bytes:
        """The chunk as it may leave after what was *said*. Raises NotJson.

        Remembers in *said* which of our tool indexes stands for which of the upstream's, nothing else.
        """
        chunk = lossless.members(data)
        if chunk.get("error") == NULL:
            del chunk["error"]
        chunk = identified(chunk, self.head(said, chunk))
        choices = [self._choice(c, said) for c in lossless.elements(chunk.get("choices", b"[]"))]
        chunk["choices"] = lossless.array_of(choices)
        self._make_usage_lawful(chunk, has_choices=bool(choices))
        return lossless.object_of(chunk)

    def head(self, said: StreamProgress, chunk: dict[str, bytes] | None = None) -> dict[str, bytes]:
        """`id`, `object`, `created` and `model`: the stream's id; the chunk's own date and model, else the stream's."""
        chunk = chunk or {}
        own_id = lossless.text_of(chunk.get("id"))
        own_created = integer_of(chunk.get("created"))
        own_model = lossless.text_of(chunk.get("model"))
        created = own_created if own_created is not None else said.created
        return {
            "id": lossless.literal(said.id or own_id or self.identity.id),
            "object": _OBJECT,
            "created": b"%d" % (created if created is not None else self.identity.created),
            "model": chunk["model"]
            if own_model
            else lossless.literal(said.model or self.identity.model),
        }

    def _make_usage_lawful(self, chunk: dict[str, bytes], *, has_choices: bool) -> None:
        usage = chunk.get("usage")
        if usage is None or (has_choices and usage == NULL):
            return
        if has_choices and self.include_usage:
            chunk["usage"] = NULL  # it has a chunk of its own (I10)
        elif not is_whole(usage):
            del chunk["usage"]

    def _choice(self, data: bytes, said: StreamProgress) -> bytes:
        choice = lossless.members(data)
        index = max(0, integer_of(choice.get("index")) or 0)
        if index >= MOST_CHOICES:
            raise lossless.NotJson("more choices than there are")
        progress = said.choice(index)
        choice = identified(_with_delta(choice), {"index": b"%d" % index})
        delta = self._delta(choice["delta"], index, progress)
        choice["delta"] = lossless.object_of(delta)
        if "finish_reason" in choice:
            has_tools = bool(progress.tool_ids) or len(delta.get("tool_calls", b"[]")) > len(b"[]")
            reason = _finish_reason(choice["finish_reason"], progress, has_tools=has_tools)
            choice["finish_reason"] = reason
        return lossless.object_of(choice)

    def _delta(self, data: bytes, index: int, progress: ChoiceProgress) -> dict[str, bytes]:
        delta = lossless.members(data)
        if not progress.role_sent:
            delta = identified(delta, {"role": _ASSISTANT})
        else:
            delta.pop("role", None)
        content = delta.get("content", NULL)
        if content != NULL:
            delta["content"] = text_of_content(content)
        tools = delta.get("tool_calls", NULL)
        if tools[:1] == b"{":
            tools = lossless.array_of([tools])
        if tools[:1] == b"[":
            delta["tool_calls"] = self._tools(tools, index, progress)
        else:
            delta.pop("tool_calls", None)
        return delta

    def _tools(self, data: bytes, choice: int, progress: ChoiceProgress) -> bytes:
        ids = list(progress.tool_ids)  # grows with this chunk; note() makes it last
        fragments: list[bytes] = []
        for raw in lossless.elements(data):
            fragment = lossless.members(raw)
            place = _place(fragment, ids, progress.tool_places)
            if place >= MOST_TOOL_CALLS:
                raise lossless.NotJson("more tool calls than there are")
            if place < len(ids):
                fragments.append(_later_fragment(fragment, place))
                continue
            made_up_id = made_up_call_id(self.identity, choice, place)
            ids.append(lossless.text_of(fragment.get("id")) or "")
            first = identified(fragment, {"index": b"%d" % place})
            fragments.append(whole_tool_call(first, made_up_id, absent=b'""'))
        return lossless.array_of(fragments)


def _with_delta(choice: dict[str, bytes]) -> dict[str, bytes]:
    # A `message` becomes the delta, in its place (I5), unless there is a delta that says something.
    delta, message = choice.get("delta", NULL), choice.get("message", NULL)
    use_message = message[:1] == b"{" and (delta[:1] != b"{" or not lossless.members(delta))
    if use_message:
        choice.pop("delta", None)
        return {"delta" if n == "message" else n: v for n, v in choice.items()}
    choice.pop("message", None)
    if delta[:1] != b"{":
        choice["delta"] = b"{}"
    return choice


def _finish_reason(value: bytes, progress: ChoiceProgress, *, has_tools: bool) -> bytes:
    if lossless.is_empty_text(value) or not lossless.is_text(value):
        return NULL
    if progress.finish_reason is not None:
        return NULL  # one per choice (I4)
    if value == b'"stop"' and has_tools:
        return b'"tool_calls"'  # I9
    return value


def _place(fragment: dict[str, bytes], ids: list[str], places: dict[int, int]) -> int:
    """Our index for the fragment: an open call's, or len(ids) for one that begins (I7, I8).

    A call begins with an index not seen before, or with another id under the same index: some upstreams number
    every parallel call 0. Without an index, a new id or a name begins one; what has neither goes on.
    """
    call_id = lossless.text_of(fragment.get("id"))
    has_name = _has_name(fragment)
    index = integer_of(fragment.get("index"))
    if call_id and call_id in ids:
        return ids.index(call_id)
    known = places.get(index) if index is not None else None
    if known is not None and not (call_id and has_name):
        return known
    if ids and not call_id and not has_name:
        return len(ids) - 1
    if index is not None:
        places[index] = len(ids)
    return len(ids)


def _has_name(fragment: dict[str, bytes]) -> bool:
    function = fragment.get("function", NULL)
    return function[:1] == b"{" and bool(lossless.text_of(lossless.members(function).get("name")))


def _later_fragment(fragment: dict[str, bytes], place: int) -> bytes:
    later = identified(fragment, {"index": b"%d" % place})
    later.pop("id", None)
    later.pop("type", None)
    function = later.get("function", NULL)
    if function[:1] == b"{":
        inner = lossless.members(function)
        inner.pop("name", None)
        inner["arguments"] = arguments_text(inner.get("arguments"), absent=b'""')
        later["function"] = lossless.object_of(inner)
    elif "function" in later:
        del later["function"]
    return lossless.object_of(later)
