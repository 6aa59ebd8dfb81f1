"""An answer is read as it comes, and a wrong one is never taken for a right one."""

import json

import pytest

from benchmarks import answers, bodies
from benchmarks.client import CompletionCheck

BURST = bodies.burst(has_usage=False).partition(b"\r\n\r\n")[2]
# Spelt otherwise, so that its words are read: a copy is told by the number of its events.
OTHER_WORDS = (
    answers.without_chunks(BURST)
    .replace(b"gateway", b"passage")
    .replace(b'"index":0', b'"index": 0')
)
TRICKLE = (
    bodies.stream_start(has_usage=False)
    + bodies.stamped(has_usage=False) % 7 * 3
    + bodies.stream_end(has_usage=False)
)


def in_chunks_of(size: int, raw: bytes) -> bytes:
    """The same body, cut elsewhere, as a proxy may."""
    body = answers.without_chunks(raw)
    pieces = [body[n : n + size] for n in range(0, len(body), size)]
    return b"".join(bodies.http_chunk(piece) for piece in pieces) + b"0\r\n\r\n"


def test_a_head_is_read_once_it_is_whole():
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nConnection: close\r\n\r\n"

    assert answers.read_head(head[:-1]) is None
    assert answers.Head(200, 12, closes=True, size=len(head)) == answers.read_head(head + b"x")


def test_chunks_have_no_length():
    head = answers.read_head(b"HTTP/1.1 404 X\r\ntransfer-encoding: chunked\r\n\r\n")

    assert head is not None
    assert (404, None) == (head.status, head.length)


def test_an_answer_without_framing_is_refused():
    with pytest.raises(ValueError, match="neither"):
        answers.read_head(b"HTTP/1.1 200 OK\r\n\r\n")


def test_the_burst_has_the_events_it_says():
    events = answers.without_chunks(BURST).split(b"\n\n")

    assert bodies.BURST_EVENTS + 1 == len(events[:-1])
    assert b"data: [DONE]" == events[-2]


@pytest.mark.parametrize("size", [1, 7, 100, 4096, 10**6])
def test_a_burst_is_right_however_it_is_cut(size):
    assert answers.is_burst(in_chunks_of(size, BURST))


def test_a_burst_that_was_written_again_is_right_by_its_words():
    lines = answers.without_chunks(BURST).split(b"\n\n")[1:-2]
    again = b"".join(b"data: %b\n\n" % json.dumps(json.loads(one[6:])).encode() for one in lines)

    assert answers.is_burst(bodies.http_chunk(again + b"data: [DONE]\n\n") + b"0\r\n\r\n")


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(bodies.http_chunk(OTHER_WORDS) + b"0\r\n\r\n", id="a word differs"),
        pytest.param(bodies.stream_start(has_usage=False) + bodies.stream_end(has_usage=False), id="no words"),
        pytest.param(BURST.replace(b"[DONE]", b"[DIED]"), id="no end"),
        pytest.param(BURST[:-400], id="cut"),
        pytest.param(b"", id="empty"),
    ],
)  # fmt: skip
def test_a_burst_that_lost_something_is_wrong(raw):
    assert not answers.is_burst(raw)


@pytest.mark.parametrize("size", [1, 100, 10**6])
def test_a_trickle_has_exactly_its_events(size):
    raw = in_chunks_of(size, TRICKLE)

    assert answers.is_trickle(raw, 3)
    assert not answers.is_trickle(raw, 4)


def test_a_stamp_keeps_its_width():
    assert len(bodies.stamped(has_usage=True) % 1) == len(bodies.stamped(has_usage=True) % 10**15)


def test_a_completion_is_right_by_its_text_and_usage():
    again = json.dumps(json.loads(bodies.completion()), indent=1).encode()

    assert answers.is_completion(again)
    assert answers.is_completion(bodies.http_chunk(again) + b"0\r\n\r\n")
    assert not answers.is_completion(again.replace(b"99", b"98"))
    assert not answers.is_completion(b'{"error": {}}')


def test_a_length_that_was_right_is_not_read_again_and_an_unknown_one_is():
    check = CompletionCheck()
    body = bodies.completion()

    assert check(200, body)
    assert not check(503, body)
    assert not check(200, body[:-1])


def test_images_weigh_what_they_should():
    body = bodies.chat_with_images(100_000, model="m")

    assert 100_000 <= len(body) < 102_000
    assert b"@weigh 100000" in body[:2048]
