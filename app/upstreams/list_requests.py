"""Asking an upstream for a list on the gateway's own account: no client asked, and no exchange is charged."""

from app.domain.errors import GatewayError
from app.upstreams.bodies import read_whole
from app.upstreams.client import Sender, UpstreamRequest
from app.upstreams.refusals import refusal
from app.upstreams.upstream import Upstream
from app.wire.requests import RequestHead


async def get(upstream: Upstream, sender: Sender, url: str) -> tuple[int, bytes]:
    """The status and the whole body at *url*. Raises what sending and reading raise."""
    response = await sender.send(UpstreamRequest(json_head(upstream, "GET", url)))
    try:
        limit = upstream.entry.max_json_bytes
        return response.status, await read_whole(response, limit=limit, name=upstream.name)
    finally:
        await response.aclose()


def refused(upstream: Upstream, status: int, body: bytes, capability: str) -> GatewayError:
    """The typed error of an answer with another status than 200."""
    return refusal(
        upstream=upstream.name,
        dialect=upstream.dialect.name,
        status=status,
        headers=[],
        body=body,
        model="",
        capability=capability,
        secrets=upstream.secrets(),
    )


def json_head(upstream: Upstream, method: str, url: str) -> RequestHead:
    """What a request without a body begins with that is answered in JSON."""
    return RequestHead(method, url, [(b"accept", b"application/json"), *upstream.headers])
