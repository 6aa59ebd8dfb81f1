"""
What may stand in no text that leaves the gateway: URLs, hosts, keys and control characters.

An upstream's words go into replies and log lines, and it may repeat there what it should not (contract F11, reliability
S20). The patterns err on the side of striking out.
"""

import re
from collections.abc import Collection, Iterator
from typing import Any

# A configured secret shorter than this would strike out ordinary words.
_SHORTEST_SECRET = 4

_ANSI = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-_]?"
)
_LINE_BREAKS = re.compile(r"[\t\n\r\x0b\x0c\x85\u2028\u2029]+")
# The rest of C0 and C1, what turns the direction of a line, what is invisible, and halves of characters.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")

_TOP_LEVEL = (
    "com|org|net|io|ai|dev|app|cloud|co|eu|de|fr|uk|us|cn|jp|ru|info|biz|tech|xyz|gov|edu|mil|"
    "internal|local|localdomain|lan|home|corp|intranet|svc|test|example|invalid"
)
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NOT_BEFORE, _NOT_AFTER = r"(?<![\w.-])", r"(?![\w-])"
_NAMES_BEFORE_A_KEY = (
    r"(?:api[-_ ]?key|authorization|secret|password|passwd|(?:access|auth)[-_]token|credentials?)"
)


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


# In this order: a URL may hold a host and a key, and a key a host. The slashes of a URL may be escaped, as in JSON.
_STRUCK: tuple[tuple[re.Pattern[str], str], ...] = (
    # A configured host or key in a URL has become `[key]` by now, and the rest of the URL follows it.
    (_pattern(r"[a-z][a-z0-9+.-]{0,15}:(?:\\?/){2}(?:\[key\]|[^\s\"'<>)\]}`])*"), "[url]"),
    (_pattern(r"\bbearer\s+[^\s\"',;)]{3,}"), "[key]"),
    (_pattern(r"\bbasic\s+(?=[^\s\"']{0,128}[\d=])[a-z0-9+/=]{8,}"), "[key]"),
    (_pattern(r"(?<![a-z0-9])(?:sk|pk|rk|xai|nvapi)-[\w*.-]{6,}"), "[key]"),
    (_pattern(r"(?<![a-z0-9])(?:om1|gsk|hf|ghp|gho|github_pat|mdb)_[\w*-]{4,}"), "[key]"),
    (_pattern(r"(?<![a-z0-9])(?:AIza[\w-]{10,}|AKIA[a-z0-9]{12,})"), "[key]"),
    (_pattern(r"(?<![a-z0-9])eyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?"), "[key]"),
    (
        _pattern(
            rf"({_NAMES_BEFORE_A_KEY}[\"']?\s*[=:]\s*[\"']?)(?=[^\s\"',;}}&]{{0,128}}\d)[^\s\"',;}}&\[]{{8,}}"
        ),
        r"\1[key]",
    ),
    (_pattern(r"(\bhost(?:name)?\s*=\s*[\"']?)[^\s\"',;)\[]+"), r"\1[host]"),
    (
        _pattern(rf"{_NOT_BEFORE}(?:{_LABEL}\.)+(?:{_TOP_LEVEL})(?::\d{{1,5}})?{_NOT_AFTER}"),
        "[host]",
    ),
    (_pattern(rf"{_NOT_BEFORE}localhost(?::\d{{1,5}})?{_NOT_AFTER}"), "[host]"),
    # A name without a dot is a host where a port follows it, as in a compose network: `vllm:8000`.
    (
        _pattern(
            rf"{_NOT_BEFORE}[a-z](?:[a-z0-9.-]{{0,252}}[a-z0-9])?:(?:80|443|\d{{4,5}}){_NOT_AFTER}"
        ),
        "[host]",
    ),
    (_pattern(rf"{_NOT_BEFORE}\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?::\d{{1,5}})?{_NOT_AFTER}"), "[host]"),
    (_pattern(r"(?<![\w:])(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}(?![\w:])"), "[host]"),
    (_pattern(r"(?<![\w:])(?:[0-9a-f]{1,4}:){1,6}(?::[0-9a-f]{1,4}){1,6}(?![\w:])"), "[host]"),
    (_pattern(r"(?<![\w:])::(?:[0-9a-f]{1,4}:){0,5}[0-9a-f]{1,4}(?![\w:])"), "[host]"),
)


def scrub(text: str, secrets: Collection[str] = ()) -> str:
    """*text* on one line, with `[url]`, `[host]` and `[key]` for what was struck out.

    *secrets*: configured values that look like nothing in particular. Raises nothing. Source: contract F4, F11.
    """
    text = _LINE_BREAKS.sub(" ", _ANSI.sub("", text))
    text = _SURROGATES.sub("\ufffd", _CONTROL.sub("", text))
    return _struck(text, secrets)


def is_clean(text: str, secrets: Collection[str] = ()) -> bool:
    """True when nothing in *text* would be struck out; its line breaks do not matter."""
    return _struck(text, secrets) == text


def strings_of(value: Any) -> Iterator[str]:
    """Every string in a parsed JSON value, names of members included."""
    rest = [value]
    while rest:
        match rest.pop():
            case str() as text:
                yield text
            case dict() as members:
                rest.extend((*members.keys(), *members.values()))
            case list() as elements:
                rest.extend(elements)


def _struck(text: str, secrets: Collection[str]) -> str:
    # The longest first: one secret may be the beginning of another.
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "[key]")
    for pattern, mark in _STRUCK:
        text = pattern.sub(mark, text)
    return text
