"""Work on a large body, done where it does not hold up other streams (contract D9, reliability R24)."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

LARGE_BYTES = 256 * 1024  # below it the work takes less than handing it over

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


async def off_loop(
    size_bytes: int,
    work: Callable[Parameters, Result],
    *args: Parameters.args,
    **kwargs: Parameters.kwargs,
) -> Result:
    """What *work* returns or raises; in a thread when *size_bytes*, what it goes over, is large."""
    if size_bytes > LARGE_BYTES:
        return await asyncio.to_thread(work, *args, **kwargs)
    return work(*args, **kwargs)
