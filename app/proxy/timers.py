"""A timer that ends what runs under it with an error of its own, never with a bare TimeoutError."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


@asynccontextmanager
async def ended_by(timer: asyncio.Timeout, error: Callable[[], Exception]) -> AsyncIterator[None]:
    """What runs inside is cancelled when *timer* expires, and *error* is raised in its place.

    A TimeoutError from inside, which is somebody else's, passes.
    """
    try:
        async with timer:
            yield
    except TimeoutError:
        if not timer.expired():
            raise
        raise error() from None
