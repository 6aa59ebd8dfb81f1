"""Who is let in (X1): a leaked key, cookie or header of the gateway fails loudly."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.simulators.raw_client import CHAT, CREDENTIALS, MODELS, chat_body

SITES = ["4minds", "minds", "openmind", "openai"]
SHAPES: dict[str, Callable[[Any], bool]] = {
    "4minds": lambda body: set(body["error"]) == {"message", "type", "code"},
    "minds": lambda body: body == {"detail": "Unauthorized"},
    "openmind": lambda body: isinstance(body["error"], str),
    "openai": lambda body: set(body["error"]) == {"message", "type", "param", "code"},
}


def credential(site: str) -> tuple[str, str]:
    return next(pair for prefix, pair in CREDENTIALS.items() if CHAT[site].startswith(prefix))


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="no key"),
        pytest.param([("authorization", "Bearer sim-wrong")], id="a wrong key"),
        pytest.param([("authorization", "sim-openai")], id="a key without Bearer"),
        pytest.param([("x-goog-api-key", "sim-4minds")], id="another carrier"),
    ],
)
async def test_without_the_right_key_it_is_401_in_the_dialects_shape(ask, site, headers):
    reply = await ask("POST", CHAT[site], chat_body(MODELS[site]), headers=headers, bare=True)

    assert reply.status == 401
    assert SHAPES[site](reply.json())


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize(
    "second", ["authorization", "x-api-key", "api-key", "x-goog-api-key", "proxy-authorization"]
)
async def test_a_second_credential_beside_the_right_one_is_401(ask, site, second):
    headers = [(second, "mg-client-key")]
    reply = await ask("POST", CHAT[site], chat_body(MODELS[site]), headers=headers)

    assert reply.status == 401


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("name", ["api_key", "key"])
async def test_a_key_in_the_query_is_401(ask, site, name):
    reply = await ask("POST", f"{CHAT[site]}?{name}=mg", chat_body(MODELS[site]))

    assert reply.status == 401


@pytest.mark.parametrize("site", SITES)
async def test_the_key_of_another_upstream_is_401(ask, site):
    name, value = credential(site)
    other = value.replace("sim-", "sim-x-")
    reply = await ask(
        "POST", CHAT[site], chat_body(MODELS[site]), headers=[(name, other)], bare=True
    )

    assert reply.status == 401


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("name", ["Cookie", "X-Mindgate-Upstream", "X-Stainless-Lang"])
async def test_a_header_that_leaked_is_400_and_named(ask, site, name):
    reply = await ask("POST", CHAT[site], chat_body(MODELS[site]), headers=[(name, "v")])

    assert reply.status == 400
    assert name.lower().encode() in reply.body


async def test_minds_refuses_the_headers_it_would_believe(ask):
    headers = [("X-User-Id", "root")]
    reply = await ask("POST", CHAT["minds"], chat_body("sales_mind"), headers=headers)

    assert reply.status == 400


@pytest.mark.parametrize(
    ("site", "model"),
    [
        ("4minds", "4minds/4minds-model-123"),
        ("minds", "minds/sales_mind"),
        ("openmind", "openmind/gpt-4o"),
        ("openai", "local/sim-gpt"),
    ],
)
async def test_a_prefix_that_was_not_spliced_is_refused(ask, site, model):
    reply = await ask("POST", CHAT[site], chat_body(model))

    assert reply.status == (500 if site == "minds" else 404)
    assert model.encode() in reply.body


@pytest.mark.parametrize(
    "path", ["/4minds/v1/chat", "/minds/v2/chat/completions", "/openmind/api/core/models"]
)
async def test_a_wrong_path_is_404(ask, path):
    assert (await ask("GET", path)).status == 404


@pytest.mark.parametrize("path", [*CHAT.values()])
async def test_a_wrong_method_is_405(ask, path):
    reply = await ask("PUT", path, {})

    lists_stored = path in (CHAT["4minds"], CHAT["openai"])
    assert (reply.status, reply.header("allow")) == (405, "GET, POST" if lists_stored else "POST")


async def test_a_path_of_nobody_is_404(ask):
    assert (await ask("GET", "/v1/models")).status == 404
