"""OpenMind's websockets over real connections (N3, N4, X16), with a client that is not ours."""

import asyncio
import base64
import json
import time

import pytest
from websockets.asyncio.client import connect as connect_socket
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from app.simulators.sounds import tone
from tests.simulators.raw_client import SECONDS, request_bytes

KEY = "?api_key=sim-openmind"
GOOGLE = "/openmind/api/core/google/asr"
ELEVENLABS = "/openmind/api/core/elevenlabs/asr"
RIVA = "/openmind-asr"
VILA = "/openmind-vila"
LATER = [path.replace("core", "core/v1") for path in (GOOGLE, ELEVENLABS)]
ALL = [
    *LATER,
    GOOGLE,
    GOOGLE + "/v1",
    GOOGLE + "/v2",
    ELEVENLABS,
    RIVA,
    RIVA + "/",
    VILA,
    VILA + "/",
]


def spoken(sound_ms: int, silence_ms: int = 600) -> str:
    audio = b"".join(tone(sound_ms, 16_000)) + bytes(silence_ms * 32)
    return json.dumps({"audio": base64.b64encode(audio).decode(), "rate": 16_000})


@pytest.fixture
def dial(simulators):
    """Opens a socket; *words* go into the header `x-sim`."""

    def dialled(path: str, words: str = "", query: str = KEY):
        headers = {"x-sim": words} if words else {}
        uri = f"ws://{simulators.host}:{simulators.port}{path}{query}"
        return connect_socket(uri, additional_headers=headers, compression=None, proxy=None)

    return dialled


async def said(socket, count: int):
    async with asyncio.timeout(SECONDS):
        return [json.loads(await socket.recv()) for _ in range(count)]


async def end_of(socket):
    """Everything until the end, and its close code and reason."""
    found = []
    async with asyncio.timeout(SECONDS):
        try:
            while True:
                found.append(await socket.recv())
        except ConnectionClosed:
            return found, socket.close_code, socket.close_reason


@pytest.mark.parametrize("path", ALL)
async def test_every_address_opens_with_the_key_in_the_query(dial, path):
    async with dial(path) as socket:
        assert socket.response.status_code == 101


@pytest.mark.parametrize("path", ALL)
@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("", "Missing API key. Please connect with ?api_key=YOUR_API_KEY"),
        ("?api_key=wrong", "Invalid API key"),
        ("?key=sim-openmind", "Invalid API key"),
        (f"{KEY}&api_key=sim-openmind", "Invalid API key"),
    ],
)
async def test_a_wrong_key_is_401_before_101(dial, path, query, says):
    with pytest.raises(InvalidStatus) as refused:
        async with dial(path, query=query):
            pass

    assert refused.value.response.status_code == 401
    assert json.loads(refused.value.response.body)["error"].startswith(says)


async def test_a_second_credential_is_401(simulators):
    uri = f"ws://{simulators.host}:{simulators.port}{GOOGLE}{KEY}"
    with pytest.raises(InvalidStatus) as refused:
        async with connect_socket(uri, additional_headers={"x-api-key": "k"}, proxy=None):
            pass

    assert refused.value.response.status_code == 401


async def test_a_socket_route_without_an_upgrade_is_426(send):
    reply = await send(request_bytes("GET", GOOGLE + KEY, bare=True))

    assert (reply.status, reply.header("upgrade")) == (426, "websocket")


async def test_google_hears_and_says(dial):
    async with dial(GOOGLE) as socket:
        await socket.send(spoken(1000))
        messages = await said(socket, 5)

    assert [one.get("type") for one in messages] == [
        "connection",
        "speech_start",
        "speech_end",
        "end_of_utterance",
        None,
    ]
    assert messages[-1]["asr_reply"] == "heard 1000 ms"


async def test_the_model_in_the_query_may_carry_words(dial):
    async with dial(GOOGLE, query=f"{KEY}&model=chirp_3-sim-nohello") as socket:
        await socket.send(spoken(500))
        assert (await said(socket, 1))[0]["type"] == "speech_start"


@pytest.mark.parametrize("path", [GOOGLE, ELEVENLABS, RIVA])
async def test_what_is_left_is_said_after_the_close_and_before_its_answer(dial, path):
    async with dial(path, "nohello, untyped") as socket:
        await socket.send(spoken(700, 0))
        await socket.close(1000, "done")
        messages, code, _ = await end_of(socket)

    assert json.loads(messages[-1])["asr_reply"] == "heard 700 ms"
    assert code == 1000


async def test_vila_answers_each_fifth_frame(dial):
    async with dial(VILA) as socket:
        for number in range(10):
            await socket.send(json.dumps({"timestamp": number, "frame": "AAAA"}))
            await socket.send("no frame")
        assert await said(socket, 2) == [
            {"vlm_reply": "I have seen 5 frames."},
            {"vlm_reply": "I have seen 10 frames."},
        ]


async def test_fragments_and_pings_are_understood(dial):
    text = spoken(1000)
    async with dial(RIVA) as socket:
        await socket.send([text[:1000], text[1000:]])
        assert (await said(socket, 1))[0]["asr_reply"] == "heard 1000 ms"
        async with asyncio.timeout(SECONDS):
            await (await socket.ping())


async def test_frames_that_come_with_the_handshake_are_heard(simulators, connect):
    peer = await connect()
    head = (
        f"GET {RIVA}{KEY} HTTP/1.1\r\nHost: sim\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    close = b"\x88\x82" + bytes(4) + b"\x03\xe8"
    await peer.send(head.encode() + close)

    answer = await peer.rest()
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert answer.endswith(b"\x88\x02\x03\xe8")
    assert simulators.seen.last.socket.close_code == 1000


async def test_a_handshake_that_is_broken_is_refused(connect):
    peer = await connect()
    head = f"GET {RIVA}{KEY} HTTP/1.1\r\nHost: sim\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    await peer.send(head.encode())

    assert (await peer.rest()).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("words", "status"), [("status=503", 503), ("rate=5", 403), ("quota", 429), ("html=403", 403)]
)
async def test_a_word_may_refuse_the_handshake(dial, words, status):
    with pytest.raises(InvalidStatus) as refused:
        async with dial(GOOGLE, words):
            pass

    assert refused.value.response.status_code == status


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        ("close=1008", 1008, "Policy violation"),
        ("close=1008, quota", 1008, "Quota exceeded"),
        ("close=1011", 1011, "Policy violation"),
        ("close", 1008, "Policy violation"),
    ],
)
async def test_close_comes_at_the_first_message(dial, words, code, reason):
    async with dial(GOOGLE, words) as socket:
        await socket.send(spoken(100))
        messages, *ended = await end_of(socket)

    assert len(messages) == 1  # the hello
    assert ended == [code, reason]


@pytest.mark.parametrize(
    ("words", "count", "code"), [("cut=3", 3, 1006), ("reset=2", 2, 1006), ("eof=2", 2, 1000)]
)
async def test_a_socket_breaks_behind_so_many_messages(dial, words, count, code):
    async with dial(GOOGLE, words) as socket:
        await socket.send(spoken(1000))
        messages, ended, _ = await end_of(socket)

    assert len(messages) <= count if words.startswith("reset") else len(messages) == count
    assert ended == code


@pytest.mark.parametrize("words", ["refuse", "reset=0", "cut=0", "garbage=1"])
async def test_a_handshake_may_break(dial, words):
    with pytest.raises((OSError, InvalidMessage)):
        async with dial(GOOGLE, words):
            pass


async def test_badjson_and_inerror_count_messages(dial):
    async with dial(GOOGLE, "badjson=2, inerror=3") as socket:
        await socket.send(spoken(1000))
        async with asyncio.timeout(SECONDS):
            messages = [await socket.recv() for _ in range(4)]

    assert messages[1] == '{"id":"broken'
    assert json.loads(messages[3]) == {"type": "error", "message": "simulated failure"}


async def test_a_socket_that_stalls_still_sees_the_peer_leave(simulators, dial):
    async with dial(GOOGLE, "stall=1") as socket:
        assert (await said(socket, 1))[0]["type"] == "connection"
        await socket.send(spoken(1000))
        socket.transport.abort()
        seen = await simulators.seen.wait_for(lambda one: one.left_at, SECONDS)

    assert seen.socket.messages_out == 1


async def test_a_socket_is_seen_with_its_counts_and_its_end(simulators, dial, ask):
    async with dial(GOOGLE + "/v2", query=f"{KEY}&a=b") as socket:
        await socket.send(spoken(1000))
        await said(socket, 5)
        await socket.close(1000, "bye")
    seen = await simulators.seen.wait_for(lambda one: one.finished_at, SECONDS)

    assert seen.target == f"{GOOGLE}/v2{KEY}&a=b"
    assert seen.left_at is None
    row = (await ask("GET", "/_sim/requests")).json()[0]
    assert row["socket"] == {
        "messages_in": 1,
        "messages_out": 5,
        "bytes_in": len(spoken(1000)),
        "close_code": 1000,
        "close_reason": "bye",
    }


async def test_a_peer_that_is_cut_is_seen_so(simulators, dial):
    async with dial(GOOGLE) as socket:
        await said(socket, 1)
        socket.transport.abort()
        seen = await simulators.seen.wait_for(lambda one: one.left_at, SECONDS)

    assert seen.socket.close_code == 1006


async def test_closing_the_simulators_ends_open_sockets(simulators, dial):
    async with dial(GOOGLE) as socket:
        await said(socket, 1)
        await simulators.close()
        _, code, _ = await end_of(socket)

    assert code == 1006


@pytest.mark.parametrize("words", ["ttft=60", "gap=60"])
async def test_messages_wait_as_they_are_told(dial, words):
    began = time.monotonic()
    async with dial(GOOGLE, words) as socket:
        await socket.send(spoken(1000))
        await said(socket, 2)

    assert time.monotonic() - began >= 0.06
