"""
The control plane: health, metrics and documentation, on FastAPI. What a client of `/v1` asks never comes by here.

Errors have the data plane's envelope: FastAPI's own 404, 405, 422 and 500 are written by the same renderer (style 4.6).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api import documentation
from app.api.admin_api import add_admin
from app.api.admin_door import AdminKeys
from app.api.admin_parts import AdminParts
from app.api.gatekeeper import Gatekeeper
from app.domain.errors import (
    GatewayError,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    UnknownUrl,
)
from app.protocol.errors import error_body, error_headers
from app.telemetry.metrics import CONTENT_TYPE

Readiness = Literal["ok", "degraded", "draining", "unavailable"]

_RESERVED = (
    "Not allowed to {method} on {path}. (HINT: Perhaps you meant to use a different HTTP method?)"
)
_UNKNOWN = "Unknown request URL: {method} {path}. Please check the URL for typos."


@dataclass(frozen=True, slots=True)
class ControlPlaneParts:
    """What the control plane shows: *readiness* and *metrics_page* are asked on each request. *admin*: the admin API,
    None where there is none."""

    version: str
    readiness: Callable[[], Readiness]
    metrics_page: Callable[[], bytes]
    gatekeeper: Gatekeeper
    new_request_id: Callable[[], str]
    admin: tuple[AdminParts, AdminKeys] | None = None


def add_control_plane(app: FastAPI, parts: ControlPlaneParts) -> None:
    """*app* has every route of the control plane, and its error shapes."""
    _add_health(app, parts)
    _add_metrics(app, parts)
    documentation.add_documentation(app, parts.gatekeeper)
    _add_errors(app)
    if parts.admin is not None:
        add_admin(app, *parts.admin)


def _add_health(app: FastAPI, parts: ControlPlaneParts) -> None:
    @app.get("/", include_in_schema=False)
    async def root() -> dict[str, str]:
        return {"name": "mindgate", "version": parts.version, "base_url": "/v1", "docs": "/docs"}

    @app.get("/api/hello", include_in_schema=False)
    async def hello() -> dict[str, str]:  # contract A11: a client's connection probe
        return {"status": "ok"}

    @app.get("/healthz", tags=["health"], summary="Alive")
    async def healthz() -> dict[str, str]:
        """The process answers. Says nothing else (reliability S27)."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["health"], summary="Ready")
    async def readyz() -> Response:
        """200 when a request would be served: `ok`, or `degraded` while the ledger cannot be written. 503 while the
        gateway shuts down, and while it refuses what it cannot record."""
        status = parts.readiness()
        is_ready = status in ("ok", "degraded")
        return JSONResponse({"status": status}, status_code=200 if is_ready else 503)


def _add_metrics(app: FastAPI, parts: ControlPlaneParts) -> None:
    @app.get("/metrics", tags=["metrics"], summary="Prometheus metrics")
    async def metrics(request: Request) -> Response:
        """Open on a loopback address; elsewhere behind `server.metrics_token` or the admin key, as a bearer token."""
        parts.gatekeeper.check_metrics(request.headers.get("authorization", ""))
        return Response(parts.metrics_page(), media_type=CONTENT_TYPE)


def _add_errors(app: FastAPI) -> None:
    async def gateway_error(_: Request, error: Exception) -> Response:
        return _rendered(error if isinstance(error, GatewayError) else InternalError())

    async def http_error(request: Request, error: Exception) -> Response:
        method, path = request.method, request.url.path
        if isinstance(error, HTTPException) and error.status_code == 405:
            allowed = tuple((error.headers or {}).get("Allow", "GET").split(", "))
            message = _RESERVED.format(method=method, path=path)
            return _rendered(MethodNotAllowed(message, allow=allowed))
        return _rendered(UnknownUrl(_UNKNOWN.format(method=method, path=path)))

    async def validation_error(_: Request, error: Exception) -> Response:
        first = error.errors()[0] if isinstance(error, RequestValidationError) else {}
        place = [str(part) for part in first.get("loc", ())]
        return _rendered(
            InvalidRequest(f"{'.'.join(place)}: {first.get('msg', 'invalid')}", code="invalid_type")
        )

    app.add_exception_handler(GatewayError, gateway_error)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(RequestValidationError, validation_error)
    app.add_exception_handler(Exception, gateway_error)


def _rendered(error: GatewayError) -> Response:
    headers = {name.decode(): value.decode() for name, value in error_headers(error)}
    return Response(error_body(error), status_code=error.status, headers=headers)


class RequestIds:
    """Pure ASGI middleware: `x-request-id` on every reply of the control plane (contract C1)."""

    def __init__(self, app: ASGIApp, new_request_id: Callable[[], str]) -> None:
        self._app = app
        self._new_request_id = new_request_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = self._new_request_id().encode()

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", request_id)]
            await send(message)

        await self._app(scope, receive, send_with_id)
