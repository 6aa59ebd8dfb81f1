"""
What control words do to the content of an answer: X21, X24, X25, X27, X28.

Two tables: words whose answer replaces the real one, and words that change the events of a stream
or the one body. How events are spelled is in `streams`, what breaks below HTTP is in `faults`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from app.simulators.control import Script
from app.simulators.dialect import Call, Dialect
from app.simulators.replies import DONE, STREAM_TYPE, Event, Problem, Reply, json_reply

BROKEN_JSON = '{"id":"broken'
STATUS_CODES = {
    400: "bad_request",
    401: "invalid_api_key",
    402: "insufficient_funds",
    403: "permission_denied",
    404: "not_found",
    408: "request_timeout",
    409: "conflict",
    413: "request_too_large",
    415: "unsupported_media_type",
    422: "unprocessable_entity",
    429: "rate_limit_exceeded",
    500: "internal_error",
    502: "bad_gateway",
    503: "unavailable",
    504: "gateway_timeout",
    529: "overloaded",
}


def replacement(dialect: Dialect, call: Call, origin: str) -> Reply | None:
    """The answer of the first word that replaces the real one; None when no word does.

    *origin* is the simulator's own address, which `leak` and `redirect` give away.
    """
    script = call.script
    if "close" in script:
        return None  # refused once the socket stands; the other words are the reason
    for word, general in _GENERAL.items():
        number = script.number(word)
        reply = None if number is None else general(dialect, call, number, origin)
        if reply is not None:
            return reply
    for word, problem_of in dialect.word_problems.items():
        number = script.number(word)
        if number is not None:
            return dialect.shape(problem_of(number), script)
    return None


def is_streamed(script: Script, asked: bool, ignores_stream: bool = False) -> bool:
    """Whether the answer streams: as asked, unless a word (X14, X25) or the provider disagrees."""
    if script.any_of("json", "okerror", "nullchoices", "truncjson"):
        return False
    return "sse" in script or (asked and not ignores_stream)


def streamed(events: Iterable[Event], model: str, prompt_tokens: int) -> Reply:
    """A reply that streams."""
    return Reply(content_type=STREAM_TYPE, events=events, model=model, prompt_tokens=prompt_tokens)


def apply_words(dialect: Dialect, script: Script, reply: Reply) -> Reply:
    """*reply* as the words of X24, X25, X27 and X28 want it; errors stay as they are."""
    headers = reply.headers
    if "setcookie" in script:
        headers += (("set-cookie", "sim_session=secret; Path=/"), ("x-api-key", dialect.key))
        headers += (("authorization", f"Bearer {dialect.key}"),)
    if reply.status != 200:
        return replace(reply, headers=headers)
    if reply.events is None:
        return replace(reply, headers=headers, body=_shape_body(reply.body, script))
    return replace(reply, headers=headers, events=_shape_events(dialect, script, reply.events))


def _shape_body(body: Event, script: Script) -> Event:
    if "badjson" in script:
        return replace(body, payload=None, text=BROKEN_JSON)
    payload = body.payload
    if not isinstance(payload, dict):
        return body
    payload = dict(payload)
    if "nullerror" in script:
        payload["error"] = None
    if "choices" in payload and "nullchoices" in script:
        payload["choices"] = None
    if "nousage" in script:
        payload.pop("usage", None)
    if "usage" in payload and "nullusage" in script:
        payload["usage"] = None
    if "nofinish" in script and isinstance(payload.get("choices"), list):
        payload["choices"] = [_without_finish(choice) for choice in payload["choices"]]
    return replace(body, payload=payload)


def _without_finish(choice: Any) -> Any:
    return {key: value for key, value in choice.items() if key != "finish_reason"}


def _shape_events(dialect: Dialect, script: Script, events: Iterable[Event]) -> Iterable[Event]:
    for word, change in _EVENT_WORDS.items():
        number = script.number(word)
        if number is not None:
            events = change(dialect, number, events)
    return events


def _no_finish(dialect: Dialect, number: int, events: Iterable[Event]) -> Iterator[Event]:
    for event in events:
        if event.kind == "finish" and event.tokens == 0:
            continue
        payload = event.payload
        if isinstance(payload, dict) and payload.get("choices"):
            choices = [choice | {"finish_reason": None} for choice in payload["choices"]]
            event = replace(event, payload=payload | {"choices": choices})
        yield event


def _no_usage(dialect: Dialect, number: int, events: Iterable[Event]) -> Iterator[Event]:
    return (event for event in events if event.kind != "usage")


def _null_usage(dialect: Dialect, number: int, events: Iterable[Event]) -> Iterator[Event]:
    for event in events:
        if event.kind == "usage" and isinstance(event.payload, dict):
            event = replace(event, payload=event.payload | {"usage": None})
        yield event


def _null_error(dialect: Dialect, number: int, events: Iterable[Event]) -> Iterator[Event]:
    for event in events:
        if isinstance(event.payload, dict):
            event = replace(event, payload=event.payload | {"error": None})
        yield event


def _no_done(dialect: Dialect, number: int, events: Iterable[Event]) -> Iterator[Event]:
    return (event for event in events if event.kind != "done")


def _after_done(dialect: Dialect, number: int, events: Iterable[Event]) -> Iterator[Event]:
    content = None
    for event in events:
        content = content or (event if event.tokens else None)
        yield event
    yield replace(content or DONE, tokens=0)


def _bad_json(dialect: Dialect, number: int, events: Iterable[Event]) -> Iterator[Event]:
    for place, event in enumerate(events, start=1):
        broken = place == number
        yield replace(event, payload=None, text=BROKEN_JSON, tokens=0) if broken else event


def _in_error(dialect: Dialect, number: int, events: Iterable[Event]) -> Iterator[Event]:
    for place, event in enumerate(events):
        if place == number:
            break
        yield event
    yield Event(payload=dialect.event_error("simulated failure"), kind="extra")


_EVENT_WORDS: dict[str, Callable[[Dialect, int, Iterable[Event]], Iterator[Event]]] = {
    "nofinish": _no_finish,
    "nousage": _no_usage,
    "nullusage": _null_usage,
    "nullerror": _null_error,
    "nodone": _no_done,
    "afterdone": _after_done,
    "badjson": _bad_json,
    "inerror": _in_error,
}


def _status(dialect: Dialect, call: Call, number: int, origin: str) -> Reply:
    code = STATUS_CODES.get(number, f"status_{number}")
    message = f"simulated error {number}"
    if "leak" in call.script:
        message += f" from {origin}{dialect.prefix} with key {dialect.key}"
    return dialect.shape(Problem(number, message, code), call.script)


def _leak(dialect: Dialect, call: Call, number: int, origin: str) -> Reply:
    return _status(dialect, call, 500, origin)


def _html(dialect: Dialect, call: Call, number: int, origin: str) -> Reply:
    return html_page(number)


def html_page(status: int) -> Reply:
    """A page such as a CDN puts in front of an upstream."""
    text = (
        f"<!DOCTYPE html>\n<html><head><title>{status}</title></head>"
        f"<body><h1>{status}</h1><p>Simulated edge, ray 0123456789abcdef</p></body></html>\n"
    )
    return Reply(status=status, content_type="text/html; charset=UTF-8", body=Event(text=text))


def _ok_error(dialect: Dialect, call: Call, number: int, origin: str) -> Reply:
    return json_reply(dialect.event_error("simulated failure"))


def _empty(dialect: Dialect, call: Call, number: int, origin: str) -> Reply:
    asked = call.body is not None and call.body.get("stream") is True
    if is_streamed(call.script, asked):
        return Reply(content_type=STREAM_TYPE, events=())
    return Reply()


def _redirect(dialect: Dialect, call: Call, number: int, origin: str) -> Reply:
    return Reply(status=number, headers=(("location", f"{origin}/elsewhere"),))


def _reject_options(dialect: Dialect, call: Call, number: int, origin: str) -> Reply | None:
    if call.body is None or "stream_options" not in call.body:
        return None
    message = "Unrecognized request argument supplied: stream_options"
    return dialect.shape(Problem(400, message, "unknown_parameter"), call.script)


_GENERAL: dict[str, Callable[[Dialect, Call, int, str], Reply | None]] = {
    "status": _status,
    "leak": _leak,
    "html": _html,
    "okerror": _ok_error,
    "empty": _empty,
    "redirect": _redirect,
    "rejectoptions": _reject_options,
}
