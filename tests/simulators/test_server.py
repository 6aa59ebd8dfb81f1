"""The listener: where it is found, and that it leaves nothing behind."""

import ast
import asyncio
import sys
from pathlib import Path

import httpx2
import pytest

import app.simulators
from app.domain.configuration import ServerOptions
from app.main.demo import demo_configuration
from app.simulators.keys import KEYS
from app.simulators.server import Simulators
from tests.simulators.raw_client import CHAT, MODELS, SECONDS, Peer, chat_body, chat_bytes

PHASES = [
    pytest.param(b"", id="an idle connection"),
    pytest.param(b"POST / HT", id="half a request"),
    pytest.param(b"nonsense\r\n\r\n", id="no request"),
    pytest.param(chat_bytes("4minds", "-sim-half"), id="a request that is never answered"),
    pytest.param(
        chat_bytes("4minds", "-sim-half") + b"nonsense\r\n\r\n", id="with nonsense behind"
    ),
    pytest.param(chat_bytes("4minds", "-sim-head-60000"), id="a delayed reply"),
    pytest.param(chat_bytes("4minds", "-sim-tokens-1000000", stream=True), id="a pouring stream"),
]


@pytest.mark.parametrize(
    ("dialect", "path"),
    [
        ("4minds", "/4minds/v1"),
        ("minds", "/minds"),
        ("openmind", "/openmind/api/core"),
        ("openai", "/openai/v1"),
    ],
)
async def test_every_dialect_has_its_base_url(simulators, dialect, path):
    assert simulators.base_url(dialect) == f"http://127.0.0.1:{simulators.port}{path}"
    assert KEYS[dialect] == f"sim-{dialect}"


async def test_an_unknown_dialect_has_none(simulators):
    with pytest.raises(KeyError):
        simulators.base_url("nosuch")


@pytest.mark.parametrize("data", PHASES)
async def test_closing_ends_every_connection_and_task(data):
    before = asyncio.all_tasks()
    running = await Simulators.start()
    peer = await Peer.open(running)
    await peer.send(data)
    if data.startswith(b"POST /4minds"):
        await running.seen.wait_for(lambda one: True, SECONDS)
    async with asyncio.timeout(SECONDS):
        await running.close()

    assert asyncio.all_tasks() == before
    assert all(one.left_at is None for one in running.seen)
    peer.close()


async def test_closing_twice_is_harmless():
    running = await Simulators.start()
    await running.close()
    await running.close()


async def test_a_closed_port_refuses():
    async with await Simulators.start() as running:
        pass
    with pytest.raises(ConnectionRefusedError):
        await Peer.open(running)


async def test_two_simulators_share_nothing(send):
    async with await Simulators.start() as one, await Simulators.start() as other:
        for running in (one, other):
            peer = await Peer.open(running)
            await peer.send(chat_bytes("openai"))
            assert (await peer.reply()).json()["id"] == "chatcmpl-1"
            peer.close()

        assert (len(one.seen), len(other.seen)) == (1, 1)


async def test_a_hundred_streams_at_once_are_each_whole(simulators):
    async def one_stream(number: int) -> str:
        peer = await Peer.open(simulators)
        await peer.send(chat_bytes("openai", "-sim-gap-1", text=str(number), stream=True))
        reply = await peer.reply()
        peer.close()
        return reply.text()

    texts = await asyncio.gather(*(one_stream(number) for number in range(100)))

    assert texts == [f"echo: {number}" for number in range(100)]


@pytest.mark.parametrize("site", ["4minds", "minds", "openmind", "openai"])
async def test_a_library_client_understands_every_dialect(simulators, site):
    key = KEYS[site]
    carrier = {"x-api-key": key} if site == "openmind" else {"authorization": f"Bearer {key}"}
    headers = carrier | {"user-agent": "Mozilla/5.0"}
    url = f"http://{simulators.host}:{simulators.port}{CHAT[site]}"
    async with httpx2.AsyncClient(headers=headers, trust_env=False) as client:
        whole = await client.post(url, json=chat_body(MODELS[site]))
        streamed = await client.post(url, json=chat_body(MODELS[site], stream=True))

    assert whole.json()["choices"][0]["message"]["content"] == "echo: one two"
    assert "echo:" in streamed.text
    assert {one.connection for one in simulators.seen} == {1}


def test_the_room_imports_itself_the_standard_library_and_the_frames_of_websockets_only():
    allowed = {*sys.stdlib_module_names, "app.simulators", "websockets"}
    for path in Path(app.simulators.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                room = ".".join(name.split(".")[:2]) if name.startswith("app") else name
                assert room in allowed or name.split(".")[0] in allowed, f"{path.name}: {name}"


def test_sockets_have_addresses_of_their_own(simulators):
    origin = f"ws://127.0.0.1:{simulators.port}"

    assert simulators.socket_url("openmind") == f"{origin}/openmind/api/core"
    assert simulators.socket_url("riva-asr") == f"{origin}/openmind-asr"
    assert simulators.socket_url("vila") == f"{origin}/openmind-vila"


def test_the_demo_finds_every_socket_here(simulators):
    configuration = demo_configuration(simulators, ServerOptions())
    (entry,) = [one for one in configuration.upstreams if one.dialect == "openmind"]

    for url in (entry.websocket_base, entry.riva_asr_url, entry.vila_url):
        assert url is not None
        assert url.startswith(f"ws://127.0.0.1:{simulators.port}/openmind")
