"""4minds in small: OpenAI with errors without `param`, and its status events (X6, X8)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from app.simulators.answers import answer_to
from app.simulators.chat_request import read_chat
from app.simulators.completions import Envelope, Spelling, chunks, completion
from app.simulators.control import Script
from app.simulators.dialect import Call, Dialect, Ids, Route
from app.simulators.fourminds_resources import Resources
from app.simulators.keys import CREATED, PREFIXES
from app.simulators.model_shelf import ModelShelf
from app.simulators.replies import Event, Json, Problem, Reply, json_reply
from app.simulators.shaping import is_streamed, streamed
from app.simulators.shelf import whole_list
from app.simulators.stored_chats import StoredChats

NAME = "4minds"
MODELS = {"4minds-model-123": True, "4minds-model-456": True, "Gemma-12B AWQ": False}
SPELLING = Spelling(more={"system_fingerprint": "simulated"})


def build() -> Dialect:
    """A fresh one, with all its models."""
    ids = Ids()
    shelf = ModelShelf(MODELS, CREATED[NAME])
    stored = StoredChats(whole_list, frozenset({"title", "metadata"}))

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
        ),
        shape=shape,
        word_problems={"rate": _rate, "quota": _quota, "bound": _bound, "native": _native},
        event_error=_event_error,
    )


def shape(problem: Problem, script: Script) -> Reply:
    """The seed's error object, which has no `param`; with `native` the native envelope (X8)."""
    if "native" in script:
        payload: Json = {"status": "error", "message": problem.message}
    else:
        payload = {"error": _error(problem.message, problem.code)}
    return json_reply(payload, problem.status, headers=problem.headers)


def _chat(call: Call, ids: Ids, stored: StoredChats) -> Reply:
    chat = read_chat(call.body or {})
    answer = answer_to(chat, call.script)
    number = ids.next_number()
    envelope = Envelope(f"chatcmpl-{number}", CREATED[NAME], call.asked, chat.choices)
    body = completion(SPELLING, envelope, answer)
    stored.keep(call.body or {}, body)
    if is_streamed(call.script, chat.stream):
        events: Iterable[Event] = chunks(SPELLING, envelope, answer, chat.include_usage)
        add_status = _STATUS_FORMS.get(call.script.number("events") or 0)
        events = add_status(events) if add_status else events
        return streamed(events, call.asked, answer.prompt_tokens)
    return Reply(body=body, model=call.asked, prompt_tokens=answer.prompt_tokens)


def _error(message: str, code: str) -> Json:
    return {"message": message, "type": "invalid_request_error", "code": code}


def _event_error(message: str) -> Json:
    return {"error": _error(message, "sim_failure")}


def _rate(seconds: int) -> Problem:
    headers = (("retry-after", str(seconds)),)
    return Problem(429, "Rate limit exceeded", "rate_limit_exceeded", headers=headers)


def _quota(number: int) -> Problem:
    return Problem(429, "You exceeded your current quota.", "insufficient_quota")


def _bound(number: int) -> Problem:
    return Problem(403, "This API key is bound to another model.", "permission_denied")


def _native(number: int) -> Problem:
    return Problem(400, "simulated error in the native envelope", "bad_request")


def _status(hop: int) -> Json:
    return {"type": "status", "stage": "planning", "message": f"hop {hop}"}


def _named_events(events: Iterable[Event]) -> Iterator[Event]:
    """A named status event before the first chunk and one behind it."""
    return _around_first(events, "agent_status")


def _bare_events(events: Iterable[Event]) -> Iterator[Event]:
    """The same as objects without a name and without `choices`."""
    return _around_first(events, "")


def _around_first(events: Iterable[Event], name: str) -> Iterator[Event]:
    yield Event(payload=_status(1), name=name, kind="extra")
    for place, event in enumerate(events):
        yield event
        if place == 0:
            yield Event(payload=_status(2), name=name, kind="extra")


def _extra_keys(events: Iterable[Event]) -> Iterator[Event]:
    """The status as one more key of each chunk."""
    for place, event in enumerate(events, start=1):
        if isinstance(event.payload, dict):
            event = replace(event, payload=event.payload | {"agent_status": _status(place)})
        yield event


_STATUS_FORMS = {1: _named_events, 2: _bare_events, 3: _extra_keys}
