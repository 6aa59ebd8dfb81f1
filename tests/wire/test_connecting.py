"""Connecting: each address checked, none waited for too long, and no attempt left behind."""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from app.wire.connecting import Dialer
from app.wire.connection import Connection
from app.wire.errors import AddressRefused, ConnectFailed, NameUnknown, TlsFailed
from app.wire.outbox import Outbox
from app.wire.reading import ReadingLimits
from app.wire.requests import Origin
from tests.fakes.certificates import server_tls, trust
from tests.fakes.scripted_upstream import SECONDS, scripted
from tests.wire.parts import Notes

HERE, SILENT, REFUSING = "127.0.0.1", "127.0.0.2", "127.0.0.3"


@pytest.fixture
async def upstream():
    async with scripted() as one:
        yield one


class Attempts:
    """Dials a name with *addresses*, and keeps every connection that was made on the way."""

    def __init__(self, *addresses: str, forbidden: tuple[str, ...] = ()) -> None:
        async def resolve(_: Origin) -> list[str]:
            return list(addresses)

        self.all: list[Connection] = []
        self._dialer = Dialer(ssl.create_default_context(), lambda each: each in forbidden, resolve)

    async def dial(self, port: int) -> Connection:
        self._origin = Origin("http", "up.example", port)
        async with asyncio.timeout(SECONDS):
            return await self._dialer.dial(self._origin, self._make)

    @property
    def open(self) -> int:
        return sum(connection.is_open for connection in self.all)

    def _make(self) -> Connection:
        self.all.append(Connection(self._origin, Notes(), Outbox(), ReadingLimits(), SECONDS))
        return self.all[-1]


@contextmanager
def silent_at(port: int) -> Iterator[None]:
    """A connection to SILENT is neither taken nor refused: the line of those who wait there is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((SILENT, port))
        listener.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((SILENT, port))
        yield


def peer_of(connection: Connection) -> str:
    return str(connection.transport.get_extra_info("peername")[0])


async def test_an_address_that_refuses_is_followed_by_the_next(upstream):
    attempts = Attempts(REFUSING, HERE)

    connection = await attempts.dial(upstream.port)

    assert (HERE, 1) == (peer_of(connection), attempts.open)
    connection.close()


async def test_an_address_that_is_silent_does_not_keep_the_next_waiting(upstream):
    attempts = Attempts(SILENT, HERE)

    with silent_at(upstream.port):
        connection = await attempts.dial(upstream.port)
        await asyncio.sleep(0)

    assert (HERE, 1) == (peer_of(connection), attempts.open)
    connection.close()


async def test_of_two_that_answer_one_is_kept(upstream):
    """The second is under way when the first answers, or not: one stays open."""
    attempts = Attempts(HERE, HERE)

    connection = await attempts.dial(upstream.port)

    assert 1 == attempts.open
    connection.close()


async def test_when_all_refuse_it_failed(upstream):
    with pytest.raises(ConnectFailed):
        await Attempts(REFUSING, SILENT).dial(upstream.port)


@pytest.mark.parametrize("turns", range(8))
async def test_cancelled_no_attempt_is_left(upstream, turns):
    attempts = Attempts(SILENT, HERE)

    with silent_at(upstream.port):
        dialling = asyncio.ensure_future(attempts.dial(upstream.port))
        await asyncio.sleep(0.25 if turns else 0)
        for _ in range(turns):
            await asyncio.sleep(0)
        dialling.cancel()
        [result] = await asyncio.gather(dialling, return_exceptions=True)
        await asyncio.sleep(0)

    if isinstance(result, Connection):
        result.close()
    assert 0 == attempts.open
    await upstream.all_gone()


async def test_s7_a_forbidden_address_is_passed_over(upstream):
    attempts = Attempts(SILENT, HERE, forbidden=(SILENT,))

    connection = await attempts.dial(upstream.port)

    assert [HERE] == [peer_of(each) for each in attempts.all]
    connection.close()


async def test_s7_a_name_with_none_but_forbidden_addresses_is_refused(upstream):
    attempts = Attempts(HERE, SILENT, forbidden=(HERE, SILENT))

    with pytest.raises(AddressRefused):
        await attempts.dial(upstream.port)

    assert [] == attempts.all


async def test_a_server_that_chose_another_protocol_is_not_spoken_to():
    """A context that offers HTTP/2 is another sender's."""
    theirs, ours = server_tls("localhost"), trust()
    for context in (theirs, ours):
        context.set_alpn_protocols(["h2"])
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, HERE, 0, ssl=theirs)
    origin = Origin("https", "localhost", server.sockets[0].getsockname()[1])
    made = Connection(origin, Notes(), Outbox(), ReadingLimits(), SECONDS)

    async def resolve(_: Origin) -> list[str]:
        return [HERE]

    with pytest.raises(TlsFailed):
        await Dialer(ours, lambda _: False, resolve).dial(origin, lambda: made)

    assert not made.is_open
    server.close()


@pytest.mark.parametrize("host", ["no-such-name.invalid", "a" * 64 + ".example", "a..b"])
async def test_a_name_that_is_none(host):
    dialer = Dialer(ssl.create_default_context(), lambda _: False)
    origin = Origin("http", host, 80)

    with pytest.raises(NameUnknown):
        await dialer.dial(
            origin, lambda: Connection(origin, Notes(), Outbox(), ReadingLimits(), SECONDS)
        )
