"""Asking an upstream about its models: the list for the catalogue, one model, and deleting one
(upstreams 3.1, 4.2, 4.5).
"""

import asyncio
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from app.domain.errors import UpstreamMalformed, UpstreamTimeout
from app.upstreams.client import Sender, UpstreamRequest
from app.upstreams.discovery import DiscoveredModel, parse_models
from app.upstreams.list_requests import get, json_head, refused
from app.upstreams.upstream import Upstream

_ABSENT = (404, 405)
_PAGE_SIZE = 100  # upstreams 4.5
_MAX_PAGES = 100
_PAGED_PATH = "/api/v1/minds"


@dataclass(frozen=True, slots=True)
class ModelList:
    """What an upstream serves, and the *path* at which it said so."""

    models: tuple[DiscoveredModel, ...]
    path: str


async def discover(
    upstream: Upstream, sender: Sender, *, paths: tuple[str, ...], patience_seconds: float
) -> ModelList:
    """What *upstream* lists at the first of *paths* where there is a list (upstreams 4.1).

    Raises the typed error of a refusal, UpstreamMalformed for what is no list, UpstreamTimeout.
    """
    try:
        async with asyncio.timeout(patience_seconds):
            for path in paths[:-1]:
                found = await _list(upstream, sender, path, is_last=False)
                if found is not None:
                    return ModelList(found, path)
            return ModelList(
                await _list(upstream, sender, paths[-1], is_last=True) or (), paths[-1]
            )
    except TimeoutError:
        raise UpstreamTimeout(
            f"Upstream '{upstream.name}' did not send its model list within {patience_seconds:g} seconds.",
            phase="total",
        ) from None


async def _list(
    upstream: Upstream, sender: Sender, path: str, *, is_last: bool
) -> tuple[DiscoveredModel, ...] | None:
    """The models at *path*; None when there is no such path and another is left to try."""
    is_paged = urlsplit(upstream.url(path)).path.rstrip("/").endswith(_PAGED_PATH)
    found: dict[str, DiscoveredModel] = {}
    for page in range(_MAX_PAGES):
        query = f"limit={_PAGE_SIZE}&offset={page * _PAGE_SIZE}" if is_paged else ""
        status, body = await get(upstream, sender, upstream.url(path, query))
        if status in _ABSENT and not is_last:
            return None
        if status != 200:
            raise refused(upstream, status, body, "models.list")
        known = len(found)
        found.update((row.id, row) for row in _parsed(upstream, body))
        if not is_paged or len(found) == known:  # rows may be left out, so a short page is no sign
            break
    return tuple(found.values())


def _parsed(upstream: Upstream, body: bytes) -> tuple[DiscoveredModel, ...]:
    try:
        return parse_models(body, dialect=upstream.dialect.name, upstream=upstream.name)
    except ValueError as error:
        raise UpstreamMalformed(
            f"Upstream '{upstream.name}' sent a model list that cannot be read: {error}"
        ) from error


def model_request(
    upstream: Upstream, method: str, model: str, *, list_path: str, request_id: str
) -> UpstreamRequest:
    """GET or DELETE of one model below *list_path*; a DELETE is never repeated (upstreams G7)."""
    url = upstream.url(f"{list_path.rstrip('/')}/{quote(model, safe='')}")
    return UpstreamRequest(
        json_head(upstream, method, url),
        [(b"x-request-id", request_id.encode())],
        repeatable=method == "GET",
    )
