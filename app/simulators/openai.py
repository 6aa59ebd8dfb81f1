"""The generic dialect: a plain OpenAI that conforms in everything (upstreams.md section 6)."""

from __future__ import annotations

from app.simulators import openai_media
from app.simulators.answers import answer_to
from app.simulators.chat_request import read_chat
from app.simulators.completions import Envelope, Spelling, chunks, completion
from app.simulators.control import Script
from app.simulators.dialect import Call, Dialect, Ids, Route
from app.simulators.keys import CREATED, PREFIXES
from app.simulators.model_shelf import ModelShelf
from app.simulators.openai_resources import Resources
from app.simulators.replies import Json, Problem, RefusalError, Reply, json_reply
from app.simulators.shaping import is_streamed, streamed
from app.simulators.shelf import page_list
from app.simulators.stored_chats import StoredChats

NAME = "openai"
MODELS = {"sim-gpt": False, "org/model:v1": True, "name with space": True}  # True: may be deleted
# asked by name, as `local/sim-tts`: a list of what chats is what discovery is tried on
UNLISTED = ("sim-embed", "sim-tts", "sim-whisper", "sim-moderation")
SPELLING = Spelling(
    role_apart=True,
    usage_on_chunks=True,
    more={"service_tier": "default", "system_fingerprint": "simulated"},
    message_more={"refusal": None, "annotations": []},
    choice_more={"logprobs": None},
)
_TYPES = {401: "invalid_request_error", 403: "permission_error", 429: "rate_limit_exceeded"}


def build() -> Dialect:
    """A fresh one, with all its models."""
    ids = Ids()
    shelf = ModelShelf(MODELS, CREATED[NAME], UNLISTED)
    stored = StoredChats(page_list(newest_first=False), frozenset({"metadata"}))

    def chat(call: Call) -> Reply:
        return _chat(call, ids, stored)

    return Dialect(
        name=NAME,
        prefix=PREFIXES[NAME],
        carrier="authorization",
        routes=(
            Route("POST", ("chat", "completions"), chat, "body", shelf.check),
            *shelf.routes(),
            *stored.routes(),
            *Resources(shelf, CREATED[NAME]).routes(),
            *openai_media.routes(shelf),
        ),
        shape=shape,
        word_problems={"rate": _rate, "quota": _quota},
        event_error=_event_error,
    )


def shape(problem: Problem, script: Script) -> Reply:
    """OpenAI's error object with all four members."""
    kind = "server_error" if problem.status >= 500 else "invalid_request_error"
    error = {
        "message": problem.message,
        "type": _TYPES.get(problem.status, kind),
        "param": str(problem.loc[0]) if problem.loc else None,
        "code": problem.code,
    }
    return json_reply({"error": error}, problem.status, headers=problem.headers)


def _chat(call: Call, ids: Ids, stored: StoredChats) -> Reply:
    chat = read_chat(call.body or {})
    if chat.has_stream_options and not chat.stream:
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise RefusalError(Problem(400, message, "invalid_request", loc=("stream_options",)))
    answer = answer_to(chat, call.script)
    number = ids.next_number()
    envelope = Envelope(f"chatcmpl-{number}", CREATED[NAME], call.asked, chat.choices)
    body = completion(SPELLING, envelope, answer)
    stored.keep(call.body or {}, body)
    if is_streamed(call.script, chat.stream):
        events = chunks(SPELLING, envelope, answer, chat.include_usage)
        return streamed(events, call.asked, answer.prompt_tokens)
    return Reply(body=body, model=call.asked, prompt_tokens=answer.prompt_tokens)


def _rate(seconds: int) -> Problem:
    message = f"Rate limit reached. Please try again in {seconds}s."
    return Problem(429, message, "rate_limit_exceeded", headers=(("retry-after", str(seconds)),))


def _quota(number: int) -> Problem:
    message = "You exceeded your current quota, please check your plan and billing details."
    return Problem(429, message, "insufficient_quota")


def _event_error(message: str) -> Json:
    return {
        "error": {"message": message, "type": "server_error", "param": None, "code": "sim_failure"}
    }
