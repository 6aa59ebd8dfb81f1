"""
Two websockets joined: what comes on the one leaves on the other, message for message and in order, until one of them is
closed (upstreams N13).

Neither side is read faster than the other takes it: a message is sent before the next is received.
"""

import asyncio
from collections.abc import Callable
from typing import Literal, NamedTuple

from app.domain.errors import InvalidRequest
from app.domain.exchange import Exchange
from app.protocol.headers import HeaderList
from app.wire.handshake import BadHandshake, acceptance
from app.wire.messages import Message, SocketClosed
from app.wire.web_socket import WebSocket

Side = Literal["client", "upstream"]

CUT = 1006  # what a socket is told that was cut without a word
GOING_AWAY = 1001
_FAILED = 1011
_LAST_WORDS_SECONDS = (
    0.2  # for what a closed side had sent before, where the other learns of it first
)
_LOOK_SECONDS = 0.2  # between two looks at a client, while what it said is not taken (law 5)
_TICK_SECONDS = 30.0
_VERSION = ((b"sec-websocket-version", b"13"),)  # RFC 6455, 4.4: what we would take
_LONG_ENOUGH = "This socket has been open for as long as one may be. Open another."


class Ended(NamedTuple):
    """Who closed first, and with what. *by* None: nobody did, the time was over. *code* CUT: without a word."""

    by: Side | None
    code: int
    reason: str = ""


def check_opening(headers: HeaderList) -> None:
    """Nothing, where *headers* open a websocket. Raises InvalidRequest, so that no upstream is asked in vain."""
    try:
        acceptance(headers)
    except BadHandshake as fault:
        error = InvalidRequest(f"The request opens no websocket: {fault}.")
        error.relayed = _VERSION
        raise error from None


async def join(
    client: WebSocket,
    upstream: WebSocket,
    exchange: Exchange,
    *,
    seconds: float,
    on_tick: Callable[[], None] = lambda: None,
) -> Ended:
    """How it ended, once one side is closed and the other has all that came before; at the latest after *seconds*.

    The sides that are open still are the caller's to close. Cancelled, it passes on nothing more. *on_tick* is called
    now and then.
    """
    async with asyncio.TaskGroup() as group:
        up = group.create_task(_up(client, upstream))
        down = group.create_task(_down(client, upstream, exchange))
        sources = {down: "upstream", up: "client"}
        while True:
            patience = min(_TICK_SECONDS, seconds)
            done, _ = await asyncio.wait(sources, timeout=patience, return_when="FIRST_COMPLETED")
            seconds -= patience
            if done or seconds <= 0:
                break
            on_tick()
        if done and all(task.result().by != sources[task] for task in done):
            # Sending met a closed socket: what came of it before may still be on its way.
            more, _ = await asyncio.wait(sources, timeout=_LAST_WORDS_SECONDS)
            done |= more
        for task in sources:
            task.cancel()
    found = [task.result() for task in sources if task in done]
    told = (one for one in found if one.code != CUT)
    return next(told, found[0]) if found else Ended(None, GOING_AWAY, _LONG_ENOUGH)


def closing(ended: Ended) -> tuple[int, str]:
    """The code and reason that the other side is told: the same, but that a client that was cut is going away, and an
    upstream that was is a failure of the socket."""
    if ended.code != CUT:
        return ended.code, ended.reason
    if ended.by == "client":
        return GOING_AWAY, ""
    return _FAILED, "The upstream closed the connection without a word."


async def _down(client: WebSocket, upstream: WebSocket, exchange: Exchange) -> Ended:
    """Who was found closed, and how."""
    while True:
        try:
            message = await upstream.receive()
        except SocketClosed as closed:
            return Ended("upstream", closed.code, closed.reason)
        try:
            await client.send(message)
        except SocketClosed as closed:
            return Ended("client", closed.code, closed.reason)
        exchange.bytes_out += len(message.payload)


async def _up(client: WebSocket, upstream: WebSocket) -> Ended:
    """The same the other way. A client that leaves while its words are stuck is seen to leave."""
    while True:
        try:
            message = await client.receive()
        except SocketClosed as closed:
            return Ended("client", closed.code, closed.reason)
        try:
            while not await _taken(upstream, message):
                if client.has_left:
                    return Ended("client", CUT)
        except SocketClosed as closed:
            return Ended("upstream", closed.code, closed.reason)


async def _taken(socket: WebSocket, message: Message) -> bool:
    """True when *message* is on its way; False after a moment in which it was not taken, and then it is not sent."""
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            await socket.send(message)
    except TimeoutError:
        return False
    return True
