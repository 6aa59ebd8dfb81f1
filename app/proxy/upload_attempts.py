"""
Attempts of which the first-byte deadline counts from the end of the upload (reliability R5): until then it is the
client that takes long, which whoever reads its body bounds; an upstream that stops reading is bounded by its sender.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection
from contextlib import aclosing
from dataclasses import replace

from app.domain.exchange import Exchange
from app.proxy.attempts import Answer, Attempts
from app.upstreams.client import UpstreamRequest
from app.upstreams.deadlines import Deadlines
from app.upstreams.upstream import Upstream
from app.wire.requests import Upload

_BEHIND_SECONDS = 1.0  # the total deadline, so that it is that one which passes


class UploadAttempts:
    """Sends what *attempts* sends. *now*: the monotonic clock of deadlines."""

    def __init__(self, attempts: Attempts, now: Callable[[], float]) -> None:
        self._attempts = attempts
        self._now = now

    async def send(
        self,
        upstream: Upstream,
        request: UpstreamRequest,
        limits: Deadlines,
        exchange: Exchange,
        *,
        capability: str,
        statuses: Collection[int] | None,
    ) -> Answer:
        """See `Attempts.send`. Raises that, and UpstreamTimeout of the phase first_byte when *limits* allow that many
        seconds behind the end of an upload, and no answer came."""
        upload, send = request.body, self._attempts.send
        if isinstance(upload, bytes):
            return await send(
                upstream, request, limits, exchange, capability=capability, statuses=statuses
            )
        patience = asyncio.timeout(None)
        pieces = _timed(upload.pieces, patience, limits.first_byte_seconds)
        request.body = Upload(pieces, upload.length)
        lax = replace(limits, first_byte_at=limits.total_at + _BEHIND_SECONDS)
        try:
            async with patience, aclosing(pieces):
                answer = await send(
                    upstream, request, lax, exchange, capability=capability, statuses=statuses
                )
        except TimeoutError:
            if not patience.expired():
                raise
            raise limits.first_byte_passed() from None
        answer.deadlines = replace(limits, first_byte_at=self._now() + limits.idle_seconds)
        return answer


async def _timed(
    pieces: AsyncIterator[bytes], patience: asyncio.Timeout, seconds: float
) -> AsyncGenerator[bytes, None]:
    """*pieces*; when all have been taken, or no more will be, *patience* lasts that many *seconds* more."""
    try:
        async for piece in pieces:
            yield piece
    finally:
        if not patience.expired():
            patience.reschedule(asyncio.get_running_loop().time() + seconds)
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()
