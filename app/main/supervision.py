"""
What runs beside the exchanges goes on: an error that nobody foresaw is told, and the work is begun again.

Without this one such error would end the whole lifetime, and the senders with it, under a server that still accepts.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from time import monotonic
from typing import Any, Protocol

AGAIN_SECONDS = 1.0
_SILENT_SECONDS = 60.0  # between two lines about the same error


class ErrorLog(Protocol):
    """Says in the log what happened."""

    def exception(self, event: str, **fields: object) -> object:
        """*event* happened: the error that is being handled, with its traceback."""

    def warning(self, event: str, **fields: object) -> object:
        """*event* happened, and a person may have to look at it."""


async def run_for_ever(
    name: str,
    run: Callable[[], Coroutine[None, None, None]],
    log: ErrorLog,
    *,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    now: Callable[[], float] = monotonic,
) -> None:
    """*run* runs until this is cancelled: a second after it ended or failed, it is begun again. The same error is told
    once a minute."""
    told, told_at = "", 0.0
    while True:
        try:
            await run()
        except Exception as error:
            if repr(error) != told or now() - told_at >= _SILENT_SECONDS:
                told, told_at = repr(error), now()
                log.exception("background work failed; it is begun again", work=name)
        await sleep(AGAIN_SECONDS)


def loop_errors(log: ErrorLog) -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]:
    """An event loop's exception handler: what nobody caught stands in the log as every other event does."""

    def told(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        message = str(context.get("message", ""))
        error = context.get("exception")
        if not isinstance(error, BaseException):
            log.warning("event loop", detail=message)
            return
        try:
            raise error
        except BaseException:
            log.exception("nobody caught an error", detail=message)

    return told
