"""A vendor's own client, with only base URL and key changed, at the gateway (upstreams 8)."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import suppress

import httpx2
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.fakes.gateways import KEY, RunningGateway, running_demo
from tests.fakes.raw_client import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

SILENCE, SOUND = bytes(32_000), (b"\x00\x40\x00\xc0" * 8_000)  # a second each, 16 kHz s16le


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway() -> AsyncIterator[RunningGateway]:
    async with running_demo() as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plain(gateway: RunningGateway) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=gateway.root, headers=gateway.headers) as found:
        yield found


def socket_url(gateway: RunningGateway, path: str, key: str = KEY) -> str:
    return f"{gateway.root.replace('http', 'ws')}{path}?api_key={key}"


# --- HTTP -----------------------------------------------------------------------------------------------------------


async def test_openmind_s_own_speech_answers_as_openmind_does(plain):
    answer = await plain.post("/openmind/elevenlabs/tts", json={"text": "Hello"})

    assert 200 == answer.status_code
    assert base64.b64decode(answer.json()["response"])


async def test_the_robot_s_key_may_stand_where_openmind_wants_it(gateway):
    async with httpx2.AsyncClient(base_url=gateway.root) as robot:
        answer = await robot.post(
            "/openmind/riva/tts", json={"text": "Hello"}, headers={"x-api-key": KEY}
        )

    assert 200 == answer.status_code


async def test_minds_are_listed_as_mindsdb_lists_them(plain):
    answer = await plain.get("/minds/api/projects/mindsdb/minds")

    assert isinstance(answer.json(), list)
    assert {"sales_mind", "support_mind"} <= {row["name"] for row in answer.json()}


async def test_an_upstream_s_error_comes_as_it_is(plain):
    answer = await plain.get("/minds/api/projects/mindsdb/minds/nobody")

    assert 404 == answer.status_code
    assert "detail" in answer.json()


async def test_a_thread_runs(plain):
    thread = (await plain.post("/minds/threads", json={})).json()
    said = await plain.post(
        f"/minds/threads/{thread['id']}/messages", json={"role": "user", "content": "Hello"}
    )
    run = await plain.post(
        f"/minds/threads/{thread['id']}/runs", json={"assistant_id": "sales_mind"}
    )

    assert [200, 200] == [said.status_code, run.status_code]


async def test_what_changes_things_needs_to_be_allowed(plain, gateway):
    seen = len(list(gateway.simulators.seen))
    answer = await plain.delete("/minds/api/projects/mindsdb/minds/sales_mind")

    assert (404, "unsupported_endpoint") == (answer.status_code, answer.json()["error"]["code"])
    assert "manage" in answer.json()["error"]["message"]
    assert seen == len(list(gateway.simulators.seen))


@pytest.mark.parametrize(
    "path",
    ["/openmind/account", "/openmind/api_keys", "/openmind/agent/../account", "/minds/api/v2/x", "/4minds/api/v1/user"],
)  # fmt: skip
async def test_what_is_not_on_the_list_reaches_no_upstream(plain, gateway, path):
    seen = len(list(gateway.simulators.seen))
    answer = await plain.post(path, json={})

    assert answer.status_code in (400, 404, 405)
    assert seen == len(list(gateway.simulators.seen))


# --- websockets -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/openmind/google/asr", "/openmind/google/asr/v2", "/openmind/elevenlabs/asr", "/openmind/riva/asr"]
)  # fmt: skip
async def test_a_robot_is_heard(gateway, path):
    async with connect(socket_url(gateway, path), proxy=None) as socket:
        for sound in (SOUND, SILENCE):
            for start in range(0, len(sound), 3200):
                audio = base64.b64encode(sound[start : start + 3200]).decode()
                await socket.send(json.dumps({"audio": audio, "rate": 16_000}))
        heard: dict[str, str] = {}
        async with asyncio.timeout(10):
            async for message in socket:
                heard = json.loads(message)
                if heard.get("asr_reply", "").startswith("heard") and heard.get("type") in (
                    None,
                    "committed",
                ):
                    break

    assert "heard" in heard["asr_reply"]


async def test_bare_samples_pass_as_binary(gateway):
    async with connect(socket_url(gateway, "/openmind/riva/asr"), proxy=None) as socket:
        await socket.send(SOUND + SILENCE)
        async with asyncio.timeout(10):
            heard = json.loads(await socket.recv())

    assert heard["asr_reply"].startswith("heard")


async def test_vila_looks(gateway):
    async with connect(socket_url(gateway, "/openmind/vila"), proxy=None) as socket:
        for number in range(5):
            await socket.send(
                json.dumps({"timestamp": number, "frame": base64.b64encode(b"jpeg").decode()})
            )
        async with asyncio.timeout(10):
            seen = json.loads(await socket.recv())

    assert "vlm_reply" in seen


@pytest.mark.parametrize(
    ("path", "status"),
    [
        pytest.param(f"/openmind/google/asr?api_key={KEY}x", 401, id="a wrong key"),
        pytest.param("/openmind/google/asr", 401, id="no key"),
        pytest.param(f"/openmind/nobody/asr?api_key={KEY}", 404, id="no such socket"),
        pytest.param(f"/minds/api/projects/mindsdb/minds?api_key={KEY}", 401, id="a key in the query of no socket"),
    ],
)  # fmt: skip
async def test_a_refusal_comes_before_the_socket_opens(gateway, path, status):
    with pytest.raises(InvalidStatus) as raised:
        async with connect(gateway.root.replace("http", "ws") + path, proxy=None):
            pass

    assert status == raised.value.response.status_code
    assert b'"error"' in raised.value.response.body


async def test_the_upstream_s_close_comes_through(gateway):
    url = socket_url(gateway, "/openmind/google/asr") + "&model=chirp_3-sim-close-1008"
    async with connect(url, proxy=None) as socket:
        await socket.send(json.dumps({"audio": "", "rate": 16_000}))
        async with asyncio.timeout(10):
            with suppress(ConnectionClosed):  # only an orderly close ends the loop without
                async for _ in socket:
                    pass

    assert 1008 == socket.close_code


async def test_no_key_of_ours_or_theirs_is_where_it_must_not_be(gateway):
    async with connect(socket_url(gateway, "/openmind/vila"), proxy=None):
        pass
    seen = [one for one in gateway.simulators.seen if "openmind-vila" in one.target]

    assert seen
    assert [] == [one for one in seen if KEY in one.target]
    assert "sim-openmind" not in gateway.log.getvalue()
    assert KEY not in gateway.log.getvalue()


async def test_each_socket_is_one_exchange(gateway):
    before = len(gateway.lines())
    async with connect(socket_url(gateway, "/openmind/vila"), proxy=None):
        pass
    assert await eventually(lambda: len(gateway.lines()) > before)
    (line,) = gateway.lines()[before:]

    assert ("complete", "openmind") == (line["outcome"], line["upstream"])
