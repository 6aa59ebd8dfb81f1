"""What a path means (contract A1 to A7, A11, A12; upstreams O-P2, G8, section 8, U2)."""

import pytest

from app.domain.errors import InvalidRequest
from app.protocol.endpoints import LITERAL_PATHS
from app.protocol.native_paths import SOCKET, NativePaths, NativeRoute
from app.protocol.targets import Target, path_text, read_target

UPSTREAMS = ("openmind", "minds", "my.up", "4minds")


def meaning(path: str) -> tuple[str | None, str | None, str | None]:
    """Pin, template, provider."""
    target = read_target(path, UPSTREAMS)
    return target.pin, target.endpoint.template if target.endpoint else None, target.provider


@pytest.mark.parametrize(
    ("path", "pin", "template"),
    [
        pytest.param("/v1/models", None, "models", id="as documented"),
        pytest.param("/v1/models/", None, "models", id="A1: one trailing slash"),
        pytest.param("//v1///models", None, "models", id="A2: repeated slashes"),
        pytest.param("/models", None, "models", id="A3: without v1"),
        pytest.param("/chat/completions", None, "chat/completions", id="A3: Minds' own path"),
        pytest.param("/v1/v1/models", None, "models", id="A4: v1 twice"),
        pytest.param("/v1/v1/v1/models", None, "models", id="A4: v1 again and again"),
        pytest.param("/v1/chat/completions/models", None, "models", id="A5: endpoint as base URL"),
        pytest.param("/v1/chat/completions/c-1", None, "chat/completions/{id}", id="A5: any other"),
        pytest.param("/openmind/v1/models", "openmind", "models", id="A6: pinned"),
        pytest.param("/openmind/models", "openmind", "models", id="A6: pinned, without v1"),
        pytest.param("/openmind//v1/v1/models/", "openmind", "models", id="A6: with A1, A2, A4"),
        pytest.param("/my.up/v1/models", "my.up", "models", id="A6: a name with a dot"),
        pytest.param("/my%2Eup/v1/models", "my.up", "models", id="A6: encoded"),
        pytest.param("/minds/chat/completions/models", "minds", "models", id="A6: with A5"),
        pytest.param("/v1/openmind/models", None, None, id="a pin comes first or not at all"),
        pytest.param("/nobody/v1/models", None, None, id="an unknown first segment"),
        pytest.param("/OpenMind/v1/models", None, None, id="names have their case"),
        pytest.param("/", None, None, id="nothing"),
        pytest.param("/v1", None, None, id="the base URL itself"),
        pytest.param("/openmind", "openmind", None, id="a pinned base URL itself"),
        pytest.param("/v1/../models", None, None, id="A12: dots lead nowhere"),
        pytest.param("/v1%2Fmodels", None, None, id="an encoded slash does not part a path"),
        pytest.param("/v1/MODELS", None, None, id="paths have their case"),
    ],
)
def test_a_path_is_one_route(path, pin, template):
    assert (pin, template, None) == meaning(path)


@pytest.mark.parametrize(
    ("path", "provider"),
    [
        pytest.param("/openmind/openai/chat/completions", "openai", id="O-P2"),
        pytest.param("/openmind/v1/xai/chat/completions", "xai", id="O-P2: below v1"),
        pytest.param("/openmind/near%61i/chat/completions", "nearai", id="O-P2: encoded"),
    ],
)
def test_a_pinned_chat_path_may_name_a_provider(path, provider):
    assert ("openmind", "chat/completions", provider) == meaning(path)


def test_a_usual_path_means_the_same_whatever_the_upstreams_are_called():
    names = ("v1", "chat", "models")

    assert read_target("/v1/chat/completions", ()) == read_target("/v1/chat/completions", names)
    assert ("chat", None) == (
        read_target("/chat/completions", names).pin,
        read_target("/v1/models", names).pin,
    )


def test_every_path_without_parameters_is_known_at_once_and_means_what_its_parts_mean():
    for path in LITERAL_PATHS:
        assert read_target(f"/v1/{path}", UPSTREAMS) == read_target(f"/v1/v1/{path}/", UPSTREAMS)


@pytest.mark.parametrize("path", ["/openai/chat/completions", "/v1/openai/chat/completions"])
def test_without_a_pin_no_path_names_a_provider(path):
    assert (None, None, None) == meaning(path)


@pytest.mark.parametrize(
    ("segments", "text"),
    [
        pytest.param(("gpt-4o",), "gpt-4o", id="plain"),
        pytest.param(("Gemma-12B%20AWQ",), "Gemma-12B AWQ", id="A7: a blank"),
        pytest.param(("meta%2Fllama-3",), "meta/llama-3", id="A7: an encoded slash"),
        pytest.param(("meta", "llama-3"), "meta/llama-3", id="A7: a raw slash"),
        pytest.param(("ft%3Agpt%3Ax",), "ft:gpt:x", id="A7: a colon"),
        pytest.param(("ft:gpt:x",), "ft:gpt:x", id="A7: a raw colon"),
        pytest.param(("mod%C3%A8le",), "modèle", id="A7: beyond ASCII"),
        pytest.param(("a%2520b",), "a%20b", id="A12: decoded once"),
        pytest.param(("a..b",), "a..b", id="A12: dots within a name"),
        pytest.param(("a+b",), "a+b", id="a plus is a plus"),
    ],
)
def test_an_id_is_decoded_once(segments, text):
    assert text == path_text(segments)


@pytest.mark.parametrize(
    "segments",
    [
        pytest.param(("..",), id="two dots"),
        pytest.param((".",), id="one dot"),
        pytest.param(("%2e%2e",), id="encoded dots"),
        pytest.param(("a", "..", "b"), id="dots between"),
        pytest.param(("a%2F..%2Fb",), id="dots between encoded slashes"),
        pytest.param(("a%5Cb",), id="a backslash"),
        pytest.param(("a%00",), id="NUL"),
        pytest.param(("a%0D",), id="CR"),
        pytest.param(("a%0Ab",), id="LF"),
        pytest.param(("a%3Fb",), id="a question mark"),
        pytest.param(("a%23b",), id="a number sign"),
        pytest.param(("a%7F",), id="DEL"),
    ],
)
def test_a12_an_id_that_could_walk_away_is_400(segments):
    with pytest.raises(InvalidRequest) as caught:
        path_text(segments)

    assert caught.value.status == 400


# --- an upstream's own routes -----------------------------------------------------------------------------------------

NATIVES = {
    "minds": NativePaths(
        (
            NativeRoute("use", ("POST",), "/threads", "root"),
            NativeRoute("use", ("DELETE",), "/threads/{thread}", "root"),
            NativeRoute("manage", ("POST",), "/models", "host"),
        )
    ),
    "openmind": NativePaths(
        (
            NativeRoute("use", ("POST",), "/agent", "base"),
            NativeRoute("use", (SOCKET,), "/google/asr", "socket"),
            NativeRoute("use", (SOCKET, "POST"), "/both", "host"),
        )
    ),
}
UPGRADE = {b"upgrade": b"websocket", b"connection": b"Upgrade"}


def native(path: str) -> Target:
    return read_target(path, UPSTREAMS, NATIVES)


@pytest.mark.parametrize(
    ("path", "method", "capability"),
    [
        pytest.param("/minds/threads", "POST", "native", id="before the family of that name"),
        pytest.param("/minds/threads", "GET", "families", id="which has the other methods"),
        pytest.param("/minds//threads/", "POST", "native", id="A1, A2 hold below a pin"),
        pytest.param("/min%64s/threads", "POST", "native", id="A6: the pin encoded"),
        pytest.param("/minds/threads/t", "DELETE", "native", id="with a parameter"),
        pytest.param("/minds/models", "POST", "native", id="a native method"),
        pytest.param("/minds/models", "GET", "models.list", id="the surface's method of that path"),
        pytest.param("/minds/v1/threads", "POST", "families", id="/v1 is the OpenAI surface"),
        pytest.param("/minds/v1/chat/completions", "POST", "chat.create", id="and stays it"),
        pytest.param("/threads", "POST", "families", id="without a pin nothing is native"),
        pytest.param("/4minds/threads", "POST", "families", id="another upstream's are not"),
        pytest.param("/openmind/agent", "POST", "native", id="OpenMind's own"),
        pytest.param("/openmind/agent", "GET", None, id="U2: a wrong method"),
        pytest.param("/openmind/account", "POST", None, id="not of the list"),
        pytest.param("/openmind/google/asr", SOCKET, "native", id="a websocket"),
        pytest.param("/openmind/google/asr", "GET", None, id="U2: a websocket without upgrade"),
        pytest.param("/openmind/xai/chat/completions", "POST", "chat.create", id="O-P2 stays"),
    ],
)
def test_an_upstream_s_own_routes_come_first_below_its_pin(path, method, capability):
    assert capability == native(path).capability(method)


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        pytest.param("/openmind/agent", ("POST",), id="a native path's"),
        pytest.param("/openmind/google/asr", (), id="U2: none where it is a websocket's alone"),
        pytest.param("/openmind/both", ("POST",), id="HTTP's, where it is both"),
        pytest.param("/minds/models", ("GET", "POST"), id="those of both surfaces"),
        pytest.param("/v1/models", ("GET",), id="the surface's"),
        pytest.param("/openmind/account", (), id="none of an unknown path"),
    ],
)
def test_the_methods_that_a_path_takes(path, methods):
    assert methods == native(path).methods


@pytest.mark.parametrize(
    ("method", "headers", "asked"),
    [
        pytest.param("GET", {}, "GET", id="a plain one"),
        pytest.param("HEAD", {}, "GET", id="A11"),
        pytest.param("POST", UPGRADE, "POST", id="only a GET opens a websocket"),
        pytest.param("GET", UPGRADE, SOCKET, id="the opening of a websocket"),
        pytest.param(
            "GET",
            {b"upgrade": b"WebSocket", b"connection": b"keep-alive, upgrade"},
            SOCKET,
            id="in any case, among others",
        ),
        pytest.param("GET", {b"upgrade": b"websocket"}, "GET", id="without the connection's word"),
        pytest.param("GET", {**UPGRADE, b"upgrade": b"h2c"}, "GET", id="another protocol"),
        pytest.param("HEAD", UPGRADE, "GET", id="never a HEAD"),
    ],
)
def test_what_a_method_is_asked_as(method, headers, asked):
    assert asked == native("/openmind/google/asr").asked(method, headers)


@pytest.mark.parametrize("path", ["/minds/models", "/v1/models", "/openmind/agent", "/nowhere"])
def test_where_there_is_no_websocket_its_opening_is_a_plain_get(path):
    assert "GET" == native(path).asked("GET", UPGRADE)
