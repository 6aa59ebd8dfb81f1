"""The websockets in memory, which other tests use, against the real ones: both keep the same promises."""

import asyncio
from collections.abc import Callable

import pytest

from app.wire.messages import Message, SocketClosed
from app.wire.outbox import Outbox, Outgoing
from app.wire.web_socket import WebSocket
from tests.fakes.sockets import socket_pair
from tests.wire.socket_parts import SocketTransport

HELLO = Message(b"hello", True)
AUDIO = Message(b"\x00\xff", False)
Pair = tuple[WebSocket, WebSocket]


class Joined(SocketTransport):
    """What is written here arrives at the other one."""

    far: "Joined"

    def write(self, data) -> None:  # type: ignore[explicit-override]
        self._soon("data_received", bytes(data))

    def write_eof(self) -> None:  # type: ignore[explicit-override]
        self._soon("eof_received")

    def abort(self) -> None:  # type: ignore[explicit-override]
        super().abort()
        if not self.far.is_over:
            self.far.is_over = True
            self._soon("connection_lost", None)

    def _soon(self, name: str, *values: object) -> None:
        asyncio.get_running_loop().call_soon(getattr(self.far.socket, name), *values)


def real_pair() -> Pair:
    transports = Joined(), Joined()
    for transport, other, is_client in zip(
        transports, transports[::-1], (False, True), strict=True
    ):
        transport.far = other
        transport.socket = WebSocket(Outgoing(transport, Outbox()), is_client=is_client)
    assert transports[0].socket is not None
    assert transports[1].socket is not None
    return transports[0].socket, transports[1].socket


@pytest.fixture(params=[real_pair, socket_pair], ids=["real", "in memory"])
async def pair(request) -> Pair:
    make: Callable[[], Pair] = request.param
    return make()


async def end_of(socket: WebSocket) -> SocketClosed:
    with pytest.raises(SocketClosed) as caught:
        await socket.receive()
    return caught.value


async def test_messages_arrive_in_order(pair):
    near, far = pair
    await near.send(HELLO)
    await near.send(AUDIO)

    assert [HELLO, AUDIO] == [await far.receive(), await far.receive()]
    near.abort()


async def test_a_close_is_told_behind_what_came_before_it(pair):
    near, far = pair
    await near.send(HELLO)
    near.begin_close(4001, "enough")

    assert HELLO == await far.receive()
    assert (4001, "enough") == (await end_of(far)).args
    with pytest.raises(SocketClosed):
        await far.send(HELLO)
    near.abort()


async def test_one_that_closes_is_told_its_own_code(pair):
    near, far = pair
    near.begin_close(4002)

    assert 4002 == (await end_of(near)).code
    with pytest.raises(SocketClosed):
        await near.send(HELLO)
    near.abort()
    far.abort()


async def test_an_abort_is_a_cut_to_both(pair):
    near, far = pair
    near.abort()

    assert [1006, 1006] == [(await end_of(near)).code, (await end_of(far)).code]


async def test_who_waits_is_woken_by_the_end(pair):
    near, far = pair
    waiting = asyncio.ensure_future(end_of(far))
    await asyncio.sleep(0)
    near.begin_close(1001)

    assert 1001 == (await waiting).code
    assert 1001 == (await end_of(far)).code
    near.abort()
