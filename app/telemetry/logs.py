"""
Logs: one line for each exchange, and one for each event of the gateway's own life. Never content, never a key.

Every line takes the same way out, so that their order holds. What stands in an exchange's line is `exchange_line`'s
affair.
"""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from time import time as system_seconds  # noqa: TID251 a line's time is wall time
from traceback import format_exc
from types import TracebackType
from typing import Protocol, Self, TextIO

import msgspec

from app.domain.exchange import Exchange
from app.telemetry.exchange_line import exchange_line, json_line
from app.telemetry.line_writer import LineWriter, Sink, sink_of


class Events(Protocol):
    """Renders events in one style."""

    def info(self, event: str, **fields: object) -> object:
        """*event* happened."""
        ...

    def warning(self, event: str, **fields: object) -> object:
        """*event* happened, and a person may have to look at it."""
        ...

    def exception(self, event: str, **fields: object) -> object:
        """*event* happened: the error that is being handled, with its traceback."""
        ...


class Log:
    """The gateway's log. Lines are written at once; by a thread of its own from `start` to `close`, as in a `with`
    block: then nobody who logs waits for the reader, and what it does not take in time is dropped and counted."""

    def __init__(
        self, writer: LineWriter, events: Events, timestamp: Callable[[], str] | None
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
        self._events.exception(event, **fields)

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
    writer, timestamp = LineWriter(sink_of(out)), _Timestamp(wall_seconds)
    if style == "console" or (style == "auto" and out.isatty()):
        from app.telemetry.console import console_events  # noqa: PLC0415 for people alone, and it starts slowly

        return Log(writer, console_events(writer.write, timestamp, colors=out.isatty()), None)
    return Log(writer, _JsonEvents(writer.write, timestamp), timestamp)


class _JsonEvents:
    """Events as lines of JSON, in the order of an exchange's line: what is told first, then which event it is."""

    def __init__(self, write: Sink, timestamp: Callable[[], str]) -> None:
        self._write = write
        self._timestamp = timestamp

    def info(self, event: str, **fields: object) -> None:
        """*event* happened."""
        self._line("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """*event* happened, and a person may have to look at it."""
        self._line("warning", event, fields)

    def exception(self, event: str, **fields: object) -> None:
        """*event* happened: the error that is being handled, with its traceback."""
        self._line("error", event, fields, exception=format_exc().rstrip("\n"))

    def _line(self, level: str, event: str, fields: dict[str, object], **last: object) -> None:
        told = fields | {"event": event, "level": level, "timestamp": self._timestamp()} | last
        self._write(f"{msgspec.json.encode(told, enc_hook=str).decode()}\n")


class _Timestamp:
    """The wall time as text: UTC, to the millisecond. What lines of one moment share is worked out once."""

    def __init__(self, wall_seconds: Callable[[], float]) -> None:
        self._wall_seconds = wall_seconds
        self._millisecond = self._second = -1
        self._to_the_second = self._text = ""

    def __call__(self) -> str:
        millisecond = int(self._wall_seconds() * 1000)
        if millisecond != self._millisecond:  # a clock may be set back, too
            self._millisecond = millisecond
            second, rest = divmod(millisecond, 1000)
            if second != self._second:
                self._second = second
                at = datetime.fromtimestamp(second, UTC)
                self._to_the_second = at.strftime("%Y-%m-%dT%H:%M:%S")
            self._text = f"{self._to_the_second}.{str(rest).zfill(3)}Z"
        return self._text
