"""
No secret leaves: not in a reply, a log line, a metric, the description or a `repr` (contract B5, F11; reliability S5).

Every secret of the configuration is a canary, a word found nowhere else; everything the gateway says to anyone is
searched for all of them.
"""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, fields, replace
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr

from app.domain.configuration import (
    Configuration,
    Credential,
    KeyEntry,
    ServerOptions,
    StreamOptions,
)
from app.main.demo import demo_configuration
from app.main.gateway import prepared_upstreams
from app.protocol.requests import read_chat_request
from app.simulators.control import WORDS
from app.simulators.server import Simulators
from app.upstreams.chat_request import ChatOptions, prepare_chat
from tests.fakes.gateways import KEY, OTHER_KEY, RunningGateway, running
from tests.fakes.raw_client import ask, chat, chat_body, metrics, request
from tests.fakes.scripted_upstream import (
    DONE,
    FIRST,
    ScriptedUpstream,
    entry_of,
    gateway_over,
    scripted,
    sse,
    whole,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

ADMIN, VIEWER = "canary-admin-0123456789", "canary-viewer-0123456789"
METRICS_TOKEN = "canary-metrics-0123456789"
UPSTREAM = "canary-upstream-0123456789"
HEADER, QUERY = "canary-header-0123456789", "canary-query-0123456789"
SIMULATED = ("sim-4minds", "sim-minds", "sim-openmind", "sim-openai")
PATHS = (
    *("/", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/api/hello", "/nope"),
    *("/v1/models", "/v1/models/sim-gpt", "/v1/models/4minds-model-123", "/v1/models/sales_mind"),
    *("/v1/models/nope", "/local/v1/models/nope", "/minds/v1/models", "/v1/files", "/v1/v1/nope"),
)
MODELS = {
    "4minds": "4minds-model-123",
    "minds": "sales_mind",
    "openmind": "gpt-4o",
    "local": "sim-gpt",
}


@dataclass
class Watched:
    """A gateway over simulators, all it has said to clients, and what none of that may hold."""

    gateway: RunningGateway
    said: list[tuple[str, bytes]]
    canaries: tuple[str, ...]

    async def ask(self, what: str, sent: bytes, *, is_head: bool = False) -> None:
        reply = await ask(self.gateway, sent, is_head=is_head)
        self.said.append((what, repr(reply.headers).encode() + reply.body))

    def found(self) -> list[tuple[str, str]]:
        self.said.append(("the log", self.gateway.log.getvalue().encode()))
        forms = {form: name for name in self.canaries for form in spellings(name)}
        return [
            (what, name)
            for what, text in self.said
            for form, name in forms.items()
            if form in text.lower()
        ]


def spellings(secret: str) -> tuple[bytes, ...]:
    plain = secret.lower().encode()
    return plain, base64.b64encode(secret.encode()).rstrip(b"=").lower()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def watched() -> AsyncIterator[Watched]:
    async with await Simulators.start() as simulators:
        options = ServerOptions(drain_seconds=0, metrics_token=SecretStr(METRICS_TOKEN))
        demo = demo_configuration(simulators, options)
        configuration = replace(
            demo,
            keys=(KeyEntry("test", SecretStr(KEY)), KeyEntry("other", SecretStr(OTHER_KEY))),
            admin_key=SecretStr(ADMIN),
            viewer_key=SecretStr(VIEWER),
            upstreams=tuple(
                replace(
                    entry,
                    headers={"x-static": SecretStr(HEADER)},
                    query={"static": SecretStr(QUERY)},
                )
                for entry in demo.upstreams
            ),
        )
        address = f"{simulators.host}:{simulators.port}"
        secrets = (KEY, OTHER_KEY, ADMIN, VIEWER, METRICS_TOKEN, HEADER, QUERY, address)
        async with running(configuration, simulators) as gateway:
            yield Watched(gateway, [], secrets)


# The words that need a number to say something, and those that would only take time.
_NUMBERS = {"head": 20, "ttft": 20, "gap": 5, "tokens": 3, "big": 2, "closeidle": 1, "first": 1}
_SLOW = {"half", "stall", "open"}


def faults() -> list[str]:
    numbered = [f"{word}-{_NUMBERS[word]}" if word in _NUMBERS else word for word in WORDS]
    kinds = [f"garbage-{kind}" for kind in range(1, 8)] + ["status-401", "status-429", "status-503"]
    pairs = ["leak-status-400", "leak-status-500", "leak-inerror", "leak-okerror", "leak-html"]
    return [one for one in (*numbered, *kinds, *pairs) if one.split("-")[0] not in _SLOW]


@pytest.mark.parametrize("upstream", MODELS)
async def test_b5_f11_no_fault_of_an_upstream_brings_a_secret_out(
    watched: Watched, upstream: str
) -> None:
    for fault in faults():
        name = f"{upstream}/{MODELS[upstream]}-sim-{fault}"
        for stream in (False, True):
            await watched.ask(f"{name} {stream}", chat(name, stream=stream))

    assert watched.found() == []


async def test_b5_f11_no_path_and_no_key_brings_a_secret_out(watched: Watched) -> None:
    carriers = [[], [("authorization", f"Bearer {OTHER_KEY}")], [("x-api-key", OTHER_KEY)]]
    wrong = [("authorization", "Bearer " + KEY[:-1])]
    for path in PATHS:
        for method in ("GET", "POST", "DELETE", "HEAD", "OPTIONS"):
            for headers in (*carriers, wrong):
                body = None if method in ("GET", "HEAD") else chat_body("nope")
                sent = request(method, path, body, headers)
                await watched.ask(f"{method} {path}", sent, is_head=method == "HEAD")

    assert watched.found() == []


async def test_b5_a_key_in_the_wrong_place_is_not_told_back(watched: Watched) -> None:
    """A path or a model that a client mistook for the place of its key is its own; ours stay ours."""
    for token in (ADMIN, VIEWER, METRICS_TOKEN, OTHER_KEY + "x"):
        for carrier in ("authorization", "x-api-key", "api-key", "cookie"):
            value = f"Bearer {token}" if carrier == "authorization" else token
            for path in ("/v1/models", "/metrics", "/openapi.json", "/admin"):
                await watched.ask(path, request("GET", path, None, [(carrier, value)], key=None))

    assert watched.found() == []


async def test_f16_a_wrong_key_is_masked(watched: Watched) -> None:
    reply = await ask(watched.gateway, request("GET", "/v1/models", key="sk-abcdefghijklmnop-wxyz"))

    assert "sk-ab****wxyz" in reply.error["message"]
    assert b"cdefgh" not in reply.body


async def test_b5_the_clients_key_never_goes_upstream(watched: Watched) -> None:
    carriers = [("x-api-key", OTHER_KEY), ("api-key", OTHER_KEY), ("cookie", f"k={OTHER_KEY}")]
    for model in MODELS.values():
        await ask(watched.gateway, chat(model, carriers))
    await ask(watched.gateway, request("GET", "/v1/models/sim-gpt", None, carriers))

    assert watched.gateway.simulators is not None
    seen = [repr(one) for one in watched.gateway.simulators.seen]
    assert len(seen) > len(MODELS)
    assert not any(key in text for text in seen for key in (KEY, OTHER_KEY))
    assert all(HEADER in text for text in seen)  # the static ones did go


async def test_s20_a_long_exchange_is_logged_without_content(watched: Watched) -> None:
    body = chat_body("sim-gpt", user="canary-content-1").replace(b"Hello", b"canary-content-2")

    await ask(watched.gateway, request("POST", "/v1/chat/completions", body))

    assert "canary-content" not in watched.gateway.log.getvalue()
    assert "canary-content" not in await metrics(watched.gateway)


# --- an upstream that tells its secrets -------------------------------------------------------------------------------


_TELLS = (
    f"key {UPSTREAM} at https://canary-host.internal:8443/v1/chat?static={QUERY} with {HEADER}",
    f"Authorization: Bearer {UPSTREAM}",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def telling() -> AsyncIterator[ScriptedUpstream]:
    async with scripted() as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def over_telling(telling: ScriptedUpstream) -> AsyncIterator[RunningGateway]:
    entry = entry_of(
        telling,
        api_key=SecretStr(UPSTREAM),
        headers={"x-static": SecretStr(HEADER)},
        query={"static": SecretStr(QUERY)},
    )
    streams = StreamOptions(heartbeat_seconds=0.05)
    async with gateway_over(entry, streams=streams) as found:
        yield found


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize("told", _TELLS, ids=["in a sentence", "as a header"])
@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 409, 422, 429, 500, 503, 529])
@pytest.mark.parametrize(
    "shape",
    [
        pytest.param('{"error":{"message":%s,"type":"t","param":null,"code":"c"}}', id="e-s1"),
        pytest.param('{"error":{"message":"m","type":"t","param":%s,"code":%s}}', id="param, code"),
        pytest.param('{"error":{"message":"m","type":%s,"x":%s}}', id="type, an unknown member"),
        pytest.param('{"error":{"message":"m"},"debug":%s}', id="beside the error"),
        pytest.param('{"error":%s,"details":%s}', id="e-s2"),
        pytest.param('{"detail":%s}', id="e-s3"),
        pytest.param('{"detail":[{"loc":["body",%s],"msg":%s}]}', id="e-s4"),
        pytest.param('[{"error":{"message":%s,"status":"X"}}]', id="e-s5"),
        pytest.param('{"status":"error","message":%s}', id="e-s6"),
        pytest.param("<html>%s</html>", id="e-s7"),
    ],
)
async def test_f11_what_an_upstream_says_of_itself_is_struck_out(
    over_telling: RunningGateway,
    telling: ScriptedUpstream,
    shape: str,
    status: int,
    told: str,
    stream: bool,
) -> None:
    body = (shape.replace("%s", json.dumps(told))).encode()
    telling.tell(whole(body, status, x_request_id="id-1", x_key=UPSTREAM))

    reply = await ask(over_telling, chat(stream=stream))

    text = repr(reply.headers).encode() + reply.body + over_telling.log.getvalue().encode()
    for canary in (UPSTREAM, HEADER, QUERY, "canary-host"):
        assert canary.encode() not in text


@pytest.mark.parametrize("told", _TELLS, ids=["in a sentence", "as a header"])
@pytest.mark.parametrize(
    "shape",
    [
        pytest.param('data: {"error":{"message":%s,"code":"c"}}\n\n', id="an error event"),
        pytest.param('event: error\ndata: {"message":%s}\n\n', id="a named one"),
        pytest.param('data: {"error":%s}\n\n', id="as text"),
        pytest.param('data: {"detail":%s}\n\n', id="detail"),
        pytest.param("data: nonsense %s\n\n", id="no JSON"),
        pytest.param("<html>%s</html>\n\n", id="HTML"),
    ],
)
async def test_f11_in_a_stream_too(
    over_telling: RunningGateway, telling: ScriptedUpstream, shape: str, told: str
) -> None:
    failure = shape.replace("%s", json.dumps(told)).encode()
    telling.tell(sse(FIRST + failure + DONE))

    reply = await ask(over_telling, chat(stream=True))

    assert reply.body.startswith(FIRST)
    text = repr(reply.headers).encode() + reply.body + over_telling.log.getvalue().encode()
    for canary in (UPSTREAM, HEADER, QUERY, "canary-host"):
        assert canary.encode() not in text


async def test_f11_an_upstream_that_cannot_be_reached_is_not_named_by_its_address() -> None:
    url = "http://canary-host.invalid:9/secret-path/v1"
    entry = entry_of(url, api_key=SecretStr(UPSTREAM), capabilities={})
    async with gateway_over(entry) as gateway:
        replies = [
            await ask(gateway, sent)
            for sent in (chat(), chat(stream=True), request("GET", "/v1/models/m"))
        ]
        listed = await ask(gateway, request("GET", "/v1/models"))
        text = gateway.log.getvalue() + await metrics(gateway)

    said = b"".join(repr(one.headers).encode() + one.body for one in (*replies, listed))
    for canary in ("canary-host", "secret-path", UPSTREAM):
        assert canary.encode() not in said
        assert canary not in text


# --- objects ----------------------------------------------------------------------------------------------------------


async def test_s20_no_secret_shows_in_a_repr() -> None:
    entries = [
        entry_of(
            "http://127.0.0.1:9/v1",
            name=dialect,
            dialect=dialect,
            api_key=SecretStr(UPSTREAM),
            headers={"x-static": SecretStr(HEADER)},
            query={"static": SecretStr(QUERY)},
            credential=Credential("x-key", "Key"),
        )
        for dialect in ("4minds", "minds", "openai")
    ]
    configuration = Configuration(
        server=ServerOptions(metrics_token=SecretStr(METRICS_TOKEN)),
        upstreams=tuple(entries),
        keys=(KeyEntry("test", SecretStr(KEY)),),
        admin_key=SecretStr(ADMIN),
        viewer_key=SecretStr(VIEWER),
    )
    upstreams = prepared_upstreams(configuration)
    prepared = [
        prepare_chat(one, "m", read_chat_request(chat_body()), ChatOptions([], "req_1"))
        for one in upstreams.values()
    ]
    things: list[Any] = [configuration, *_parts(configuration), upstreams, *prepared]

    shown = [text for thing in things for text in (repr(thing), str(thing), f"{thing}")]

    for canary in (UPSTREAM, HEADER, QUERY, METRICS_TOKEN, KEY, ADMIN, VIEWER):
        assert [text for text in shown if canary in text] == []


def _parts(configuration: Configuration) -> list[Any]:
    return [getattr(configuration, field.name) for field in fields(configuration)]
