"""
`/docs` and `/openapi.json`: the API to browse and to try.

Swagger UI comes from a package, not from a content network, so the page works offline and runs no third
party's script; its policy says so.
"""

import json
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response

from app.api.gatekeeper import Gatekeeper
from app.domain.errors import UnknownUrl

_ASSETS = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Mindgate API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_START = """window.ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  persistAuthorization: true,
  presets: [SwaggerUIBundle.presets.apis],
});
"""
_SECURITY_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


def add_documentation(app: FastAPI, gatekeeper: Gatekeeper) -> None:
    """*app* shows its own description at `/docs`."""
    app.openapi = _described_once(app)  # type: ignore[method-assign] # FastAPI's way to extend a schema
    assets = {name: files("fastapi_swagger").joinpath("resources", name) for name in _ASSETS}

    def shown(request: Request, content: str | bytes, media_type: str) -> Response:
        gatekeeper.check_documentation(request.headers.get("authorization", ""))
        return Response(content, media_type=media_type, headers=_SECURITY_HEADERS)

    @app.get("/docs", include_in_schema=False)
    async def page(request: Request) -> Response:
        return shown(request, _PAGE, "text/html; charset=utf-8")

    @app.get("/docs/start.js", include_in_schema=False)
    async def start(request: Request) -> Response:
        return shown(request, _START, "text/javascript; charset=utf-8")

    @app.get("/docs/{name}", include_in_schema=False)
    def asset(request: Request, name: str) -> Response:
        if name not in assets:
            raise UnknownUrl(
                f"Unknown request URL: GET /docs/{name}. Please check the URL for typos."
            )
        return shown(request, assets[name].read_bytes(), _ASSETS[name])

    @app.get("/openapi.json", include_in_schema=False)
    def schema(request: Request) -> Response:
        return shown(request, json.dumps(app.openapi()), "application/json")


def joined(schema: dict[str, Any], added: dict[str, Any]) -> dict[str, Any]:
    """*schema* with the paths and components of *added*."""
    components = dict(schema.get("components", {}))
    for kind, named in added.get("components", {}).items():
        components[kind] = {**components.get(kind, {}), **named}
    paths = {**added["paths"], **schema["paths"]}  # the API first, what looks after it behind
    return {**schema, "paths": paths, "components": components}


def _described_once(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """The schema of *app* with the data plane's routes, which are drawn when somebody asks: a start needs none."""
    draw = app.openapi

    @cache
    def described() -> dict[str, Any]:
        from app.api import openai_resources, openai_surface  # noqa: PLC0415 serving does not need them

        # On an application of their own, which answers nobody: they are to be shown, never served.
        surface = FastAPI()
        surface.include_router(openai_surface.router)
        surface.include_router(openai_resources.resources)
        surface.include_router(openai_resources.families)
        return joined(draw(), surface.openapi())

    return described
