"""
Logs: one line for each exchange, and one for each event of the gateway's own life. Never content, never a key.

Every line takes the same way out, so that their order holds. What stands in an exchange's line is `exchange_line`'s
affair.
"""

import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from time import time as system_seconds  # noqa: TID251 a line's time is wall time
from types import TracebackType
from typing import Self, TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

from app.domain.exchange import Exchange
from app.telemetry.exchange_line import exchange_line, json_line
from app.telemetry.line_writer import LineWriter, Sink, sink_of

_MILLISECOND = 0.001


class Log:
    """The gateway's log. Lines are written at once; by a thread of its own from `start` to `close`, as in a `with`
    block: then nobody who logs waits for the reader, and what it does not take in time is dropped and counted."""

    def __init__(
        self, writer: LineWriter, events: FilteringBoundLogger, timestamp: Callable[[], str] | None
    ) -> None:
        """*timestamp*: of an exchange's line in JSON; None where *events* writes that line too, for a person."""
        self._writer = writer
        self._events = events
        self._timestamp = timestamp

    @property
    def dropped_lines(self) -> int:
        """Lines that were not written, since the beginning."""
        return self._writer.dropped_lines

    def exchange(self, exchange: Exchange, now: float) -> None:
        """*exchange* is over at *now*, on the clock of its own times."""
        if self._timestamp is None:
            self._events.info("exchange", **exchange_line(exchange, now))
        else:
            self._writer.write(json_line(exchange, now, self._timestamp()))

    def warning(self, event: str, **fields: object) -> None:
        """*event* happened, and a person may have to look at it."""
        self._events.warning(event, **fields)

    def exception(self, event: str, **fields: object) -> None:
        """*event* happened: the error that is being handled, with its traceback."""
        self._events.error(event, exc_info=True, **fields)

    def start(self) -> None:
        """From now on a thread writes."""
        self._writer.start(on_recovery=self._say_dropped)

    def flush(self) -> None:
        """Every line so far is written, or its reader does not read. Blocks: for a stop, and for tests."""
        self._writer.flush()

    def close(self) -> None:
        """Every line is written, or its reader does not read, and the thread has ended. Lines may still follow."""
        self._writer.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _say_dropped(self, lines: int) -> None:
        self.warning("log lines dropped", lines=lines)


def make_log(
    style: str,
    stream: TextIO | None = None,
    *,
    wall_seconds: Callable[[], float] = system_seconds,
) -> Log:
    """A log that writes to *stream* (standard error): `json`, `console`, or `auto`, console on a terminal."""
    out = stream or sys.stderr
    is_console = style == "console" or (style == "auto" and out.isatty())
    writer, timestamp = LineWriter(sink_of(out)), _Timestamp(wall_seconds)
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=out.isatty())
        if is_console
        else structlog.processors.JSONRenderer(separators=(",", ":"))
    )

    def add_timestamp(_: object, __: str, event: EventDict) -> EventDict:
        event["timestamp"] = timestamp()
        return event

    events: FilteringBoundLogger = structlog.wrap_logger(
        _Rendered(writer.write),
        processors=[
            structlog.processors.add_log_level,
            add_timestamp,
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    return Log(writer, events, None if is_console else timestamp)


class _Rendered:
    """Where structlog hands its lines to, under the names of their levels."""

    def __init__(self, write: Sink) -> None:
        self._write = write

    def info(self, line: str) -> None:
        """*line* goes the way of all lines."""
        self._write(f"{line}\n")

    warning = error = info


class _Timestamp:
    """The wall time as text: UTC, to the millisecond. Lines of one millisecond share it: 0.1 µs each, where each its
    own takes 1."""

    def __init__(self, wall_seconds: Callable[[], float]) -> None:
        self._wall_seconds = wall_seconds
        self._seconds = 0.0
        self._text = ""

    def __call__(self) -> str:
        seconds = self._wall_seconds()
        if not 0.0 <= seconds - self._seconds < _MILLISECOND:  # a clock may be set back
            self._seconds = seconds // _MILLISECOND * _MILLISECOND
            time = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
            self._text = f"{time.isoformat(timespec='milliseconds')}Z"
        return self._text
