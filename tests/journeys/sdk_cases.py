"""
What the user of an official SDK sees, as tables: per control word of the simulators and per dialect.

The Python and the Node journeys share them. The words are those of `app.simulators.control`; what each becomes
is upstreams.md sections 1 to 5 and 10, and contract E to J.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

MODELS = {
    "4minds": "4minds-model-123",
    "minds": "minds/sales_mind",
    "openmind": "openmind/gpt-4o",
    "openai": "local/sim-gpt",
}
ALL = tuple(MODELS)
# Those that answer errors in OpenAI's envelope, so that their own code reaches the client, and those that do not.
ENVELOPE, BARE = ("4minds", "openai"), ("minds", "openmind")
WHOLE, STREAMED, HELPER = "whole", "streamed", "by the helper"
HOWS = (WHOLE, STREAMED, HELPER)

ASKED = "Hello there"
TEXT = "echo: Hello there"
THOUGHTS = "Planning the query.\n\nSELECT 1"
USAGE = (2, 3, 5)
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
ARGUMENTS = '{"city":"Zürich🏔","days":[1,2]}'
CALLED = (("get_weather", ARGUMENTS),)
# Events up to and with the first word of the answer: behind a chunk for the role, or two thoughts.
FIRST_WORD = {"4minds": 1, "minds": 3, "openmind": 2, "openai": 2}


@dataclass(frozen=True)
class Failure:
    """An exception of an SDK. *status* None: the stream had begun."""

    name: str
    status: int | None
    code: str | None


@dataclass(frozen=True)
class Seen:
    """All that an SDK showed, of an answer or up to a failure. *statuses*: 4minds' events beside a chunk."""

    text: str = ""
    reasoning: str = ""
    calls: tuple[tuple[str, str], ...] = ()
    finish_reason: str | None = None
    usage: tuple[int, int, int] | None = None
    statuses: int = 0
    failure: Failure | None = None

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> "Seen":
        """What a Node driver printed."""
        failure, usage = row["failure"], row["usage"]
        return cls(
            text=row["text"],
            reasoning=row["reasoning"],
            calls=tuple((name, arguments) for name, arguments in row["calls"]),
            finish_reason=row["finish_reason"],
            usage=(usage[0], usage[1], usage[2]) if usage else None,
            statuses=row["statuses"],
            failure=Failure(**failure) if failure else None,
        )

    def without_reasoning(self) -> "Seen":
        """What a `.stream()` helper shows: extension members have no place in it, a failure no text."""
        return replace(self, reasoning="", statuses=0, text="" if self.failure else self.text)


NAMES = {
    400: "BadRequestError",
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    413: "APIStatusError",
    422: "UnprocessableEntityError",
    429: "RateLimitError",
}
# What a typed error class of Python is called in Node.
NODE_NAMES = {"APIStatusError": "APIError"}


def refused(status: int, code: str | None) -> Seen:
    """An error before the first byte: the class that belongs to its status."""
    return Seen(failure=Failure(NAMES.get(status, "InternalServerError"), status, code))


def broken_off(code: str, text: str = "echo:", reasoning: str = "") -> Seen:
    """A stream that failed: what had come, no finish reason, and the error."""
    return Seen(text=text, reasoning=reasoning, failure=Failure("APIError", None, code))


def complete(text: str = TEXT, **more: Any) -> Seen:
    """An answer that ended well."""
    return Seen(**{"text": text, "finish_reason": "stop", "usage": USAGE, **more})


def plain(dialect: str, how: str, *, form: int = 3) -> Seen:
    """The healthy answer of *dialect*. A Mind in forms below 5 streams its thoughts, and never usage (M-A5)."""
    if dialect == "minds" and form != 5 and how != WHOLE:
        return complete(reasoning=THOUGHTS, usage=None)
    return complete()


@dataclass(frozen=True)
class Case:
    """One row: *words* of the model name, asked of *dialects*; None as expectation: the healthy answer.

    *form*: the stream form of a Mind. *members*: more of the request.
    """

    claim: str
    words: str
    whole: Seen | None = None
    streamed: Seen | None = None
    dialects: tuple[str, ...] = ALL
    form: int = 3
    members: dict[str, Any] = field(default_factory=dict)
    asked: str = ASKED
    hows: tuple[str, ...] = HOWS

    def expected(self, dialect: str, how: str) -> Seen:
        """What the user of an SDK sees."""
        seen = self.whole if how == WHOLE else self.streamed
        seen = plain(dialect, how, form=self.form) if seen is None else seen
        return seen.without_reasoning() if how == HELPER else seen

    def model(self, dialect: str) -> str:
        """The model name that asks for it."""
        form = f"form-{self.form}-" if dialect == "minds" and self.form != 3 else ""
        return model(dialect, form + self.words if self.words else form.removesuffix("-"))


def model(dialect: str, words: str = "") -> str:
    """A model of *dialect*, told to do *words*, as `status-500-first-1`."""
    mark = "_" if dialect == "minds" else "-"
    return MODELS[dialect] + (f"{mark}sim{mark}{words.replace('-', mark)}" if words else "")


def _same(claim: str, words: str, seen: Seen, dialects: tuple[str, ...] = ALL) -> Case:
    """The same whole and streamed."""
    return Case(claim, words, seen, seen, dialects)


AUTH = refused(502, "upstream_auth_error")
QUOTA = refused(429, "insufficient_quota")
MALFORMED = refused(502, "upstream_malformed")
CUT = refused(502, "upstream_disconnected")

INVISIBLE = (
    Case("a healthy upstream is heard", ""),
    Case("all events in one write are told apart", "burst"),
    Case("lines may end in CR LF", "crlf"),
    Case("lines may end in CR", "cr"),
    Case("an event may take several data lines", "multiline"),
    Case("the blank behind data: may be missing", "nospace"),
    Case("a byte order mark is taken away", "bom"),
    Case("comments, id: and retry: are taken away", "noise"),
    Case("every byte may come alone", "bytes"),
    Case("every byte of a noisy CR LF stream may come alone", "crlf-noise-bytes"),
    Case("[DONE] is added", "nodone", form=5),
    Case("what follows [DONE] is dropped", "afterdone", form=5),
    Case("a body held open behind [DONE] ends there", "open", form=5),
    Case("a last event without its blank line counts", "noblank"),
    Case("a missing finish_reason is made up", "nofinish"),
    Case("error: null is no error", "nullerror"),
    Case("compression that nobody asked for is undone", "gzip"),
    Case("an upstream's cookie and credential stay behind", "setcookie"),
    Case("a late head is waited for", "head-20"),
    Case("a late first event is waited for", "ttft-20"),
    Case("gaps between events are waited for", "gap-5"),
    Case("a connection closed after the reply harms nobody", "closeidle-1"),
)

CONVERTED = (
    Case("JSON to stream: true becomes a stream", "json", streamed=complete()),
    Case(
        "a stream to stream: false is folded",
        "sse",
        whole=complete(usage=None),
        dialects=("4minds", "openmind", "openai"),
    ),
    Case(
        "a Mind's stream to stream: false is folded, thoughts apart",
        "sse",
        whole=complete(usage=None, reasoning=THOUGHTS),
        dialects=("minds",),
    ),
    Case(
        "a provider that cannot stream becomes a stream",
        "nostream",
        streamed=complete(),
        dialects=("openmind",),
    ),
    Case(
        "usage: null is left out", "nullusage", complete(usage=None), complete(usage=None), form=5
    ),
    Case(
        "absent usage stays absent", "nousage", complete(usage=None), complete(usage=None), form=5
    ),
    Case(
        "an answer of 200 words is whole",
        "tokens-200",
        complete(" ".join(f"w{n}" for n in range(1, 201)), usage=(2, 200, 202)),
        complete(" ".join(f"w{n}" for n in range(1, 201)), usage=(2, 200, 202)),
        form=5,
    ),
    Case(
        "an event of 1 MiB is whole",
        "big-1024",
        complete("x" * 1024 * 1024 + " Hello there"),
        complete("x" * 1024 * 1024 + " Hello there"),
        ("4minds", "openmind", "openai"),
    ),
    Case(
        "max_tokens cuts",
        "",
        complete("echo: Hello", finish_reason="length", usage=(2, 2, 4)),
        complete("echo: Hello", finish_reason="length", usage=(2, 2, 4)),
        form=5,
        members={"max_tokens": 2},
        hows=(WHOLE, STREAMED),  # the helpers raise for length
    ),
    Case(
        "max_completion_tokens cuts, whatever the upstream calls it",
        "",
        complete("echo: Hello", finish_reason="length", usage=(2, 2, 4)),
        complete("echo: Hello", finish_reason="length", usage=(2, 2, 4)),
        form=5,
        members={"max_completion_tokens": 2},
        hows=(WHOLE, STREAMED),
    ),
    Case(
        "JSON mode answers JSON",
        "",
        complete('{"echo":"Hello there"}', usage=(2, 2, 4)),
        complete('{"echo":"Hello there"}', usage=(2, 2, 4)),
        form=5,
        members={"response_format": {"type": "json_object"}},
    ),
)

TOOLS = tuple(
    Case(
        f"a tool call is put together, {manner}",
        words,
        Seen(
            calls=CALLED,
            finish_reason="tool_calls",
            usage=None if words == "sse" else (3, 4, 7),
        ),
        Seen(calls=CALLED, finish_reason="tool_calls", usage=(3, 4, 7)),
        form=5,
        members={"tools": [TOOL]},
        asked=f"call get_weather {ARGUMENTS}",
    )
    for manner, words in (
        ("from fragments", ""),
        ("byte by byte", "bytes"),
        ("over several data lines", "multiline"),
        ("with a finish_reason that was missing", "nofinish"),
        ("from JSON", "json"),
        ("from a stream", "sse"),
    )
)

MINDS, FOURMINDS, OPENMIND, LOCAL = ("minds",), ("4minds",), ("openmind",), ("openai",)
NOT_READY = "The Mind is not ready yet. Please try again later."
DIALECTS_OWN = (
    Case(
        "a Mind of form T1 tells thoughts and answer by nothing",
        "form-1",
        streamed=complete("Planning the query.SELECT 1" + TEXT, usage=None),
        dialects=MINDS,
    ),
    Case(
        "a Mind of form T2 repeats the question as a thought, and ends without finish_reason",
        "form-2",
        streamed=complete(reasoning=f"{ASKED}\n\n{THOUGHTS}", usage=None),
        dialects=MINDS,
    ),
    Case("a Mind of form T3 thinks in the role system", "form-3", dialects=MINDS),
    Case("a Mind of form T4 names its events and its thoughts", "form-4", dialects=MINDS),
    Case("a Mind of form T5 speaks OpenAI's own", "", dialects=MINDS, form=5),
    Case(
        "a Mind's call of a tool in one chunk",
        "",
        Seen(calls=CALLED, finish_reason="tool_calls", usage=(3, 4, 7)),
        Seen(reasoning=THOUGHTS, calls=CALLED, finish_reason="tool_calls"),
        dialects=MINDS,
        members={"tools": [TOOL]},
        asked=f"call get_weather {ARGUMENTS}",
    ),
    Case("a Mind's one choice", "choices-1", dialects=MINDS),
    Case(
        "a Mind's thought in a choice of its own",
        "choices-2",
        whole=complete(reasoning="Planning the query."),
        dialects=MINDS,
    ),
    Case("a Mind's answer with one choice a word", "choices-3", dialects=MINDS),
    Case("a Mind's answer that is an object", "objects", dialects=MINDS),
    Case(
        "a Mind that is not ready says so",
        "loading",
        complete(NOT_READY, usage=(2, 10, 12)),
        complete(NOT_READY, usage=None),
        dialects=MINDS,
    ),
    Case(
        "an old Mind may end without finish_reason",
        "eof-3",
        refused(502, "upstream_malformed"),
        complete("echo:", reasoning=THOUGHTS, usage=None),
        dialects=MINDS,
    ),
    _same("a Mind's wallet is empty", "wallet", QUOTA, MINDS),
    _same("a Mind that sends nothing has failed", "nothing", MALFORMED, MINDS),
    Case(
        "a Mind that ends after its thoughts has failed",
        "silent",
        MALFORMED,
        broken_off("upstream_malformed", "", THOUGHTS),
        dialects=MINDS,
    ),
    *(
        Case(
            f"4minds' status events {manner} stand beside empty deltas",
            f"events-{number}",
            streamed=complete(statuses=2),
            dialects=FOURMINDS,
        )
        for manner, number in (("with a name", 1), ("without a name", 2))
    ),
    Case("4minds' status as one more key of a chunk passes", "events-3", dialects=FOURMINDS),
    _same("4minds' native errors are understood", "native", refused(400, None), FOURMINDS),
    _same("a key bound to another model is not the user's fault", "bound", AUTH, FOURMINDS),
    _same(
        "OpenMind's 403 is a rate limit", "rate-7", refused(429, "rate_limit_exceeded"), OPENMIND
    ),
    _same(
        "OpenMind's 429 is a rate limit", "ratenew-7", refused(429, "rate_limit_exceeded"), OPENMIND
    ),
    _same(
        "OpenMind without a key for a provider",
        "unconfigured",
        refused(503, "upstream_error"),
        OPENMIND,
    ),
    _same("Google's array of errors is opened", "status-400-gemini", refused(400, None), OPENMIND),
    _same("Google's unknown model is one", "gemini", refused(404, "model_not_found"), OPENMIND),
)


def _by_shape(
    claim: str, words: str, status: int, own: str, other: str | None
) -> tuple[Case, Case]:
    """One error, whose code an upstream's envelope says itself."""
    return (
        _same(claim, words, refused(status, own), ENVELOPE),
        _same(claim, words, refused(status, other), BARE),
    )


ERRORS = (
    *_by_shape("a 400 is the user's", "status-400", 400, "bad_request", None),
    _same("a 401 is the operator's", "status-401", AUTH),
    _same("a 402 is a quota", "status-402", QUOTA),
    _same("a 403 is the operator's", "status-403", AUTH),
    *_by_shape("a 404 is relayed", "status-404", 404, "not_found", None),
    _same("a 408 was not the user's slowness", "status-408", refused(504, "upstream_timeout")),
    *_by_shape(
        "a 409 becomes a 400, which nobody tries again", "status-409", 400, "conflict", None
    ),
    *_by_shape("a 413 is relayed", "status-413", 413, "request_too_large", None),
    *_by_shape("a 422 is relayed", "status-422", 422, "unprocessable_entity", None),
    _same("a 429 is a rate limit", "status-429", refused(429, "rate_limit_exceeded")),
    *_by_shape("a 500 is relayed", "status-500", 500, "internal_error", "upstream_error"),
    *_by_shape("a 501 becomes a 502", "status-501", 502, "status_501", "upstream_error"),
    *_by_shape("a 503 is relayed", "status-503", 503, "unavailable", "upstream_error"),
    *_by_shape("a 529 becomes a 503", "status-529", 503, "overloaded", "upstream_error"),
    _same(
        "a rate limit in the upstream's words",
        "rate-7",
        refused(429, "rate_limit_exceeded"),
        ENVELOPE,
    ),
    _same("a rate limit of the hub", "rate-7", refused(429, "rate_limited"), MINDS),
    _same("the lasting quota", "quota", QUOTA),
    _same("a CDN's page that forbids is the operator's affair", "html-403", AUTH),
    _same("a CDN's page for a failure", "html-502", refused(502, "upstream_error")),
    _same("a page in place of an answer", "html-200", MALFORMED),
    _same("an error in a 200", "okerror", refused(502, "upstream_error")),
    _same("an answer without choices", "nullchoices", MALFORMED),
    Case("no answer at all", "empty", MALFORMED, CUT, ("4minds", "openmind", "openai")),
    _same("no answer at all of a Mind", "empty", MALFORMED, MINDS),
    _same("half of the JSON, then the end", "truncjson", CUT),
    _same("a redirect is not followed", "redirect-302", MALFORMED),
    _same("a redirect that keeps the method is not followed", "redirect-307", MALFORMED),
    _same("a connection reset at once", "refuse", CUT),
    _same("a connection reset before the head", "reset-0", CUT),
    _same("a connection closed before the head", "cut-0", CUT),
    _same("a first event that is no JSON", "badjson-1", MALFORMED),
    _same("no status line", "garbage-1", MALFORMED),
    _same("more informational answers than anyone sends", "garbage-3", MALFORMED),
    _same("a head without end", "garbage-4", MALFORMED),
    Case("an error as the first event", "inerror-0", streamed=refused(502, "upstream_error")),
)


def _midway() -> Iterator[Case]:
    """Streams that fail behind the first word. Asked whole, the same words fail as one answer."""
    for dialect, events in FIRST_WORD.items():
        here = (dialect,)
        reasoning = THOUGHTS if dialect == "minds" else ""
        cut = broken_off("upstream_disconnected", reasoning=reasoning)
        malformed = broken_off("upstream_malformed", reasoning=reasoning)
        failed = broken_off("upstream_error", reasoning=reasoning)
        yield Case("a stream that is cut raises", f"cut-{events}", CUT, cut, here)
        yield Case(
            "an event that is no JSON raises", f"badjson-{events + 1}", MALFORMED, malformed, here
        )
        yield Case(
            "an error within the stream raises", f"inerror-{events}", streamed=failed, dialects=here
        )
        if dialect != "minds":
            yield Case("a stream that just ends raises", f"eof-{events}", MALFORMED, cut, here)


MIDWAY = tuple(_midway())
CASES = (*INVISIBLE, *CONVERTED, *TOOLS, *DIALECTS_OWN, *ERRORS, *MIDWAY)


def rows() -> list[tuple[str, Case, str, str]]:
    """Each case with a sentence for its id: of each dialect, in each manner."""
    return [
        (f"{case.claim}: {dialect}, {how}", case, dialect, how)
        for case in CASES
        for dialect in case.dialects
        for how in case.hows
    ]
