"""
What is wrong with a configuration, as one line that a person can act on.

Law: a message holds the key, what is wrong and what would be right; of values only the names of upstreams, routes,
variables and files, since any other may be a secret, or one in the wrong place (reliability S19).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from app.config.schema_tree import Where, keys_at


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, and where. *where* () is the configuration as a whole."""

    where: Where
    text: str


def one_line(text: str) -> str:
    """*text* without what breaks a line or steers a terminal: a key may hold whatever a person pasted (S20)."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or "" when nothing is near. Compared without case."""
    known = {choice.lower(): choice for choice in choices}
    near = get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return f"; did you mean '{known[near[0]]}'?" if near else ""


def schema_faults(error: ValidationError) -> list[Fault]:
    """What pydantic found, in our words. Unknown keys come first: a misspelt key is why another is missing."""
    details = error.errors(include_url=False)
    details.sort(key=lambda detail: detail["type"] != "extra_forbidden")
    faults = [_fault(detail) for detail in details]
    # a list whose only entry is wrong is also too short to pydantic; the entry's own fault says it all
    above = {fault.where[:n] for fault in faults for n in range(1, len(fault.where))}
    return [fault for fault in faults if fault.where not in above]


def _fault(detail: ErrorDetails) -> Fault:
    where = tuple(step for step in detail["loc"] if step != "[key]")
    if detail["type"] == "extra_forbidden":
        return Fault(where, _unknown_key(str(where[-1]), keys_at(where[:-1])))
    if detail["type"] == "literal_error":
        choices = re.findall(r"'([^']*)'", detail["ctx"]["expected"])
        if len(where) < len(detail["loc"]):  # it ends in [key]
            return Fault(where, _unknown_key(str(where[-1]), choices))
        return Fault(where, _not_one_of(choices, detail["input"]))
    return Fault(where, _wording(detail["type"], detail.get("ctx", {})))


def _unknown_key(key: str, known: Sequence[str]) -> str:
    return f"unknown key{did_you_mean(key, known) or '; known here: ' + ', '.join(known)}"


def _not_one_of(choices: Sequence[str], value: object) -> str:
    hint = did_you_mean(value, choices) if isinstance(value, str) else ""
    return f"must be one of {', '.join(choices)}{hint}"


_WORDINGS = {
    "missing": "is needed",
    "too_short": "needs at least one entry",
    "string_type": "needs text; put it in quotes",
    "string_unicode": "needs text",
    "bool_type": "needs true or false",
    "bool_parsing": "needs true or false",
    "finite_number": "needs a number that is not infinite",
    "dict_type": "needs a mapping (key: value)",
    "model_type": "needs a mapping (key: value)",
    "model_attributes_type": "needs a mapping (key: value)",
    "tuple_type": 'needs a list, such as ["a", "b"]',
}


def _wording(kind: str, context: Mapping[str, Any]) -> str:
    """The table of pydantic's error kinds; a kind that is not in it still says that the value is wrong."""
    if kind == "value_error":
        return str(context["error"])
    for bound, words in (
        ("gt", "must be more than"),
        ("ge", "must be at least"),
        ("le", "must be at most"),
    ):
        if bound in context:
            return f"{words} {context[bound]:.16g}"
    if kind.startswith("int_"):
        return "needs a whole number"
    if kind.startswith("float_"):
        return "needs a number"
    if kind.startswith(("datetime_", "date_", "timezone_")):
        return "needs a date and time such as 2027-01-31T12:00:00Z"
    return _WORDINGS.get(kind, "is not valid")
