"""Who sends to an upstream: the wire; through a proxy or with HTTP/2, httpx2's pool (reliability R14)."""

import ssl

from app.upstreams.client import Sender
from app.upstreams.upstream import Upstream
from app.upstreams.wire_sender import WireSender


def make_sender(upstream: Upstream, trust: ssl.SSLContext) -> Sender:
    """The pool of connections of one upstream and its credential."""
    entry = upstream.entry
    if entry.proxy is not None or entry.http2:
        from app.upstreams import httpx_sender  # noqa: PLC0415 few gateways need it, and it starts slowly

        return httpx_sender.HttpxSender(
            upstream.name,
            upstream.timeouts,
            max_connections=entry.max_connections,
            keepalive_seconds=entry.keepalive_seconds,
            max_connection_age_seconds=entry.max_connection_age_seconds,
            ssl_context=httpx_sender.system_trust(),
            proxy=entry.proxy,
            http2=entry.http2,
        )
    return WireSender(
        upstream.name,
        upstream.timeouts,
        max_connections=entry.max_connections,
        keepalive_seconds=entry.keepalive_seconds,
        max_connection_age_seconds=entry.max_connection_age_seconds,
        ssl_context=trust,
    )
