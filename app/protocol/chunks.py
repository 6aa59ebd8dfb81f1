"""
Chat chunks as they must leave, and what a stream has said so far.

A chunk is *canonical* when every client can read it as it stands after all chunks before it (upstreams S2,
contract I1 to I10, I14). Finding that out is one decode into the few fields named here; nothing else of a
chunk is looked at. Anything else goes to `chunk_repair`, whose result is held to the same measure: what
leaves is canonical, or the stream fails.
"""

from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec import UNSET, Raw

from app.domain.usage import Usage
from app.protocol import lossless
from app.protocol.chunk_members import CHUNK, Choice, Chunk, Delta, ToolFragment
from app.protocol.usage import is_whole, read_counts

CHUNK_OBJECT: Final = "chat.completion.chunk"
# More than any model gives; each costs memory for as long as the stream is open.
MOST_CHOICES: Final = 256
MOST_TOOL_CALLS: Final = 256

_NULL: Final = Raw(lossless.NULL)


def read_chunk(data: bytes) -> Chunk | None:
    """The chunk; None when *data* is not one in all its fields, or no JSON."""
    try:
        return CHUNK.decode(data)
    except msgspec.ValidationError:
        return None
    except lossless.UNREADABLE:
        pass
    stand_ins = lossless.without_lone_surrogates(data)
    if stand_ins is None:
        return None
    try:
        return CHUNK.decode(stand_ins.text)
    except lossless.UNREADABLE:
        return None


def usable_choices(found: dict[str, bytes]) -> list[bytes] | None:
    """The choices of a chunk with these members, when each is an object; None when there are none to use.

    Source: upstreams S5. Raises NotJson.
    """
    value = found.get("choices", lossless.NULL)
    if value[:1] != b"[":
        return None
    choices = lossless.elements(value)
    return choices if all(choice[:1] == b"{" for choice in choices) else None


@dataclass(slots=True, init=False)  # compiled, one of our own takes a fifth of the time
class ChoiceProgress:
    """What one choice has said so far.

    *tool_ids*: the id of each tool call sent, by its index. *tool_places*: the upstream's index of a call → ours.
    """

    role_sent: bool
    finish_reason: str | None
    tool_ids: list[str]
    tool_places: dict[int, int]

    def __init__(self, *, role_sent: bool = False) -> None:
        self.role_sent = role_sent
        self.finish_reason = None
        self.tool_ids = []
        self.tool_places = {}


@dataclass(slots=True, init=False)
class StreamProgress:
    """What a stream has said so far. *id*, *created*, *model*: of its first chunk; None before it.

    *usage_value*: the last whole usage seen, as it stood. *output_characters* counts text, reasoning, refusals,
    tool names and arguments; what is not text is counted by its bytes. *counted_characters*: how many had come when the
    upstream last counted.
    """

    id: str | None
    created: int | None
    model: str | None
    choices: dict[int, ChoiceProgress]
    usage: Usage | None
    usage_value: bytes | None
    finish_reason: str | None
    has_content: bool
    output_characters: int
    counted_characters: int

    def __init__(self) -> None:
        self.id = self.created = self.model = None
        self.choices = {}
        self.usage = self.usage_value = self.finish_reason = None
        self.has_content = False
        self.output_characters = self.counted_characters = 0

    def choice(self, index: int) -> ChoiceProgress:
        """The progress of that choice, begun if it is new."""
        found = self.choices.get(index)
        if found is None:
            found = self.choices[index] = ChoiceProgress()
        return found

    def unfinished(self) -> list[int]:
        """The choices that began and have no finish_reason yet."""
        return [i for i, choice in self.choices.items() if choice.finish_reason is None]

    def is_finished(self) -> bool:
        """Whether something was said and every choice of it has its finish_reason."""
        return bool(self.choices) and not self.unfinished()

    def note_usage(self, value: bytes | Raw) -> None:
        """Keep what the upstream counted; the last count stands."""
        usage, has_all = read_counts(value)
        if usage is not None:
            self.usage, self.counted_characters = usage, self.output_characters
        if has_all:
            self.usage_value = bytes(value)


def note_if_plain(chunk: Chunk, said: StreamProgress) -> bool:
    """Whether the chunk begins, goes on or ends its one choice without tool calls, and is canonical; noted if so.

    Most chunks are like this, and it takes a fifth of the time of `is_late`, `may_leave` and
    `note`, which need not be asked then. None of them is asked here either: each call is paid by every chunk.
    """
    choices = chunk.choices
    if (
        len(choices) != 1
        or chunk.object != CHUNK_OBJECT
        or not chunk.model
        or chunk.error is not UNSET
        or (chunk.usage is not UNSET and chunk.usage != _NULL)
    ):
        return False
    choice = choices[0]
    delta, reason = choice.delta, choice.finish_reason
    if delta.tool_calls or choice.message is not UNSET or reason in ("", "error"):
        return False
    known = said.choices.get(choice.index)
    if known is None:
        if not _begins_plainly(chunk, choice, said):
            return False
        known = said.choices[choice.index] = ChoiceProgress(role_sent=True)
    elif (
        chunk.id != said.id
        or delta.role is not None
        or not known.role_sent
        or known.finish_reason is not None
        or (reason is not None and known.tool_ids)
    ):
        return False
    if reason is not None:
        known.finish_reason = said.finish_reason = reason
    if delta.content:
        said.has_content = True
        said.output_characters += len(delta.content)
    if not (delta.reasoning_content is delta.reasoning is delta.refusal is UNSET):
        _note_raw_text(delta, said)
    return True


def _begins_plainly(chunk: Chunk, choice: Choice, said: StreamProgress) -> bool:
    """Whether the canonical chunk may begin its choice; the stream's identity is its own then, if it had none."""
    if choice.delta.role != "assistant" or not 0 <= choice.index < MOST_CHOICES:
        return False
    if said.id is None and chunk.id:
        said.id, said.created, said.model = chunk.id, chunk.created, chunk.model
    return chunk.id == said.id


def may_leave(chunk: Chunk, said: StreamProgress, *, include_usage: bool) -> bool:
    """Whether the upstream's chunk may leave as it stands, after what was *said*. Changes nothing."""
    is_good = is_canonical(chunk, said, include_usage=include_usage)
    return is_good and not _is_numbered_otherwise(chunk, said)


def is_canonical(chunk: Chunk, said: StreamProgress, *, include_usage: bool) -> bool:
    """Whether clients can read the chunk after what was *said*, whatever index the upstream gave its tool calls."""
    return (
        chunk.object == CHUNK_OBJECT
        and chunk.error is UNSET
        and (chunk.id == said.id if said.id is not None else bool(chunk.id))
        and bool(chunk.model)
        and _has_lawful_usage(chunk, include_usage=include_usage)
        and all(_is_canonical_choice(choice, said) for choice in chunk.choices)
    )


def _has_lawful_usage(chunk: Chunk, *, include_usage: bool) -> bool:
    # I10: who asked gets the usage in a chunk of its own and null elsewhere. To who did not ask, a whole one
    # on a chunk with choices is an extension like any other (vLLM's continuous usage) and stays.
    if chunk.usage is UNSET:
        return bool(chunk.choices)
    if chunk.usage == _NULL:
        return bool(chunk.choices)
    return is_whole(chunk.usage) and include_usage == (not chunk.choices)


def _is_canonical_choice(choice: Choice, said: StreamProgress) -> bool:
    known = said.choices.get(choice.index)
    delta = choice.delta
    if choice.message is not UNSET or not 0 <= choice.index < MOST_CHOICES:
        return False
    if known is None or not known.role_sent:
        if delta.role != "assistant":
            return False
    elif delta.role is not None:
        return False
    tools_sent = len(known.tool_ids) if known is not None else 0
    if delta.tool_calls:
        known_ids = known.tool_ids if known is not None else []
        if not _are_canonical_tools(delta.tool_calls, known_ids):
            return False
        tools_sent += 1  # more or less: only "some" matters below
    return _is_canonical_finish(choice.finish_reason, known, has_tools=tools_sent > 0)


def _is_canonical_finish(
    reason: str | None, known: ChoiceProgress | None, *, has_tools: bool
) -> bool:
    if reason is None:
        return True
    if reason in ("", "error") or (known is not None and known.finish_reason is not None):
        return False
    return not (has_tools and reason == "stop")  # I9


def _are_canonical_tools(fragments: list[ToolFragment], known_ids: list[str]) -> bool:
    count = len(known_ids)
    for fragment in fragments:
        if fragment.index == count < MOST_TOOL_CALLS:
            if not _is_canonical_first(fragment):
                return False
            count += 1
        elif not 0 <= fragment.index < count or not _is_canonical_later(fragment):
            return False
    return True


def _is_canonical_first(fragment: ToolFragment) -> bool:
    if not fragment.id or not fragment.type:
        return False
    if fragment.function is UNSET:
        return fragment.type != "function"  # a custom tool
    function = fragment.function
    return (
        fragment.type == "function" and bool(function.name) and isinstance(function.arguments, str)
    )


def _is_canonical_later(fragment: ToolFragment) -> bool:
    # null is as good as absent here: no client joins it to anything (contract I7)
    if fragment.id is not None or fragment.type is not None:
        return False
    if fragment.function is UNSET:
        return True
    return fragment.function.name is None and fragment.function.arguments is not None


def _is_numbered_otherwise(chunk: Chunk, said: StreamProgress) -> bool:
    """Whether the upstream's chunk carries an index whose tool call has another one here (contract I7, I8).

    It may look canonical, and would then go on with the wrong call.
    """
    for choice in chunk.choices:
        if not choice.delta.tool_calls:
            continue
        known = said.choices.get(choice.index)
        places = known.tool_places if known is not None else {}
        for fragment in choice.delta.tool_calls:
            if places.get(fragment.index, fragment.index) != fragment.index:
                return True
    return False


def is_late(chunk: Chunk, said: StreamProgress) -> bool:
    """Whether the chunk says more of choices that all had their finish_reason already (contract I4, H5)."""
    for choice in chunk.choices:
        known = said.choices.get(choice.index)
        if known is None or known.finish_reason is None:
            return False
        if not choice.delta.content and not choice.delta.tool_calls:
            return False
    return bool(chunk.choices)


def note(chunk: Chunk, said: StreamProgress, *, repaired: bool) -> None:
    """Remember what a canonical chunk says. *repaired*: its tool indexes are ours, already placed."""
    if said.id is None:
        said.id, said.created, said.model = chunk.id, chunk.created, chunk.model
    for choice in chunk.choices:
        progress = said.choice(choice.index)
        progress.role_sent = True
        if choice.finish_reason is not None:
            progress.finish_reason = said.finish_reason = choice.finish_reason
        if choice.delta.content:
            said.has_content = True
            said.output_characters += len(choice.delta.content)
        _note_raw_text(choice.delta, said)
        if choice.delta.tool_calls:
            _note_tools(choice.delta.tool_calls, progress, said, repaired=repaired)
    if chunk.usage is not UNSET:
        said.note_usage(chunk.usage)  # behind what it counts


def _note_raw_text(delta: Delta, said: StreamProgress) -> None:
    for value in (delta.reasoning_content, delta.reasoning, delta.refusal):
        if value is UNSET or value == _NULL:
            continue
        text = bytes(value)
        if not lossless.is_empty_text(text):
            said.has_content = True
            said.output_characters += len(lossless.text_of(text) or text)


def _note_tools(
    fragments: list[ToolFragment],
    progress: ChoiceProgress,
    said: StreamProgress,
    *,
    repaired: bool,
) -> None:
    said.has_content = True
    for fragment in fragments:
        if fragment.index == len(progress.tool_ids):
            progress.tool_ids.append(fragment.id or "")
            if not repaired:
                progress.tool_places[fragment.index] = fragment.index
        if fragment.function is not UNSET:
            said.output_characters += len(fragment.function.name or "")
            said.output_characters += len(fragment.function.arguments or "")
        elif fragment.custom is not UNSET:
            said.output_characters += len(bytes(fragment.custom))
