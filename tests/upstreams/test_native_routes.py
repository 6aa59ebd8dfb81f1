"""Every row of upstreams N1 to N9: what it takes, its class, and where it leads."""

import pytest

from app.domain.principal import Native
from app.protocol.native_paths import SOCKET
from app.upstreams.native_routes import NATIVE_ROUTES, native_paths, native_url
from app.upstreams.upstream import Upstream
from tests.fakes.upstreams import upstream_of

MINDS, OPENMIND = upstream_of("minds"), upstream_of("openmind")
ALL = ("GET", "POST", "PUT", "PATCH", "DELETE")


def ways(upstream: Upstream, path: str) -> dict[str, tuple[Native, str]]:
    """By method: the class, and the address it leads to."""
    segments = tuple(part for part in path.split("/") if part)
    match = native_paths(upstream).find(segments, ends_in_slash=path.endswith("/"))
    if match is None:
        return {}
    return {
        method: (route.kind, native_url(upstream, route.place, match.path(route)))
        for method, route in match.routes.items()
    }


def only(methods: tuple[str, ...], kind: Native, url: str) -> dict[str, tuple[Native, str]]:
    return dict.fromkeys(methods, (kind, url))


CORE = "https://api.openmind.org/api/core"
SOCKETS = "wss://api.openmind.org/api/core"


@pytest.mark.parametrize(
    ("path", "method", "url"),
    [
        pytest.param(path, method, url + path, id=f"{row}: {path}")
        for row, method, url, paths in (
            ("N1", "POST", CORE, ("/elevenlabs/tts", "/elevenlabs/tts/audio/speech", "/riva/tts")),
            ("N2", "POST", CORE, ("/agent", "/agent/medical", "/rag/query")),
            ("N2", "DELETE", CORE, ("/agent/memory",)),
            ("N3", SOCKET, SOCKETS, ("/google/asr", "/google/asr/v1", "/google/asr/v2")),
            ("N3", SOCKET, SOCKETS, ("/elevenlabs/asr",)),
        )
        for path in paths
    ],
)
def test_what_openmind_has(path, method, url):
    assert only((method,), "use", url) == ways(OPENMIND, path)


@pytest.mark.parametrize(
    ("path", "url"),
    [
        pytest.param("/riva/asr", "wss://api-asr.openmind.org/", id="N4: Riva, at its root"),
        pytest.param("/vila", "wss://api-vila.openmind.org/", id="N4: VILA, at its root"),
    ],
)
def test_sockets_of_their_own_hosts(path, url):
    assert only((SOCKET,), "use", url) == ways(OPENMIND, path)


def test_the_sockets_of_openmind_may_be_elsewhere():
    upstream = upstream_of(
        "openmind",
        websocket_base="wss://ws.example/core/",
        riva_asr_url="ws://127.0.0.1:1/riva",
        vila_url="ws://127.0.0.1:1",
    )

    assert {SOCKET: ("use", "wss://ws.example/core/google/asr")} == ways(upstream, "/google/asr")
    assert {SOCKET: ("use", "ws://127.0.0.1:1/riva")} == ways(upstream, "/riva/asr")
    assert {SOCKET: ("use", "ws://127.0.0.1:1/")} == ways(upstream, "/vila")


@pytest.mark.parametrize(
    "path",
    [
        *("/account", "/api_keys", "/agents", "/agent/memory/x", "/elevenlabs", "/google/asr/v3"),
        *("/openai/chat/completions", "/v1/models", "/rag", "/riva", "/vila/x", "/agent%2Fmemory"),
    ],
)
def test_what_openmind_s_list_does_not_have(path):
    assert {} == ways(OPENMIND, path)


COLLECTION, ONE = "/api/projects/mindsdb/minds", "/api/projects/mindsdb/minds/sales"
NEW_COLLECTION, NEW_ONE = "/api/v1/minds/", "/api/v1/minds/sales"
CHANGES = ("POST", "PUT", "PATCH")


@pytest.mark.parametrize(
    ("path", "reads", "manages"),
    [
        pytest.param(COLLECTION, ("GET",), CHANGES, id="N5, N6: the minds of a project"),
        pytest.param(ONE, ("GET",), (*CHANGES, "DELETE"), id="N5 to N7: one of them"),
        pytest.param(NEW_COLLECTION, ("GET",), CHANGES, id="N5, N6: the minds of api/v1"),
        pytest.param(NEW_ONE, ("GET",), (*CHANGES, "DELETE"), id="N5 to N7: one of api/v1"),
        pytest.param(f"{ONE}/datasources", (), ("POST",), id="N6: a mind's data sources"),
        pytest.param(f"{ONE}/datasources/ds", (), ("DELETE",), id="N6: one of them"),
        pytest.param(f"{NEW_ONE}/datasources", (), ("POST",), id="N6: the same of api/v1"),
        pytest.param(f"{NEW_ONE}/datasources/ds", (), ("DELETE",), id="N6: one of those"),
        pytest.param("/api/datasources", (), ALL, id="N7: data sources"),
        pytest.param("/api/datasources/ds", (), ALL, id="N7: one of them"),
        pytest.param("/api/knowledge_bases", (), ALL, id="N7: knowledge bases"),
        pytest.param("/api/knowledge_bases/kb/x", (), ALL, id="N7: below them"),
        pytest.param("/api/v1/datasources/", (), ALL, id="N7: data sources of api/v1"),
        pytest.param("/api/v1/datasources/ds", (), ALL, id="N7: one of those"),
        pytest.param("/api/v1/conversations/", (), ALL, id="N7: conversations"),
        pytest.param("/api/v1/conversations/c/items/", (), ALL, id="N7: below them"),
        pytest.param("/api/v1/tree", (), ALL, id="N7: the tree"),
        pytest.param("/api/v1/limits/", (), ALL, id="N7: limits"),
    ],
)
def test_what_minds_has(path, reads, manages):
    expected = only(reads, "read", f"https://mdb.ai{path}")

    assert expected | only(manages, "manage", f"https://mdb.ai{path}") == ways(MINDS, path)


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        pytest.param("/threads", ("POST",), id="making one"),
        pytest.param("/threads/t", ("DELETE",), id="one"),
        pytest.param("/threads/t/messages", ("GET", "POST"), id="its messages"),
        pytest.param("/threads/t/runs", ("POST",), id="its runs"),
        pytest.param("/threads/t/runs/r", ("GET",), id="one run"),
    ],
)
def test_n8_threads(path, methods):
    assert only(methods, "use", f"https://mdb.ai{path}") == ways(MINDS, path)


@pytest.mark.parametrize(
    "path",
    [
        *("/api", "/api/v1", "/api/v2/minds", "/api/projects", "/api/projects/p", "/api/status"),
        *("/api/sql/query", "/api/v1/users", "/threads/t/runs/r/steps", "/api/v1/limits/x"),
        *("/api/projects/p/q/minds", "/chat/completions", "/v1/threads", "/cloud/login"),
    ],
)
def test_what_minds_list_does_not_have(path):
    assert {} == ways(MINDS, path)


@pytest.mark.parametrize(
    ("fields", "root"),
    [
        pytest.param({}, "https://mdb.ai", id="the seed's"),
        pytest.param({"generation": "api-v1"}, "https://mdb.ai", id="api-v1"),
        pytest.param({"generation": "llm"}, "https://mdb.ai", id="llm: where its list is"),
        pytest.param({"generation": "mindshub"}, "https://api.mindshub.ai", id="mindshub"),
        pytest.param({"base_url": "https://x.test"}, "https://x.test", id="a host of one's own"),
        pytest.param({"base_url": "https://x.test/v1"}, "https://x.test", id="with a version"),
        pytest.param({"base_url": "https://x.test/api/v1/"}, "https://x.test", id="with api/v1"),
        pytest.param({"base_url": "https://x.test/minds"}, "https://x.test/minds", id="below one"),
        pytest.param(
            {"generation": "llm", "base_url": "https://x.test"},
            "https://x.test",
            id="the key goes to the host that was named, and to no other",
        ),
    ],
)
def test_where_minds_begins(fields, root):
    found = ways(upstream_of("minds", **fields), COLLECTION)

    assert ("read", root + COLLECTION) == found["GET"]


@pytest.mark.parametrize("dialect", ["4minds", "openai"])
def test_n9_other_dialects_have_none_of_their_own(dialect):
    assert () == NATIVE_ROUTES[dialect]


def test_n9_an_entry_adds_some_at_the_host_of_its_base_url():
    upstream = upstream_of(
        "4minds",
        native_paths={
            "use": ("POST /api/v1/user/inference", "WS /api/v1/live"),
            "read": ("GET /api/v1/user/models/",),
            "manage": ("DELETE /api/v1/user/*",),
        },
    )
    host = "https://api.4minds.ai"

    inference = f"{host}/api/v1/user/inference"

    assert {"POST": ("use", inference), "DELETE": ("manage", inference)} == ways(
        upstream, "/api/v1/user/inference"
    )
    assert ("read", f"{host}/api/v1/user/models/") == ways(upstream, "/api/v1/user/models")["GET"]
    assert {SOCKET: ("use", f"{host}/api/v1/live")} == ways(upstream, "/api/v1/live")
    assert {} == ways(upstream, "/api/v1/admin")


def test_an_entry_opens_no_row_of_its_dialect_wider():
    upstream = upstream_of("minds", native_paths={"use": ("GET /api/*", "GET /api/datasources")})

    assert "manage" == ways(upstream, "/api/datasources")["GET"][0]
    assert "use" == ways(upstream, "/api/status")["GET"][0]


def test_what_others_may_have_made_is_marked():
    shared = {route.path for rows in NATIVE_ROUTES.values() for route in rows if route.is_shared}

    assert {"/agent", "/agent/medical", "/agent/memory"} == shared


def test_speech_costs_by_its_characters_and_sockets_by_their_seconds():
    metered = {(route.metered, SOCKET in route.methods) for route in NATIVE_ROUTES["openmind"]}

    assert {("characters", False), ("seconds", True), ("", False)} == metered
    assert {""} == {route.metered for route in NATIVE_ROUTES["minds"]}
