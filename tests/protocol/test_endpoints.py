"""The endpoint table against the capability matrix of upstreams.md, section 2."""

import pytest

from app.protocol.endpoints import find_endpoint, routes_by_capability

ROUTES = {  # the matrix's column "routes on /v1", websockets aside
    "chat.create": ["POST chat/completions"],
    "chat.stored": [
        "GET chat/completions",
        *(f"{method} chat/completions/c-1" for method in ("GET", "POST", "DELETE")),
        "GET chat/completions/c-1/messages",
    ],
    "models.list": ["GET models"],
    "models.get": ["GET models/m"],
    "models.delete": ["DELETE models/m"],
    "completions": ["POST completions"],
    "responses": [
        "POST responses",
        "GET responses/r-1",
        "DELETE responses/r-1",
        "GET responses/r-1/input_items",
    ],
    "messages": ["POST messages", "POST messages/count_tokens"],
    "embeddings": ["POST embeddings"],
    "audio.speech": ["POST audio/speech"],
    "audio.transcriptions": ["POST audio/transcriptions"],
    "files": ["GET files", "POST files", "GET files/f-1", "DELETE files/f-1"],
    "files.content": ["GET files/f-1/content"],
    "fine_tuning": [
        "GET fine_tuning/jobs",
        "POST fine_tuning/jobs",
        "GET fine_tuning/jobs/j-1",
        "POST fine_tuning/jobs/j-1/cancel",
    ],
    "fine_tuning.more": [
        "GET fine_tuning/jobs/j-1/events",
        "GET fine_tuning/jobs/j-1/checkpoints",
        "POST fine_tuning/jobs/j-1/pause",
        "POST fine_tuning/jobs/j-1/resume",
    ],
    "fine_tune_categories": ["GET fine-tune-categories"],
    "datasets": [
        "GET datasets",
        "POST datasets",
        "POST datasets/import",
        "GET datasets/7",
        "DELETE datasets/7",
    ],
    "external_models": ["GET external-models"],
    "families": [
        "POST moderations",
        "POST audio/translations",
        "POST images/generations",
        "GET batches",
        "POST uploads/u-1/parts",
        "GET vector_stores/v-1/files/f-1",
        "GET assistants",
        "POST threads/t-1/runs",
        "GET evals",
        "GET containers",
        "POST conversations",
        "GET videos/v-1/content",
        "POST rerank",
    ],
}


@pytest.mark.parametrize(
    ("capability", "method", "path"),
    [
        pytest.param(capability, *route.split(" "), id=route)
        for capability, routes in ROUTES.items()
        for route in routes
    ],
)
def test_a_route_of_the_matrix_is_its_capability(capability, method, path):
    endpoint = find_endpoint(tuple(path.split("/")))

    assert endpoint is not None
    assert capability == endpoint.capabilities[method]


def test_the_routes_of_a_capability_are_told():
    routes = routes_by_capability()

    assert ("GET /v1/models/{model}",) == routes["models.get"]
    assert ("GET /v1/files", "POST /v1/files", "GET /v1/files/{id}", "DELETE /v1/files/{id}") == (
        routes["files"]
    )
    assert "* /v1/audio/translations" in routes["families"]


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("images/generations", "images"),
        ("audio/translations", "audio/translations"),
        ("vector_stores/v/files/f", "vector_stores"),
    ],
)
def test_a_family_keeps_the_whole_path(path, template):
    endpoint = find_endpoint(tuple(path.split("/")))

    assert endpoint is not None
    assert (template, {"path": tuple(path.split("/"))}) == (endpoint.template, endpoint.parameters)


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        pytest.param("chat/completions", ("GET", "POST"), id="A10: list and create are two routes"),
        pytest.param("models", ("GET",), id="the list of models is only read"),
        pytest.param("models/m", ("DELETE", "GET"), id="one model is read and deleted"),
        pytest.param("embeddings", ("POST",), id="embeddings are only made"),
        pytest.param("datasets/import", ("POST",), id="F21: an import is no dataset called import"),
        pytest.param("messages/count_tokens", ("POST",), id="counting is a POST"),
    ],
)
def test_the_methods_of_a_path(path, methods):
    endpoint = find_endpoint(tuple(path.split("/")))

    assert endpoint is not None
    assert methods == endpoint.methods


@pytest.mark.parametrize(
    "path",
    [
        *("", "x", "chat", "completion", "chat/completions/c-1/x", "model", "audio", "audio/x"),
        *("files/f-1/x", "fine_tuning", "fine_tuning/jobs/j-1/x", "responses/r-1/x", "realtime"),
        *("embeddings/x", "fine-tune-categories/x", "chat/completions/c-1/messages/x", "Models"),
    ],
)
def test_any_other_path_is_none(path):
    assert find_endpoint(tuple(part for part in path.split("/") if part)) is None


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("models/gpt-4o", {"model": ("gpt-4o",)}),
        ("models/a/b/c", {"model": ("a", "b", "c")}),
        ("models/a%2Fb", {"model": ("a%2Fb",)}),
        ("files/f%201", {"id": ("f%201",)}),
        ("chat/completions/c/messages", {"id": ("c",)}),
        ("models", {}),
    ],
)
def test_parameters_stay_as_they_came(path, parameters):
    endpoint = find_endpoint(tuple(path.split("/")))

    assert endpoint is not None
    assert parameters == endpoint.parameters
