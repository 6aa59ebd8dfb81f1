"""OpenMind in small: six providers, snapshots, the seed's usage (X13), its moods (X14)."""

import pytest

from tests.simulators.raw_client import chat_body

SEED_KEYS = [
    "choices",
    "created",
    "id",
    "model",
    "object",
    "service_tier",
    "system_fingerprint",
    "usage",
]


def path(provider: str, generation: str = "") -> str:
    return f"/openmind/api/core{generation}/{provider}/chat/completions"


@pytest.mark.parametrize(
    ("provider", "model", "snapshot"),
    [
        ("openai", "gpt-4o", "gpt-4o-2024-08-06"),
        ("openai", "gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
        ("openai", "gpt-4o-2024-08-06", "gpt-4o-2024-08-06"),
        ("openai", "gpt-5.1", "gpt-5.1-2025-04-14"),
        ("deepseek", "deepseek-chat", "deepseek-chat-2025-04-14"),
        ("gemini", "gemini-2.0-flash-exp", "gemini-2.0-flash-exp-2025-04-14"),
        ("xai", "grok-2-latest", "grok-2-latest-2025-04-14"),
        ("nearai", "openai/gpt-oss-120b", "openai/gpt-oss-120b-2025-04-14"),
        ("openrouter", "anthropic/claude-opus-4.1", "anthropic/claude-opus-4.1-2025-04-14"),
    ],
)
async def test_a_model_is_answered_as_a_dated_snapshot(ask, provider, model, snapshot):
    reply = await ask("POST", path(provider), chat_body(model))

    assert (reply.status, reply.json()["model"]) == (200, snapshot)


async def test_the_answer_is_the_seeds_whole_form(chat):
    reply = await chat("openmind")
    answer = reply.json()

    assert list(answer) == SEED_KEYS
    assert list(answer["choices"][0]) == ["finish_reason", "index", "logprobs", "message"]
    message = answer["choices"][0]["message"]
    assert list(message) == ["annotations", "content", "refusal", "role"]
    assert answer["usage"] == {
        "completion_tokens": 3,
        "completion_tokens_details": {
            "accepted_prediction_tokens": 0,
            "audio_tokens": 0,
            "reasoning_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
        "prompt_tokens": 2,
        "prompt_tokens_details": {"audio_tokens": 0, "cached_tokens": 0},
        "total_tokens": 5,
    }


async def test_the_timing_headers_are_there(chat):
    reply = await chat("openmind")

    names = ["x-proxy-parse-ms", "x-upstream-ttfb-ms", "x-upstream-total-ms", "x-proxy-total-ms"]
    assert all(reply.header(name) is not None for name in names)


async def test_an_unknown_provider_is_404(ask):
    reply = await ask("POST", path("acme"), chat_body("gpt-4o"))

    assert (reply.status, reply.json()) == (404, {"error": "unsupported model provider: acme"})


async def test_an_unknown_model_lists_the_prefixes(ask):
    reply = await ask("POST", path("deepseek"), chat_body("gpt-6"))

    expected = "unsupported model: gpt-6. Supported model prefixes for deepseek: [deepseek-chat]"
    assert (reply.status, reply.json()) == (404, {"error": expected})


@pytest.mark.parametrize(
    ("provider", "model", "status"),
    [("openai", "gpt-4o", 200), ("deepseek", "deepseek-chat", 400), ("xai", "grok-4", 400)],
)
async def test_the_developer_role_is_for_openai_alone(ask, provider, model, status):
    body = chat_body(model)
    body["messages"].insert(0, {"role": "developer", "content": "x"})
    reply = await ask("POST", path(provider), body)

    assert reply.status == status
    assert status == 200 or reply.json()["details"] == "Invalid role: developer"


async def test_bad_json_has_the_documented_words(ask):
    reply = await ask("POST", path("openai"), [])

    assert (reply.status, reply.json()) == (400, {"error": "Invalid JSON"})


@pytest.mark.parametrize(
    ("site", "suffix"),
    [("xai", ""), ("openmind", "-sim-nostream")],
    ids=["xai by default", "any by word"],
)
async def test_a_provider_may_ignore_stream(chat, site, suffix):
    reply = await chat(site, suffix, stream=True)

    assert reply.header("content-type") == "application/json"
    assert reply.json()["object"] == "chat.completion"


async def test_xai_streams_when_told_to(chat):
    reply = await chat("xai", "-sim-sse", stream=True)

    assert reply.header("content-type") == "text/event-stream"


@pytest.mark.parametrize(
    ("suffix", "status", "name"),
    [
        ("-sim-gemini", 404, "NOT_FOUND"),
        ("-sim-gemini-status-503", 503, "SERVICE_UNAVAILABLE"),
        ("-sim-gemini-ratenew-3", 429, "TOO_MANY_REQUESTS"),
        ("-sim-gemini-status-599", 599, "UNKNOWN"),
    ],
)
async def test_gemini_errs_in_an_array(chat, suffix, status, name):
    reply = await chat("openmind", suffix)

    error = reply.json()[0]["error"]
    assert (reply.status, error["code"], error["status"]) == (status, status, name)


async def test_the_old_rate_limit_is_403_with_words(chat):
    reply = await chat("openmind", "-sim-rate-7")

    assert reply.status == 403
    assert reply.json() == {"error": "Rate limit exceeded. Try again in 7 seconds."}


async def test_the_new_rate_limit_is_429(chat):
    reply = await chat("openmind", "-sim-ratenew-7")

    assert (reply.status, reply.header("retry-after")) == (429, "7")


async def test_an_unconfigured_provider_is_503(chat):
    reply = await chat("openmind", "-sim-unconfigured")

    assert reply.status == 503
    assert reply.json() == {"error": "openai API key not configured"}


async def test_the_quota_comes_in_the_providers_own_shape(chat):
    reply = await chat("openmind", "-sim-quota")

    assert (reply.status, reply.json()["error"]["code"]) == (429, "insufficient_quota")


async def test_the_later_generation_takes_the_key_as_bearer(ask):
    reply = await ask("POST", path("openai", "/v1"), chat_body("gpt-4o"))
    refused = await ask(
        "POST",
        path("openai", "/v1"),
        chat_body("gpt-4o"),
        headers=[("x-api-key", "sim-openmind")],
        bare=True,
    )

    assert (reply.status, refused.status) == (200, 401)


async def test_there_is_no_list_of_models(ask):
    assert (await ask("GET", "/openmind/api/core/models")).status == 404
