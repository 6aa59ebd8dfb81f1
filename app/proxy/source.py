"""An upstream's body as the relay reads it: unpacked, and never waited for longer than the
deadlines allow (reliability R5).
"""

from collections.abc import Callable

from app.protocol.headers import header
from app.proxy.attempts import Answer
from app.upstreams.bodies import BodyTooLarge, Opener, too_large

_UNBOUNDED = 1 << 40  # a stream is bounded by event and by time, not in all


class Source:
    """Reads one answer. *limit*: the largest body in bytes; None for a stream."""

    def __init__(self, answer: Answer, now: Callable[[], float], *, limit: int | None) -> None:
        self._answer = answer
        self._now = now
        self._limit = limit
        self._opener = Opener(answer.response, limit=limit or _UNBOUNDED, name=answer.upstream.name)
        self._has_begun = False  # True from the first event on
        self._waiting_since: float | None = None  # for the piece to come; None while nobody waits

    @property
    def content_type(self) -> str:
        """The answer's content type as it came, "" when it has none."""
        return header(self._answer.response.headers, b"content-type") or ""

    def first_event_seen(self) -> None:
        """The first-byte deadline is met; from now on the idle one counts."""
        self._has_begun = True

    async def next(self, patience_seconds: float) -> bytes | None:
        """The next bytes; b"" at the clean end; None when *patience_seconds* passed without any.

        Raises UpstreamTimeout (first_byte, idle), UpstreamDisconnected, UpstreamMalformed.
        """
        limits = self._answer.deadlines
        if self._waiting_since is None:
            # Not since the last piece: while the client was slow nothing was read, and nobody was silent (R4).
            self._waiting_since = self._now()
        idle_at = self._waiting_since + limits.idle_seconds
        remaining = (idle_at if self._has_begun else limits.first_byte_at) - self._now()
        piece = await self._answer.response.read(min(patience_seconds, remaining))
        if piece is None:
            if remaining <= patience_seconds:
                raise limits.idle_passed() if self._has_begun else limits.first_byte_passed()
            return None
        self._waiting_since = None
        return self._opened(piece) if piece else piece

    async def rest(self, first: bytes) -> bytes:
        """*first* and all that follows it, whole. Raises what `next` raises, and UpstreamMalformed above the limit."""
        pieces = [first]
        while piece := await self.wait():
            pieces.append(piece)
        return b"".join(pieces)

    async def wait(self) -> bytes:
        """`next` without a patience of its own: the first bytes of a whole answer count as its first event."""
        while True:
            piece = await self.next(float("inf"))
            if piece is not None:
                self.first_event_seen()
                return piece

    def _opened(self, piece: bytes) -> bytes | None:
        try:
            return self._opener.open(piece) or None  # a packed piece may hold nothing yet
        except BodyTooLarge:
            raise too_large(self._answer.upstream.name, self._limit or 0) from None
