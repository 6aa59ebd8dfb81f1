"""All routes of the admin API as one application, errors included. `app.api.admin_api` builds it when it is first asked
for: serving needs none of this."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match

from app.api.admin_faults import invalid
from app.api.admin_json import StrictRoute
from app.api.admin_keys import add_keys
from app.api.admin_ledger import add_ledger
from app.api.admin_parts import AdminParts
from app.api.admin_sights import add_sights
from app.api.admin_teams import add_teams
from app.api.surface_parts import ErrorReply
from app.protocol.errors import error_body, error_headers

ErrorHandler = Callable[[Request, Exception], Awaitable[Response]]

_KEY = HTTPBearer(
    scheme_name="AdminKey",
    description="`MINDGATE_ADMIN_KEY`, or `MINDGATE_VIEWER_KEY` to read.",
    auto_error=False,  # the door has looked already
)
_ROOMS: Mapping[str, Callable[[APIRouter, AdminParts], None]] = {
    "keys": add_keys,
    "teams": add_teams,
    "ledger": add_ledger,
    "standing": add_sights,
}
_ERRORS: dict[int | str, dict[str, Any]] = {
    "default": {"model": ErrorReply, "description": "Every reply that is not a success."}
}


def make_admin_application(parts: AdminParts, error_handlers: Mapping[Any, Any]) -> FastAPI:
    """*error_handlers*: of the control plane; what is wrong with a field is told here."""
    app = FastAPI(
        title="Mindgate",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        strict_content_type=False,
        dependencies=[Depends(_KEY)],
        responses=_ERRORS,
        exception_handlers={**error_handlers, RequestValidationError: _invalid},
        telemetry={"auto_configure": False, "tracing": False, "metrics": False},
    )
    routes: list[BaseRoute] = []
    for tag, add in _ROOMS.items():
        router = APIRouter(prefix="/admin/v1", tags=[tag], route_class=StrictRoute)
        add(router, parts)
        app.include_router(router)
        routes += router.routes
    app.add_exception_handler(HTTPException, _all_methods(routes, error_handlers))
    return app


def _all_methods(routes: Sequence[BaseRoute], error_handlers: Mapping[Any, Any]) -> ErrorHandler:
    """The control plane's answer to a wrong method names every right one; the framework knows of the first route's."""
    answer: ErrorHandler = error_handlers[HTTPException]

    async def http_error(request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException) and error.status_code == 405:
            fitting = (one for one in routes if one.matches(request.scope)[0] is not Match.NONE)
            methods = {m for one in fitting if isinstance(one, APIRoute) for m in one.methods or ()}
            error = HTTPException(405, headers={"Allow": ", ".join(sorted(methods))})
        return await answer(request, error)

    return http_error


async def _invalid(_: Request, error: Exception) -> Response:
    fault = invalid(error.errors() if isinstance(error, RequestValidationError) else [])
    headers = {name.decode(): value.decode() for name, value in error_headers(fault)}
    return Response(error_body(fault), status_code=fault.status, headers=headers)
