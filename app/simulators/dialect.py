"""What a simulated upstream is made of: one row of data, its routes, and the call they receive."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Literal
from urllib.parse import parse_qsl

from app.simulators.chat_request import read_json_object
from app.simulators.control import Script
from app.simulators.http_reader import Request
from app.simulators.keys import KEYS
from app.simulators.replies import Json, Problem, Reply


@dataclass(frozen=True, slots=True)
class Call:
    """A request that found its route.

    *arguments* are the decoded path segments that stood for `{}`; *body* is None on routes
    without one; *model* is the name without its control suffix, *asked* the name as it came.
    """

    request: Request
    arguments: tuple[str, ...]
    query: str
    script: Script
    body: Json | None
    model: str
    asked: str

    def json(self) -> Json:
        """The body as an object, whose model is of no account. Raises RefusalError 400."""
        return read_json_object(self.request.body)

    def parameter(self, name: str) -> str | None:
        """The last value of a query parameter; None when absent."""
        return dict(parse_qsl(self.query, keep_blank_values=True)).get(name)


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint. *path* holds literal segments, `{}` stands for any one.

    *model_in* says where its model name is found: in the body, where *maybe* lets it be absent, in
    the last path segment, in the query, nowhere.
    *check* refuses what the upstream does not know, before any control word is obeyed.
    """

    method: str
    path: tuple[str, ...]
    answer: Callable[[Call], Reply]
    model_in: Literal["body", "maybe", "path", "query", "nowhere"] = "nowhere"
    check: Callable[[Call], None] = lambda call: None


@dataclass(frozen=True, slots=True)
class Dialect:
    """One simulated upstream.

    *shape* gives a problem the upstream's own form, as a payload; *word_problems* are the errors
    of control words that differ between dialects. *carrier* is a header, or `?name` in the query;
    *missing_key* is said to a request without any, *invalid_key* to one with a wrong one. *screen*
    refuses before the key is looked at.
    """

    name: str
    prefix: str
    carrier: str
    routes: tuple[Route, ...]
    shape: Callable[[Problem, Script], Reply]
    word_problems: Mapping[str, Callable[[int], Problem]]
    event_error: Callable[[str], Json] = lambda message: {"error": {"message": message}}
    screen: Callable[[Request], Reply | None] = lambda request: None
    unwelcome: frozenset[str] = field(default_factory=frozenset)
    missing_key: str = "Missing API key"
    invalid_key: str = "Invalid API key"

    @property
    def key(self) -> str:
        """The one key it takes."""
        return KEYS[self.name]

    @property
    def credential(self) -> str:
        """The one value its carrier may hold."""
        return f"Bearer {self.key}" if self.carrier == "authorization" else self.key


class Ids:
    """Numbers that count up from 1, so that answers are byte-exact (X3)."""

    def __init__(self) -> None:
        """Begin at 1."""
        self._numbers = count(1)

    def next_number(self) -> int:
        """The next number."""
        return next(self._numbers)
