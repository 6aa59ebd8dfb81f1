"""Two listeners, told apart by the ports that they really have (reliability S13)."""

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp

from app.domain.configuration import Configuration, ServerOptions
from app.edge.data_plane import is_data_plane
from app.main.application import Application, make_application
from app.main.serving import as_bound, listeners_of
from tests.fakes.admin import ADMIN, AdminPlane
from tests.fakes.ledgers import ADMIN as ADMIN_HEADERS
from tests.fakes.ledgers import ledger_over
from tests.fakes.raw_client import ask, request
from tests.fakes.scripted_upstream import entry_of, scripted

DATA, CONTROL = 8080, 8081
DATA_PLANE = "the data plane"
V1 = ("/v1/chat/completions", "/v1/models", "/v1/models/gpt-4o", "/v1/me", "/v1/requests/req_1")


def with_a_listener_of_its_own() -> Application:
    async def lifespan(_: object):
        yield

    data_plane: Any = PlainTextResponse(DATA_PLANE)
    return make_application(
        data_plane, AdminPlane(is_open=False).shown, lifespan, admin_port=CONTROL
    )


async def asked(app: ASGIApp, port: int, path: str, method: str = "GET") -> httpx2.Response:
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    headers = {"authorization": f"Bearer {ADMIN}"}
    async with httpx2.AsyncClient(
        transport=transport, base_url=f"http://127.0.0.1:{port}"
    ) as client:
        return await client.request(method, path, headers=headers)


@pytest.mark.parametrize("path", V1)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_s13_the_admin_listener_knows_nothing_of_v1_though_its_pages_show_it(path, method):
    app = with_a_listener_of_its_own()
    shown = await asked(app, CONTROL, "/openapi.json")

    reply = await asked(app, CONTROL, path, method)

    assert "/v1/chat/completions" in shown.json()["paths"]
    assert (404, "unknown_url") == (reply.status_code, reply.json()["error"]["code"])
    assert DATA_PLANE == (await asked(app, DATA, path, method)).text


@pytest.mark.parametrize(
    ("path", "is_on_both"),
    [
        ("/", True),
        ("/healthz", True),
        ("/readyz", True),
        ("/api/hello", True),
        ("/metrics", False),
        ("/docs", False),
        ("/openapi.json", False),
        ("/admin/v1/keys", False),
    ],
)
async def test_s13_the_data_listener_has_the_health_of_the_control_plane_alone(path, is_on_both):
    app = with_a_listener_of_its_own()

    assert 200 == (await asked(app, CONTROL, path)).status_code
    assert is_on_both is ((await asked(app, DATA, path)).text != DATA_PLANE)
    assert not is_data_plane(path)


def test_the_planes_are_told_apart_by_the_ports_that_were_really_taken():
    asked_for = Configuration(server=ServerOptions(port=0, admin_port=0))
    with ExitStack() as stack:
        bound = [stack.enter_context(one) for one in listeners_of(asked_for)]
        server = as_bound(asked_for, bound).server

        assert [one.getsockname()[1] for one in bound] == [server.port, server.admin_port]
        assert 0 < server.port != server.admin_port


def test_a_free_port_that_the_other_address_has_already_is_not_taken():
    with ExitStack() as stack:
        (taken,) = (
            stack.enter_context(one)
            for one in listeners_of(Configuration(server=ServerOptions(port=0)))
        )
        port = taken.getsockname()[1]
        server = ServerOptions(host="127.0.0.2", port=port, admin_host="127.0.0.3", admin_port=port)
        two = [stack.enter_context(one) for one in listeners_of(Configuration(server=server))]

        assert two[0].getsockname()[1] != two[1].getsockname()[1]


async def test_an_admin_port_of_0_is_a_listener_of_its_own(tmp_path):
    async with scripted() as upstream:
        server = replace(Configuration().server, admin_port=0, drain_seconds=0.0)
        async with ledger_over(tmp_path, entry_of(upstream), server=server) as gateway:
            assert gateway.admin_port is not None
            wanted = request("GET", "/admin/v1/keys", headers=list(ADMIN_HEADERS.items()))

            assert 404 == (await ask(gateway, wanted)).status
            assert 200 == (await ask(replace(gateway, port=gateway.admin_port), wanted)).status
