"""Which paths are the data plane's, and what its pages are told (architecture 1; contract A3, A9, C14, C15)."""

import pytest

from app.edge.data_plane import is_data_plane
from tests.edge.served import served


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


PAGE = "https://page.example"


def asking(method: str, *lines: str) -> bytes:
    return "\r\n".join([f"{method} /v1/x HTTP/1.1", "host: x", *lines, "", ""]).encode()


async def test_c14_a_preflight_is_answered_before_the_pipeline():
    sent = asking(
        "OPTIONS",
        f"origin: {PAGE}",
        "access-control-request-method: POST",
        "access-control-request-headers: Authorization, x-evil",
    )
    async with served(cors_origins=(PAGE,)) as found, found.connected() as client:
        await client.send(sent * 2)
        replies = [await client.reply(), await client.reply()]

    for reply in replies:
        assert (204, PAGE) == (reply.status, reply.header("access-control-allow-origin"))
        assert "authorization" == reply.header("access-control-allow-headers")
        assert "req_1" == reply.header("x-request-id")
    assert [] == found.pipeline.clients


@pytest.mark.parametrize(
    ("origin", "is_told"), [(PAGE, True), ("https://evil.example", False), ("null", False)]
)
async def test_c15_every_reply_tells_an_allowed_page_and_no_other(origin, is_told):
    async with served(cors_origins=(PAGE,)) as found, found.connected() as client:
        await client.send(asking("GET", f"origin: {origin}"))
        first = await client.reply()
        await client.send(asking("POST", f"origin: {origin}", "content-encoding: br"))
        second = await client.reply()
        await client.send(asking("GET"))
        third = await client.reply()

    assert (200, 415) == (first.status, second.status)
    for reply in (first, second):
        assert ([PAGE] if is_told else []) == reply.all("access-control-allow-origin")
    assert [] == third.all("access-control-allow-origin")
