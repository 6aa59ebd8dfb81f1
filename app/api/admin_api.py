"""
The admin API, `/admin/v1`, as the control plane carries it: a door, and behind it an application of its own that is
built when somebody has come through (architecture 5, reliability S13).
"""

import asyncio
from collections.abc import Callable
from functools import cache
from typing import Any

from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from app.api.admin_door import AdminDoor, AdminKeys
from app.api.admin_parts import AdminParts
from app.api.documentation import joined


def add_admin(app: FastAPI, parts: AdminParts, keys: AdminKeys) -> None:
    """*app*, which has the control plane's error handlers already, answers under `/admin` and describes it at `/docs`.

    Call it where an admin's or viewer's key and a storage are configured; without, the paths are unknown.
    """
    built = _BuiltOnce(app, parts)
    door = AdminDoor(built, keys)
    for path in ("/admin", "/admin/{rest:path}"):
        app.router.routes.append(Route(path, door, include_in_schema=False))
    app.openapi = _described_too(app, built)  # type: ignore[method-assign] # FastAPI's way to extend a schema


class _BuiltOnce:
    """The application behind the door. Its models cost a tenth of a second, so it is built beside the loop."""

    def __init__(self, outer: FastAPI, parts: AdminParts) -> None:
        self._outer = outer
        self._parts = parts
        self._building = asyncio.Lock()
        self._app: FastAPI | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._app is None:
            async with self._building:  # who comes second finds it built
                await asyncio.to_thread(self.app)
        await self.app()(scope, receive, send)

    def app(self) -> FastAPI:
        """The application."""
        from app.api.admin_routes import (  # noqa: PLC0415 serving does not need its models
            make_admin_application,
        )

        if self._app is None:
            self._app = make_admin_application(self._parts, self._outer.exception_handlers)
        return self._app


def _described_too(app: FastAPI, built: _BuiltOnce) -> Callable[[], dict[str, Any]]:
    """The schema of *app* with the admin API's."""
    draw = app.openapi

    @cache
    def described() -> dict[str, Any]:
        return joined(draw(), built.app().openapi())

    return described
