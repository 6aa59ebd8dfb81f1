"""
The upstream of every row: it answers at once, from bytes made beforehand, in a process of its own.

    python -m benchmarks.upstream        prints its port, then serves until it is ended

The task in the first message says what comes: `@burst`, `@trickle RATE COUNT`, `@weigh BYTES` (a small completion if
that much came), or nothing: a small completion.
"""

import asyncio
import base64
import gc
import hashlib
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from time import monotonic_ns
from typing import cast

import httptools
import uvloop
from typing_extensions import override

from benchmarks import bodies

_LOOK_BYTES = 2048  # of a body: tasks, `stream` and `stream_options` of a small request are within
_WEIGH = re.compile(rb"@weigh (\d+)")
_TRICKLE = re.compile(rb"@trickle (\d+) (\d+)")
_SLOTS_PER_SECOND = 1000


class Trickle:
    """A stream that gets *count* events, one each time its turn comes."""

    __slots__ = ("end", "event", "left", "transport")

    def __init__(self, transport: asyncio.WriteTransport, events: int, *, has_usage: bool) -> None:
        self.transport = transport
        self.left = events
        self.event = _STAMPED[has_usage]
        self.end = _ENDS[has_usage]


class Clockwork:
    """Events for all streams of one rate, spread evenly over time: each stream has its millisecond of the period.

    The timer runs only while there are streams.
    """

    def __init__(self, rate: int) -> None:
        self._slots: list[list[Trickle]] = [[] for _ in range(_SLOTS_PER_SECOND // rate)]
        self._numbers = count()
        self._tick = 0
        self._streams = 0

    def add(self, stream: Trickle) -> None:
        """From now on *stream* gets its events."""
        self._slots[next(self._numbers) % len(self._slots)].append(stream)
        self._streams += 1
        if self._streams == 1:
            self._tick = _milliseconds()
            self._wait()

    def _wait(self) -> None:
        asyncio.get_running_loop().call_later(0.001, self._catch_up)

    def _catch_up(self) -> None:
        now = _milliseconds()
        while self._tick < now:
            self._tick += 1
            place = self._tick % len(self._slots)
            if self._slots[place]:
                self._slots[place] = self._serve(self._slots[place])
        if self._streams:
            self._wait()

    def _serve(self, streams: list[Trickle]) -> list[Trickle]:
        # One stamp for all: rendering it per stream would cost the upstream more than the write.
        now = monotonic_ns() // 1000
        rendered: dict[bytes, bytes] = {}
        kept = []
        for stream in streams:
            data = rendered.get(stream.event)
            if data is None:
                data = rendered[stream.event] = stream.event % now
            stream.left -= 1
            if stream.transport.is_closing():
                self._streams -= 1
            elif stream.left:
                stream.transport.write(data)
                kept.append(stream)
            else:
                stream.transport.write(data + stream.end)
                self._streams -= 1
        return kept


def _milliseconds() -> int:
    return monotonic_ns() // 1_000_000


_STAMPED = {has: bodies.stamped(has_usage=has) for has in (False, True)}
_STARTS = {has: bodies.STREAM_HEAD + bodies.stream_start(has_usage=has) for has in (False, True)}
_ENDS = {has: bodies.stream_end(has_usage=has) for has in (False, True)}
_BURSTS = {has: bodies.burst(has_usage=has) for has in (False, True)}
_COMPLETION = bodies.whole_answer(bodies.completion())
_FILE = bodies.whole_answer(bodies.file_object())
_FILE_PATH = f"/files/{bodies.FILE_ID}".encode()
_SOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
_REFUSAL = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"
_MODELS = bodies.whole_answer(
    bodies.compact(
        {
            "object": "list",
            "data": [{"id": bodies.MODEL, "object": "model", "created": 1, "owned_by": "bench"}],
        }
    )
)


class Upstream(asyncio.Protocol):
    """One connection."""

    def __init__(self, clockwork: Callable[[int], Clockwork]) -> None:
        self._clockwork = clockwork
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._path = b""
        self._look = b""
        self._received = 0
        self._socket_key = b""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass

    @override
    def data_received(self, data: bytes) -> None:
        with suppress(httptools.HttpParserUpgrade):  # a websocket: idle, so nothing comes
            self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        """httptools': a request begins."""
        self._path = url
        self._look = b""
        self._received = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """httptools'."""
        if name.lower() == b"sec-websocket-key":
            self._socket_key = value

    def on_body(self, piece: bytes) -> None:
        """httptools'."""
        self._received += len(piece)
        if len(self._look) < _LOOK_BYTES:
            self._look += piece[:_LOOK_BYTES]

    def on_message_complete(self) -> None:
        """httptools': the request is whole, so it is answered."""
        if self._socket_key:
            self._transport.write(_accepted(self._socket_key))
        elif not self._path.endswith(b"/chat/completions"):
            self._transport.write(self._aside())
        elif b"@" not in self._look:
            self._transport.write(_COMPLETION)
        else:
            self._stream()

    def _stream(self) -> None:
        has_usage = b"include_usage" in self._look
        if b"@burst" in self._look:
            self._transport.write(_BURSTS[has_usage])
        elif match := _TRICKLE.search(self._look):
            self._transport.write(_STARTS[has_usage])
            stream = Trickle(self._transport, int(match[2]), has_usage=has_usage)
            self._clockwork(int(match[1])).add(stream)
        elif match := _WEIGH.search(self._look):
            is_whole = self._received >= int(match[1])
            self._transport.write(_COMPLETION if is_whole else _REFUSAL)

    def _aside(self) -> bytes:
        if self._path.endswith(_FILE_PATH):
            return _FILE
        if self._path.endswith(b"/models"):
            return _MODELS
        return bodies.whole_answer(bodies.compact({"received": self._received}))


def _accepted(key: bytes) -> bytes:
    told = base64.b64encode(hashlib.sha1(key + _SOCKET_GUID, usedforsecurity=False).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
        b"sec-websocket-accept: %b\r\n\r\n" % told
    )


async def serve() -> None:
    """Serves on a port of the system's choice, which it prints, until it is ended."""
    gc.disable()  # a pause here would count against the gateway
    clockworks: dict[int, Clockwork] = {}

    def clockwork(rate: int) -> Clockwork:
        return clockworks.setdefault(rate, Clockwork(rate))

    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Upstream(clockwork), "127.0.0.1", 0, backlog=4096)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())
