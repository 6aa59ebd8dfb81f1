"""
What fuzzing starts from: the streams that the tests recorded, and the words they are made of.

Nothing is stored: a stream that a test gains is a seed the same day.
"""

import ast
from pathlib import Path

from tests.fakes.scripted_upstream import (
    ANSWER,
    LAST_CHUNK,
    STREAM,
    chunked,
    head,
    sse,
    sse_head,
    whole,
)
from tests.fuzz.event_streams import RULES
from tests.fuzz.inputs import write_input
from tests.protocol.test_chat_stream import RECORDED
from tests.protocol.test_multipart import BROKEN, FORMS
from tests.protocol.test_multipart_rewrite import CASES as REWRITTEN
from tests.protocol.test_multipart_rewrite import REFUSED
from tests.protocol.test_sse import CASES
from tests.upstreams.test_fourminds_events import EXAMPLE_IN as FOURMINDS_EXAMPLE
from tests.upstreams.test_minds_thoughts import EXAMPLE_IN as MINDS_EXAMPLE

HERE = Path(__file__).parent
_SIZES: tuple[tuple[int, ...], ...] = ((), (1,), (7, 0, 40), (100, 2), (3,))


def _events() -> list[bytes]:
    streams = [case.values[0] for case in CASES if isinstance(case.values[0], bytes)]
    return [
        write_input(stream, _SIZES[place % len(_SIZES)], place % 2)
        for place, stream in enumerate(streams)
    ]


def _chat_streams() -> list[bytes]:
    """Each stream under the rules of each dialect, every other one for a client that asked for usage."""
    streams = [*RECORDED.values(), FOURMINDS_EXAMPLE, MINDS_EXAMPLE]
    return [
        write_input(
            text.encode(), _SIZES[(place + rules) % len(_SIZES)], rules << 3 | (place + rules) % 2
        )
        for place, text in enumerate(streams)
        for rules in range(len(RULES))
    ]


def _responses() -> list[bytes]:
    """Each to GET and to HEAD, at the usual and at small limits; and twice on one connection."""
    responses = [
        whole(ANSWER),
        whole(b"busy", status=429, retry_after="1"),
        sse(STREAM),
        sse_head(trailer="x") + chunked(b"a") + b"5;n=v\r\nhello\r\n0\r\nx: y\r\n\r\n",
        head(204),
        head(304, {"content-length": "5"}),
        head(200) + b"until the end",
        b"HTTP/1.0 200 OK\r\n\r\nold",
        head(200, {"connection": "close", "content-length": "2"}) + b"ab",
        head(100) + head(103, {"link": "x"}) + whole(b"ab"),
        head(101, {"upgrade": "h2c", "connection": "upgrade"}),
        head(200, [("a", str(n)) for n in range(8)] + [("content-length", "0")]),
        head(200, [("content-length", "2"), ("content-length", "2")]) + b"ab",
        head(200, {"content-length": "2", "transfer-encoding": "chunked"}) + LAST_CHUNK,
        head(200, {"transfer-encoding": "gzip, chunked"}) + LAST_CHUNK,
        sse_head() + b"ffffffffffffffff1\r\n",
        sse_head() + chunked(b"hello")[:-1],
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n",
        b"SSH-2.0-x\r\n",
    ]
    once = [
        write_input(data, _SIZES[place % len(_SIZES)], options)
        for place, data in enumerate(responses)
        for options in range(4)
    ]
    return once + [write_input(data * 2, (len(data),)) for data in responses if len(data) < 256]


def _forms() -> list[bytes]:
    """Small ones: what is only large teaches nothing."""
    rows = [case.values for case in (*FORMS, *BROKEN, *REWRITTEN, *REFUSED)]
    forms = [next(value for value in row if isinstance(value, bytes)) for row in rows]
    return [
        write_input(data, _SIZES[place % len(_SIZES)], place % 4)
        for place, data in enumerate(forms)
        if len(data) < 2048
    ]


SEEDS: dict[str, list[bytes]] = {
    "events": _events(),
    "chat_stream": _chat_streams(),
    "response": _responses(),
    "form": _forms(),
}


def write_seeds(name: str, folder: Path) -> None:
    """The seeds of that property, a file each."""
    folder.mkdir(parents=True, exist_ok=True)
    for place, seed in enumerate(SEEDS[name]):
        (folder / f"seed-{place:04}").write_bytes(seed)


def dictionary(name: str) -> Path:
    """The file of words that the engine puts into inputs."""
    return HERE / f"{name}.dict"


def words(name: str) -> list[bytes]:
    """The words of that file. Its escapes mean the same in Python."""
    lines = dictionary(name).read_text(encoding="ascii").splitlines()
    return [ast.literal_eval(f"b{line}") for line in lines if line.startswith('"')]
