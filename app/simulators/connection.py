"""
One connection: requests in, plans performed, and a watch that sees the peer leave in every phase.

The watch reads all the time, also while a reply is delayed or stalled. An end or reset from the
peer stops the performance at once and is written down as `left_at`. A request that asks for a
websocket is the last of its connection: what comes behind it goes to the talk, which the watch
performs itself, so that nothing is read while something waits to be written.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from app.simulators import faults, http_writer
from app.simulators.desk import Performance, intake_script
from app.simulators.http_reader import MalformedRequestError, Request, RequestReader
from app.simulators.recording import SeenRequest, SeenRequests, SeenSocket
from app.simulators.replies import Reply
from app.simulators.socket_talk import SocketTalk

READ_BYTES = 1 << 20
_LINGER_ZERO = struct.pack("ii", 1, 0)  # close() then sends RST instead of FIN


class _PeerLeftError(Exception):
    """The peer ended or reset the connection."""


@dataclass(slots=True)
class _Inbox:
    """Requests that came in and wait; None stands for bytes that were no request."""

    waiting: deque[Request | None] = field(default_factory=deque)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, request: Request | None) -> None:
        """Add one and wake the server."""
        self.waiting.append(request)
        self.arrived.set()

    async def get(self) -> Request | None:
        """The next, when there is one."""
        while not self.waiting:
            self.arrived.clear()
            await self.arrived.wait()
        return self.waiting.popleft()


class Connection:
    """Serves one peer until one side has had enough."""

    def __init__(
        self,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        number: int,
        seen: SeenRequests,
        answer: Callable[[Request], Performance],
        sim_routes: Callable[[Request], Performance | None],
    ) -> None:
        """*answer* plays the upstreams; *sim_routes* answers unseen, for `/_sim`."""
        self._reader, self._writer = streams
        self._number = number
        self._seen = seen
        self._answer = answer
        self._sim_routes = sim_routes
        self._inbox = _Inbox()
        self._current: SeenRequest | None = None
        self._closing = False
        self._is_idle = False
        self._continue_due = False
        self._requests: RequestReader | None = RequestReader()
        self._is_upgrading = False
        self._early = bytearray()  # came before the websocket stood
        self._talk: SocketTalk | None = None
        self._talk_ended = asyncio.Event()

    async def run(self) -> None:
        """Serve until the connection ends. Raises nothing that the peer can cause."""
        self._writer.transport.set_write_buffer_limits(high=0)
        try:
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(self._watch())
                await self._serve()
                watch.cancel()
        except* (_PeerLeftError, ConnectionError):
            self._note_leaving()
        finally:
            self._writer.close()
            with contextlib.suppress(ConnectionError):
                await self._writer.wait_closed()

    def abort(self) -> None:
        """End at once, from our side: no peer is said to have left."""
        self._closing = True
        self._writer.transport.abort()

    async def _watch(self) -> None:
        while data := await self._reader.read(READ_BYTES):
            if self._talk is not None:
                await self._talk_on(self._talk.take(data, time.monotonic()))
            elif self._is_upgrading:
                self._early += data[: READ_BYTES - len(self._early)]  # nobody may send much here
            elif self._requests is not None:
                if not self._take_in(self._requests, data):
                    self._requests = None  # read on all the same: an end must still be noticed
                await self._swallow(len(data))
        self._note_leaving()
        raise _PeerLeftError

    def _take_in(self, reader: RequestReader, data: bytes) -> bool:
        """Whether what arrived can still be understood."""
        reader.feed(data)
        try:
            while request := reader.next_request():
                self._inbox.put(request)
                if _wants_socket(request):
                    self._is_upgrading = True
                    self._early += reader.take_rest()
                    return True
        except MalformedRequestError:
            self._inbox.put(None)
            return False
        self._continue_due |= reader.take_continue()
        self._send_continue()
        return True

    async def _swallow(self, count: int) -> None:
        """A body that comes meets the words for bodies; *count* bytes have just come."""
        coming = self._requests.coming() if self._requests is not None else None
        if coming is None:
            return
        script = intake_script(coming[0])
        if "early" in script:
            self._cut_intake(is_answered=True)
        elif "drop" in script and coming[1] >= (script.number("drop") or 0) * 1024:
            self._cut_intake(is_answered=False)
            self._reset()
        elif "sip" in script:
            await asyncio.sleep(count / 1024 / (script.number("sip") or 1))

    def _cut_intake(self, is_answered: bool) -> None:
        """No request comes any more: the last is answered, or only seen, with what came of it."""
        request = self._requests.unfinished() if self._requests is not None else None
        self._requests = None
        if request is None:
            return
        if is_answered:
            self._inbox.put(request)
            return
        self._seen.arrived(request, self._number).finished_at = time.monotonic()
        self._seen.changed()

    def _send_continue(self) -> None:
        """`100 Continue`, but never into the midst of another reply."""
        if self._continue_due and self._is_idle and not self._inbox.waiting:
            self._continue_due = False
            self._writer.write(http_writer.CONTINUE)

    def _note_leaving(self) -> None:
        cut_off = self._requests.unfinished() if self._requests is not None else None
        if cut_off is not None and not self._closing:
            self._requests = None
            self._seen.arrived(cut_off, self._number).left_at = time.monotonic()
            self._seen.changed()
        if self._talk is not None:
            self._talk.peer_left()
        current = self._current
        if current is None or self._closing or current.left_at is not None:
            return
        current.left_at = time.monotonic()
        self._seen.changed()

    async def _serve(self) -> None:
        idle_seconds: float | None = None
        while (request := await self._next_request(idle_seconds)) is not None:
            performance = self._sim_routes(request)
            if performance is None:
                self._current = self._seen.arrived(request, self._number)
                performance = self._answer(request)
            if performance.reply.session is not None:
                await self._converse(request, performance)
                return
            if not await self._perform(performance):
                return
            self._finish_current()
            if not request.is_whole:
                await asyncio.Event().wait()  # the rest is read until the peer leaves
            if _wants_close(request) or self._is_upgrading:
                return
            script = performance.script
            idle_seconds = script.seconds("closeidle") if "closeidle" in script else None

    async def _next_request(self, idle_seconds: float | None) -> Request | None:
        """The next request; None when it is time to close: idle too long (X28), or malformed."""
        self._is_idle = True
        self._send_continue()
        try:
            async with asyncio.timeout(idle_seconds):
                request = await self._inbox.get()
        except TimeoutError:
            return None
        self._is_idle = False
        if request is None:
            self._writer.write(http_writer.head(400, [("content-length", "0")]))
            await self._writer.drain()
        return request

    async def _converse(self, request: Request, performance: Performance) -> None:
        """Be a websocket until it ends; what breaks before the handshake is as of any reply."""
        reply, script = performance.reply, performance.script
        if reply.session is None or not await self._take_steps(faults.opening(script), reply):
            return
        socket_seen = SeenSocket()
        if self._current is not None:
            self._current.socket = socket_seen
        talk = SocketTalk(reply.session, script, socket_seen)
        await self._talk_on(talk.open(request, reply.headers))
        while self._early:
            early, self._early = bytes(self._early), bytearray()
            await self._talk_on(talk.take(early, time.monotonic()))
        self._talk = talk
        await self._talk_ended.wait()
        self._finish_current()

    async def _talk_on(self, steps: Iterable[faults.Step]) -> None:
        """Perform; a talk that holds its peace is read on, so that an end is still noticed."""
        if not await self._take_steps((s for s in steps if not isinstance(s, faults.Hold)), None):
            self._talk_ended.set()
        self._seen.changed()

    async def _perform(self, performance: Performance) -> bool:
        """Whether the connection lives on."""
        reply = performance.reply
        return await self._take_steps(faults.plan(reply, performance.script), reply)

    async def _take_steps(self, steps: Iterable[faults.Step], reply: Reply | None) -> bool:
        """Whether the connection lives on."""
        for step in steps:
            match step:
                case faults.Send():
                    if not step.at_once:
                        await asyncio.sleep(0)  # a turn for the others, and for the watch
                    self._writer.write(step.data)
                    await self._writer.drain()
                    self._count(step, "" if reply is None else reply.model)
                case faults.Pause():
                    await asyncio.sleep(step.seconds)
                case faults.Hold():
                    await asyncio.Event().wait()
                case faults.HangUp():
                    self._finish_current()
                    return False
                case faults.Reset():
                    self._reset()
                    return False
        return True

    def _count(self, step: faults.Send, model: str) -> None:
        if model and (step.prompt_tokens or step.completion_tokens):
            self._seen.given_out(model, step.prompt_tokens, step.completion_tokens)
        if self._current is not None and step.events:
            self._current.events_sent += step.events
            self._seen.changed()

    def _finish_current(self) -> None:
        if self._current is not None:
            self._current.finished_at = time.monotonic()
            self._current = None
            self._seen.changed()

    def _reset(self) -> None:
        self._finish_current()
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self._writer.transport.abort()


def _wants_socket(request: Request) -> bool:
    return any(value.lower() == "websocket" for value in request.values("upgrade"))


def _wants_close(request: Request) -> bool:
    return any(value.lower() == "close" for value in request.values("connection"))
