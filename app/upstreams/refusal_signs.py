"""
What an upstream's refusal is about: one predicate for each sign that a row of upstreams E-C1 to E-C8 looks for.

What follows from a sign, and in which order they are asked, is in `app.upstreams.refusals`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from app.protocol.error_shapes import ErrorText

RATE_LIMIT = re.compile(r"Rate limit exceeded\. Try again in (\d{1,9}) seconds", re.IGNORECASE)

_MODEL_CODES = {"model_not_found", "model_access_denied", "model_disabled"}
_QUOTA_CODES = {"insufficient_quota", "included_allowance_exhausted", "wallet_empty"}
_RATE_CODES = {"rate_limit_exceeded", "rate_limited"}
_UNSUPPORTED_MODEL = re.compile(r"unsupported model\b", re.IGNORECASE)
_MODEL_NOT_FOUND = re.compile(r"(model|mind).* not found", re.IGNORECASE)
_MIND_NOT_FOUND = re.compile(r"Mind '.+' not found")
_LASTING_LIMIT = re.compile(r"(Monthly|Lifetime) limit exceeded", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Refused:
    """One refusal, read. *model*: as the client wrote it. *wait_seconds*: what the upstream's headers ask for."""

    upstream: str
    dialect: str
    status: int
    model: str
    capability: str
    text: ErrorText
    wait_seconds: float | None = None


Sign = Callable[[Refused], bool]


def has_status(*statuses: int) -> Sign:
    """The sign that is one of *statuses*."""
    return lambda refused: refused.status in statuses


def is_any(_: Refused) -> bool:
    """The last row of a table."""
    return True


def is_no_answer(refused: Refused) -> bool:
    """E-C14: a redirect, a 204 or 206, a 1xx as the last word."""
    return refused.status < 400


def is_server_error(refused: Refused) -> bool:
    """E-C8."""
    return refused.status >= 500


def is_rate_limit_in_disguise(refused: Refused) -> bool:
    """E-C3: the 403 of OpenMind in the seed's time."""
    return refused.status == 403 and bool(RATE_LIMIT.search(refused.text.message))


def is_refused_deletion(refused: Refused) -> bool:
    """Contract K7: the model is not a fine-tuned one of that upstream."""
    return refused.status == 403 and refused.capability == "models.delete"


def is_refused_credential(refused: Refused) -> bool:
    """E-C4. 407 belongs to a proxy on the way there: its credential, too, is the operator's."""
    return refused.status in (401, 403, 407)


def is_out_of_quota(refused: Refused) -> bool:
    """E-C5."""
    return refused.status == 402 or (refused.status == 429 and _speaks_of_quota(refused.text))


def is_validation_list(refused: Refused) -> bool:
    """E-C2: FastAPI's `{"detail": […]}` with its 422."""
    return refused.status == 422 and refused.text.shape == "E-S4"


def is_about_one_model(refused: Refused) -> bool:
    """GET or DELETE of a model, whose 404 has words of its own (contract F19)."""
    return refused.capability in ("models.get", "models.delete")


# --- an unknown model, E-C1 -----------------------------------------------------------------------------------------


def names_an_unknown_model(refused: Refused) -> bool:
    """E-C1, and the 404 of contract F19."""
    return any(sign(refused) for sign in _MODEL_SIGNS)


def _is_refused_by_code(refused: Refused) -> bool:
    return refused.status == 403 and refused.text.code in _MODEL_CODES


def _is_unsupported_model(refused: Refused) -> bool:
    """OpenMind's own words; another's complete envelope is not touched (contract F3)."""
    is_ours_to_word = refused.dialect == "openmind" or not refused.text.is_envelope
    words = _UNSUPPORTED_MODEL.match(refused.text.message)
    return refused.status == 404 and is_ours_to_word and words is not None


def _says_model_not_found(refused: Refused) -> bool:
    on_chat = refused.status in (400, 404) and refused.capability == "chat.create"
    return on_chat and _is_unknown_in_words(refused.text)


def _is_missing_mind(refused: Refused) -> bool:
    """Minds' chat handler turns every fault into 500 (upstreams 4.6)."""
    return refused.status == 500 and bool(_MIND_NOT_FOUND.fullmatch(refused.text.message))


def _is_missing_entry(refused: Refused) -> bool:
    return refused.status == 404 and is_about_one_model(refused) and not refused.text.is_envelope


_MODEL_SIGNS: tuple[Sign, ...] = (
    _is_refused_by_code,
    _is_unsupported_model,
    _says_model_not_found,
    _is_missing_mind,
    _is_missing_entry,
)


# --- an error inside a 200, E-C9: there is no status to go by -------------------------------------------------------


def says_unknown_model(refused: Refused) -> bool:
    """E-C1 by code or words."""
    text = refused.text
    in_words = _is_unknown_in_words(text) or bool(_UNSUPPORTED_MODEL.match(text.message))
    return text.code in _MODEL_CODES or in_words


def says_out_of_quota(refused: Refused) -> bool:
    """E-C5 by code or words."""
    return refused.text.number == 402 or _speaks_of_quota(refused.text)


def says_rate_limited(refused: Refused) -> bool:
    """E-C6 by code or words."""
    text = refused.text
    return text.number == 429 or text.code in _RATE_CODES or bool(RATE_LIMIT.search(text.message))


def says_refused_credential(refused: Refused) -> bool:
    """E-C4 by code: else the client would read that its own key is wrong (contract F46)."""
    return refused.text.number in (401, 403) or refused.text.code == "invalid_api_key"


def _is_unknown_in_words(text: ErrorText) -> bool:
    return not text.is_envelope and bool(_MODEL_NOT_FOUND.search(text.message))


def _speaks_of_quota(text: ErrorText) -> bool:
    return bool({text.code, text.type} & _QUOTA_CODES) or bool(_LASTING_LIMIT.search(text.message))
