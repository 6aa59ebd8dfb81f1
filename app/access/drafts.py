"""What an admin may ask for: each refusal names the field and what would be right (reliability S14)."""

from collections.abc import Collection, Mapping
from math import isfinite
from typing import NoReturn, get_args

from app.access.subsets import first_above, first_uncovered
from app.domain.errors import InvalidRequest
from app.domain.keys import KeyDraft, Team, TeamDraft
from app.domain.limits import Limits, Period
from app.domain.principal import Native, Resources

_LONGEST_NAME = 100
_MOST_PATTERNS, _LONGEST_PATTERN = 100, 256
_MOST_LABELS, _LONGEST_LABEL, _LONGEST_LABEL_TEXT = 20, 64, 256
_LIMIT_END = 2**53  # a JSON number is exact up to here
_BUDGET_END = 10**18  # nano-dollars: a thousand million dollars
_LAST_MOMENT = 253_402_300_800.0  # the year 10000

_FIELDS = ("rpm", "tpm", "concurrency", "budget_tokens", "max_tokens")


def check_team_draft(draft: TeamDraft) -> None:
    """Raises InvalidRequest for the first field that cannot be."""
    check_names(draft.name, draft.models, draft.labels)
    _check_limits(draft.limits)


def check_key_draft(draft: KeyDraft) -> None:
    """Raises InvalidRequest for the first field that cannot be; whether there is such a team is not asked here."""
    check_names(draft.name, draft.models, draft.labels)
    _check_limits(draft.limits)
    if draft.resources not in get_args(Resources):
        _refuse("resources", "is `own` or `all`")
    if any(one not in get_args(Native) for one in draft.native):
        _refuse("native", "is a list of `use`, `read` and `manage`")
    if len(set(draft.native)) != len(draft.native):
        _refuse("native", "names something twice")


def check_expiry(expires_at: float | None, now_seconds: float) -> None:
    """Raises InvalidRequest for an end that has passed, or lies beyond the year 9999."""
    if expires_at is None:
        return
    if not isfinite(expires_at) or expires_at >= _LAST_MOMENT:
        _refuse("expires_at", "is no time before the year 10000")
    if expires_at <= now_seconds:
        _refuse("expires_at", "has already passed")


def check_names(name: str, models: Collection[str], labels: Mapping[str, str]) -> None:
    """Raises InvalidRequest for a name, patterns or labels that cannot be."""
    if not _is_text(name, _LONGEST_NAME):
        _refuse("name", f"has 1 to {_LONGEST_NAME} printable characters, no space around them")
    if len(models) > _MOST_PATTERNS:
        _refuse("models", f"has {_MOST_PATTERNS} patterns at most")
    if not all(_is_text(pattern, _LONGEST_PATTERN) for pattern in models):
        _refuse("models", f"holds patterns of 1 to {_LONGEST_PATTERN} printable characters")
    if len(labels) > _MOST_LABELS:
        _refuse("labels", f"has {_MOST_LABELS} entries at most")
    for label, text in labels.items():
        if not _is_text(label, _LONGEST_LABEL):
            _refuse("labels", f"has names of 1 to {_LONGEST_LABEL} printable characters")
        if len(text) > _LONGEST_LABEL_TEXT or not text.isprintable():
            _refuse("labels", f"has values of at most {_LONGEST_LABEL_TEXT} printable characters")


def require_within_team(draft: KeyDraft, team: Team) -> None:
    """Raises InvalidRequest (`above_team_limit`) where *draft* grants more than *team* has (reliability S14)."""
    uncovered = first_uncovered(draft.models, team.models)
    if uncovered is not None:
        _refuse(
            "models",
            f"holds `{uncovered}`, which the patterns of team `{team.name}` do not surely cover",
            code="above_team_limit",
        )
    above = first_above(draft.limits, team.limits)
    if above is not None:
        _refuse(above, f"is above that of team `{team.name}`", code="above_team_limit")


def _check_limits(limits: Limits) -> None:
    for field in _FIELDS:
        value = getattr(limits, field)
        if value is not None and not 0 < value < _LIMIT_END:
            _refuse(
                field, "is a whole number above 0 and below 2^53; left out, there is no such limit"
            )
    if limits.budget_nano is not None and not 0 < limits.budget_nano <= _BUDGET_END:
        _refuse("budget_usd", "is above 0 and at most 1000000000")
    if limits.budget_period not in get_args(Period):
        _refuse("budget_period", "is `day`, `week`, `month` or `total`")


def _is_text(text: str, longest: int) -> bool:
    return 0 < len(text) <= longest and text.isprintable() and text == text.strip()


def _refuse(field: str, says: str, *, code: str = "unsupported_value") -> NoReturn:
    raise InvalidRequest(f"`{field}` {says}.", code=code, param=field)
