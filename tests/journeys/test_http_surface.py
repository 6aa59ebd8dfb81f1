"""Paths, methods, keys, pages of other sites, and the list of models, over raw HTTP (contract A, B, C14, C15, K)."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from pydantic import SecretStr

from app.domain.configuration import Configuration, KeyEntry, RouteEntry, ServerOptions
from tests.fakes.gateways import KEY, OTHER_KEY, RunningGateway, running, running_demo, upstream_at
from tests.fakes.raw_client import (
    Reply,
    ask,
    chat,
    chat_body,
    connected,
    is_envelope,
    metrics,
    request,
)
from tests.fakes.scripted_upstream import (
    ANSWER,
    DONE,
    FINISH,
    FIRST,
    SECOND,
    End,
    ScriptedUpstream,
    Seen,
    Step,
    entry_of,
    gateway_over,
    scripted,
    sse,
    whole,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGE = "https://page.example"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway() -> AsyncIterator[RunningGateway]:
    options = ServerOptions(drain_seconds=0, cors_origins=(PAGE,))
    async with running_demo(server=options) as found:
        yield found


def ids_of(reply: Reply) -> list[str]:
    return [row["id"] for row in reply.json()["data"]]


# --- paths ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("/v1/models", id="the plain path"),
        pytest.param("/v1/models/", id="a1 a slash at the end"),
        pytest.param("/v1//models", id="a2 two slashes"),
        pytest.param("//v1///models//", id="a2 many slashes"),
        pytest.param("/models", id="a3 without /v1"),
        pytest.param("/models/", id="a3 without /v1, a slash at the end"),
        pytest.param("/v1/v1/models", id="a4 /v1 twice"),
        pytest.param("/v1/chat/completions/models", id="a5 a whole endpoint as base URL"),
        pytest.param("/v1/models?limit=1000&client=x&beta=true&api-version=1", id="a8 a query"),
        pytest.param("/v1/models?" + "x" * 8000, id="a13 a target of 8 KiB"),
        pytest.param("http://127.0.0.1/v1/models", id="the absolute form"),
    ],
)
async def test_a_every_spelling_of_the_path_is_the_list(
    gateway: RunningGateway, target: str
) -> None:
    reply = await ask(gateway, request("GET", target))

    assert reply.status == 200
    assert reply.json()["object"] == "list"
    assert "fast" in ids_of(reply)
    assert reply.header("location") is None


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("/local/v1/models", id="a6 pinned"),
        pytest.param("/local/models/", id="a6 without /v1"),
        pytest.param("//local//v1/v1//models", id="a6 slashes and /v1 twice"),
        pytest.param("/local/v1/chat/completions/models", id="a6 a whole endpoint"),
    ],
)
async def test_a6_a_pinned_list_is_that_upstreams(gateway: RunningGateway, target: str) -> None:
    reply = await ask(gateway, request("GET", target))

    assert sorted(ids_of(reply)) == ["name with space", "org/model:v1", "sim-gpt"]


@pytest.mark.parametrize(
    ("target", "model", "upstream"),
    [
        pytest.param("/v1/chat/completions", "sim-gpt", "local", id="the plain path"),
        pytest.param("/chat/completions/", "sim-gpt", "local", id="a3 without /v1"),
        pytest.param("/v1/v1//chat/completions", "sim-gpt", "local", id="a4 /v1 twice"),
        pytest.param("/v1/chat/completions?beta=true", "sim-gpt", "local", id="a8 a query"),
        pytest.param("/openmind/v1/chat/completions", "gpt-4o", "openmind", id="a6 pinned"),
        pytest.param("/openmind/chat/completions", "gpt-4o", "openmind", id="a6 without /v1"),
        pytest.param(
            "/openmind/openai/chat/completions",
            "gpt-4o",
            "openmind",
            id="o-p2 a provider in the path",
        ),
        pytest.param("/minds/v1/chat/completions/", "sales_mind", "minds", id="a6 a Mind"),
    ],
)
async def test_a_every_spelling_of_the_path_is_a_chat(
    gateway: RunningGateway, target: str, model: str, upstream: str
) -> None:
    reply = await ask(gateway, chat(model, target=target))

    assert reply.status == 200
    assert reply.json()["choices"][0]["message"]["content"] == "echo: Hello"
    assert reply.header("x-mindgate-upstream") == upstream


async def test_a5_a_path_below_a_whole_endpoint_names_the_right_base_url(
    gateway: RunningGateway,
) -> None:
    reply = await ask(gateway, chat("sim-gpt", target="/v1/chat/completions/chat/completions"))

    assert (reply.status, reply.error["code"]) == (404, "unknown_url")
    assert "base URL" in reply.error["message"]


GETS = (
    *("/", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/docs/start.js"),
    *("/docs/swagger-ui.css", "/api/hello", "/healthz/", "/v1/models", "/v1/models/sim-gpt"),
    *("/v1/models/org/model:v1", "/v1/models/nope", "/v1/files", "/local/v1/models"),
)
_OWN = ("date", "x-request-id", "server-timing", "content-length", "x-mindgate-upstream-request-id")


@pytest.mark.parametrize("target", GETS)
async def test_a11_head_is_get_without_the_body(gateway: RunningGateway, target: str) -> None:
    async with connected(gateway) as client:
        await client.send(request("HEAD", target))
        bare = await client.reply(is_head=True)
        await client.send(request("GET", target))
        whole_reply = await client.reply()

    assert bare.status == whole_reply.status
    assert [pair for pair in bare.headers if pair[0] not in _OWN] == [
        pair for pair in whole_reply.headers if pair[0] not in _OWN
    ]
    if bare.status == 200 and target != "/metrics":  # which counts the HEAD
        assert bare.header("content-length") == whole_reply.header("content-length")


async def test_a11_a_connection_probe_needs_no_key(gateway: RunningGateway) -> None:
    for target in ("/", "/api/hello"):
        for method in ("GET", "HEAD"):
            reply = await ask(gateway, request(method, target, key=None), is_head=method == "HEAD")
            assert reply.status == 200


async def test_a13_a_header_block_of_64_kib_is_accepted(gateway: RunningGateway) -> None:
    pads = [(f"x-trace-{number}", "v" * 4000) for number in range(15)]

    assert (await ask(gateway, request("GET", "/v1/models", None, pads))).status == 200


async def test_b8_headers_with_eight_bit_bytes_are_harmless(gateway: RunningGateway) -> None:
    odd = [
        ("x-openwebui-user-name", "J\xf6rg \xff"),
        ("referer", "\xe9"),
        ("x-client-request-id", "\xe9"),
    ]

    assert (await ask(gateway, chat("sim-gpt", odd))).status == 200


CHUNKED = [("transfer-encoding", "chunked")]
OFFERS = [
    pytest.param(
        [("connection", "Upgrade, HTTP2-Settings"), ("upgrade", "h2c"), ("http2-settings", "AAMA")],
        id="b8 h2c, as Java's HttpClient offers it",
    ),
    pytest.param([("connection", "Upgrade"), ("upgrade", "websocket")], id="b8 a web socket"),
]


async def test_f22_the_message_names_the_route_and_no_template_of_ours(
    gateway: RunningGateway,
) -> None:
    reply = await ask(gateway, request("DELETE", "/v1/models/minds/sales_mind"))

    assert (
        "Upstream 'minds' does not support DELETE /v1/models/{model}. Here '4minds' or 'local' would serve it."
        == reply.error["message"]
    )


@pytest.mark.parametrize("offer", OFFERS)
async def test_b8_an_offered_upgrade_is_ignored_and_the_body_is_read(
    gateway: RunningGateway, offer: list[tuple[str, str]]
) -> None:
    async with connected(gateway) as client:
        await client.send(chat("sim-gpt", offer))
        first = await client.reply()
        chunked = request("POST", "/v1/chat/completions", None, [*offer, *CHUNKED])
        body = chat_body("sim-gpt")
        await client.send(chunked + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        second = await client.reply()
        await client.send(request("GET", "/v1/models", None, offer))
        third = await client.reply()
        await client.send(chat("sim-gpt"))
        fourth = await client.reply()

    assert [200] * 4 == [first.status, second.status, third.status, fourth.status]
    assert "echo: Hello" == first.json()["choices"][0]["message"]["content"]


@pytest.mark.parametrize("offer", OFFERS)
async def test_r4_a_body_behind_an_offered_upgrade_is_no_request(
    gateway: RunningGateway, offer: list[tuple[str, str]]
) -> None:
    hidden = request("GET", "/v1/models")
    async with connected(gateway) as client:
        whole_request = request("POST", "/v1/chat/completions", hidden, offer)
        await client.send(whole_request.removesuffix(hidden))
        await asyncio.sleep(0.05)
        await client.send(hidden + request("GET", "/healthz"))
        replies = [await client.reply(), await client.reply()]

    assert [400, 200] == [reply.status for reply in replies]
    assert "invalid_json" == replies[0].error["code"]
    assert {"status": "ok"} == replies[1].json()


@pytest.mark.parametrize(
    ("headers", "logged"),
    [
        pytest.param([("x-request-id", "theirs")], "theirs", id="b13 x-request-id"),
        pytest.param([("x-client-request-id", "codex")], "codex", id="b13 x-client-request-id"),
        pytest.param(
            [("x-request-id", "theirs"), ("x-client-request-id", "codex")],
            "codex theirs",
            id="b13 both",
        ),
        pytest.param([("x-request-id", "i" * 5000)], "i" * 127, id="b13 bounded"),
    ],
)
async def test_b13_the_ids_of_the_client_are_logged_and_never_become_ours(
    gateway: RunningGateway, headers: list[tuple[str, str]], logged: str
) -> None:
    reply = await ask(gateway, request("GET", "/v1/models", None, headers))

    line = next(row for row in gateway.lines() if row["request_id"] == reply.header("x-request-id"))
    assert logged == line["client_request_id"]
    assert reply.header("x-request-id") not in {value for _, value in headers}


@pytest.mark.parametrize(
    ("accept", "stream"),
    [
        pytest.param("application/json", True, id="b10 JSON accepted, a stream asked for"),
        pytest.param("text/event-stream", False, id="b10 a stream accepted, JSON asked for"),
    ],
)
async def test_b10_accept_never_decides(gateway: RunningGateway, accept: str, stream: bool) -> None:
    reply = await ask(gateway, chat("sim-gpt", [("accept", accept)], stream=stream))

    assert (reply.header("content-type") or "").startswith("text/event-stream") == stream


@pytest.mark.parametrize(
    "content_type",
    [
        *("application/json; charset=utf-8", "application/vnd.api+json", "text/plain", ""),
        "application/x-www-form-urlencoded",
    ],
)
async def test_b11_a_json_body_is_read_whatever_it_is_called(
    gateway: RunningGateway, content_type: str
) -> None:
    assert (await ask(gateway, chat("sim-gpt", [("content-type", content_type)]))).status == 200


async def test_b9_a_content_type_on_a_get_reads_no_body(gateway: RunningGateway) -> None:
    typed = [("content-type", "application/json"), ("content-length", "0")]

    assert (await ask(gateway, request("GET", "/v1/models", None, typed))).status == 200


# --- keys -----------------------------------------------------------------------------------------------------------

_BEARER = f"Bearer {KEY}"
_WRONG = "sk-wrong-0123456789ab"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param([("authorization", _BEARER)], 200, id="b1 bearer"),
        pytest.param([("authorization", f"bEaReR   {KEY} ")], 200, id="b1 any case, blanks"),
        pytest.param([("x-api-key", KEY)], 200, id="b1 x-api-key"),
        pytest.param([("api-key", f" {KEY} ")], 200, id="b1 api-key"),
        pytest.param([("X-Api-Key", KEY)], 200, id="b1 a name in any case"),
        pytest.param(
            [("authorization", _BEARER), ("x-api-key", _WRONG)], 200, id="b2 bearer first"
        ),
        pytest.param(
            [("x-api-key", _WRONG), ("authorization", _BEARER)], 200, id="b2 in any order"
        ),
        pytest.param([("x-api-key", KEY), ("api-key", _WRONG)], 200, id="b2 then x-api-key"),
        pytest.param(
            [("authorization", ""), ("x-api-key", KEY)], 200, id="b2 empty ones do not count"
        ),
        pytest.param(
            [("authorization", "Bearer "), ("x-api-key", " "), ("api-key", KEY)],
            200,
            id="b2 nor blanks",
        ),
        pytest.param(
            [("authorization", f"Bearer {_WRONG}"), ("x-api-key", KEY)], 401, id="b2 a wrong one"
        ),
        pytest.param([("authorization", KEY)], 401, id="b1 no scheme"),
        pytest.param([("authorization", f"Basic {KEY}")], 401, id="b1 another scheme"),
        pytest.param([("cookie", f"api-key={KEY}")], 401, id="b1 not a cookie"),
        pytest.param([("x-api-key", KEY[:-1])], 401, id="b3 one letter missing"),
        pytest.param([("x-api-key", "\xe9\xff")], 401, id="b3 eight-bit bytes"),
        pytest.param([], 401, id="b3 none"),
    ],
)
async def test_b1_b2_which_carrier_decides(
    gateway: RunningGateway, headers: list[tuple[str, str]], status: int
) -> None:
    reply = await ask(gateway, request("GET", "/v1/models", None, headers, key=None))

    assert reply.status == status
    assert status == 200 or is_envelope(reply)


async def test_b1_a_key_in_the_query_is_none(gateway: RunningGateway) -> None:
    reply = await ask(gateway, request("GET", f"/v1/models?api_key={KEY}&key={KEY}", key=None))

    assert reply.status == 401


async def test_b4_without_keys_any_key_or_none_is_taken() -> None:
    async with running_demo(auth_mode="none", keys=()) as gateway:
        for key in (None, KEY, "anything at all"):
            assert (await ask(gateway, request("GET", "/v1/models", key=key))).status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param([], 200, id="no browser"),
        pytest.param([("origin", PAGE)], 200, id="a page that is allowed"),
        pytest.param([("sec-fetch-site", "same-origin")], 200, id="our own page"),
        pytest.param([("sec-fetch-mode", "cors")], 200, id="node's fetch"),
        pytest.param([("origin", "https://evil.example")], 403, id="a foreign page"),
        pytest.param([("origin", "null")], 403, id="a page without an origin"),
        pytest.param([("sec-fetch-site", "cross-site")], 403, id="a foreign page's form"),
        pytest.param([("host", "evil.example")], 403, id="a name that was rebound to us"),
        pytest.param([("host", "localhost:8080")], 200, id="localhost"),
        pytest.param([("host", "[::1]:8080")], 200, id="the IPv6 loopback"),
    ],
)
async def test_b4_without_keys_foreign_pages_are_refused(
    headers: list[tuple[str, str]], status: int
) -> None:
    options = ServerOptions(drain_seconds=0, cors_origins=(PAGE,))
    async with running(Configuration(auth_mode="none", server=options)) as gateway:
        reply = await ask(gateway, request("GET", "/v1/models", None, headers, key=None))

    assert reply.status == status
    assert status == 200 or (
        is_envelope(reply) and reply.error["code"] == "insufficient_permissions"
    )


# --- pages of other sites ---------------------------------------------------------------------------------------------

_ASKS = [
    ("origin", PAGE),
    ("access-control-request-method", "POST"),
    (
        "access-control-request-headers",
        "authorization,content-type,x-stainless-os,openai-beta,x-evil",
    ),
]


@pytest.mark.parametrize(
    "target", ["/v1/chat/completions", "/v1/models/x", "/v1/nope", "/minds/v1/files"]
)
async def test_c14_a_preflight_is_answered_on_any_path(
    gateway: RunningGateway, target: str
) -> None:
    reply = await ask(gateway, request("OPTIONS", target, None, _ASKS, key=None))

    allowed = (reply.header("access-control-allow-headers") or "").split(", ")
    assert reply.status == 204
    assert reply.header("access-control-allow-origin") == PAGE
    assert "POST" in (reply.header("access-control-allow-methods") or "")
    assert allowed == ["authorization", "content-type", "x-stainless-os", "openai-beta"]
    assert reply.header("x-request-id")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(
            request("GET", "/v1/models", None, [("origin", PAGE)]), 200, id="c15 a success"
        ),
        pytest.param(chat("sim-gpt", [("origin", PAGE)], stream=True), 200, id="c15 a stream"),
        pytest.param(request("GET", "/v1/nope", None, [("origin", PAGE)]), 404, id="c15 a 404"),
        pytest.param(request("PUT", "/v1/models", None, [("origin", PAGE)]), 405, id="c15 a 405"),
        pytest.param(
            request("GET", "/v1/models", None, [("origin", PAGE)], key=None), 401, id="c15 a 401"
        ),
        pytest.param(
            chat("local/sim-gpt-sim-status-503", [("origin", PAGE)]), 503, id="c15 an upstream's"
        ),
    ],
)
async def test_c15_an_allowed_page_sees_every_reply(
    gateway: RunningGateway, sent: bytes, status: int
) -> None:
    reply = await ask(gateway, sent)

    exposed = (reply.header("access-control-expose-headers") or "").split(", ")
    assert reply.status == status
    assert reply.all("access-control-allow-origin") == [PAGE]
    assert {"x-request-id", "retry-after", "retry-after-ms", "x-mindgate-upstream"} <= set(exposed)
    assert "origin" in reply.all("vary")
    assert reply.header("access-control-allow-credentials") is None


@pytest.mark.parametrize("origin", ["https://evil.example", "null", PAGE + ".evil.example", ""])
async def test_c14_other_pages_are_told_nothing(gateway: RunningGateway, origin: str) -> None:
    asks = [("origin", origin), *_ASKS[1:]]
    for sent in (
        request("OPTIONS", "/v1/models", None, asks, key=None),
        request("GET", "/v1/models", None, [("origin", origin)]),
    ):
        reply = await ask(gateway, sent)
        assert not any(name.startswith("access-control") for name, _ in reply.headers)


# --- models ---------------------------------------------------------------------------------------------------------

ODD = {
    "org/model:v1": ("org/model:v1", "org%2Fmodel%3Av1", "org%2fmodel:v1"),
    "Gemma-12B AWQ": ("Gemma-12B%20AWQ",),
    "mödel": ("m%C3%B6del",),
    "a+b@c": ("a+b@c", "a%2Bb%40c"),
}
_LIST = {"object": "list", "data": [{"id": name, "object": "model"} for name in ODD]}


def models_of(seen: Seen) -> tuple[Step, ...]:
    """An upstream with the odd names, each of which it describes and deletes."""
    if seen.target == "/v1/models":
        return (whole(json.dumps(_LIST).encode()),)
    name = seen.target.removeprefix("/v1/models/")
    found = {"id": name, "object": "model", "created": 1, "owned_by": "me"}
    if seen.method == "DELETE":
        found = {"id": name, "object": "model", "deleted": True}
    return (whole(json.dumps(found).encode()),)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with scripted() as found:
        found.answer = models_of
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def with_models(upstream: ScriptedUpstream) -> AsyncIterator[RunningGateway]:
    async with gateway_over(upstream_at(upstream.url)) as found:
        yield found


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize(
    ("name", "spelling"), [(name, spelling) for name, found in ODD.items() for spelling in found]
)
async def test_a7_a_model_is_found_encoded_and_raw(
    with_models: RunningGateway, upstream: ScriptedUpstream, method: str, name: str, spelling: str
) -> None:
    encoded = {"org/model:v1": "org%2Fmodel%3Av1", "Gemma-12B AWQ": "Gemma-12B%20AWQ"}
    encoded |= {"mödel": "m%C3%B6del", "a+b@c": "a%2Bb%40c"}

    reply = await ask(with_models, request(method, f"/v1/models/{spelling}"))

    assert reply.status == 200
    assert upstream.seen[-1].method == method
    assert upstream.seen[-1].target == f"/v1/models/{encoded[name]}"  # g1: one segment


async def test_k1_the_list_is_whole_and_well_formed(with_models: RunningGateway) -> None:
    reply = await ask(with_models, request("GET", "/v1/models"))

    assert set(reply.json()) == {"object", "data"}
    assert ids_of(reply) == list(ODD)
    for row in reply.json()["data"]:
        assert set(row) == {"id", "object", "created", "owned_by"}
        assert row["object"] == "model"
        assert isinstance(row["created"], int)
        assert isinstance(row["owned_by"], str)


async def test_k4_codex_finds_its_member(with_models: RunningGateway) -> None:
    reply = await ask(with_models, request("GET", "/v1/models?client_version=0.94.0"))

    assert reply.json()["models"] == []
    assert ids_of(reply) == list(ODD)


async def test_k5_anthropics_dialect(with_models: RunningGateway) -> None:
    version = [("anthropic-version", "2023-06-01")]

    reply = await ask(with_models, request("GET", "/v1/models?limit=1000", None, version))

    found = reply.json()
    assert (found["has_more"], found["first_id"], found["last_id"]) == (False, *_ends(ODD))
    for row in found["data"]:
        assert set(row) == {"type", "id", "display_name", "created_at"}
        assert row["type"] == "model"


def _ends(names: dict[str, tuple[str, ...]]) -> tuple[str, str]:
    return next(iter(names)), list(names)[-1]


async def test_k2_the_list_comes_while_an_upstream_hangs(upstream: ScriptedUpstream) -> None:
    async with scripted() as hanging:
        hanging.tell(End.HOLD)
        entries = (upstream_at(hanging.url, name="hangs"), upstream_at(upstream.url))
        async with gateway_over(*entries) as gateway:
            started_at = asyncio.get_running_loop().time()
            first = await ask(gateway, request("GET", "/v1/models"))
            took = asyncio.get_running_loop().time() - started_at

    assert (first.status, ids_of(first)) == (200, list(ODD))
    assert took < 3


async def test_k8_f14_a_key_sees_its_models_alone(upstream: ScriptedUpstream) -> None:
    keys = (KeyEntry("few", SecretStr(OTHER_KEY), models=("org/*", "alias")),)
    routes = (RouteEntry("alias", ("scripted/mödel",)), RouteEntry("other", ("scripted/mödel",)))
    configuration = Configuration(
        upstreams=(upstream_at(upstream.url),),
        routes=routes,
        keys=keys,
        server=ServerOptions(drain_seconds=0),
    )
    async with running(configuration) as gateway:
        listed = await ask(gateway, request("GET", "/v1/models", key=OTHER_KEY))
        forbidden = await ask(gateway, request("GET", "/v1/models/a%2Bb%40c", key=OTHER_KEY))
        unknown = await ask(gateway, request("GET", "/v1/models/nope", key=OTHER_KEY))
        chats = [
            await ask(
                gateway, request("POST", "/v1/chat/completions", chat_body(name), key=OTHER_KEY)
            )
            for name in ("a+b@c", "other", "scripted/mödel", "never heard of")
        ]

    assert sorted(ids_of(listed)) == ["alias", "org/model:v1"]
    assert (forbidden.status, unknown.status) == (404, 404)
    assert forbidden.body.replace(b"a+b@c", b"nope") == unknown.body
    assert {(reply.status, reply.error["code"]) for reply in chats} == {(404, "model_not_found")}


# --- metrics --------------------------------------------------------------------------------------------------------


async def test_11_made_up_names_make_no_new_series(gateway: RunningGateway) -> None:
    async def series() -> set[str]:
        lines = (await metrics(gateway)).splitlines()
        return {line.rpartition(" ")[0] for line in lines if not line.startswith("#")}

    def sent(number: int) -> bytes:
        name = (f"nope-{number}", f"gpt-made-up-{number}", f"local/made-up-{number}")[number % 3]
        return chat(name) if number % 4 else request("GET", f"/v1/models/{name}")

    async with connected(gateway) as client:

        async def send(numbers: range) -> None:
            for number in numbers:
                await client.send(sent(number))
                await client.reply()
            for number in numbers[-20:]:
                for method in ("GET", "PROPFIND"):
                    await client.send(request(method, f"/made/up/path-{number}"))
                    await client.reply()

        await send(range(24))
        before = await series()
        await send(range(24, 1024))

    assert await series() == before
    assert not any("made" in one or "nope" in one for one in before)


async def test_11_the_page_counts_what_happened(upstream: ScriptedUpstream) -> None:
    async with scripted() as told, gateway_over(entry_of(told)) as gateway:
        usage = b'data: {"id":"c-1","object":"chat.completion.chunk","created":1,"model":"m",'
        usage += (
            b'"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}\n\n'
        )
        told.tell(sse(FIRST + SECOND + FINISH + usage + DONE))
        await ask(gateway, chat(stream=True))
        told.tell(whole(ANSWER))
        await ask(gateway, chat())
        told.tell(whole(b"", 500))
        await ask(gateway, chat())
        page = await metrics(gateway)

    served = 'endpoint="chat.create",model="m"'
    assert (
        f'mindgate_requests_total{{{served},outcome="complete",status="200",upstream="scripted"}} 2.0'
        in page
    )
    assert f'{served},outcome="upstream_error",status="500",upstream="scripted"}} 1.0' in page
    assert 'mindgate_requests_in_flight{endpoint="chat.create"} 0.0' in page
    assert 'mindgate_tokens_total{kind="input",model="m",upstream="scripted"} 6.0' in page
    assert 'mindgate_tokens_total{kind="output",model="m",upstream="scripted"} 4.0' in page
    for name in ("request_duration_seconds", "time_to_first_byte_seconds"):
        assert f'mindgate_{name}_count{{{served},outcome="complete"' in page


# --- the connection ---------------------------------------------------------------------------------------------------


async def test_r3_http_1_0_and_connection_close_get_a_body_they_can_read(
    gateway: RunningGateway,
) -> None:
    plain = request("GET", "/v1/models").replace(b"HTTP/1.1", b"HTTP/1.0")
    closing = request("GET", "/v1/models", None, [("connection", "close")])
    for sent in (plain, closing):
        async with connected(gateway) as client:
            await client.send(sent)
            reply = await client.reply()
            assert (reply.status, reply.end) == (200, "whole")
            assert await client.is_closed()


async def test_l7_expect_100_continue(gateway: RunningGateway) -> None:
    body = chat_body("sim-gpt")
    head = request("POST", "/v1/chat/completions", body, [("expect", "100-continue")])
    async with connected(gateway) as client:
        await client.send(head.removesuffix(body))
        while not client.reads:
            await client.more()
        assert client.buffer.startswith(b"HTTP/1.1 100 ")
        await client.send(body)
        assert (await client.reply()).status == 200

    refused = await ask(
        gateway, head.removesuffix(body).replace(KEY.encode(), b"sk-wrong-01234567")
    )
    assert refused.status == 401  # instead of the 100


# --- the bounds of a head (A13, F34) ------------------------------------------------------------------------------

KIB = 1024


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        pytest.param("/v1/models?x=" + "a" * (8 * KIB - 13), (), 200, id="A13: a target of 8 KiB"),
        pytest.param("/v1/models?x=" + "a" * (8 * KIB), (), 414, id="F34: a longer one"),
        pytest.param(
            "/v1/models?x=" + "a" * (70 * KIB), (), 414, id="F34: one past the parser's own bound"
        ),
        pytest.param("/v1/models", [("x-t", "a" * (63 * KIB))], 200, id="A13: headers of 64 KiB"),
        pytest.param("/v1/models", [("x-t", "a" * (65 * KIB))], 431, id="F34: one field above"),
        pytest.param(
            "/v1/models",
            [(f"x-{n}", "a" * KIB) for n in range(70)],
            431,
            id="F34: many fields above",
        ),
        pytest.param("/v1/models", [("x-t", "a" * (3 * KIB * KIB))], 431, id="F34: 3 MB"),
    ],
)
async def test_a13_the_bounds_of_a_head(
    gateway: RunningGateway, target: str, headers: list[tuple[str, str]], status: int
) -> None:
    reply = await ask(gateway, request("GET", target, headers=headers))

    assert status == reply.status
    if status != 200:
        assert is_envelope(reply)
        assert reply.error["code"] == "request_header_too_large"
        assert reply.header("connection") == "close"


async def test_f34_a_field_that_never_ends_is_refused_before_it_does(
    gateway: RunningGateway,
) -> None:
    async with connected(gateway) as client:
        await client.send(b"GET /v1/models HTTP/1.1\r\nhost: x\r\nx-t: ")
        for _ in range(50):
            await client.send(b"a" * 8 * KIB)
        reply = await client.reply()

    assert reply.status == 431


async def test_f10_what_is_no_http_has_the_envelope_too(gateway: RunningGateway) -> None:
    async with connected(gateway) as client:
        await client.send(b"GET /v1/models HTTP/1.1\r\nbad header\r\n\r\n")
        reply = await client.reply()

    assert reply.status == 400
    assert is_envelope(reply)


MODELS = b"GET /v1/models HTTP/1.1\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(MODELS + b"\r\n", id="s1 no host"),
        pytest.param(MODELS + b"host: a\r\nhost: a\r\n\r\n", id="s1 two hosts"),
        pytest.param(MODELS + b"host: a/x?y=\r\n\r\n", id="s1 no name of a host"),
        pytest.param(b"GET /v1/models\r\n\r\n", id="f6 http/0.9"),
        pytest.param(MODELS.replace(b"1.1", b"2.0") + b"host: a\r\n\r\n", id="f4 http/2.0"),
        pytest.param(
            MODELS.replace(b"1.1", b"1.0") + b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            id="s2 a coding on http/1.0",
        ),
        pytest.param(
            MODELS + b"host: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            id="s2 two codings",
        ),
        pytest.param(b"GET http://b/v1/models HTTP/1.1\r\nhost: a\r\n\r\n", id="s1 two names"),
        pytest.param(b"GET /v1/models#x HTTP/1.1\r\nhost: a\r\n\r\n", id="s4 a fragment"),
    ],
)
async def test_b6_what_could_be_read_in_two_ways_is_refused_before_anyone_is_asked(
    gateway: RunningGateway, sent: bytes
) -> None:
    lines = len(gateway.lines())
    async with connected(gateway) as client:
        await client.send(sent + request("GET", "/v1/models"))
        reply = await client.reply()

        assert (400, "close") == (reply.status, reply.header("connection"))
        assert is_envelope(reply)
        assert await client.is_closed()
    assert lines == len(gateway.lines())


async def test_f7_a_key_in_the_trailers_is_none(gateway: RunningGateway) -> None:
    body = chat_body("sim-gpt")
    sent = request("POST", "/v1/chat/completions", None, CHUNKED, key=None)
    trailer = b"authorization: Bearer " + KEY.encode() + b"\r\n"

    reply = await ask(gateway, sent + b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(body), body, trailer))

    assert 401 == reply.status


async def test_s2_requests_sent_ahead_are_answered_in_order(gateway: RunningGateway) -> None:
    targets = ["/v1/models", "/healthz", "/v1/nope", "/v1/models/sim-gpt"] * 10
    async with connected(gateway) as client:
        await client.send(b"".join(request("GET", target) for target in targets))
        statuses = [(await client.reply()).status for _ in targets]

    assert [200, 200, 404, 200] * 10 == statuses


async def test_g8_a_delete_never_goes_to_a_namesake_at_the_default_upstream() -> None:
    """OpenMind lists the model and deletes none; 4minds deletes and does not list it."""
    async with running_demo(default_upstream="4minds") as demo:
        reply = await ask(demo, request("DELETE", "/v1/models/gpt-4o"))
        assert demo.simulators is not None
        asked = [one for one in demo.simulators.seen if one.method == "DELETE"]

    assert (404, "unsupported_endpoint") == (reply.status, reply.error["code"])
    assert "openmind" in reply.error["message"]
    assert asked == []
