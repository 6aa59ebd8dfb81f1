"""The log for a person at a terminal: structlog's console style."""

import logging
from collections.abc import Callable

import structlog
from structlog.typing import EventDict, FilteringBoundLogger

from app.telemetry.line_writer import Sink


def console_events(
    write: Sink, timestamp: Callable[[], str], *, colors: bool
) -> FilteringBoundLogger:
    """Renders events, an exchange's among them, and hands each line to *write*."""

    def add_timestamp(_: object, __: str, event: EventDict) -> EventDict:
        event["timestamp"] = timestamp()
        return event

    events: FilteringBoundLogger = structlog.wrap_logger(
        _Rendered(write),
        processors=[
            structlog.processors.add_log_level,
            add_timestamp,
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=colors),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    return events


class _Rendered:
    """Where structlog hands its lines to, under the names of their levels."""

    def __init__(self, write: Sink) -> None:
        self._write = write

    def info(self, line: str) -> None:
        """*line* goes the way of all lines."""
        self._write(f"{line}\n")

    warning = error = exception = info
