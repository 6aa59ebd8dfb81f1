"""Whatever goes wrong, on whatever path, the reply is OpenAI's envelope (contract A9, A12, B3, C1, D6 to D13, F)."""

import asyncio
import json
from collections.abc import AsyncIterator
from zlib import crc32

import pytest
import pytest_asyncio

from app.domain.configuration import ServerOptions
from tests.fakes.gateways import RunningGateway, running_demo
from tests.fakes.raw_client import (
    Reply,
    ask,
    chat,
    chat_body,
    connected,
    is_envelope,
    request,
)
from tests.fakes.scripted_upstream import chunked

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT = 1 << 20


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway() -> AsyncIterator[RunningGateway]:
    options = ServerOptions(drain_seconds=0, max_body_bytes=LIMIT)
    async with running_demo(server=options) as found:
        yield found


# The path below any base URL, and the methods that it takes.
KNOWN = {
    "chat/completions": "GET POST",
    "chat/completions/abc": "GET POST DELETE",
    "chat/completions/abc/messages": "GET",
    "models": "GET",
    "models/abc": "GET DELETE",
    "models/abc/def:ghi": "GET DELETE",
    "completions": "POST",
    "responses": "POST",
    "responses/abc": "GET DELETE",
    "responses/abc/input_items": "GET",
    "messages": "POST",
    "messages/count_tokens": "POST",
    "embeddings": "POST",
    "audio/speech": "POST",
    "audio/transcriptions": "POST",
    "files": "GET POST",
    "files/abc": "GET DELETE",
    "files/abc/content": "GET",
    "fine_tuning/jobs": "GET POST",
    "fine_tuning/jobs/abc": "GET",
    "fine_tuning/jobs/abc/cancel": "POST",
    "fine_tuning/jobs/abc/events": "GET",
    "fine_tuning/jobs/abc/checkpoints": "GET",
    "fine_tuning/jobs/abc/pause": "POST",
    "datasets": "GET POST",
    "datasets/import": "POST",
    "datasets/7": "GET DELETE",
    "fine-tune-categories": "GET",
    "external-models": "GET",
    "moderations": "GET POST PUT PATCH DELETE",
    "images/generations": "GET POST PUT PATCH DELETE",
    "vector_stores/abc/files": "GET POST PUT PATCH DELETE",
}
UNKNOWN = (
    *("nope", "chat", "chat/completion", "files/abc/contents", "v2/models", "models%2Fabc"),
    *("%ff", "chat/completions%0a", "chat%2Fcompletions", "..", "../models", "a/../models", "%00"),
)
BASES = ("/v1/", "/", "/v1/v1/", "//v1//", "/openmind/v1/", "/minds/", "/local/v1/v1/")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "PROPFIND")
KEYS = [
    pytest.param([], id="the right key"),
    pytest.param([("authorization", "")], id="no key"),
    pytest.param([("authorization", "Bearer sk-wrong-key-0123456789")], id="a wrong key"),
]
CONTROL = {
    "/": "GET",
    "/healthz": "GET",
    "/readyz/": "GET",
    "/metrics": "GET",
    "/docs": "GET",
    "/docs/swagger-ui.css": "GET",
    "/docs/nope": "GET",
    "/openapi.json": "GET",
    "/api/hello": "GET",
    "/api": "",
    "/api/nope": "",
    "/admin": "",
    "/admin/v1/keys": "",
    "/console/": "",
    "/healthz/nope": "",
    "//": "GET",
}


async def fault(gateway: RunningGateway, method: str, target: str, headers: object) -> Reply:
    assert isinstance(headers, list)
    body = None if method in ("GET", "HEAD") else chat_body("no-such-model")
    sent = request(method, target, body, headers)
    # From an address of its own: one that sends many wrong keys meets another error (reliability S10).
    address = f"127.{crc32(sent) % 200 + 1}.0.1"
    return await ask(gateway, sent, is_head=method == "HEAD", address=address)


def flaw(reply: Reply, method: str) -> str:
    """What is wrong with a reply that is not a success; empty when nothing is."""
    if reply.header("x-request-id") is None:
        return "no x-request-id"
    if reply.status < 300:
        return ""
    if reply.header("content-type") != "application/json":
        return f"type {reply.header('content-type')}"
    is_ours = not reply.header("x-mindgate-upstream")  # an upstream's own 405 need not say
    if reply.status == 405 and is_ours and not reply.header("allow"):
        return "no Allow"
    if method == "HEAD":
        return ""
    return "" if is_envelope(reply) else f"no envelope: {reply.body[:80]!r}"


@pytest.mark.parametrize("headers", KEYS)
@pytest.mark.parametrize("method", METHODS)
async def test_a9_f1_every_path_and_method(
    gateway: RunningGateway, method: str, headers: list[tuple[str, str]]
) -> None:
    flaws = {}
    for path, takes in KNOWN.items():
        for base in BASES if path.startswith(("chat", "models")) else BASES[:2]:
            reply = await fault(gateway, method, base + path, headers)
            asked = "GET" if method == "HEAD" else method
            found = flaw(reply, method)
            if asked not in takes.split():
                found = found or ("" if reply.status == 405 else f"{reply.status}, not 405")
                assert reply.header("allow") == ", ".join(sorted(takes.split()))
            elif headers:
                found = found or ("" if reply.status == 401 else f"{reply.status}, not 401")
            if found:
                flaws[base + path] = found

    assert flaws == {}


@pytest.mark.parametrize("headers", KEYS)
@pytest.mark.parametrize("method", METHODS)
async def test_f20_an_unknown_path_is_a_404_with_or_without_a_key(
    gateway: RunningGateway, method: str, headers: list[tuple[str, str]]
) -> None:
    flaws = {}
    for path in UNKNOWN:
        for base in BASES:
            reply = await fault(gateway, method, base + path, headers)
            found = flaw(reply, method) or ("" if reply.status == 404 else str(reply.status))
            if not found and method != "HEAD" and reply.error["code"] != "unknown_url":
                found = str(reply.error)
            if found:
                flaws[base + path] = found

    assert flaws == {}


@pytest.mark.parametrize("method", METHODS)
async def test_f10_the_control_plane_has_the_same_envelope(
    gateway: RunningGateway, method: str
) -> None:
    flaws = {}
    asked = "GET" if method == "HEAD" else method
    for path, takes in CONTROL.items():
        reply = await fault(gateway, method, path, [])
        expected = 404 if not takes or "nope" in path else 200
        expected = 405 if takes and asked not in takes.split() else expected
        found = flaw(reply, method) or ("" if reply.status == expected else str(reply.status))
        if found:
            flaws[path] = found

    assert flaws == {}


@pytest.mark.parametrize(
    "target", ["/v1/chat/completions", "/chat/completions", "/local/v1/chat/completions"]
)
@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        pytest.param(b"", "invalid_json", None, id="f23 empty"),
        pytest.param(b"  \n", "invalid_json", None, id="f23 blank"),
        pytest.param(b'{"model":', "invalid_json", None, id="f23 cut short"),
        pytest.param(b"{'model':1}", "invalid_json", None, id="f23 no JSON"),
        pytest.param(b"a=b&c=d", "invalid_json", None, id="f23 a form"),
        pytest.param(b'{"model":"m","t":NaN}', "invalid_json", None, id="d11 NaN"),
        pytest.param(b'{"model":"m","t":-Infinity}', "invalid_json", None, id="d11 Infinity"),
        pytest.param(b'{"model":"\xff"}', "invalid_json", None, id="d11 invalid UTF-8"),
        pytest.param(b'{"model":"\xed\xa0\xbd"}', "invalid_json", None, id="d11 a raw surrogate"),
        pytest.param(b'{"a":1}{"b":2}', "invalid_json", None, id="f23 two objects"),
        pytest.param(
            b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", "invalid_json", None, id="s6 deep"
        ),
        pytest.param(b"[]", "invalid_type", None, id="d10 a list"),
        pytest.param(b'"text"', "invalid_type", None, id="d10 a string"),
        pytest.param(b"null", "invalid_type", None, id="d10 null"),
        pytest.param(b"{}", "missing_required_parameter", "model", id="f25 no model"),
        pytest.param(b'{"model":""}', "missing_required_parameter", "model", id="f25 empty model"),
        pytest.param(b'{"model":null}', "missing_required_parameter", "model", id="f25 model null"),
        pytest.param(b'{"model":7}', "invalid_type", "model", id="f24 model is a number"),
        pytest.param(b'{"model":["m"]}', "invalid_type", "model", id="f24 model is a list"),
        pytest.param(b'{"model":"m","model":"n"}', "invalid_json", "model", id="d6 two models"),
        pytest.param(
            b'{"model":"m","stream":true,"stream":false}',
            "invalid_json",
            "stream",
            id="d6 two streams",
        ),
        pytest.param(b'{"model":"m","stream":"true"}', "invalid_type", "stream", id="d13 text"),
        pytest.param(b'{"model":"m","stream":1}', "invalid_type", "stream", id="d13 a number"),
        pytest.param(
            b'{"model":"m","stream_options":[]}', "invalid_type", "stream_options", id="f24 options"
        ),
    ],
)
async def test_d10_a_faulty_body_is_a_400_that_says_why(
    gateway: RunningGateway, target: str, body: bytes, code: str, param: str | None
) -> None:
    reply = await ask(gateway, request("POST", target, body))

    assert reply.status == 400
    assert is_envelope(reply)
    assert (reply.error["code"], reply.error["param"]) == (code, param)
    assert reply.error["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        pytest.param(chat("no-such-model"), 404, "model_not_found", id="f18 an unknown model"),
        pytest.param(chat("x" * 100_000), 404, "model_not_found", id="f18 a model of 100 KB"),
        pytest.param(chat("\ud83d"), 404, "model_not_found", id="f18 half a character"),
        pytest.param(chat("a\0b\r\nc"), 404, "model_not_found", id="f18 control characters"),
        pytest.param(chat("minds/nope"), 404, "model_not_found", id="f6 a Mind that is not there"),
        pytest.param(
            request("GET", "/v1/models/nope"),
            404,
            "model_not_found",
            id="f19 a model that is not there",
        ),
        pytest.param(
            request("DELETE", "/v1/models/fast"), 403, "insufficient_permissions", id="f17 a route"
        ),
        pytest.param(
            chat("gpt-4o", [("x-mindgate-upstream", "nope")]),
            400,
            "unknown_upstream",
            id="an unknown pin",
        ),
        pytest.param(
            request("POST", "/v1/responses", b"{}"),
            404,
            "unsupported_endpoint",
            id="f22 no upstream",
        ),
        pytest.param(
            request("POST", "/openmind/v1/embeddings", b"{}"),
            404,
            "unsupported_endpoint",
            id="f22 not this upstream",
        ),
        pytest.param(
            request("GET", "/minds/v1/chat/completions"),
            404,
            "unsupported_endpoint",
            id="a10 the list",
        ),
        pytest.param(
            chat("sales_mind", n=2), 400, "unsupported_parameter", id="u3 what cannot be honoured"
        ),
        pytest.param(
            request("POST", "/v1/chat/completions", b"\x1f\x8b", [("content-encoding", "gzip")]),
            415,
            "unsupported_media_type",
            id="b12 gzip",
        ),
        pytest.param(
            request("POST", "/v1/chat/completions", b"{}", [("content-encoding", "x" * 5000)]),
            415,
            "unsupported_media_type",
            id="f35 a coding nobody knows",
        ),
        pytest.param(
            request("POST", "/v1/chat/completions", b"", [("content-length", "99999999999")]),
            413,
            "request_too_large",
            id="d8 a length that is too large, and no body",
        ),
        pytest.param(
            request("POST", "/v1/chat/completions", chat_body(x="y" * LIMIT)),
            413,
            "request_too_large",
            id="d8 a body that is too large",
        ),
        pytest.param(
            request("POST", "/v1/chat/completions", None, [("transfer-encoding", "chunked")])
            + chunked(b"x" * (LIMIT // 2)) * 3,
            413,
            "request_too_large",
            id="d8 no length, and chunks without an end",
        ),
        pytest.param(
            request("POST", "/v1/chat/completions"),
            400,
            "invalid_json",
            id="f23 no body, no length",
        ),
    ],
)
async def test_f_each_cause_has_its_status_and_code(
    gateway: RunningGateway, sent: bytes, status: int, code: str
) -> None:
    reply = await ask(gateway, sent)

    assert (reply.status, reply.error["code"]) == (status, code)
    assert is_envelope(reply)
    assert len(reply.body) < 3000 or b"x" * 100_000 in reply.body


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("..", id="a12 two dots"),
        pytest.param("%2e%2e", id="a12 two dots, encoded"),
        pytest.param("a/../b", id="a12 two dots inside"),
        pytest.param("a%2F..%2Fb", id="a12 two dots behind %2F"),
        pytest.param("a%5Cb", id="a12 a backslash"),
        pytest.param("a%00b", id="a12 NUL"),
        pytest.param("a%0D%0Ab", id="a12 a line end"),
        pytest.param("a%3Fb", id="a12 a question mark"),
        pytest.param("a%23b", id="a12 a hash"),
        pytest.param(".", id="a12 one dot"),
    ],
)
async def test_a12_an_id_that_could_walk_is_refused(
    gateway: RunningGateway, method: str, name: str
) -> None:
    reply = await ask(gateway, request(method, f"/v1/models/{name}"))

    assert reply.status == 400
    assert is_envelope(reply)


@pytest.mark.parametrize(
    "key",
    [pytest.param(None, id="b3 no key"), pytest.param("sk-wrong-0123456789", id="b3 a wrong key")],
)
async def test_b3_a_401_is_sent_before_the_body_is_read(
    gateway: RunningGateway, key: str | None
) -> None:
    head = request("POST", "/v1/chat/completions", b"", [("content-length", "500000")], key=key)

    reply = await ask(gateway, head)  # not one byte of the body

    assert (reply.status, reply.error["code"]) == (401, "invalid_api_key")
    assert is_envelope(reply)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(request("POST", "/v1/chat/completions", b"{"), id="r3 after a 400"),
        pytest.param(request("POST", "/v1/chat/completions", chat_body(), key=None), id="r3 a 401"),
        pytest.param(request("POST", "/v1/nope", chat_body("y" * 300_000)), id="r3 a 404"),
        pytest.param(request("PUT", "/v1/models", chat_body("y" * 300_000)), id="r3 a 405"),
        pytest.param(
            request("POST", "/v1/chat/completions", chat_body("y" * LIMIT)), id="r3 after a 413"
        ),
        pytest.param(
            request("POST", "/v1/chat/completions", b"{}", [("content-encoding", "br")]),
            id="r3 after a 415",
        ),
        pytest.param(request("POST", "/healthz", b"x" * 100_000), id="r3 the control plane"),
    ],
)
async def test_r3_after_an_error_the_connection_serves_the_next_request_or_says_that_it_will_not(
    gateway: RunningGateway, sent: bytes
) -> None:
    async with connected(gateway) as client:
        await client.send(sent)
        failed = await client.reply()
        assert failed.status >= 400
        if failed.header("connection") == "close":  # a large body that nobody reads is on its way
            assert len(sent) > 64 * 1024
            assert await client.is_closed()
            return
        await client.send(chat("sim-gpt"))
        served = await client.reply()

    assert served.status == 200


async def test_a11_a_refused_head_has_no_body(gateway: RunningGateway) -> None:
    async with connected(gateway) as client:
        for target in ("/v1/nope", "/v1/models/nope", "/v1/embeddings", "/admin", "/docs/nope"):
            await client.send(request("HEAD", target))
            refused = await client.reply(is_head=True)
            assert refused.status in (404, 405)
            assert int(refused.header("content-length") or 0) > 0
        await client.send(request("GET", "/v1/models"))
        served = await client.reply()

    assert served.status == 200


async def test_f11_what_a_client_sent_is_told_back_without_harm(gateway: RunningGateway) -> None:
    name = '</script>"\u2028\x1b[31m'
    reply = await ask(gateway, chat(name))

    assert is_envelope(reply)
    assert json.loads(reply.body)["error"]["message"].startswith("The model `")


async def test_law1_every_refusal_is_one_line(gateway: RunningGateway) -> None:
    before = len(gateway.lines())
    sent = [
        request("POST", "/v1/chat/completions", b"{"),
        request("GET", "/v1/nope"),
        request("PUT", "/v1/models"),
        request("GET", "/v1/models", key=None),
        chat("no-such-model"),
    ]

    replies = await asyncio.gather(*(ask(gateway, one) for one in sent))

    lines = gateway.lines()[before:]
    ids = sorted(reply.header("x-request-id") or "" for reply in replies)
    assert sorted(line["request_id"] for line in lines) == ids
    assert {line["outcome"] for line in lines} == {"rejected"}
