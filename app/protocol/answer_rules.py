"""
What the reading of an answer needs beside its bytes: a dialect's own rules, a made-up identity, and the words
for what can go wrong.

Data first: a dialect that answers like OpenAI is `OPENAI_RULES`. What a row cannot say is a per-stream filter
or a pure function, which the room `upstreams` writes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple, Protocol

from app.protocol.sse import Event


class FaultReason(StrEnum):
    """Why an answer cannot go on (contract J2)."""

    ERROR_EVENT = "error_event"  # the upstream said so itself
    MALFORMED = "malformed"
    DISCONNECTED = "disconnected"


@dataclass(frozen=True, slots=True)
class StreamFault:
    """How a stream failed. *data*: the offending event's data, empty where there is none."""

    reason: FaultReason
    data: bytes = b""


class AnswerUnusable(Exception):
    """A whole answer that is none (upstreams E-C9, E-C10). *data*: its bytes."""

    def __init__(self, reason: FaultReason, data: bytes) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.data = data


class Identity(NamedTuple):
    """Stands in for what the upstream leaves out of its answer; made by the caller, once per answer."""

    id: str
    created: int
    model: str


@dataclass(frozen=True, slots=True)
class Passed:
    """One thing a filter lets go on.

    A chunk goes through the common repairs, which give it the stream's identity; *verbatim* bytes leave as they
    are and must be whole frames or comments.
    """

    data: bytes
    verbatim: bool = False


class ChunkFilter(Protocol):
    """What one stream of a dialect does before the common repairs. Made anew for each stream."""

    rewrites: (
        bool  # changes chunks: an event above the bound for rewriting is refused (reliability R16)
    )

    def chunk(self, data: bytes) -> Sequence[Passed]:
        """What becomes of an event with usable choices. May raise NotJson."""
        ...

    def extension(self, event: Event) -> Sequence[Passed] | None:
        """What becomes of an event without (upstreams S5); None drops it and has it counted."""
        ...

    def lacks_answer(self) -> bool:
        """Whether a clean end now would be an answer without an answer (upstreams M-S7)."""
        ...


@dataclass(frozen=True, slots=True)
class AnswerRules:
    """What a dialect's answers need beyond the common repairs.

    *answer_filter* takes a whole answer's bytes and gives those the common repairs see; it raises
    AnswerUnusable. *missing_finish*: what a clean end after text without `finish_reason` is (upstreams M-S6).
    *text_events*: an event with a name may hold plain text, which is no failure (upstreams K1).
    """

    chunk_filter: Callable[[], ChunkFilter] | None = None
    answer_filter: Callable[[bytes], bytes] | None = None
    missing_finish: Literal["accept", "error"] = "error"
    text_events: bool = False


OPENAI_RULES = AnswerRules()
