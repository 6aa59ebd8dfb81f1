"""Whether the other side has left, by the kernel's word, over real sockets (law 5)."""

import asyncio

import pytest

from app.wire.departures import give_up, has_left
from tests.fakes.raw_client import RawClient, eventually


async def pair() -> tuple[RawClient, RawClient]:
    """Two ends of a connection, neither of which reads."""
    loop = asyncio.get_running_loop()
    accepted: asyncio.Future[RawClient] = loop.create_future()

    def made() -> RawClient:
        one = RawClient()
        loop.call_soon(accepted.set_result, one)
        return one

    server = await loop.create_server(made, "127.0.0.1", 0)
    _, near = await loop.create_connection(RawClient, *server.sockets[0].getsockname())
    far = await accepted
    server.close()
    return near, far


@pytest.mark.parametrize("how", ["close", "reset", "half_close"])
async def test_one_that_left_is_known_before_what_it_sent_was_read(how):
    near, far = await pair()
    await far.send(b"unread")
    before = has_left(near.transport)
    getattr(far, how)()

    assert not before
    assert await eventually(lambda: has_left(near.transport))
    near.close()
    far.close()


async def test_one_that_is_given_up_is_reset_whatever_waits_for_it():
    near, far = await pair()
    near.transport.write(bytes(20_000_000))
    give_up(near.transport)

    assert await eventually(lambda: has_left(far.transport))
    with pytest.raises(ConnectionResetError):
        await far._exactly(20_000_000)
    far.close()


async def test_a_transport_without_a_socket_tells_nothing():
    assert not has_left(asyncio.Transport())
