"""Health, metrics and documentation, and errors in the data plane's envelope (architecture 5; contract A9, C1, F10)."""

from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from app.api.control_plane import ControlPlaneParts, Readiness, RequestIds, add_control_plane
from app.api.gatekeeper import Gatekeeper

ADMIN = "admin-0123456789"


class Plane:
    """A control plane alone. *readiness* may be set."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.readiness: Readiness = "ok"
        self.ids = 0
        self.app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, title="t", version="9")
        parts = ControlPlaneParts(
            version="9.9",
            readiness=lambda: self.readiness,
            metrics_page=self._page,
            gatekeeper=Gatekeeper(is_open, None, SecretStr(ADMIN)),
            new_request_id=self._next_id,
        )
        add_control_plane(self.app, parts)
        self.served = RequestIds(self.app, self._next_id)
        self.is_broken = False

    def _page(self) -> bytes:
        if self.is_broken:
            raise RuntimeError("a defect of ours")
        return b"# page\n"

    def _next_id(self) -> str:
        self.ids += 1
        return f"req_{self.ids}"

    async def ask(self, path: str, method: str = "GET", **headers: str) -> httpx2.Response:
        transport = httpx2.ASGITransport(self.served, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, path, headers=headers)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/healthz", {"status": "ok"}),
        ("/readyz", {"status": "ok"}),
        ("/api/hello", {"status": "ok"}),
    ],
)
async def test_health_says_nothing_but_its_state(path, body):
    reply = await Plane().ask(path)

    assert (200, body) == (reply.status_code, reply.json())


@pytest.mark.parametrize(
    ("readiness", "status"),
    [
        pytest.param("degraded", 200, id="R19: the ledger cannot be written, requests are served"),
        pytest.param("unavailable", 503, id="R19: what cannot be recorded is refused"),
    ],
)
async def test_a_ledger_that_cannot_be_written_shows(readiness, status):
    plane = Plane()
    plane.readiness = readiness
    reply = await plane.ask("/readyz")

    assert (status, {"status": readiness}) == (reply.status_code, reply.json())


async def test_draining_it_is_alive_and_not_ready():
    plane = Plane()
    plane.readiness = "draining"

    assert (await plane.ask("/healthz")).status_code == 200
    reply = await plane.ask("/readyz")
    assert (503, {"status": "draining"}) == (reply.status_code, reply.json())


async def test_metrics_are_prometheus_text():
    reply = await Plane().ask("/metrics")

    assert reply.content == b"# page\n"
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")


@pytest.mark.parametrize(
    "path", ["/metrics", "/docs", "/openapi.json", "/docs/start.js", "/docs/swagger-ui.css"]
)
async def test_s27_on_another_address_they_want_a_token(path):
    plane = Plane(is_open=False)

    refused = await plane.ask(path)
    shown = await plane.ask(path, authorization=f"Bearer {ADMIN}")

    assert (401, 200) == (refused.status_code, shown.status_code)
    assert set(refused.json()["error"]) == {"message", "type", "param", "code"}
    assert ADMIN not in refused.text + shown.text


async def test_s27_health_wants_none():
    plane = Plane(is_open=False)

    assert [200, 200] == [(await plane.ask(path)).status_code for path in ("/healthz", "/readyz")]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "unknown_url"),
        ("GET", "/docs/../secrets", 404, "unknown_url"),
        ("GET", "/docs/other.js", 404, "unknown_url"),
        ("POST", "/healthz", 405, "method_not_allowed"),
        ("DELETE", "/metrics", 405, "method_not_allowed"),
    ],
)
async def test_f10_no_shape_of_the_framework_leaks(method, path, status, code):
    reply = await Plane().ask(path, method)

    assert status == reply.status_code
    assert set(reply.json()) == {"error"}
    assert set(reply.json()["error"]) == {"message", "type", "param", "code"}
    assert reply.json()["error"]["code"] == code
    assert reply.headers["content-type"] == "application/json"


async def test_f21_a_wrong_method_names_the_right_one():
    assert "GET" in (await Plane().ask("/healthz", "POST")).headers["allow"]


async def test_c1_every_reply_has_an_id_of_its_own():
    plane = Plane()
    replies = [await plane.ask(path) for path in ("/healthz", "/nowhere", "/metrics")]

    assert ["req_1", "req_2", "req_3"] == [reply.headers["x-request-id"] for reply in replies]


async def test_f49_a_defect_of_ours_has_the_envelope_and_an_id():
    plane = Plane()
    plane.is_broken = True

    reply = await plane.ask("/metrics")

    assert (500, "internal_error") == (reply.status_code, reply.json()["error"]["code"])
    assert "req_1" == reply.headers["x-request-id"]


# --- the browsable page ---------------------------------------------------------------------------------------------


async def test_docs_runs_no_script_of_a_third_party():
    plane = Plane()
    page = await plane.ask("/docs")

    assert "http" not in page.text.replace("http-equiv", "")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "start.js"):
        asset = await plane.ask(f"/docs/{name}")
        assert (200, True) == (asset.status_code, len(asset.content) > 50)
        assert f"/docs/{name}" in page.text


def resolved(schema: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in part:
        found: dict[str, Any] = schema["components"]["schemas"][part["$ref"].rsplit("/", 1)[1]]
        return found
    return part


@pytest.mark.parametrize(
    ("method", "path", "members"),
    [
        ("post", "/v1/chat/completions", {"id", "object", "created", "model", "choices"}),
        ("get", "/v1/models", {"object", "data"}),
        ("get", "/v1/models/{model}", {"id", "object", "created", "owned_by"}),
        ("delete", "/v1/models/{model}", {"id", "object", "deleted"}),
    ],
)
async def test_the_v1_routes_stand_there_with_their_answers(method, path, members):
    schema = (await Plane().ask("/openapi.json")).json()
    route = schema["paths"][path][method]

    answer = resolved(schema, route["responses"]["200"]["content"]["application/json"]["schema"])
    assert members <= set(answer["properties"])
    refused = resolved(
        schema, route["responses"]["default"]["content"]["application/json"]["schema"]
    )
    envelope = resolved(schema, refused["properties"]["error"])
    assert set(envelope["required"]) == {"message", "type", "param", "code"}
    assert route["security"]


async def test_a_chat_s_request_is_described_and_open():
    schema = (await Plane().ask("/openapi.json")).json()
    route = schema["paths"]["/v1/chat/completions"]["post"]
    body = resolved(schema, route["requestBody"]["content"]["application/json"]["schema"])

    assert {"model", "messages"} <= set(body["required"])
    assert {"stream", "tools", "temperature", "max_tokens"} <= set(body["properties"])
    assert body["additionalProperties"] is True
    assert "text/event-stream" in route["responses"]["200"]["content"]
