"""One connection of a load generator, and what an answer on it is checked against."""

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import cast

from typing_extensions import override

from benchmarks import answers, bodies
from benchmarks.plan import Target

# A large body comes as over a gigabit line. At the speed of loopback the load side alone, which has one core for
# both ends, kept small requests waiting for 20 ms; so it is 5.
_SLICE_BYTES = 128 * 1024
_SLICE_SECONDS = 0.001
_FILE = bodies.file_object()
_TAIL = len(answers.CHUNKED_END)

Check = Callable[[int, bytes], bool]
"""Whether a status and a body, with its chunks if it has any, are right."""


class Client(asyncio.Protocol):
    """Sends a request, reads its answer, and tells *ended*, which may send the next. *see* is shown all that comes."""

    def __init__(
        self,
        request: bytes,
        check: Check,
        ended: "Ended",
        see: Callable[[bytes], None] | None = None,
    ) -> None:
        self.transport: asyncio.Transport
        self.is_busy = False
        self._request = request
        self._check = check
        self._ended = ended
        self._see = see
        self._due = 0.0
        self._sent = 0
        self._is_paused = False
        self._head: answers.Head | None = None
        self._pieces: list[bytes] = []
        self._left = 0

    # --- sending ------------------------------------------------------------------------------------------------

    def send(self, due: float) -> None:
        """The request goes out; its latency counts from *due*, on `perf_counter`."""
        self._due = due
        self.is_busy = True
        self._head = None
        self._pieces = []
        self._sent = 0
        self._push()

    def _push(self) -> None:
        if self._is_paused or self._sent >= len(self._request) or self.transport.is_closing():
            return
        self.transport.write(self._request[self._sent : self._sent + _SLICE_BYTES])
        self._sent += _SLICE_BYTES
        if self._sent < len(self._request):
            asyncio.get_running_loop().call_later(_SLICE_SECONDS, self._push)

    def give_up(self) -> None:
        """The connection is gone, and nobody is told."""
        self.is_busy = False
        self.transport.abort()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass

    @override
    def pause_writing(self) -> None:
        self._is_paused = True

    @override
    def resume_writing(self) -> None:
        self._is_paused = False
        self._push()

    # --- reading ------------------------------------------------------------------------------------------------

    @override
    def data_received(self, data: bytes) -> None:
        if self._see is not None:
            self._see(data)
        if self._head is None:
            data = self._begin(data)
            if self._head is None:
                return
        self._pieces.append(data)
        if self._head.length is None:
            if self._tail(data) == answers.CHUNKED_END:
                self._end()
            return
        self._left -= len(data)
        if self._left <= 0:
            self._end()

    def _begin(self, data: bytes) -> bytes:
        """Reads the head, once it is whole; what of the body came with it."""
        data = b"".join([*self._pieces, data])
        self._head = answers.read_head(data)
        if self._head is None:
            self._pieces = [data]
            return b""
        self._pieces = []
        self._left = self._head.length or 0
        return data[self._head.size :]

    def _tail(self, data: bytes) -> bytes:
        return data[-_TAIL:] if len(data) >= _TAIL else b"".join(self._pieces)[-_TAIL:]

    def _end(self) -> None:
        if self._head is None:
            return
        is_right = self._check(self._head.status, b"".join(self._pieces))
        self.is_busy = False
        if self._head.closes:
            self.transport.close()
        reason = "" if is_right else f"status {self._head.status}"
        self._ended(self, perf_counter() - self._due, reason)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self.is_busy:
            self.is_busy = False
            self._ended(self, perf_counter() - self._due, "cut")


Ended = Callable[[Client, float, str], None]
"""Told a client whose answer is over, how long it took, and what was wrong with it; "" when nothing was."""


async def connect(target: Target, make: Callable[[], Client]) -> Client:
    """A client with its connection. Raises OSError."""
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(make, "127.0.0.1", target.port)
    return client


def request_for(target: Target, body: bytes) -> bytes:
    """*body* on its way to *target*."""
    return bodies.post(target.path, f"127.0.0.1:{target.port}", body, target.fields)


def resource_request(target: Target) -> bytes:
    """A question about one file."""
    path = f"/v1/files/{bodies.FILE_ID}"
    return bodies.get(path, f"127.0.0.1:{target.port}", target.fields)


# --- checks ---------------------------------------------------------------------------------------------------------


class CompletionCheck:
    """Checks small completions: each new length is read in full, one that was right before is right again."""

    def __init__(self) -> None:
        self._lengths: set[int] = set()

    def __call__(self, status: int, raw: bytes) -> bool:
        if status != 200:
            return False
        if len(raw) in self._lengths:
            return True
        is_right = answers.is_completion(raw)
        if is_right:
            self._lengths.add(len(raw))
        return is_right


def resource_check(status: int, raw: bytes) -> bool:
    """Checks the answer to `resource_request`."""
    return status == 200 and raw.endswith(_FILE)


def burst_check(status: int, raw: bytes) -> bool:
    """Checks a stream that came in one burst."""
    return status == 200 and answers.is_burst(raw)


def trickle_check(events: int) -> Check:
    """Checks a stream of *events* stamped events."""
    return lambda status, raw: status == 200 and answers.is_trickle(raw, events)
