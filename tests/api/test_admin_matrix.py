"""
Every route of the control plane × everyone who may come: the table of reliability S13.

The routes are taken from the application itself, so a new one fails here until somebody has decided who may use it. The
gateway listens on an address that others reach; on a loopback address metrics and documentation are open.
"""

from collections.abc import Iterator

import pytest
from starlette.routing import BaseRoute

from tests.fakes.admin import ADMIN, VIEWER, VIRTUAL, AdminPlane

CALLERS = {
    "none": None,
    "a virtual key": VIRTUAL,
    "a revoked key": f"{VIRTUAL}-revoked",
    "viewer": VIEWER,
    "admin": ADMIN,
}
OPEN = (200, 200, 200, 200, 200)
READ = (401, 401, 401, 200, 200)
WRITE = (401, 401, 401, 403, 200)
MAKE = (401, 401, 401, 403, 201)
UNKNOWN = (401, 401, 401, 404, 404)

TABLE: dict[str, tuple[int, ...]] = {
    "GET /": OPEN,
    "GET /api/hello": OPEN,
    "GET /healthz": OPEN,
    "GET /readyz": OPEN,
    "GET /metrics": READ,
    "GET /docs": READ,
    "GET /docs/start.js": READ,
    "GET /docs/{name}": READ,
    "GET /openapi.json": READ,
    "* /admin": UNKNOWN,
    "* /admin/{rest:path}": UNKNOWN,
    "POST /admin/v1/keys": MAKE,
    "GET /admin/v1/keys": READ,
    "GET /admin/v1/keys/{id}": READ,
    "PATCH /admin/v1/keys/{id}": WRITE,
    "DELETE /admin/v1/keys/{id}": WRITE,
    "POST /admin/v1/keys/{id}/rotate": WRITE,
    "POST /admin/v1/teams": MAKE,
    "GET /admin/v1/teams": READ,
    "GET /admin/v1/teams/{id}": READ,
    "PATCH /admin/v1/teams/{id}": WRITE,
    "DELETE /admin/v1/teams/{id}": WRITE,
    "GET /admin/v1/usage": READ,
    "GET /admin/v1/records": READ,
    "GET /admin/v1/limits": READ,
    "GET /admin/v1/prices": READ,
    "GET /admin/v1/audit": READ,
    "GET /admin/v1/audit/verify": READ,
}
BODIES = {
    "POST /admin/v1/keys": {"name": "new"},
    "POST /admin/v1/teams": {"name": "new"},
    "PATCH /admin/v1/keys/{id}": {"rpm": 1},
    "PATCH /admin/v1/teams/{id}": {"rpm": 1},
}


def routes(app_routes: list[BaseRoute]) -> Iterator[str]:
    for route in app_routes:
        methods = getattr(route, "methods", None) or {"*"}
        for method in methods - {"HEAD"}:
            yield f"{method} {getattr(route, 'path', route)}"


def known_routes(plane: AdminPlane) -> set[str]:
    """Those the router has, and those behind the door; what `/openapi.json` shows of `/v1` is the data plane's."""
    outer = set(routes(plane.app.routes))
    inner = {
        f"{method.upper()} {path}"
        for path, operations in plane.app.openapi()["paths"].items()
        for method in operations
        if not path.startswith("/v1/")
    }
    return {
        one for one in outer if " /v1/" not in one and "/admin/v1" not in one and "<" not in one
    } | inner


def test_every_route_has_its_line_and_every_line_its_route():
    assert set(TABLE) == known_routes(AdminPlane())


@pytest.mark.parametrize("place", range(len(CALLERS)), ids=list(CALLERS))
@pytest.mark.parametrize("route", TABLE)
async def test_s13_who_may_do_what(route, place):
    plane = AdminPlane(is_open=False)
    plane.seed()
    before = plane.desks.snapshot()
    method, path = route.split(" ")
    kind = "team_1" if "teams" in path else "key_1"
    for name, value in {"{id}": kind, "{name}": "swagger-ui.css", "{rest:path}": "v9/x"}.items():
        path = path.replace(name, value)
    reply = await plane.ask(
        path,
        "GET" if method == "*" else method,
        key=list(CALLERS.values())[place],
        body=BODIES.get(route),
    )

    assert TABLE[route][place] == reply.status_code
    if reply.status_code >= 400:
        assert before == plane.desks.snapshot()
        assert set(reply.json()["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize("carrier", ["x-api-key", "api-key", "x-goog-api-key", "cookie"])
async def test_s12_the_admin_key_has_one_carrier(carrier):
    plane = AdminPlane(is_open=False)
    reply = await plane.ask("keys", key=None, headers={carrier: ADMIN})

    assert 401 == reply.status_code


async def test_without_the_admin_api_its_paths_are_unknown_to_everybody():
    plane = AdminPlane(with_admin=False)
    for key in CALLERS.values():
        assert 404 == (await plane.ask("keys", key=key)).status_code


async def test_on_a_loopback_address_it_is_shut_all_the_same():
    assert 401 == (await AdminPlane(is_open=True).ask("keys", key=None)).status_code
