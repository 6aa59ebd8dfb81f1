"""
The data plane: the ASGI application that answers everything but the control plane's own few paths.

It is handed its requests before FastAPI's middleware and router see them (architecture 1), and hands each on to the
pipeline: the client's own connection, no ASGI message between. Every reply has an id and, where asked for, CORS
headers. A client that leaves cancels the task (law 5): `app.edge.http_connection`.
"""

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Final

from app.edge.asgi_side import CLIENT, Receive, Scope, Send
from app.edge.client_request import ClientRequest
from app.edge.cors import cors_headers, is_preflight, preflight_headers
from app.proxy.pipeline import Serves
from app.wire.requests import field_lines

_CONTROL_PLANE: Final = frozenset(
    {"", "healthz", "readyz", "metrics", "docs", "openapi.json", "api", "admin", "console"}
)


@lru_cache(maxsize=64)  # a client asks for the same few again and again
def is_data_plane(path: str) -> bool:
    """True for a path of the data plane: its first segment is not one of the control plane's."""
    return path.lstrip("/").partition("/")[0] not in _CONTROL_PLANE


class DataPlane:
    """Serves the OpenAI surface. *new_request_id* gives the id of each exchange."""

    def __init__(
        self,
        pipeline: Serves,
        *,
        max_body_bytes: int,
        cors_origins: tuple[str, ...],
        new_request_id: Callable[[], str],
    ) -> None:
        self._pipeline = pipeline
        self._max_body_bytes = max_body_bytes
        self._cors_origins = cors_origins
        self._new_request_id = new_request_id

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """The same as `answer`, for who comes by way of ASGI."""
        client: ClientRequest = scope["extensions"][CLIENT]
        return self.answer(client)

    def answer(self, client: ClientRequest) -> Awaitable[None]:
        """One request, from its head to the last byte of its reply. What is awaited is the pipeline's coroutine."""
        client.max_body_bytes = self._max_body_bytes
        serve = self._serve_page if self._cors_origins else self._pipeline.serve
        return serve(client, self._new_request_id())

    async def _serve_page(self, client: ClientRequest, request_id: str) -> None:
        if not self._answers_page(client, request_id):
            await self._pipeline.serve(client, request_id)

    def _answers_page(self, client: ClientRequest, request_id: str) -> bool:
        """The reply to *client* will say what its page may see; True when that was all it asked."""
        extra = cors_headers(client.headers, self._cors_origins)
        client.extra_fields = field_lines(extra)
        if not extra or not is_preflight(client.method, client.headers):
            return False
        allowed = [*preflight_headers(client.headers), (b"x-request-id", request_id.encode())]
        client.start(204, field_lines(allowed), 0)
        client.finish()
        return True
