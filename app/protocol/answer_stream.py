"""
A whole answer as a stream, for a client that asked for one (upstreams S8, 5.3; contract H13).

Without it both official SDKs show an empty answer and no error. The answer must already be in order
(`chat_answer.read_answer`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from app.protocol import lossless
from app.protocol.answer_rules import Identity
from app.protocol.chunks import CHUNK_OBJECT
from app.protocol.content import identified, integer_of
from app.protocol.lossless import NULL
from app.protocol.sse import DONE, frame
from app.protocol.usage import is_whole

PIECE_BYTES: Final = 64 * 1024

_BOM: Final = b"\xef\xbb\xbf"
_BLANKS: Final = b" \t\r\n"
_HIGH_HALF: Final = re.compile(rb"\\u[dD][89abAB]")
_LOW_HALF: Final = re.compile(rb"\\u[dD][c-fC-F]")
_TEXTS: Final = ("reasoning_content", "reasoning", "content", "refusal")
_NOT_STREAMED: Final = (*_TEXTS, "role", "tool_calls")
_EMPTY: Final = (NULL, b"[]", b"{}", b'""')
_NOT_REPEATED: Final = ("id", "object", "created", "model", "choices", "usage")


def is_event_stream(content_type: str, first_bytes: bytes) -> bool:
    """Whether a body is SSE: its content type says so, or is neither SSE nor JSON and the first byte does.

    Source: upstreams S8, S9. Nothing at all, JSON and HTML are no event stream.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == "text/event-stream":
        return True
    if media_type == "application/json" or media_type.endswith(("+json", "/html")):
        return False
    first = first_bytes.removeprefix(_BOM).lstrip(_BLANKS)[:1]
    return first == b":" or first.isalpha()


def stream_of_answer(
    answer: bytes, *, include_usage: bool, identity: Identity, said_id: str | None = None
) -> Iterator[bytes]:
    """The frames of a `chat.completion`, `[DONE]` last. *said_id*: one that a no-op has sent already (contract I1).

    Each choice has its own chunks: role, tool calls whole, texts in pieces of 64 KiB at most (contract H12), finish.
    Members of the answer nobody here knows stand on each chunk. Raises NotJson for an answer not in order.
    """
    found = lossless.members(answer)
    if said_id is not None:
        found["id"] = lossless.literal(said_id)
    writer = _ChunkWriter.of(found, identity)
    for choice in lossless.elements(found.get("choices", b"[]")):
        yield from _frames_of_choice(lossless.members(choice), writer)
    usage = found.get("usage", NULL)
    if include_usage and is_whole(usage):
        yield writer.frame(b"[]", usage=usage)
    yield DONE


@dataclass(frozen=True, slots=True)
class _ChunkWriter:
    """What stands before and behind the choices of each chunk."""

    head: dict[str, bytes]
    rest: dict[str, bytes]

    @classmethod
    def of(cls, answer: dict[str, bytes], identity: Identity) -> "_ChunkWriter":
        head = {
            "id": answer.get("id", lossless.literal(identity.id)),
            "object": lossless.literal(CHUNK_OBJECT),
            "created": answer.get("created", b"%d" % identity.created),
            "model": answer.get("model", lossless.literal(identity.model)),
        }
        rest = {name: value for name, value in answer.items() if name not in _NOT_REPEATED}
        return cls(head, rest)

    def frame(self, choices: bytes, *, usage: bytes | None = None) -> bytes:
        chunk = self.head | {"choices": choices}
        if usage is not None:
            chunk["usage"] = usage
        return frame(lossless.object_of(chunk | self.rest))

    def delta(
        self,
        index: int,
        delta: dict[str, bytes],
        finish_reason: bytes = NULL,
        beside: dict[str, bytes] | None = None,
    ) -> bytes:
        """The frame of one delta. *beside*: further members of the choice."""
        choice = {"index": b"%d" % index, "delta": lossless.object_of(delta)}
        choice |= beside or {}
        choice["finish_reason"] = finish_reason
        return self.frame(lossless.array_of([lossless.object_of(choice)]))


def _frames_of_choice(choice: dict[str, bytes], writer: _ChunkWriter) -> Iterator[bytes]:
    index = integer_of(choice.get("index")) or 0
    message = lossless.members(choice.get("message", b"{}"))
    yield writer.delta(index, {"role": b'"assistant"', "content": b'""'})
    whole = _whole_members(message)
    if whole:
        yield writer.delta(index, whole)
    for name in _TEXTS:
        text = message.get(name, NULL)
        if not lossless.is_text(text):
            continue
        for piece in pieces(text, PIECE_BYTES):
            yield writer.delta(index, {name: piece})
    beside = {
        name: value
        for name, value in choice.items()
        if name not in ("index", "message", "finish_reason") and value not in _EMPTY
    }
    yield writer.delta(index, {}, choice.get("finish_reason", b'"stop"'), beside)


def _whole_members(message: dict[str, bytes]) -> dict[str, bytes]:
    """What goes out in one delta: tool calls with their index, and what nobody here knows."""
    whole: dict[str, bytes] = {}
    tool_calls = message.get("tool_calls", NULL)
    if tool_calls not in _EMPTY:
        calls = lossless.elements(tool_calls)
        whole["tool_calls"] = lossless.array_of(
            lossless.object_of(identified(lossless.members(call), {"index": b"%d" % place}))
            for place, call in enumerate(calls)
        )
    # what nobody here knows, and a text that is none and so cannot be cut
    return whole | {
        name: value
        for name, value in message.items()
        if value not in _EMPTY
        and (name not in _NOT_STREAMED or (name in _TEXTS and not lossless.is_text(value)))
    }


def pieces(text: bytes, most: int) -> Iterator[bytes]:
    """The JSON string in pieces of *most* bytes at most, each a JSON string; none for the empty one.

    No cut falls inside a character, an escape or a surrogate pair.
    """
    inner = text[1:-1]
    start = 0
    while start < len(inner):
        end = start + most
        end = _safe_cut(inner, end) if end < len(inner) else len(inner)
        yield b'"%b"' % inner[start:end]
        start = end


def _safe_cut(inner: bytes, cut: int) -> int:
    while inner[cut] & 0xC0 == 0x80:  # inside a UTF-8 character
        cut -= 1
    escape = _escape_over(inner, cut)
    if escape is not None:
        cut = escape
    # between the halves of a pair: the high half goes along with the low one
    if _LOW_HALF.match(inner, cut) and _HIGH_HALF.match(inner, max(0, cut - 6)):
        before = cut - 6
        cut = before if _escape_over(inner, cut - 1) == before else cut
    return cut


def _escape_over(inner: bytes, cut: int) -> int | None:
    """Where the escape begins that *cut* falls into; None when it falls into none."""
    last = inner.rfind(b"\\", max(0, cut - 5), cut)
    if last < 0:
        return None
    first = last
    while first > 0 and inner[first - 1] == 0x5C:
        first -= 1
    if (last - first) % 2:  # an even run of backslashes is whole escapes
        return None
    length = 6 if inner[last + 1 : last + 2] == b"u" else 2
    return last if cut < last + length else None
