"""OpenMind in small: six providers behind one key (X13, X14), speech (X15) and an agent."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus

from app.simulators import openmind_speech
from app.simulators.answers import answer_to
from app.simulators.chat_request import ROLES, read_chat
from app.simulators.completions import Envelope, Spelling, chunks, completion
from app.simulators.control import Script
from app.simulators.dialect import Call, Dialect, Ids, Route
from app.simulators.keys import CREATED, PREFIXES
from app.simulators.openmind_agent import Agent
from app.simulators.replies import Json, Problem, RefusalError, Reply, json_reply
from app.simulators.shaping import is_streamed, streamed

NAME = "openmind"
SUPPORTED_PREFIXES = {
    "openai": (
        "gpt-4o",
        "gpt-4o-mini",
        "gpt-4.1",
        "gpt-4.1-mini",
        "gpt-4.1-nano",
        "gpt-5",
        "gpt-5-mini",
        "gpt-5-nano",
        "gpt-5.1",
        "gpt-5.2",
    ),
    "deepseek": ("deepseek-chat",),
    "gemini": ("gemini-2.0-flash-exp", "gemini-2.5-flash", "gemini-2.5-pro", "gemini-3"),
    "xai": ("grok-2-latest", "grok-3-beta", "grok-3-mini-beta", "grok-4"),
    "nearai": (
        "qwen3-30b-a3b-instruct-2507",
        "qwen2.5-vl-72b-instruct",
        "qwen-2.5-7b-instruct",
        "openai/gpt-oss-120b",
        "deepseek-ai/DeepSeek-V3.1",
        "zai-org/GLM-4.7",
    ),
    "openrouter": (
        "meta-llama/llama-3.3-70b-instruct",
        "anthropic/claude-sonnet-4.5",
        "anthropic/claude-opus-4.1",
        "moonshotai/kimi-k2.5",
        "deepseek/deepseek-v3.2",
        "x-ai/grok-4-fast",
    ),
}
SNAPSHOTS = {"gpt-4o": "gpt-4o-2024-08-06", "gpt-4o-mini": "gpt-4o-mini-2024-07-18"}
_DATED = re.compile(r".*-\d{4}(-\d{2}-\d{2})?")
SPELLING = Spelling(
    role_apart=True,
    sorted_keys=True,
    more={"service_tier": "default", "system_fingerprint": "simulated"},
    message_more={"annotations": [], "refusal": None},
    choice_more={"logprobs": None},
    usage_more={
        "prompt_tokens_details": {"audio_tokens": 0, "cached_tokens": 0},
        "completion_tokens_details": {
            "accepted_prediction_tokens": 0,
            "audio_tokens": 0,
            "reasoning_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    },
)
TIMINGS = (
    ("X-Proxy-Parse-Ms", "1"),
    ("X-Upstream-TTFB-Ms", "2"),
    ("X-Upstream-Total-Ms", "3"),
    ("X-Proxy-Total-Ms", "4"),
)


def build(later: bool = False) -> Dialect:
    """A fresh one; *later* is the generation behind `/v1`, with the key as Bearer."""
    ids = Ids()
    agent = Agent()

    def chat(call: Call) -> Reply:
        return _chat(call, ids)

    return Dialect(
        name=NAME,
        prefix=PREFIXES[NAME] + "/v1" if later else PREFIXES[NAME],
        carrier="authorization" if later else "x-api-key",
        routes=(
            Route("POST", ("{}", "chat", "completions"), chat, "body", check_model),
            *openmind_speech.routes(),
            *agent.routes(),
        ),
        shape=shape,
        word_problems=WORD_PROBLEMS,
        event_error=lambda message: {"error": message},
    )


def check_model(call: Call) -> None:
    """Refuse with 404 an unknown provider, and a name that none of its prefixes admits."""
    provider = call.arguments[0]
    prefixes = SUPPORTED_PREFIXES.get(provider)
    if prefixes is None:
        message = f"unsupported model provider: {provider}"
        raise RefusalError(Problem(404, message, ""))
    if not call.model.startswith(prefixes):
        listed = f"Supported model prefixes for {provider}: [{', '.join(prefixes)}]"
        message = f"unsupported model: {call.asked}. {listed}"
        raise RefusalError(Problem(404, message, ""))


def shape(problem: Problem, script: Script) -> Reply:
    """`{"error": text}`, with `details` where there are some; with `gemini` Google's array."""
    payload: Json | list[Json]
    if "gemini" in script:
        status = _phrase(problem.status)
        error = {"code": problem.status, "message": problem.message, "status": status}
        payload = [{"error": error}]
    elif problem.code == "insufficient_quota":
        kind = {"type": problem.code, "param": None, "code": problem.code}
        payload = {"error": {"message": problem.message, **kind}}
    elif problem.loc:
        payload = {"error": "Invalid request", "details": problem.message}
    else:
        payload = {"error": problem.message}
    return json_reply(payload, problem.status, headers=problem.headers)


def snapshot_of(model: str) -> str:
    """The dated name that is answered for *model* (X13)."""
    if model in SNAPSHOTS:
        return SNAPSHOTS[model]
    return model if _DATED.fullmatch(model) else f"{model}-2025-04-14"


def _chat(call: Call, ids: Ids) -> Reply:
    provider = call.arguments[0]
    roles = ROLES if provider == "openai" else ROLES - {"developer"}
    chat = read_chat(call.body or {}, roles)
    answer = answer_to(chat, call.script)
    number = ids.next_number()
    envelope = Envelope(f"chatcmpl-{number}", CREATED[NAME], snapshot_of(call.model), chat.choices)
    ignores_stream = provider == "xai" or "nostream" in call.script
    if is_streamed(call.script, chat.stream, ignores_stream):
        events = chunks(SPELLING, envelope, answer, chat.include_usage)
        reply = streamed(events, call.asked, answer.prompt_tokens)
    else:
        body = completion(SPELLING, envelope, answer)
        reply = Reply(body=body, model=call.asked, prompt_tokens=answer.prompt_tokens)
    return replace(reply, headers=TIMINGS)


def _rate(seconds: int) -> Problem:
    return Problem(403, f"Rate limit exceeded. Try again in {seconds} seconds.", "")


def _rate_new(seconds: int) -> Problem:
    return Problem(429, "Rate limit exceeded", "", headers=(("retry-after", str(seconds)),))


def _quota(number: int) -> Problem:
    return Problem(429, "You exceeded your current quota.", "insufficient_quota")


def _unconfigured(number: int) -> Problem:
    return Problem(503, "openai API key not configured", "")


def _gemini(number: int) -> Problem:
    return Problem(404, "models/simulated is not found", "")


WORD_PROBLEMS: dict[str, Callable[[int], Problem]] = {
    "rate": _rate,
    "ratenew": _rate_new,
    "quota": _quota,
    "unconfigured": _unconfigured,
    "gemini": _gemini,
}


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase.upper().replace(" ", "_")
    except ValueError:
        return "UNKNOWN"
