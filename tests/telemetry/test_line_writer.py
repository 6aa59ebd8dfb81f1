"""Lines leave in order, off the caller's thread, and a reader that does not read stops nobody."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.telemetry.line_writer import LineWriter, sink_of

NEVER_SECONDS = 3600.0  # a pause that ends only when somebody asks
SOON_SECONDS = 20.0


class Reader:
    """A sink that can be held up, and that can be waited for."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.threads: set[int] = set()
        self.error: OSError | None = None
        self.is_asked = threading.Event()
        self._may_go = threading.Event()
        self._may_go.set()

    def __call__(self, text: str) -> None:
        self.is_asked.set()
        assert self._may_go.wait(SOON_SECONDS)
        self.threads.add(threading.get_ident())
        if self.error is not None:
            raise self.error
        self.texts.append(text)

    def hold(self) -> None:
        self._may_go.clear()

    def release(self) -> None:
        self._may_go.set()

    @property
    def lines(self) -> list[str]:
        return "".join(self.texts).splitlines()


class Told:
    """What is said of dropped lines, as a line of its own."""

    def __init__(self, writer: LineWriter) -> None:
        self.numbers: list[int] = []
        self._writer = writer

    def __call__(self, lines: int) -> None:
        self.numbers.append(lines)
        self._writer.write(f"dropped {lines}\n")


@contextmanager
def started(reader: Reader, **options) -> Iterator[tuple[LineWriter, Told]]:
    writer = LineWriter(reader, **options)
    told = Told(writer)
    writer.start(told)
    try:
        yield writer, told
    finally:
        reader.release()
        writer.close()


def hold_up(writer: LineWriter, reader: Reader, line: str = "first\n") -> None:
    """The thread is busy with *line*, and nothing else is taken."""
    reader.hold()
    writer.write(line)
    assert reader.is_asked.wait(SOON_SECONDS)


def test_a_line_is_written_at_once_before_the_start_and_after_the_end():
    reader = Reader()
    writer = LineWriter(reader)

    writer.write("before\n")
    assert reader.lines == ["before"]
    writer.start(print)
    writer.close()
    writer.write("after\n")

    assert reader.lines == ["before", "after"]
    assert reader.threads == {threading.get_ident()}


def test_a_line_after_silence_is_written_without_being_asked_for():
    reader = Reader()
    with started(reader, pause_seconds=NEVER_SECONDS) as (writer, _):
        writer.write("now\n")

        assert reader.is_asked.wait(SOON_SECONDS)


def test_every_line_leaves_in_its_order_on_one_other_thread():
    reader = Reader()
    with started(reader, pause_seconds=0.001) as (writer, _):
        for number in range(20_000):
            writer.write(f"{number}\n")
        assert writer.flush(SOON_SECONDS)

        assert [str(number) for number in range(20_000)] == reader.lines
        assert len(reader.threads - {threading.get_ident()}) == 1
        assert threading.get_ident() not in reader.threads


def test_lines_that_come_while_others_are_written_leave_together():
    reader = Reader()
    with started(reader) as (writer, _):
        hold_up(writer, reader, "first\n")
        for number in range(100):
            writer.write(f"{number}\n")
        reader.release()
        assert writer.flush(SOON_SECONDS)

        assert ["first\n", "".join(f"{number}\n" for number in range(100))] == reader.texts


def test_whoever_writes_does_not_wait_for_a_reader_that_does_not_read():
    reader = Reader()
    with started(reader) as (writer, _):
        hold_up(writer, reader)
        for number in range(1000):
            writer.write(f"{number}\n")

        assert reader.lines == []
        assert not writer.flush(timeout_seconds=0.01)
        reader.release()
        assert writer.flush(SOON_SECONDS)
        assert len(reader.lines) == 1001
        assert writer.dropped_lines == 0


def test_what_does_not_fit_is_dropped_and_counted_and_said_once():
    reader = Reader()
    with started(reader, most_characters=100) as (writer, told):
        hold_up(writer, reader)
        for _ in range(50):
            writer.write("123456789\n")
        dropped = writer.dropped_lines
        assert 35 < dropped < 50
        reader.release()
        assert writer.flush(SOON_SECONDS)

        writer.write("again\n")
        writer.write("and again\n")
        assert writer.flush(SOON_SECONDS)

        assert [dropped] == told.numbers
        assert [f"dropped {dropped}", "again", "and again"] == reader.lines[-3:]
        assert len(reader.lines) == 1 + 50 - dropped + 3


def test_once_lines_are_dropped_none_is_taken_until_half_the_room_is_free():
    """A slow reader's log says once that lines are missing, not at every other line."""
    reader = Reader()
    with started(reader, most_characters=100) as (writer, told):
        hold_up(writer, reader, "x" * 60 + "\n")
        writer.write("y" * 60 + "\n")
        writer.write("does not fit\n")
        writer.write("z\n")

        assert writer.dropped_lines == 2
        assert told.numbers == []


def test_lines_dropped_just_before_the_end_are_said_at_the_end():
    reader = Reader()
    with started(reader, most_characters=10) as (writer, _):
        hold_up(writer, reader)
        for _ in range(5):
            writer.write("123456789\n")

    assert reader.lines[-1] == f"dropped {writer.dropped_lines}"


def test_the_end_writes_everything_first():
    reader = Reader()
    with started(reader, pause_seconds=NEVER_SECONDS) as (writer, _):
        for number in range(1000):
            writer.write(f"{number}\n")

    assert len(reader.lines) == 1000


def test_a_reader_that_never_reads_does_not_keep_the_gateway_from_ending():
    reader = Reader()
    with started(reader) as (writer, _):
        hold_up(writer, reader)

        writer.close(timeout_seconds=0.01)
        writer.write("later\n")  # is not waited for either


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(BrokenPipeError(), id="nobody reads any more"),
        pytest.param(OSError(28, "No space left on device"), id="a full disk"),
    ],
)
def test_an_error_of_the_reader_is_counted_and_survived(error):
    reader = Reader()
    with started(reader) as (writer, _):
        reader.error = error
        writer.write("lost\n")
        assert writer.flush(SOON_SECONDS)
        assert writer.dropped_lines == 1

        reader.error = None
        writer.write("kept\n")
        assert writer.flush(SOON_SECONDS)

        assert reader.lines == ["dropped 1", "kept"]


def test_an_error_before_the_start_is_survived_too():
    reader = Reader()
    reader.error = BrokenPipeError()
    writer = LineWriter(reader)

    writer.write("lost\n")

    assert writer.dropped_lines == 1


def test_a_full_pipe_that_somebody_made_non_blocking_is_waited_for():
    """The terminal's own descriptor may be shared with a program that did that."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    text = "0123456789abcdef" * 64 * 1024
    got = bytearray()

    def read_all() -> None:
        while len(got) < len(text):
            got.extend(os.read(reading, 65536))

    thread = threading.Thread(target=read_all)
    with os.fdopen(writing, "w") as stream:
        write = sink_of(stream)
        thread.start()
        write(text)
        thread.join(SOON_SECONDS)
    os.close(reading)

    assert text.encode() == bytes(got)


def test_half_a_character_does_not_stop_a_line():
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        sink_of(stream)("a\ud83db\n")
    with os.fdopen(reading, "rb") as end:
        assert end.read() == b"a\\ud83db\n"
