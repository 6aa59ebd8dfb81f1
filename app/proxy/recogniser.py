"""
A sound to a recognition socket and what was understood back, both at once (upstreams A11, A12).

What to send and what a message means is `app.upstreams.recognition`'s; here it is sent and heard, in two tasks of one
group that end together. Time is a clock and a sleep that are passed in.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from app.domain.errors import GatewayError, UpstreamTimeout
from app.upstreams.recognition import (
    CLOSING_SECONDS,
    HELLO_SECONDS,
    Recognition,
    closed_early,
    spoken_failure,
)
from app.upstreams.upstream import Upstream
from app.wire.messages import Message, SocketClosed

_LOOK_SECONDS = 0.05  # between two looks, while there is nothing to send
_LARGE_BYTES = 32 * 1024
_ORDERLY = (1000, 1001, 1005)


class EngineSocket(Protocol):
    """What of a websocket is used here: `app.wire.web_socket`."""

    async def receive(self) -> Message:
        """The next message. Raises SocketClosed."""
        ...

    async def send(self, message: Message) -> None:
        """*message* is on its way. Raises SocketClosed."""
        ...

    def end(self) -> None:
        """Nothing more is sent: our close is on its way. What still comes is received, until the other side's own."""
        ...

    def abort(self) -> None:
        """Closed at once."""
        ...


class Listener(Protocol):
    """Who is told how far it has come. Neither method may raise."""

    def heard(self, final: str) -> None:
        """*final* was understood."""
        ...

    def went_on(self, sent_ms: int) -> None:
        """Time has passed; *sent_ms* of the sound are out."""
        ...


class Recogniser:
    """Recognises one sound after the other, any number at a time. *now* and *sleep* go by one clock."""

    def __init__(
        self, now: Callable[[], float], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._now = now
        self._sleep = sleep

    async def recognise(
        self,
        recognition: Recognition,
        socket: EngineSocket,
        upstream: Upstream,
        listener: Listener,
    ) -> None:
        """All of the sound was sent and all finals have come; *socket* is closed, whatever happens.

        Raises UpstreamAnswered, UpstreamDisconnected, UpstreamRefusedCredential (A14) and UpstreamTimeout.
        """
        talk = _Talk(recognition, socket, listener, self._now, self._sleep)
        try:
            async with asyncio.TaskGroup() as group:
                hearing = group.create_task(talk.hear())
                await talk.speak()
                hearing.cancel()
        finally:
            socket.abort()
        failure = talk.failure(upstream)
        if failure is not None:
            raise failure


class _Talk:
    """One sound at one socket."""

    def __init__(
        self,
        recognition: Recognition,
        socket: EngineSocket,
        listener: Listener,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._recognition = recognition
        self._socket = socket
        self._listener = listener
        self._now = now
        self._sleep = sleep
        self._closed: SocketClosed | None = None
        self._has_ended = False  # our close is out
        self._is_late = False

    def _is_over(self) -> bool:
        return self._closed is not None or self._recognition.failure is not None or self._is_late

    async def hear(self) -> None:
        """Until the socket is closed, or the engine has failed."""
        while self._recognition.failure is None:
            try:
                message = await self._socket.receive()
            except SocketClosed as closed:
                self._closed = closed
                return
            final = self._recognition.take(message.payload, self._now())
            if final is not None:
                self._listener.heard(final)

    async def speak(self) -> None:
        """The sound, the silence behind it, and the wait for what was understood."""
        recognition, now = self._recognition, self._now
        greeted_by = now() + HELLO_SECONDS
        while not recognition.may_begin:
            await self._wait(greeted_by)
            if self._is_over() or now() >= greeted_by:
                break
        recognition.begin(now())
        while not (recognition.all_sent or self._is_over()):
            await self._send_next()
        while not self._is_over() and now() < recognition.done_at:
            await self._wait(recognition.done_at)
        if not self._is_over():
            self._has_ended = True
            self._socket.end()
            closed_by = now() + CLOSING_SECONDS
            while not self._is_over() and now() < closed_by:
                await self._wait(closed_by)

    def failure(self, upstream: Upstream) -> GatewayError | None:
        """Why it is not whole; None where it is."""
        words, closed = self._recognition.failure, self._closed
        if words is not None:
            return spoken_failure(upstream, words)
        if self._is_late:
            return UpstreamTimeout(
                f"Upstream '{upstream.name}' did not take all of the sound in time.", phase="total"
            )
        if closed is None or self._has_ended:
            return None
        if self._recognition.all_sent and closed.code in _ORDERLY:
            return None  # it had nothing more to say
        return closed_early(upstream, closed.code, closed.reason)

    async def _send_next(self) -> None:
        recognition = self._recognition
        delay = recognition.next_at - self._now()
        if delay > 0:
            await self._sleep(delay)
        if self._is_over():
            return
        if self._now() >= recognition.latest_at:
            self._is_late = True
            return
        if recognition.piece_bytes > _LARGE_BYTES:  # it takes milliseconds (reliability R24)
            text = await asyncio.to_thread(recognition.next_message, self._now())
        else:
            text = recognition.next_message(self._now())
        try:
            await self._socket.send(Message(text.encode(), is_text=True))
        except SocketClosed as closed:
            self._closed = closed
        self._listener.went_on(recognition.sent_ms)

    async def _wait(self, until: float) -> None:
        """For a moment, at most *until* then."""
        await self._sleep(max(min(until - self._now(), _LOOK_SECONDS), 0.0))
        self._listener.went_on(self._recognition.sent_ms)
