"""
Events that repeat a shape leave unread (contract H8, upstreams S2), and that changes nothing but the time it takes.

The measure is a stream whose filter lets everything pass: there every event is read by itself.
"""

import random
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.protocol.answer_rules import OPENAI_RULES, AnswerRules, Passed
from app.protocol.chat_stream import ChatStream, FaultReason
from app.protocol.sse import Event
from tests.protocol.streams import (
    CALL_MORE,
    DONE,
    FIRST,
    HEAD,
    MADE_UP,
    STOP,
    Result,
    chunk,
    run,
    seeded,
    sse,
    usage_chunk,
)  # fmt: skip


class LetsAllPass:
    """A filter that does nothing: with one, no event leaves unread."""

    rewrites = False

    def chunk(self, data: bytes) -> Sequence[Passed]:
        return (Passed(data),)

    def extension(self, event: Event) -> Sequence[Passed] | None:
        return None

    def lacks_answer(self) -> bool:
        return False


EACH_READ = AnswerRules(chunk_filter=LetsAllPass)


def read_one_by_one(received: bytes, *, include_usage: bool = False, clean: bool = True) -> Result:
    return run(received, rules=EACH_READ, include_usage=include_usage, clean=clean)


def begun(*events: str) -> ChatStream:
    stream = ChatStream(
        rules=OPENAI_RULES, include_usage=False, identity=MADE_UP, max_event_bytes=1 << 20
    )
    stream.feed(sse(*events).encode())
    return stream


SHAPES = {
    "content": chunk('{"content":"%s"}'),
    "blanks": chunk('{"content": "%s"}').replace(",", ", "),
    "reasoning": chunk('{"content":null,"reasoning_content":"%s"}'),
    "vLLM's reasoning": chunk('{"reasoning":"%s"}'),
    "usage null": chunk('{"content":"%s"}', rest=',"usage":null'),
    "content twice": chunk('{"content":"no","content":"%s"}'),
    "a name that ends like it": chunk(r'{"a\"content":"no","content":"%s"}'),
}
TEXTS = [
    "Hello",
    "",
    " wörld",
    r"\n",
    r"\"",
    r"\\",
    r"\u00e9",
    r"\ud83d\ude00",
    "世界",
    "another text",
]


def of(shape: str, *texts: str) -> list[str]:
    return [shape.replace("%s", text) for text in texts]


@pytest.mark.parametrize(
    "name", ["content", "blanks", "reasoning", "vLLM's reasoning", "usage null"]
)
def test_events_of_one_shape_leave_as_they_came_in_the_very_same_bytes(name):
    stream = begun(FIRST, *of(SHAPES[name], "a"))
    several, one = sse(*of(SHAPES[name], *TEXTS)).encode(), sse(*of(SHAPES[name], "b")).encode()

    assert several is stream.feed(several)
    assert one is stream.feed(one)
    assert (
        len("a") + len("Hello wörld") + 5 + len("世界another text") + 1
        == stream.progress.output_characters
    )


@pytest.mark.parametrize("paddings", [("a", "bcd"), ("", r"\u0041"), ("same", "same")])
def test_padding_may_vary_too(paddings):
    first, second = paddings
    shape = chunk('{"content":"%s"}', rest=',"usage":null,"obfuscation":"@"}')[:-1]
    stream = begun(FIRST, shape.replace("@", "xy").replace("%s", "a"))
    padded = sse(
        *of(shape.replace("@", first), "Hello", ""), *of(shape.replace("@", second), "world")
    ).encode()

    assert padded is stream.feed(padded)
    assert len("aHelloworld") == stream.progress.output_characters


@pytest.mark.parametrize("name", SHAPES)
def test_a_run_is_found_between_other_events(name):
    received = sse(
        FIRST, *of(SHAPES[name], *TEXTS), CALL_MORE, "{}", *of(SHAPES[name], *TEXTS), STOP
    )

    assert read_one_by_one(received.encode()) == run(received)


CONTENT = SHAPES["content"]
PADDED = chunk('{"content":"%s"}', rest=',"obfuscation":"@"')
LOOKALIKES = [
    pytest.param(of(CONTENT, r"a\ "), id="no such escape"),
    pytest.param(of(CONTENT, "a\\", "n"), id="an escape cannot go on in the next text"),
    pytest.param(of(CONTENT, r"\ud83d", r"\ude00"), id="nor can a surrogate pair"),
    pytest.param(of(CONTENT, r"\u00", "e9"), id="nor can a code point"),
    pytest.param(of(CONTENT, 'a"b'), id="a quote that ends the text"),
    pytest.param(of(CONTENT, 'a","role":"assistant'), id="a member more"),
    pytest.param(of(CONTENT, 'a"},"finish_reason":"stop","delta":{"content":"b'), id="a finish more"),
    pytest.param(of(CONTENT, 'a"},"x":{"content":"b'), id="a text that is not the delta's"),
    pytest.param(of(CONTENT, "a\tb"), id="a control character"),
    pytest.param(of(CONTENT, "a\nb"), id="a line end"),
    pytest.param(of(CONTENT, "a\n\nb"), id="an event's end"),
    pytest.param(of(CONTENT, "a\rdata: b"), id="a line end of the other kind"),
    pytest.param(of(CONTENT.replace('"c1"', '"c2"'), "a"), id="another id (I1)"),
    pytest.param(of(CONTENT.replace('"index":0', '"index":1'), "a"), id="another choice"),
    pytest.param(of(CONTENT.replace("{", '{"error":null,', 1), "a"), id="an error beside (I14)"),
    pytest.param([STOP, *of(CONTENT, "late")], id="text after the end (I4)"),
    pytest.param([*of(PADDED, "a"), *of(PADDED.replace('"@"', '"a","id":"c2"'), "b")], id="a member in the padding"),
    pytest.param([*of(PADDED, "a"), *of(PADDED.replace("@", "\\"), "b", "c")], id="padding that does not end"),
    pytest.param([*of(PADDED, "a"), *of(PADDED.replace("null", '"stop"'), "b")], id="a finish before the padding"),
    pytest.param([*of(PADDED, "a", "x"), PADDED.split("%s")[0] + 'b"}', *of(PADDED, "c")], id="no padding, no end"),
    pytest.param(of(chunk('{"content":"%s","reasoning":"xyz"}'), "a", "b", "c"), id="two texts at once"),
    pytest.param([*of(CONTENT, "b")[0].split('"b"', 1)[:1], *of(CONTENT, "c")], id="an event cut in its text"),
]  # fmt: skip


@pytest.mark.parametrize("events", LOOKALIKES)
def test_what_only_looks_regular_is_read(events):
    received = sse(FIRST, *of(CONTENT, "a", "b"), *events, *of(CONTENT, "c"), STOP).encode()

    assert read_one_by_one(received) == run(received)


def test_prefix_and_suffix_may_not_share_their_quote():
    """`"content":"` and `"}` overlap in `"content":"}`, which is no JSON."""
    received = sse(FIRST, *of(CONTENT, "a"), CONTENT.replace('"%s"', '"')).encode()

    assert FaultReason.MALFORMED == run(received).reason


@pytest.mark.parametrize("regular", [of(CONTENT, "b"), [*of(CONTENT, "b", "c"), STOP]])
def test_what_is_within_an_event_of_more_lines_is_read(regular):
    stream = begun(FIRST, *of(CONTENT, "a"))
    stream.feed(b"event: error\r\n")

    assert b"" == stream.feed(sse(*regular).encode())
    assert stream.fault is not None
    assert FaultReason.ERROR_EVENT == stream.fault.reason


@pytest.mark.parametrize("bad", [b"\xff", b"\xc3", b"\xed\xa0\x80"])
def test_h10_a_character_cannot_go_on_in_the_next_text(bad):
    regular = sse(FIRST, *of(CONTENT, "a", "b", "<", ">", "c")).encode()
    received = regular.replace(b"<", bad).replace(b">", b"\xa9")

    assert FaultReason.MALFORMED == run(received).reason
    assert read_one_by_one(received) == run(received)


def test_a_shape_that_never_fits_is_not_learnt_for_ever():
    """`created` that counts up, as some servers have it: read one by one, and the same."""
    events = [
        chunk(f'{{"content":"{place}"}}').replace("1740830400", str(place)) for place in range(50)
    ]
    received = sse(FIRST, *events, *of(CONTENT, *TEXTS), STOP) + DONE

    assert received == run(received).sent
    assert read_one_by_one(received.encode()) == run(received)


SOME_TEXT = st.sampled_from(TEXTS) | st.text(max_size=6).map(lambda text: text.replace('"', "'"))
IRREGULAR = st.sampled_from([
    STOP, CALL_MORE, usage_chunk(), "{}", '{"error":{"message":"no"}}', "[DONE]", chunk(finish='""'),
    chunk('{"role":"assistant"}'), chunk('{"role":"assistant"}', index=1), chunk('{"content":"b"}', index=1),
    chunk('{"content":"a"}', rest=',"error":null'), f'{{{HEAD},"choices":[]}}', chunk('{"content":["a"]}'),
    chunk('{"content":"a","reasoning":"b"}'), chunk('{"content":"a"}', finish='"length"'),
    chunk(r'{"content":"\ud83d"}'),
])  # fmt: skip


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Runs of regular events, others among them, some of them in another order."""
    events = [FIRST]
    for _ in range(draw(st.integers(1, 5))):
        shape = draw(st.sampled_from([*SHAPES.values(), PADDED]))
        for text in draw(st.lists(SOME_TEXT, max_size=6)):
            padding = draw(st.sampled_from(["a", "bcd", ""])) if shape is PADDED else ""
            events += of(shape.replace("@", padding), text)
        events += draw(st.lists(IRREGULAR, max_size=2))
    if draw(st.booleans()):
        events = [FIRST, *draw(st.permutations(events[1:]))]
    framing = draw(
        st.sampled_from(
            ["data: %s\n\n"] * 6 + ["data:%s\n\n", "data: %s\r\n\r\n", ": c\ndata: %s \n\n"]
        )
    )
    return "".join(framing.replace("%s", event) for event in events).encode("utf-8", "replace")


@st.composite
def corrupted(draw: st.DrawFn) -> bytes:
    """A stream with some of its bytes replaced, removed or doubled."""
    data = bytearray(draw(streams()))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(data) - 1))
        damage = draw(st.sampled_from(["bytes", "gap", "again"]))
        if damage == "bytes":
            data[place : place + 1] = draw(
                st.sampled_from(
                    [b'"', b"\\", b"\n", b"\n\n", b"\r", b"\xff", b"\xc3", b"}", b"\x00"]
                )
            )
        elif damage == "gap":
            del data[place : place + draw(st.integers(1, 40))]
        else:
            data[place:place] = data[max(0, place - draw(st.integers(1, 200))) : place]
        data = data or bytearray(b"\n")
    return bytes(data)


@settings(deadline=None, max_examples=400)  # a busy machine is no failure
@given(streams() | corrupted(), st.integers(), st.booleans(), st.booleans())
def test_h10_however_it_is_cut_a_stream_is_what_it_is_read_one_by_one(
    data, seed, include_usage, clean
):
    expected = read_one_by_one(data, include_usage=include_usage, clean=clean)

    assert expected == run(data, include_usage=include_usage, clean=clean)
    for cuts in (seeded(data, seed), by_events(data, seed)):
        assert expected == run(data, include_usage=include_usage, clean=clean, cuts=cuts)


def by_events(data: bytes, seed: int) -> Iterator[bytes]:
    """Reads of a few whole events, most of them."""
    dice = random.Random(seed)
    start = 0
    while start < len(data):
        end = data.find(b"\n\n", start + dice.choice((0, 150, 500, 1500))) + 2
        end = len(data) if end == 1 else end + dice.choice((0, 0, 0, -1, 1, 9))
        yield data[start:end]
        start = end
