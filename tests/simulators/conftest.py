"""A running set of simulators, and the raw client of `raw_client` as fixtures."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from app.simulators.server import Simulators
from tests.simulators.raw_client import Peer, Seen, chat_bytes, request_bytes

Send = Callable[[bytes], Awaitable[Seen]]


@pytest.fixture
async def simulators() -> AsyncIterator[Simulators]:
    async with await Simulators.start() as running:
        yield running


@pytest.fixture
def connect(simulators: Simulators) -> Iterator[Callable[[], Awaitable[Peer]]]:
    """Opens connections, and closes them behind the test."""
    peers: list[Peer] = []

    async def opened() -> Peer:
        peers.append(await Peer.open(simulators))
        return peers[-1]

    yield opened
    for peer in peers:
        peer.close()


@pytest.fixture
def send(connect: Callable[[], Awaitable[Peer]]) -> Send:
    """Sends bytes on a connection of their own and reads the reply."""

    async def sent(data: bytes) -> Seen:
        peer = await connect()
        await peer.send(data)
        return await peer.reply()

    return sent


@pytest.fixture
def ask(send: Send) -> Callable[..., Awaitable[Seen]]:
    """One request from its parts."""

    async def asked(method: str, target: str, payload: Any = None, **more: Any) -> Seen:
        return await send(request_bytes(method, target, payload, **more))

    return asked


@pytest.fixture
def chat(send: Send) -> Callable[..., Awaitable[Seen]]:
    """One chat completion: site, suffix of the model name, text, further members."""

    async def chatted(site: str, suffix: str = "", text: str = "one two", **more: Any) -> Seen:
        return await send(chat_bytes(site, suffix, text, **more))

    return chatted
