"""Minds in small: three chat paths for its generations, thoughts before the answer (X9 to X12)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from app.simulators import minds_listing
from app.simulators.answers import Answer, answer_to, last_user_text, split_words
from app.simulators.chat_request import ROLES, ChatRequest, read_chat
from app.simulators.completions import Envelope, Spelling, chunks, completion, usage_of
from app.simulators.control import Script
from app.simulators.dialect import Call, Dialect, Ids, Route
from app.simulators.http_reader import Request
from app.simulators.keys import CREATED, PREFIXES
from app.simulators.minds_forms import FORMS, MindAnswer, mind_choices, mind_events
from app.simulators.minds_listing import Minds
from app.simulators.minds_sources import Sources
from app.simulators.minds_threads import Threads
from app.simulators.replies import Event, Json, Problem, RefusalError, Reply, json_reply
from app.simulators.shaping import html_page, is_streamed, streamed

NAME = "minds"
MIND_ROLES = ROLES - {"developer"}
NOT_READY = "The Mind is not ready yet. Please try again later."
SPELLING = Spelling(role_apart=True, more={"system_fingerprint": "simulated"})
HUB_CODES = frozenset({"rate_limited", "wallet_empty"})  # mindshub answers these in OpenAI's shape
_UNWELCOME = re.compile(r"x-user-id|x-user-email|x-organization-id|x-company-id|x-user-roles")


@dataclass(frozen=True, slots=True)
class Generation:
    """One age of the server: the form it streams in, whether it lowers names, how it ends."""

    form: int
    lowers_names: bool = False


SEED = Generation(form=3)
API_V1 = Generation(form=4, lowers_names=True)
T5 = 5


def build() -> Dialect:
    """A fresh one."""
    ids = Ids()
    sources = Sources()
    minds = Minds(sources)
    chat = ("chat", "completions")
    return Dialect(
        name=NAME,
        prefix=PREFIXES[NAME],
        carrier="authorization",
        routes=(
            _chat_route(chat, SEED, ids, minds),
            _chat_route(("v1", *chat), SEED, ids, minds),
            _chat_route(("api", "v1", *chat), API_V1, ids, minds),
            *minds_listing.routes(minds),
            *sources.routes(minds_listing.add_slash),
            *Threads(minds.get).routes(),
        ),
        shape=shape,
        word_problems={"rate": _rate, "quota": _quota, "wallet": _wallet},
        event_error=lambda message: {"detail": message},
        screen=_bot_filter,
        unwelcome=frozenset(_UNWELCOME.pattern.split("|")),
    )


def shape(problem: Problem, script: Script) -> Reply:
    """`{"detail": …}`: a text, or for a faulty member FastAPI's list with 422."""
    status, payload = problem.status, {"detail": _detail(problem)}
    if problem.code in HUB_CODES:
        kind = "rate_limit_error" if status == 429 else "invalid_request_error"
        payload = {"error": {"message": problem.message, "type": kind, "code": problem.code}}
    elif problem.loc or problem.code == "invalid_json":
        status = 422
    return json_reply(payload, status, headers=problem.headers)


def _detail(problem: Problem) -> Any:
    if problem.status == 401:
        return "Unauthorized"
    if problem.status == 404 and problem.code == "unknown_url":
        return "Not Found"
    if problem.status == 405:
        return "Method Not Allowed"
    if problem.code == "invalid_json":
        loc: list[str | int] = ["body", 0]
        return [{"type": "json_invalid", "loc": loc, "msg": "JSON decode error", "input": {}}]
    if not problem.loc:
        return problem.message
    where = list(problem.loc) if problem.loc[0] == "query" else ["body", *problem.loc]
    kind = "missing" if problem.message == "Field required" else "value_error"
    return [{"type": kind, "loc": where, "msg": problem.message, "input": None}]


def _bot_filter(request: Request) -> Reply | None:
    """An HTML 403 to whoever does not look like a browser (X11)."""
    return None if "Mozilla/" in (request.header("user-agent") or "") else html_page(403)


def _chat_route(path: tuple[str, ...], generation: Generation, ids: Ids, minds: Minds) -> Route:
    def check(call: Call) -> None:
        _check_mind(_named(call, generation), minds)

    def answer(call: Call) -> Reply:
        return _chat(_named(call, generation), generation, ids)

    return Route("POST", path, answer, "body", check)


def _named(call: Call, generation: Generation) -> Call:
    if not generation.lowers_names:
        return call
    return replace(call, model=call.model.lower(), asked=call.asked.lower())


def _check_mind(call: Call, minds: Minds) -> None:
    """An unknown Mind is a 500, since the handler turns every fault into one; an alias is a 400."""
    if call.model.startswith("latest:"):
        if call.model not in minds_listing.ALIASES:
            raise RefusalError(Problem(400, f"Unknown passthrough alias '{call.asked}'", ""))
    elif not minds.has(call.model):
        raise RefusalError(minds_listing.not_found(call.asked, 500))


def _chat(call: Call, generation: Generation, ids: Ids) -> Reply:
    chat = read_chat(call.body or {}, MIND_ROLES)
    _check_metadata(chat.metadata)
    answer = _answer(call, chat)
    streams = is_streamed(call.script, chat.stream)
    if "nothing" in call.script:
        return streamed((), call.asked, 0) if streams else Reply()
    default = T5 if call.model.startswith("latest:") else generation.form
    form = call.script.number("form") or default
    envelope = Envelope(_id(generation, form, ids), CREATED[NAME], call.asked)
    if form == T5:
        reply = _open_reply(chat, envelope, answer, streams)
    else:
        reply = _mind_reply(call, chat, generation, form, envelope)
    return replace(reply, model=call.asked, prompt_tokens=answer.prompt_tokens)


def _answer(call: Call, chat: ChatRequest) -> Answer:
    answer = answer_to(chat, call.script)
    if "loading" in call.script:
        return Answer(split_words(NOT_READY), "stop", answer.prompt_tokens)
    return answer


def _check_metadata(metadata: Any) -> None:
    if not isinstance(metadata, dict | None):
        _refuse_metadata("Input should be a valid dictionary")
    session = (metadata or {}).get("mdb_completions_session_id")
    if isinstance(session, bool) or not isinstance(session, str | int | None):
        _refuse_metadata("Input should be a valid string", "mdb_completions_session_id")
    if not isinstance((metadata or {}).get("enable_charting"), bool | None):
        _refuse_metadata("Input should be a valid boolean", "enable_charting")


def _refuse_metadata(message: str, *rest: str) -> None:
    raise RefusalError(Problem(422, message, "invalid_request", loc=("metadata", *rest)))


def _id(generation: Generation, form: int, ids: Ids) -> str:
    number = ids.next_number()
    is_uuid = generation.lowers_names and form != T5  # a bare uuid since 1.9
    return f"00000000-0000-4000-8000-{number:012d}" if is_uuid else f"chatcmpl-{number}"


def _open_reply(chat: ChatRequest, envelope: Envelope, answer: Answer, streams: bool) -> Reply:
    """OpenAI's own form (T5)."""
    if streams:
        return streamed(chunks(SPELLING, envelope, answer, chat.include_usage), "", 0)
    return Reply(body=completion(SPELLING, envelope, answer))


def _mind_reply(
    call: Call, chat: ChatRequest, generation: Generation, form: int, envelope: Envelope
) -> Reply:
    script = call.script
    answer = _answer(call, chat)
    mind = MindAnswer(
        answer=answer,
        asked_text=last_user_text(chat.messages),
        has_thoughts="loading" not in script,
        is_object="objects" in script,
        is_silent="silent" in script,
    )
    if is_streamed(script, chat.stream):
        return streamed(mind_events(FORMS[form], envelope, mind), "", 0)
    choices = mind_choices(script.number("choices") or 1, envelope, mind)
    if generation.lowers_names:
        choices = [choice | {"finish_reason": "stop"} for choice in choices]
    payload: Json = {
        "id": envelope.id,
        "object": "chat.completion",
        "created": envelope.created,
        "model": envelope.model,
        "choices": choices,
        "usage": None if generation.lowers_names else usage_of(answer),
        "system_fingerprint": None,
    }
    return Reply(body=Event(payload=payload, tokens=answer.completion_tokens))


def _rate(seconds: int) -> Problem:
    headers = (("retry-after", str(seconds)),)
    return Problem(429, "Too many requests", "rate_limited", headers=headers)


def _quota(number: int) -> Problem:
    return Problem(429, "Monthly limit exceeded for tokens: 5/5", "")


def _wallet(number: int) -> Problem:
    headers = (("X-MindsHub-Reason", "wallet_empty"),)
    return Problem(402, "The wallet is empty", "wallet_empty", headers=headers)
