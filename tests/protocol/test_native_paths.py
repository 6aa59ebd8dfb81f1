"""The allow-list on a raw path: what fits, and that nothing walks (upstreams 8; contract A2, A12)."""

import pytest

from app.domain.errors import InvalidRequest
from app.protocol.native_paths import SOCKET, NativePaths, NativeRoute

ROWS = (
    NativeRoute("use", ("POST",), "/agent", "base"),
    NativeRoute("read", ("GET",), "/api/v1/minds/", "root"),
    NativeRoute("read", ("GET",), "/api/{project}/minds", "root"),
    NativeRoute("manage", ("POST", "PUT"), "/api/{project}/minds", "root"),
    NativeRoute("manage", ("GET", "DELETE"), "/api/tools/*", "root"),
    NativeRoute("use", (SOCKET,), "/asr", "socket"),
    NativeRoute("use", ("GET",), "/asr/ind*", "host"),
    NativeRoute("read", ("GET",), "/{team}/info", "host"),
)
PATHS = NativePaths(ROWS)


def found(path: str):
    segments = tuple(part for part in path.split("/") if part)
    return PATHS.find(segments, ends_in_slash=path.endswith("/"))


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        pytest.param("/agent", {"POST"}, id="a literal"),
        pytest.param("/agent/", {"POST"}, id="A1: a trailing slash"),
        pytest.param("/ag%65nt", {"POST"}, id="encoded"),
        pytest.param("/agent/x", set(), id="nothing stands below a literal"),
        pytest.param("/Agent", set(), id="paths have their case"),
        pytest.param("/api/p/minds", {"GET", "POST", "PUT"}, id="two rows of one path"),
        pytest.param("/api/p/q/minds", set(), id="a parameter is one segment"),
        pytest.param("/api/p%2Fq/minds", {"GET", "POST", "PUT"}, id="refused when it is used"),
        pytest.param("/api/tools", {"GET", "DELETE"}, id="at a rest"),
        pytest.param("/api/tools/a/b", {"GET", "DELETE"}, id="below a rest"),
        pytest.param("/api/toolsmith", set(), id="beside a rest"),
        pytest.param("/asr", {SOCKET}, id="a websocket"),
        pytest.param("/asr/index", {"GET"}, id="a rest that begins so"),
        pytest.param("/asr/index/x", {"GET"}, id="and below it"),
        pytest.param("/asr/in", set(), id="a rest that begins otherwise"),
        pytest.param("/asr/", {SOCKET}, id="a rest of nothing begins with nothing"),
        pytest.param("/any/info", {"GET"}, id="a parameter first"),
        pytest.param("/agent%2Finfo", set(), id="an encoded slash parts nothing"),
        pytest.param("/", set(), id="nothing"),
        pytest.param("/v1/models", set(), id="the OpenAI surface"),
    ],
)
def test_a_path_takes_what_its_rows_say(path, methods):
    match = found(path)

    assert methods == (set(match.routes) if match else set())


def test_of_two_rows_that_take_a_method_the_first_counts():
    rows = (
        NativeRoute("manage", ("GET",), "/api/secrets", "root"),
        NativeRoute("use", ("GET", "POST"), "/api/*", "host"),
    )
    match = NativePaths(rows).find(("api", "secrets"))

    assert match is not None
    assert ("manage", "use") == (match.routes["GET"].kind, match.routes["POST"].kind)


def test_the_methods_of_a_path_are_http_s():
    rows = (
        NativeRoute("use", (SOCKET,), "/asr", "socket"),
        NativeRoute("use", ("POST", "GET"), "/asr", "host"),
    )
    match = NativePaths(rows).find(("asr",))

    assert match is not None
    assert ("GET", "POST") == match.methods
    assert match.takes(SOCKET)
    assert () == found("/asr").methods


@pytest.mark.parametrize(
    ("path", "method", "sent"),
    [
        pytest.param("/agent/", "POST", "/agent", id="as its row has it, without a slash"),
        pytest.param("/api/v1/minds", "GET", "/api/v1/minds/", id="as its row has it, with one"),
        pytest.param("/api/tools", "GET", "/api/tools/", id="a collection"),
        pytest.param("/api/tools/a", "GET", "/api/tools/a", id="behind it, as it came"),
        pytest.param("/api/tools/a/", "GET", "/api/tools/a/", id="behind it, with a slash"),
        pytest.param("//api///tools//a", "GET", "/api/tools/a", id="A2: repeated slashes"),
        pytest.param("/api/a%20b/minds", "GET", "/api/a%20b/minds", id="G1: a blank"),
        pytest.param("/api/a:b/minds", "GET", "/api/a%3Ab/minds", id="G1: encoded whole"),
        pytest.param("/api/%C3%A8/minds", "GET", "/api/%C3%A8/minds", id="beyond ASCII"),
        pytest.param("/api/a+b/minds", "GET", "/api/a%2Bb/minds", id="a plus is a plus"),
        pytest.param("/api/a..b/minds", "GET", "/api/a..b/minds", id="dots within a name"),
        pytest.param("/api/100%25/minds", "GET", "/api/100%25/minds", id="a percent sign"),
    ],
)
def test_g1_a_path_goes_on_decoded_once_and_encoded_whole(path, method, sent):
    match = found(path)

    assert sent == match.path(match.routes[method])


@pytest.mark.parametrize(
    "segment",
    [
        pytest.param("..", id="two dots"),
        pytest.param(".", id="one dot"),
        pytest.param("%2e%2E", id="encoded dots"),
        pytest.param("%252e%252e", id="dots encoded twice"),
        pytest.param("a%2Fb", id="a slash"),
        pytest.param("a%252Fb", id="a slash encoded twice"),
        pytest.param("..%2F..%2Fadmin", id="dots and slashes"),
        pytest.param("a%5Cb", id="a backslash"),
        pytest.param("a\\b", id="a raw backslash"),
        pytest.param("a;b=c", id="a matrix parameter"),
        pytest.param("a%3Bb", id="one encoded"),
        pytest.param("a%00", id="NUL"),
        pytest.param("a%0d%0ax", id="a line break"),
        pytest.param("a%3Fb=c", id="a query"),
        pytest.param("a%23b", id="a fragment"),
        pytest.param("a%7F", id="DEL"),
        pytest.param("%ff", id="no UTF-8"),
    ],
)
@pytest.mark.parametrize("path", ["/api/{}/minds", "/api/tools/{}", "/api/tools/x/{}/y"])
def test_a12_what_could_walk_is_refused(path, segment):
    match = found(path.format(segment))

    assert match is not None
    with pytest.raises(InvalidRequest):
        match.path(match.routes["GET"])


def test_a_parameter_is_told_by_its_name():
    rows = (NativeRoute("use", ("GET",), "/threads/{thread}/runs/{run}", "root"),)
    match = NativePaths(rows).find(("threads", "t%201", "runs", "r"))

    assert match is not None
    route = match.routes["GET"]
    assert ("t 1", "r") == (match.parameter(route, "thread"), match.parameter(route, "run"))


def test_an_empty_list_has_nothing():
    assert NativePaths(()).find(("a",)) is None
