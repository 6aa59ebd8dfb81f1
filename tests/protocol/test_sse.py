import re
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.protocol.sse import Event, EventSplitter, EventTooLarge, frame
from tests.protocol.streams import at, seeded, sizes


def split(data: bytes, reads: Iterable[bytes] | None = None) -> list[tuple[bytes, bytes]]:
    splitter = EventSplitter()
    events = [event for read in (reads or [data]) for event in splitter.feed(read)]
    return [(event.name, event.data) for event in events + splitter.finish()]


CASES = [
    pytest.param(b"data: a\n\ndata: b\n\n", [(b"", b"a"), (b"", b"b")], id="LF (S1)"),
    pytest.param(b"data: a\r\n\r\ndata: b\r\n\r\n", [(b"", b"a"), (b"", b"b")], id="CR LF (H8)"),
    pytest.param(b"data: a\r\rdata: b\r\r", [(b"", b"a"), (b"", b"b")], id="CR alone (H8)"),
    pytest.param(b"data: a\r\n\ndata: b\n\r\n", [(b"", b"a"), (b"", b"b")], id="line ends mixed (H8)"),
    pytest.param(b"data: a\r\ndata: b\r\n\r\n", [(b"", b"a\nb")], id="CR LF inside an event is one line end (H10)"),
    pytest.param(b"data: a\n\r", [(b"", b"a")], id="CR as the last byte ends the event"),
    pytest.param(b"data: x\r", [(b"", b"x")], id="the line end of the last line is a CR"),
    pytest.param(b"data:a\n\n", [(b"", b"a")], id="no blank behind the colon (H8)"),
    pytest.param(b"data:  a\n\n", [(b"", b" a")], id="one blank belongs to the field"),
    pytest.param(b"data: a\ndata: b\ndata\n\n", [(b"", b"a\nb\n")], id="data lines are joined (S1)"),
    pytest.param(b"\xef\xbb\xbfdata: a\n\n", [(b"", b"a")], id="a BOM vanishes (H2)"),
    pytest.param(b": x\n\nid: 7\nretry: 3\n\ndata: a\n\n", [(b"", b"a")], id="id, retry, comments vanish"),
    pytest.param(b"data:\n\nevent: ping\n\ndata: a\n\n", [(b"", b"a")], id="events without data vanish"),
    pytest.param(b"event: e\ndata: a\n\ndata: b\n\n", [(b"e", b"a"), (b"", b"b")], id="a name is one event's"),
    pytest.param(b"data: a\n\ndata: b", [(b"", b"a"), (b"", b"b")], id="last blank line missing (H7)"),
    pytest.param("data: a\u2028\x85\x0b\x0cb\n\n".encode(), [(b"", "a\u2028\x85\x0b\x0cb".encode())],
                 id="U+2028, U+0085, VT and FF end no line (H9)"),
    pytest.param(b'data: a\n\n{"error":\n "x"}\n\n', [(b"", b"a"), (b"", b'{"error":\n "x"}')],
                 id="bare JSON in the stream is data (S7)"),
    pytest.param(b"<html>\n<p>\n\n", [(b"", b"<html>\n<p>")], id="bare HTML is data (J4)"),
    pytest.param(b"\ndata: a\n\n\n\ndata: b\n\n\ndata: c", [(b"", b"a"), (b"", b"b"), (b"", b"c")],
                 id="blank lines more than needed"),
    pytest.param(b"data: a\n\ndata: b\r\ndata: c\n\ndata: d\n\n", [(b"", b"a"), (b"", b"b\nc"), (b"", b"d")],
                 id="one line end is a CR LF"),
    pytest.param(b"data: a\n\n\xef\xbb\xbfdata: b\n\ndata: c\n\n", [(b"", b"a"), (b"", b"c")],
                 id="a BOM in the middle is none"),
    pytest.param(b"foo: bar\ndata: a\n\n", [(b"", b"a")], id="unknown fields vanish"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "events"), CASES)
def test_bytes_become_events_however_they_are_cut(data, events):
    assert events == split(data)
    assert events == split(data, sizes(data, 1))
    assert events == split(data, sizes(data, 3))
    for cut in range(len(data)):
        assert events == split(data, at(data, cut)), f"cut at {cut}"
    for seed in range(200):
        assert events == split(data, seeded(data, seed)), f"seed {seed}"


def test_h11_an_event_is_given_with_its_last_byte():
    splitter = EventSplitter()

    assert [] == splitter.feed(b"data: a\r")
    assert [Event(b"", b"a")] == splitter.feed(b"\r")


def test_h12_a_line_over_1_mib_passes_in_small_reads():
    line = b"data: " + b"x" * (3 << 20) + b"\n\n"

    assert [(b"", b"x" * (3 << 20))] == split(line, sizes(line, 65536))


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_event_over_the_bound_raises_and_gives_those_before_it(size):
    data = b"data: a\n\n" + b"data: " + b"x" * 100 + b"\n\n"
    splitter = EventSplitter(max_event_bytes=64)
    seen: list[Event] = []

    def feed_all() -> None:
        for read in sizes(data, size):
            seen.extend(splitter.feed(read))

    with pytest.raises(EventTooLarge) as raised:
        feed_all()

    assert [Event(b"", b"a")] == seen + list(raised.value.events)


def test_many_short_lines_cannot_pass_the_bound():
    splitter = EventSplitter(max_event_bytes=64)

    with pytest.raises(EventTooLarge):
        splitter.feed(b"data:\n" * 100)


def test_comments_without_end_are_not_held():
    splitter = EventSplitter(max_event_bytes=64)

    assert [] == splitter.feed(b": keep-alive\n" * 1000)


def test_h1_a_frame_is_one_data_line():
    assert b"data: {} []\n\n" == frame(b"{}\n[]")
    assert b"data: {}  []\n\n" == frame(b"{}\r\n[]")


def events_as_specified(data: bytes) -> list[tuple[bytes, bytes]]:
    """Line by line, as upstreams S1 and S7 and contract H7 have it."""
    events: list[tuple[bytes, bytes]] = []
    name, is_bare, lines = b"", False, list[bytes]()
    for line in re.split(rb"\r\n|\n|\r", data.removeprefix(b"\xef\xbb\xbf") + b"\n\n"):
        field, _, value = line.partition(b":")
        if not line:
            if b"\n".join(lines):
                events.append((name, b"\n".join(lines)))
            name, is_bare, lines = b"", False, []
        elif field == b"data":
            lines.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
        elif line[:1] != b":" and (is_bare or line[:1] in (b"{", b"[", b"<")):
            is_bare = True
            lines.append(line)
    return events


WORDS = st.sampled_from([
    b"data: ", b"data:", b"data", b"event: e", b": c", b"{", b"a", b"x" * 40, b" ", b"\xef\xbb\xbf", b"\xc3",
    b"\n\n", b"\n", b"\r", b"\r\n", b"data: b\n\n", b"data: c\n\n",
])  # fmt: skip


@settings(deadline=None, max_examples=300)  # a busy machine is no failure
@given(st.lists(WORDS, max_size=30).map(b"".join), st.integers())
def test_h10_any_bytes_in_any_cut_become_the_events_that_are_specified(data, seed):
    expected = events_as_specified(data)

    assert expected == split(data)
    assert expected == split(data, seeded(data, seed))
    assert expected == split(data, sizes(data, 1))


@pytest.mark.parametrize("size", [1000, 4096, 20_000, 1 << 20])
def test_an_event_too_long_to_be_held_whole_is_kept_in_pieces(size):
    long = b"x" * 50_000
    data = b"\ndata: a\n\ndata: " + long + b"\n\ndata: b\n\n"

    assert [(b"", b"a"), (b"", long), (b"", b"b")] == split(data, sizes(data, size))


def test_what_has_begun_to_come_is_held_until_it_is_whole():
    splitter = EventSplitter()

    assert b"data: a\n\n" == splitter.take(b"data: a\n\ndata: ")
    assert b"" == splitter.take(b"b\n")
    assert b"data: b\n\n" == splitter.take(b"\n")
    assert splitter.is_at_rest


def test_within_an_event_that_is_read_by_line_nothing_is_held():
    splitter = EventSplitter()
    splitter.feed(b"data: a\r\n")

    assert not splitter.is_at_rest
    assert b"\r\ndata: b" == splitter.take(b"\r\ndata: b")
