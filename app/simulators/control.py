"""
The control words (X4): what a model name or the header `x-sim` may ask a simulator to do.

`4minds-model-123-sim-ttft-200-cut-3`, `sales_mind_sim_cut_3`, `x-sim: ttft=200, cut=3`. A word
without a number means 1. An unknown word, a number that a word does not know and a word of another
dialect are refused, so that no typo passes as health. `WORDS` is the whole vocabulary.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_MARK = re.compile(r"(?<=.)(-sim-|_sim_)", re.DOTALL)
_NUMBER = re.compile(r"[0-9]{1,9}")


class UnknownWordError(ValueError):
    """A control word, or its number, that means nothing here."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word: the rule it comes from, what it does, the numbers and the dialect it is for."""

    rule: str
    effect: str
    numbers: range | None = None
    dialect: str | None = None


WORDS: Mapping[str, Word] = {
    "events": Word("X8", "status events: 1 named, 2 bare, 3 extra key", range(1, 4), "4minds"),
    "native": Word("X8", "errors in the native envelope", None, "4minds"),
    "bound": Word("X8", "403: the key is bound to another model", None, "4minds"),
    "content": Word("X6", "the contents of files are served", None, "4minds"),
    "form": Word("X9", "stream form T1 to T5", range(1, 6), "minds"),
    "choices": Word("X10", "1 plain, 2 thought and answer, 3 one a word", range(1, 4), "minds"),
    "objects": Word("X10", "a sql_query object as content", None, "minds"),
    "loading": Word("X11", "the not-ready text", None, "minds"),
    "wallet": Word("X11", "402 wallet_empty", None, "minds"),
    "silent": Word("X12", "ends after the thoughts", None, "minds"),
    "nothing": Word("X12", "an empty 200 body", None, "minds"),
    "nostream": Word("X14", "JSON to stream: true", None, "openmind"),
    "gemini": Word("X14", "errors in an array", None, "openmind"),
    "ratenew": Word("X14", "429, seconds", None, "openmind"),
    "unconfigured": Word("X14", "503: no key configured", None, "openmind"),
    "old": Word("X15", "speech as of 2025: no binary route, old names", None, "openmind"),
    "audiokey": Word("X15", "base64 in `audio`", None, "openmind"),
    "mislabel": Word("X15", "WAV that is said to be mp3", None, "openmind"),
    "nohello": Word("X16", "sockets: nothing is said first", None, "openmind"),
    "untyped": Word("X16", "sockets: finals without a type", None, "openmind"),
    "info": Word("X16", "sockets: an info after so many seconds of audio", None, "openmind"),
    "close": Word(
        "X16", "sockets: closed with this code at a message", range(1000, 5000), "openmind"
    ),
    "head": Word("X20", "milliseconds before the status line"),
    "ttft": Word("X20", "milliseconds before the first event"),
    "gap": Word("X20", "milliseconds between events"),
    "tokens": Word("X20", "an answer of so many words", range(1, 1_000_001)),
    "big": Word("X20", "one event of so many KiB", range(1, 65_537)),
    "mib": Word("X20", "a content of so many MiB", range(1, 4097)),
    "sip": Word("X20", "a body is read at so many KiB a second", range(1, 1_000_000)),
    "burst": Word("X20", "all events in one write"),
    "status": Word("X21", "an error of this status", range(100, 600)),
    "rate": Word("X21", "the rate limit, seconds"),
    "quota": Word("X21", "the lasting quota"),
    "html": Word("X21", "an HTML page of this status", range(200, 600)),
    "refuse": Word("X22", "reset at once"),
    "half": Word("X22", "accepted, never answered"),
    "reset": Word("X22", "reset after so many events, 0 before the head"),
    "cut": Word("X22", "end without last chunk after so many events"),
    "eof": Word("X22", "clean end after so many events"),
    "stall": Word("X22", "silence after so many events, until the peer leaves"),
    "drop": Word("X22", "reset once so many KiB of a body came"),
    "early": Word("X22", "answered while the body still comes; the rest is read for nothing"),
    "garbage": Word("X23", "broken framing: table in faults", range(1, 8)),
    "badjson": Word("X24", "event n is no JSON"),
    "inerror": Word("X24", "an error event after n, then the end"),
    "nullerror": Word("X24", '"error": null everywhere'),
    "okerror": Word("X25", "200 with an error"),
    "nullchoices": Word("X25", "choices null"),
    "empty": Word("X25", "an empty 200"),
    "truncjson": Word("X25", "half of the JSON body, then the end"),
    "redirect": Word("X25", "a redirect of this status", range(300, 400)),
    "json": Word("X25", "JSON to stream: true"),
    "sse": Word("X25", "a stream to stream: false"),
    "crlf": Word("X26", "CR LF line ends"),
    "cr": Word("X26", "CR line ends"),
    "multiline": Word("X26", "an event over several data lines"),
    "nospace": Word("X26", "data: without the blank"),
    "bom": Word("X26", "a byte order mark"),
    "noise": Word("X26", "comments, id:, retry:, empty events"),
    "bytes": Word("X26", "one byte per write"),
    "nodone": Word("X27", "no [DONE]"),
    "afterdone": Word("X27", "a chunk behind [DONE]"),
    "open": Word("X27", "body held open behind [DONE]"),
    "noblank": Word("X27", "last blank line missing"),
    "nofinish": Word("X27", "no finish_reason"),
    "nousage": Word("X27", "usage absent"),
    "nullusage": Word("X27", "usage null"),
    "rejectoptions": Word("X27", "400 naming stream_options"),
    "gzip": Word("X28", "compressed"),
    "closeidle": Word("X28", "connection closed so many milliseconds after the reply"),
    "setcookie": Word("X28", "a cookie and a credential in the reply"),
    "leak": Word("X28", "own URL and key in an error text"),
    "first": Word("X29", "the other words hold for the first n requests of this name"),
}

_DEFAULTS = {"status": 500, "html": 403, "redirect": 302, "close": 1008}  # 1 would be no status


@dataclass(frozen=True, slots=True)
class Script:
    """The words of one request. Asking for a word that is not in WORDS is a KeyError."""

    words: Mapping[str, int]

    def __contains__(self, word: str) -> bool:
        """Whether *word* was said."""
        return WORDS[word] is not None and word in self.words

    def number(self, word: str) -> int | None:
        """The number of *word*; None when it was not said."""
        return self.words[word] if word in self else None

    def seconds(self, word: str) -> float:
        """The milliseconds of *word* in seconds; 0 when it was not said."""
        return (self.number(word) or 0) / 1000

    def any_of(self, *words: str) -> bool:
        """Whether one of *words* was said."""
        return any(word in self for word in words)


HEALTH = Script({})


def split_name(name: str) -> tuple[str, dict[str, int]]:
    """A model name without its control suffix, and the words of the suffix.

    Raises UnknownWordError.
    """
    mark = _MARK.search(name)
    if mark is None:
        return name, {}
    separator = mark.group(1)[0]
    return name[: mark.start()], _collect(_pairs(name[mark.end() :].split(separator)))


def read_header(value: str) -> dict[str, int]:
    """The words of an `x-sim` header. Raises UnknownWordError."""
    pairs = []
    for part in value.split(","):
        word, equals, number = part.strip().partition("=")
        pairs.append((word, number if equals else None))
    return _collect(pairs)


def check_dialect(words: Mapping[str, int], dialect: str) -> None:
    """Refuse a word that another dialect owns. Raises UnknownWordError."""
    for word in words:
        if WORDS[word].dialect not in (None, dialect):
            raise UnknownWordError(f"control word '{word}' means nothing to {dialect}")


def _pairs(tokens: list[str]) -> list[tuple[str, str | None]]:
    pairs: list[tuple[str, str | None]] = []
    for token in tokens:
        if _NUMBER.fullmatch(token) and pairs and pairs[-1][1] is None:
            pairs[-1] = (pairs[-1][0], token)
        else:
            pairs.append((token, None))
    return pairs


def _collect(pairs: list[tuple[str, str | None]]) -> dict[str, int]:
    words: dict[str, int] = {}
    for word, number in pairs:
        if word not in WORDS:
            raise UnknownWordError(f"unknown control word '{word}'")
        if word in words:
            raise UnknownWordError(f"control word '{word}' said twice")
        words[word] = _read_number(word, number)
    return words


def _read_number(word: str, number: str | None) -> int:
    if number is None:
        return _DEFAULTS.get(word, 1)
    allowed = WORDS[word].numbers
    if not _NUMBER.fullmatch(number) or (allowed is not None and int(number) not in allowed):
        raise UnknownWordError(f"control word '{word}' does not take '{number}'")
    return int(number)
