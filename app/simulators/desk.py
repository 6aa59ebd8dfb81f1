"""
The straight line of a simulated request: whose is it, may it come in, what does it ask, what comes.

In this order: leaked headers, the vendor's own screen, the credential (X1), the route, the control
words (X4, X29), the model; then a word that replaces the answer, or the answer itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, unquote

from app.simulators.chat_request import read_json_object, read_model
from app.simulators.control import (
    HEALTH,
    Script,
    UnknownWordError,
    check_dialect,
    read_header,
    split_name,
)
from app.simulators.dialect import Call, Dialect, Ids, Route
from app.simulators.gate import check_credential, check_leaks
from app.simulators.http_reader import Request
from app.simulators.replies import Json, Problem, RefusalError, Reply, json_reply
from app.simulators.shaping import apply_words, replacement

CONTROL_HEADER = "x-sim"


@dataclass(frozen=True, slots=True)
class Performance:
    """What is to be sent, and how."""

    reply: Reply
    script: Script


def intake_script(headers: Iterable[tuple[str, str]]) -> Script:
    """What the header `x-sim` says to a body while it comes; a word that is not known: nothing."""
    value = ",".join(value for name, value in headers if name.lower() == CONTROL_HEADER)
    try:
        return Script(read_header(value) if value else {})
    except UnknownWordError:
        return HEALTH  # refused once the request is in


class Desk:
    """Answers for every dialect, and remembers how often a name was asked for (X29)."""

    def __init__(self, dialects: Iterable[Dialect], origin: str) -> None:
        """Serve *dialects*; *origin* is the address that `leak` and `redirect` give away."""
        self._dialects = sorted(dialects, key=lambda one: -len(one.prefix))
        self._origin = origin
        self._asked: Counter[tuple[str, str]] = Counter()
        self._ids = Ids()

    def answer(self, request: Request) -> Performance:
        """The performance for *request*; raises nothing."""
        path, _, query = request.target.partition("?")
        dialect = self._dialect_of(path)
        if dialect is None:
            problem = {"error": {"message": f"no simulator at {path}", "code": "unknown_url"}}
            return Performance(json_reply(problem, 404, headers=self._marks()), HEALTH)
        script = HEALTH
        try:
            script = _header_script(dialect, request)
            reply = _admit(dialect, request, query)
            if reply is None:
                route, arguments = _find_route(dialect, request.method, path)
                call = _read_call(dialect, route, request, arguments, query, script)
                script = self._hold_for_first(dialect, call, path)
                reply = self._answer(dialect, route, replace(call, script=script))
        except RefusalError as refusal:
            reply = dialect.shape(refusal.problem, script)
        reply = apply_words(dialect, script, reply)
        return Performance(replace(reply, headers=self._marks() + reply.headers), script)

    def _answer(self, dialect: Dialect, route: Route, call: Call) -> Reply:
        route.check(call)
        reply = replacement(dialect, call, self._origin)
        return route.answer(call) if reply is None else reply

    def _dialect_of(self, path: str) -> Dialect | None:
        fits = (one for one in self._dialects if (path + "/").startswith(one.prefix + "/"))
        return next(fits, None)

    def _hold_for_first(self, dialect: Dialect, call: Call, path: str) -> Script:
        limit = call.script.number("first")
        if limit is None:
            return call.script
        name = (dialect.name, call.asked or path)
        self._asked[name] += 1
        return call.script if self._asked[name] <= limit else HEALTH

    def _marks(self) -> tuple[tuple[str, str], ...]:
        number = self._ids.next_number()
        return (("x-simulated", "mindgate"), ("x-request-id", f"sim-{number}"))


def _admit(dialect: Dialect, request: Request, query: str) -> Reply | None:
    """None for a request that may come in; the vendor's own page, or a refusal, for another."""
    check_leaks(dialect, request)
    screened = dialect.screen(request)
    if screened is None:
        check_credential(dialect, request, query)
    return screened


def _header_script(dialect: Dialect, request: Request) -> Script:
    value = ",".join(request.values(CONTROL_HEADER))
    return Script(_checked(dialect, value) if value else {})


def _checked(dialect: Dialect, value: str) -> dict[str, int]:
    try:
        words = read_header(value)
        check_dialect(words, dialect.name)
    except UnknownWordError as wrong:
        raise RefusalError(Problem(400, str(wrong), "unknown_control_word")) from wrong
    return words


def _find_route(dialect: Dialect, method: str, path: str) -> tuple[Route, tuple[str, ...]]:
    segments = tuple(path[len(dialect.prefix) :].split("/")[1:])
    allowed = []
    for route in dialect.routes:
        if not _fits(route.path, segments):
            continue
        if route.method == method:
            places = zip(route.path, segments, strict=True)
            return route, tuple(unquote(value) for part, value in places if part == "{}")
        allowed.append(route.method)
    if allowed:
        headers = (("allow", ", ".join(sorted(set(allowed)))),)
        message = f"Not allowed to {method} on {path}."
        raise RefusalError(Problem(405, message, "method_not_allowed", headers=headers))
    raise RefusalError(Problem(404, f"Unknown request URL: {method} {path}", "unknown_url"))


def _fits(pattern: tuple[str, ...], segments: tuple[str, ...]) -> bool:
    if len(pattern) != len(segments):
        return False
    places = zip(pattern, segments, strict=True)
    return all(bool(value) if part == "{}" else part == value for part, value in places)


def _asked_model(route: Route, body: Json | None, arguments: tuple[str, ...], query: str) -> str:
    if route.model_in == "path":
        return arguments[-1]
    if route.model_in == "query":
        return dict(parse_qsl(query)).get("model", "")
    if body is None or (route.model_in == "maybe" and not body.get("model")):
        return ""
    return read_model(body)


def _read_call(
    dialect: Dialect,
    route: Route,
    request: Request,
    arguments: tuple[str, ...],
    query: str,
    script: Script,
) -> Call:
    body = read_json_object(request.body) if route.model_in in ("body", "maybe") else None
    asked = _asked_model(route, body, arguments, query)
    try:
        model, words = split_name(asked)
        check_dialect(words, dialect.name)
    except UnknownWordError as wrong:
        raise RefusalError(Problem(400, str(wrong), "unknown_control_word")) from wrong
    script = Script({**script.words, **words})
    return Call(request, arguments, query, script, body, model, asked)
