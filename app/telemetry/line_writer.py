"""
Lines on their way out, so that a slow reader of the log never stops the event loop.

Law: the loop only puts a line into memory; one thread writes, and what it cannot write in time is dropped and counted,
never waited for. At most `_MOST_CHARACTERS` wait.
"""

import os
import select
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final, TextIO

_MOST_CHARACTERS: Final = 4 * 1024 * 1024  # some 10,000 lines: what waits while the reader sleeps
_BATCH_LINES: Final = 256
_PAUSE_SECONDS: Final = 0.05  # between batches under load: 20 wakes a second, however many lines
_PATIENCE_SECONDS: Final = 2.0  # how long a stop waits for a reader that does not read

Sink = Callable[[str], object]


class LineWriter:
    """Writes lines in their order: at once until `start`, from then until `close` on a thread of its own.

    Everything but that thread is called from one thread, the event loop's.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        most_characters: int = _MOST_CHARACTERS,
        pause_seconds: float = _PAUSE_SECONDS,
    ) -> None:
        self._sink = sink
        self._most_characters = most_characters
        self._pause_seconds = pause_seconds
        self._lines: deque[str] = deque()
        self._worker: threading.Thread | None = None
        self._on_recovery: Callable[[int], None] = _say_nothing
        self._wake = threading.Event()
        self._progress = threading.Condition()
        # Each number has one thread that writes it, so that none needs a lock.
        self._taken_characters = self._refused_lines = 0  # the loop's
        self._done_characters = self._failed_lines = 0  # the writer's
        self._is_dropping = self._is_idle = self._is_closing = False

    @property
    def dropped_lines(self) -> int:
        """Lines that were not written, since the beginning: no room for them, or an error of the sink."""
        return self._refused_lines + self._failed_lines

    def write(self, line: str) -> None:
        """*line*, its end included, is written or counted as dropped. Never waits once started."""
        if self._worker is None:
            self._put(line, 1)
            return
        waiting = self._taken_characters - self._done_characters
        if (self._is_dropping or waiting > self._most_characters) and not self._has_room(waiting):
            self._refused_lines += 1
            return
        self._taken_characters += len(line)
        self._lines.append(line)
        if self._is_idle:
            self._is_idle = False
            self._wake.set()

    def start(self, on_recovery: Callable[[int], None]) -> None:
        """Lines are written by a thread from now on. *on_recovery* is called by `write` when lines are taken again
        after some were dropped, with the number dropped since the beginning; it may write a line itself."""
        if self._worker is None:
            self._on_recovery = on_recovery
            self._is_closing = False
            # A daemon: a reader that never reads must not keep the process from ending.
            self._worker = threading.Thread(target=self._run, name="mindgate-log", daemon=True)
            self._worker.start()

    def flush(self, timeout_seconds: float = _PATIENCE_SECONDS) -> bool:
        """True when every line taken so far is written; False when that takes longer. Blocks: for a stop, and tests."""
        if self._worker is None:
            return True
        goal = self._taken_characters
        self._wake.set()
        with self._progress:
            return self._progress.wait_for(lambda: self._done_characters >= goal, timeout_seconds)

    def close(self, timeout_seconds: float = _PATIENCE_SECONDS) -> None:
        """Every line is written and the thread has ended, and later lines are written at once again. Or the time is
        over: then what is left is lost, later lines too."""
        if self._worker is None:
            return
        is_written = self.flush(timeout_seconds)
        if is_written and self._is_dropping:
            self._has_room(0)
        self._is_closing = True
        self._wake.set()
        if is_written:
            self._worker.join(timeout_seconds)
            if not self._worker.is_alive():
                self._worker = None

    def _has_room(self, waiting: int) -> bool:
        """Once lines are dropped, none is taken before half the room is free: a slow reader is told of it once."""
        if waiting > self._most_characters // (2 if self._is_dropping else 1):
            self._is_dropping = True
            return False
        self._is_dropping = False
        self._on_recovery(self.dropped_lines)
        return True

    def _run(self) -> None:
        while not self._is_closing:
            if self._lines:
                self._write_waiting()
                self._wake.wait(self._pause_seconds)
            else:
                self._is_idle = True
                if not self._lines:  # one that came before we said so has woken nobody
                    self._wake.wait()
                self._is_idle = False
            self._wake.clear()
        self._write_waiting()

    def _write_waiting(self) -> None:
        """What waits now. What comes meanwhile waits for the next round: else each write would be of one line."""
        left = len(self._lines)
        while left > 0:
            batch = [self._lines.popleft() for _ in range(min(left, _BATCH_LINES))]
            left -= len(batch)
            text = "".join(batch)
            self._put(text, len(batch))
            with self._progress:
                self._done_characters += len(text)
                self._progress.notify_all()

    def _put(self, text: str, lines: int) -> None:
        try:
            self._sink(text)
        except (OSError, ValueError):  # nobody reads any more, a full disk, a closed stream
            self._failed_lines += lines
            self._is_dropping = True


def sink_of(stream: TextIO) -> Sink:
    """Writes text to *stream*: to its descriptor where it has one, past Python's buffer, whose lock a blocked thread
    would still hold when the interpreter ends."""
    try:
        number = stream.fileno()
    except OSError:  # text in memory has none
        return stream.write
    return partial(_write_whole, number)


def _write_whole(number: int, text: str) -> None:
    rest = memoryview(text.encode("utf-8", "backslashreplace"))
    while rest:
        try:
            written = os.write(number, rest)
            rest = rest[written:]
        except BlockingIOError:  # somebody who shares the terminal made it so
            select.select((), (number,), ())


def _say_nothing(_: int) -> None:
    """What is told of dropped lines before anybody asked to be."""
