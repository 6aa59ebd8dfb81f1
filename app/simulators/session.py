"""What a simulated upstream says over a websocket: messages in, messages out, without I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Close:
    """The closing handshake, begun from our side."""

    code: int
    reason: str = ""


Say = str | Close  # a text message, or the end


class Session(Protocol):
    """One talk. Instants are seconds of a clock that only goes forward."""

    def greet(self) -> Sequence[Say]:
        """What is said first."""
        ...

    def hear(self, message: str | bytes, at_seconds: float) -> Sequence[Say]:
        """What is said to a message."""
        ...

    def farewell(self) -> Sequence[str]:
        """What is still said when the peer closes."""
        ...
