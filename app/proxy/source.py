"""
An upstream's body as the relay reads it piece by piece: unpacked, and never waited for longer than the deadlines
allow (reliability R5). A stream that has begun is not read but poured: `live_stream`.
"""

from collections.abc import Callable
from typing import Final

from app.proxy.attempts import Answer
from app.upstreams.bodies import Opener

_UNBOUNDED: Final = 1 << 40  # a stream is bounded by event and by time, not in all


class Source:
    """Reads one answer. *limit*: the largest body in bytes; None for a stream. *opener*: what unpacks it."""

    __slots__ = ("_answer", "_has_begun", "_now", "_waiting_since", "opener")

    def __init__(self, answer: Answer, now: Callable[[], float], *, limit: int | None) -> None:
        self.opener = Opener(answer.coding, limit=limit or _UNBOUNDED, name=answer.upstream.name)
        self._answer = answer
        self._now = now
        self._has_begun = False  # True from the first event on
        self._waiting_since: float | None = None  # for the piece to come; None while nobody waits

    def first_event_seen(self) -> None:
        """The first-byte deadline is met; from now on the idle one counts."""
        self._has_begun = True

    async def next(self, patience_seconds: float) -> bytes | None:
        """The next bytes; b"" at the clean end; None when *patience_seconds* passed without any.

        Raises UpstreamTimeout (first_byte, idle), UpstreamDisconnected, UpstreamMalformed.
        """
        limits = self._answer.deadlines
        now = self._now()
        if self._waiting_since is None:
            # Not since the last piece: while the client was slow nothing was read, and nobody was silent (R4).
            self._waiting_since = now
        idle_at = self._waiting_since + limits.idle_seconds
        remaining = (idle_at if self._has_begun else limits.first_byte_at) - now
        piece = await self._answer.response.read(min(patience_seconds, remaining))
        if piece is None:
            if remaining <= patience_seconds:
                raise limits.idle_passed() if self._has_begun else limits.first_byte_passed()
            return None
        self._waiting_since = None
        if piece:
            return self.opener.open(piece) or None  # a packed piece may hold nothing yet
        return piece

    async def rest(self, first: bytes) -> bytes:
        """*first* and all that follows it, whole. Raises what `next` raises, and UpstreamMalformed above the limit."""
        piece = await self.wait()
        if not piece:
            return first
        pieces = [first, piece]
        while piece := await self.wait():
            pieces.append(piece)
        return b"".join(pieces)

    async def wait(self) -> bytes:
        """`next` without a patience of its own: the first bytes of a whole answer count as its first event."""
        while True:
            piece = await self.next(float("inf"))
            if piece is not None:
                self._has_begun = True
                return piece
