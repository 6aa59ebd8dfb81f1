"""
The native routes of each dialect, as data, and where each leads (upstreams N1 to N9).

A row here is all that makes an upstream's own route reachable below `/{upstream}`. What is of the class `use` or `read`
is open to every key, so what shows or changes what others made is `manage`, or shared.
"""

from collections.abc import Mapping
from typing import get_args
from urllib.parse import urlsplit

from app.domain.configuration import DialectName
from app.domain.principal import Native
from app.protocol.native_paths import SOCKET, NativePaths, NativeRoute, Place
from app.upstreams.socket_addresses import socket_base
from app.upstreams.upstream import Upstream

_VERSIONS = ("/api/v1", "/v1")
_ALL = ("GET", "POST", "PUT", "PATCH", "DELETE")
_CHANGES = ("POST", "PUT", "PATCH")
_MINDS = ("/api/projects/{project}/minds", "/api/v1/minds/")
_ONE_MIND = ("/api/projects/{project}/minds/{name}", "/api/v1/minds/{name}")

_OPENMIND = (
    *(
        NativeRoute("use", ("POST",), path, "base", metered="characters")  # N1
        for path in ("/elevenlabs/tts", "/elevenlabs/tts/audio/speech", "/riva/tts")
    ),
    # The agent remembers: what one team told it, another could ask for (N2; reliability S16).
    NativeRoute("use", ("POST",), "/agent", "base", is_shared=True),
    NativeRoute("use", ("POST",), "/agent/medical", "base", is_shared=True),
    NativeRoute("use", ("DELETE",), "/agent/memory", "base", is_shared=True),
    NativeRoute("use", ("POST",), "/rag/query", "base"),
    *(
        NativeRoute("use", (SOCKET,), path, "socket", metered="seconds")  # N3
        for path in ("/google/asr", "/google/asr/v1", "/google/asr/v2", "/elevenlabs/asr")
    ),
    NativeRoute("use", (SOCKET,), "/riva/asr", "riva_asr", metered="seconds"),  # N4
    NativeRoute("use", (SOCKET,), "/vila", "vila", metered="seconds"),
)
THREADS = "/threads"  # N8; whose a thread is, the gateway remembers
_MINDS_ROUTES = (
    *(NativeRoute("read", ("GET",), path, "root") for path in (*_MINDS, *_ONE_MIND)),  # N5
    *(NativeRoute("manage", _CHANGES, path, "root") for path in (*_MINDS, *_ONE_MIND)),  # N6
    *(NativeRoute("manage", ("POST",), f"{path}/datasources", "root") for path in _ONE_MIND),
    *(
        NativeRoute("manage", ("DELETE",), f"{path}/datasources/{{ds}}", "root")
        for path in _ONE_MIND
    ),
    *(NativeRoute("manage", ("DELETE",), path, "root") for path in _ONE_MIND),  # N7
    *(
        NativeRoute("manage", _ALL, path, "root")
        for path in (
            *("/api/datasources", "/api/datasources/*"),
            *("/api/knowledge_bases", "/api/knowledge_bases/*"),
            *(
                "/api/v1/datasources/*",
                "/api/v1/conversations/*",
                "/api/v1/tree",
                "/api/v1/limits/",
            ),
        )
    ),
    NativeRoute("use", ("POST",), THREADS, "root"),  # N8
    NativeRoute("use", ("DELETE",), "/threads/{thread}", "root"),
    NativeRoute("use", ("GET", "POST"), "/threads/{thread}/messages", "root"),
    NativeRoute("use", ("POST",), "/threads/{thread}/runs", "root"),
    NativeRoute("use", ("GET",), "/threads/{thread}/runs/{run}", "root"),
)

NATIVE_ROUTES: Mapping[DialectName, tuple[NativeRoute, ...]] = {
    "4minds": (),
    "minds": _MINDS_ROUTES,
    "openmind": _OPENMIND,
    "openai": (),
}


def native_paths(upstream: Upstream) -> NativePaths:
    """The allow-list of *upstream*: its dialect's rows, then those of its entry (N9), which open no row of the dialect
    wider than it is."""
    entry = upstream.entry
    added = (
        _configured(kind, row)
        for kind in get_args(Native)
        for row in entry.native_paths.get(kind, ())
    )
    return NativePaths((*NATIVE_ROUTES[entry.dialect], *added))


def native_url(upstream: Upstream, place: Place, path: str) -> str:
    """The address of *path*, encoded, at *place* of *upstream*, without a query. A websocket's too begins with `http`
    or `https` where the configuration's does."""
    if place in ("riva_asr", "vila"):  # one socket each, whatever the path here is called
        url = upstream.entry.riva_asr_url if place == "riva_asr" else upstream.entry.vila_url
        return url if urlsplit(url).path else f"{url}/"
    return _BEFORE[place](upstream) + path


def _configured(kind: Native, row: str) -> NativeRoute:
    method, _, path = row.partition(" ")
    return NativeRoute(kind, (method,), path, "host", metered="seconds" if method == SOCKET else "")


def _base(upstream: Upstream) -> str:
    return upstream.base_url


def _root(upstream: Upstream) -> str:
    """Where the service begins: its base URL without a version behind it; where its list is elsewhere, there."""
    elsewhere = upstream.models_paths[0] if upstream.models_paths else ""
    if "://" in elsewhere:
        return _origin(elsewhere)
    ending = next((one for one in _VERSIONS if upstream.base_url.endswith(one)), "")
    return upstream.base_url.removesuffix(ending)


def _host(upstream: Upstream) -> str:
    return _origin(upstream.base_url)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


_BEFORE = {"base": _base, "socket": socket_base, "root": _root, "host": _host}
