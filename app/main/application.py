"""
The one ASGI application: FastAPI, which hands the data plane its traffic before its own middleware and router.

A FastAPI route with dependencies costs a request about 300 µs of CPU, a mounted application 50; this
hand-over costs nothing (architecture 1).
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Final

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override

from app.api.control_plane import ControlPlaneParts, RequestIds, add_control_plane
from app.edge.client_request import ClientRequest
from app.edge.data_plane import DataPlane, is_data_plane

_ON_EVERY_PORT: Final = frozenset({"/", "/api/hello", "/healthz", "/readyz"})

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_DESCRIPTION: Final = (
    "One OpenAI-compatible `/v1` for 4minds, Minds, OpenMind and anything else that speaks OpenAI's API. "
    "Point an OpenAI SDK at `/v1` of this address."
)


class Application(FastAPI):
    """FastAPI with *data_plane* in front of everything it does itself, which is *control_plane*.

    *admin_port*: where the control plane is alone; elsewhere it then shows its health and nothing else (reliability
    S13). None: both planes are everywhere.
    """

    data_plane: DataPlane
    control_plane: ASGIApp
    admin_port: int | None = None

    def answer(self, client: ClientRequest) -> Awaitable[None] | None:
        """What serves a request of the data plane; None for one that is to come by way of ASGI. The connection
        asks for it."""
        if self.admin_port is None and is_data_plane(client.target.plain_path):
            return self.data_plane.answer(client)
        return None

    @override
    def __call__(  # type: ignore[override] # awaitable all the same
        self, scope: Scope, receive: Receive, send: Send
    ) -> Awaitable[None]:
        """No coroutine of its own, which each exchange would pay for: the one of whoever answers."""
        if scope["type"] == "http":
            if self.admin_port is not None:
                return self._by_port(scope, receive, send)
            if is_data_plane(scope["path"]):
                return self.data_plane(scope, receive, send)
        return self.control_plane(_as_written(scope), receive, send)

    def _by_port(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        is_admin = scope["server"][1] == self.admin_port
        scope = _as_written(scope)
        if is_admin or scope["path"] in _ON_EVERY_PORT:
            return self.control_plane(scope, receive, send)
        return self.data_plane(scope, receive, send)  # which knows nothing of admin pages


def _as_written(scope: Scope) -> Scope:
    """*scope* as FastAPI's router knows its paths: one slash between segments, none at the end (contract A1, A2), and
    HEAD as the GET whose body the server leaves out (A11)."""
    if scope["type"] != "http":
        return scope
    path = "/" + "/".join(segment for segment in scope["path"].split("/") if segment)
    return {
        **scope,
        "path": path,
        "method": "GET" if scope["method"] == "HEAD" else scope["method"],
    }


def make_application(
    data_plane: DataPlane,
    parts: ControlPlaneParts,
    lifespan: Lifespan,
    *,
    admin_port: int | None = None,
) -> Application:
    """The application, complete. *admin_port*: of the listener that the control plane has to itself."""
    app = Application(
        title="Mindgate",
        version=parts.version,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
        telemetry={"auto_configure": False, "tracing": False, "metrics": False},
    )
    app.data_plane = data_plane
    app.admin_port = admin_port
    # Around FastAPI's own handler of what nobody caught, so that its 500 has an id too (contract C1).
    app.control_plane = RequestIds(partial(FastAPI.__call__, app), parts.new_request_id)
    add_control_plane(app, parts)
    return app
