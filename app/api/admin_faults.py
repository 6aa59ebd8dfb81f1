"""
What the admin API has against a body or a query, from pydantic's findings: one 400 that names the field and says what
would be right (contract F23 to F28).

Never the value that was sent: it may be a secret in the wrong field.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from app.domain.errors import InvalidRequest
from app.protocol.scrubbing import scrub

_LONGEST_NAME = 64
_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "a boolean"),
    (str, "a string"),
    (list, "an array"),
    (dict, "an object"),
    (type(None), "null"),
)
# pydantic's finding → what was expected. Everything else is a value of the right type that cannot be.
_EXPECTED: dict[str, str] = {
    "int_type": "an integer",
    "int_from_float": "an integer",
    "int_parsing": "an integer",
    "int_parsing_size": "a smaller integer",
    "string_type": "a string",
    "string_unicode": "a string of whole characters",
    "list_type": "an array",
    "dict_type": "an object",
    "bool_type": "a boolean",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "money_type": "a number of US dollars",
    "moment_type": "a string with a date or time of ISO 8601",
}


def invalid(findings: Sequence[Mapping[str, Any]]) -> InvalidRequest:
    """The first of *findings* in our words. A body that is missing altogether is one that is no JSON (F23)."""
    first = findings[0]
    kind, place = str(first["type"]), [part for part in first["loc"][1:] if part != "[key]"]
    if kind == "unknown_parameter":
        return _unknown(first["ctx"])
    param = first.get("ctx", {}).get("param") or _named(place)
    if kind in ("missing", "nothing_given"):
        return _missing(param, first)
    if kind in _EXPECTED:
        return _wrong_type(param, _EXPECTED[kind], first)
    # A custom finding's own words, or pydantic's, which name what would be right and never the value.
    reason = str(first["msg"]).removeprefix("Input should ").removeprefix("String should ")
    return InvalidRequest(
        f"Unsupported value for '{param}': {_reason(kind, reason)}.",
        code="unsupported_value",
        param=param,
    )


def _reason(kind: str, words: str) -> str:
    if kind == "string_pattern_mismatch":
        return "expected readable text without control characters or blanks around it"
    return f"it should {words}" if words.startswith(("be ", "have ")) else words


def _unknown(context: Mapping[str, Any]) -> InvalidRequest:
    name = _shown(context["name"])
    return InvalidRequest(
        f"Unknown parameter: '{name}'. Known here: {context['known']}.",
        code="unknown_parameter",
        param=name,
    )


def _missing(param: str | None, finding: Mapping[str, Any]) -> InvalidRequest:
    if finding["type"] == "nothing_given":
        return InvalidRequest(
            f"Nothing to change: {finding['msg']}.", code="missing_required_parameter"
        )
    if param is None:
        return InvalidRequest(
            "We could not parse the JSON body of your request. It is empty.", code="invalid_json"
        )
    return InvalidRequest(
        f"Missing required parameter: '{param}'.", code="missing_required_parameter", param=param
    )


def _wrong_type(param: str | None, expected: str, finding: Mapping[str, Any]) -> InvalidRequest:
    where = "for the body" if param is None else f"for '{param}'"
    got = next(
        (name for kind, name in _KINDS if isinstance(finding.get("input"), kind)), "a number"
    )
    return InvalidRequest(
        f"Invalid type {where}: expected {expected}, but got {got} instead.",
        code="invalid_type",
        param=param,
    )


def _named(place: Sequence[str | int]) -> str | None:
    """`labels.site`, `models[0]`; None for the body itself."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return _shown(text.removeprefix(".")) if text else None


def _shown(name: str) -> str:
    """A name that a client made up, short and without what looks like a key."""
    clean = scrub(name[: _LONGEST_NAME * 4])
    return clean if len(clean) <= _LONGEST_NAME else f"{clean[:_LONGEST_NAME]}…"
