"""
The data plane: the ASGI application that answers everything but the control plane's own few paths.

It is handed its requests before FastAPI's middleware and router see them (architecture 1), and hands each on
to the pipeline with two things taken care of: every reply has an id and, where asked for, CORS headers; and a
client that leaves cancels the work at once (law 5).
"""

import asyncio
from collections.abc import Callable

from app.domain.errors import ClientGone
from app.edge.asgi_client import AsgiClient, Receive, Scope, Send
from app.edge.cors import cors_headers, is_preflight, preflight_headers
from app.proxy.pipeline import Pipeline

_CONTROL_PLANE = frozenset(
    {"", "healthz", "readyz", "metrics", "docs", "openapi.json", "api", "admin", "console"}
)
_BODYLESS = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})


def is_data_plane(path: str) -> bool:
    """True for a path of the data plane: its first segment is not one of the control plane's."""
    return path.lstrip("/").partition("/")[0] not in _CONTROL_PLANE


class DataPlane:
    """Serves the OpenAI surface. *new_request_id* gives the id of each exchange."""

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        max_body_bytes: int,
        cors_origins: tuple[str, ...],
        new_request_id: Callable[[], str],
    ) -> None:
        self._pipeline = pipeline
        self._max_body_bytes = max_body_bytes
        self._cors_origins = cors_origins
        self._new_request_id = new_request_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, from its head to the last byte of its reply."""
        headers = list(scope["headers"])
        extra = cors_headers(headers, self._cors_origins)
        client = AsgiClient(
            scope,
            receive,
            send,
            max_body_bytes=self._max_body_bytes,
            extra_headers=extra,
        )
        request_id = self._new_request_id()
        if extra and is_preflight(client.method, headers):
            allowed = [*preflight_headers(headers), (b"x-request-id", request_id.encode())]
            await client.start(204, allowed)
            await client.finish()
            return
        if client.method in _BODYLESS:
            client.nothing_to_read()
        await self._serve(client, request_id)

    async def _serve(self, client: AsgiClient, request_id: str) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(client.watch())
                await self._pipeline.serve(client, request_id)
                watch.cancel()
        except* ClientGone:
            pass  # settled; nobody is left to answer
