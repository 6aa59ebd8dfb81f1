"""Which paths are the data plane's (architecture 1; contract A3, A9)."""

import pytest

from app.edge.data_plane import is_data_plane


@pytest.mark.parametrize(
    "path",
    [
        *("/v1/models", "/v1", "/v1/", "//v1//models", "/models", "/chat/completions", "/openmind/v1"),
        *("/unknown", "/v2/models", "/healthzz", "/docs2", "/v1/docs", "/v1/healthz", "/HEALTHZ"),
        *("/%2e%2e/metrics", "/..", "/favicon.ico"),
    ],
)  # fmt: skip
def test_everything_else_is_the_data_plane_s(path):
    assert is_data_plane(path)


@pytest.mark.parametrize(
    "path",
    [
        *("", "/", "//", "/healthz", "/healthz/", "//healthz", "/readyz", "/metrics", "/docs"),
        *("/docs/swagger-ui.css", "/openapi.json", "/api/hello", "/admin/v1/keys", "/console"),
    ],
)
def test_a_few_paths_are_the_control_plane_s(path):
    assert not is_data_plane(path)
