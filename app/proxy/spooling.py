"""
A body that waits on disk until its length is known, for an upstream that takes no chunks (contract L2, upstreams F-M4).

The file has no name, so it is gone with its last handle, whatever happens to the process. The disk is never waited for
on the event loop.
"""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import BinaryIO, NamedTuple, TypeVar

from app.domain.errors import Overloaded

_PIECE_BYTES = 256 * 1024  # handed to a thread at a time, and read back at a time
_RETRY_SECONDS = 30.0

Result = TypeVar("Result")


class Spool(NamedTuple):
    """A body on disk. *length* in bytes."""

    file: BinaryIO
    length: int

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """It from its beginning. Raises Overloaded when the disk fails."""
        await _on_disk(self.file.seek, 0)
        while piece := await _on_disk(self.file.read, _PIECE_BYTES):
            yield piece


@asynccontextmanager
async def spooled(
    pieces: AsyncIterator[bytes], new_file: Callable[[], BinaryIO] = tempfile.TemporaryFile
) -> AsyncGenerator[Spool, None]:
    """All of *pieces* is on disk, until the block ends. They bound its size, and are closed. Raises what they raise,
    and Overloaded when there is no room for it."""
    file = await _on_disk(new_file)
    try:
        yield Spool(file, await _written(pieces, file))
    finally:
        await asyncio.shield(asyncio.to_thread(file.close))  # to give its blocks back takes a while


async def _written(pieces: AsyncIterator[bytes], file: BinaryIO) -> int:
    length, waiting, waiting_bytes = 0, list[bytes](), 0
    try:
        async for piece in pieces:
            waiting.append(piece)
            waiting_bytes += len(piece)
            if waiting_bytes >= _PIECE_BYTES:
                await _on_disk(file.writelines, waiting)
                length, waiting, waiting_bytes = length + waiting_bytes, [], 0
    finally:
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()
    await _on_disk(file.writelines, waiting)
    return length + waiting_bytes


async def _on_disk(work: Callable[..., Result], *args: object) -> Result:
    """What *work* returns, done in a thread. A thread cannot be stopped: who is cancelled meanwhile waits for it, so
    that nobody closes the file under its hands."""
    done = asyncio.ensure_future(asyncio.to_thread(work, *args))
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        await asyncio.wait((done,))
        raise
    except OSError as error:
        raise Overloaded(
            "The gateway has no room at the moment to hold an upload whose length is not told. "
            "Send it with a Content-Length, or try again later.",
            retry_after_seconds=_RETRY_SECONDS,
        ) from error
