"""
The bodies of the admin API: what an admin may set, and nothing else (reliability S14).

A field that is absent stays as it is, null clears it. Each becomes an edit of the domain's draft.
"""

from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from app.api.admin_values import Count, LabelName, LabelText, ModelPattern, Moment, Name, Nano
from app.domain.keys import KeyDraft, TeamDraft

_LONGEST_GRACE_SECONDS = 30 * 24 * 3600
_GRACE_SECONDS = 3600
_MOST_PATTERNS, _MOST_LABELS = 100, 20

# What is a limit, and what a draft calls it.
_LIMITS = {
    "rpm": "rpm",
    "tpm": "tpm",
    "concurrency": "concurrency",
    "budget_usd": "budget_nano",
    "budget_tokens": "budget_tokens",
    "budget_period": "budget_period",
    "max_tokens": "max_tokens",
}
# What null makes of a field; None of all others.
_CLEARED: dict[str, Any] = {
    "models": (),
    "labels": {},
    "native": (),
    "resources": "own",
    "budget_period": "total",
}

Models = Annotated[list[ModelPattern], Field(max_length=_MOST_PATTERNS)]
Labels = Annotated[dict[LabelName, LabelText], Field(max_length=_MOST_LABELS)]


class Strict(BaseModel):
    """Takes the fields it names, in their own types. *needs_a_field*: an empty body would change nothing, so it is a
    mistake."""

    model_config = ConfigDict(extra="forbid", strict=True)
    needs_a_field: ClassVar[bool] = False

    @model_validator(mode="before")
    @classmethod
    def _knows_all(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        known = ", ".join(cls.model_fields)
        if cls.needs_a_field and not value:
            raise PydanticCustomError(
                "nothing_given", "give at least one of {known}", {"known": known}
            )
        unknown = next((name for name in value if name not in cls.model_fields), None)
        if unknown is not None:
            context = {"name": unknown, "known": known}
            raise PydanticCustomError("unknown_parameter", "unknown parameter", context)
        return value


class _LimitFields(Strict):
    models: Models | None = Field(
        None,
        description="Patterns of names it may use; none or empty means all.",
        examples=[["fast", "openmind/*"]],
    )
    rpm: Count | None = Field(None, description="Requests a minute.", examples=[600])
    tpm: Count | None = Field(None, description="Tokens a minute.", examples=[200_000])
    concurrency: Count | None = Field(None, description="Requests at a time.", examples=[20])
    budget_usd: Nano | None = Field(
        None, description="US dollars a period, exact to nine decimals.", examples=[25]
    )
    budget_tokens: Count | None = Field(None, description="Tokens a period.")
    budget_period: Literal["day", "week", "month", "total"] | None = Field(
        None, description="What both budgets count over, in UTC; `total` never begins anew."
    )
    max_tokens: Count | None = Field(
        None, description="The most output tokens one request may ask for."
    )
    labels: Labels | None = Field(
        None, description="Texts of your own, by name.", examples=[{"site": "berlin"}]
    )


class _KeyFields(_LimitFields):
    team: Name | None = Field(None, description="A team's id or name.", examples=["research"])
    expires_at: Moment | None = Field(
        None, description="From then on it opens nothing.", examples=["2027-01-31T00:00:00Z"]
    )
    resources: Literal["own", "all"] | None = Field(
        None,
        description="`own` (default): what its team made, without a team it itself; `all`: everything.",
    )
    native: list[Literal["use", "read", "manage"]] | None = Field(
        None, description="Which classes of an upstream's own routes it may use.", max_length=3
    )


class KeyCreate(_KeyFields):
    """A new key."""

    name: Name = Field(description="Unique among keys that are not revoked.", examples=["ci"])


class KeyChange(_KeyFields):
    """What changes on a key: only the fields that are given; null clears one."""

    needs_a_field: ClassVar[bool] = True
    name: Name = Field("", description="Unique among keys that are not revoked.")


class KeyRotate(Strict):
    """How long the old key goes on."""

    grace_seconds: int = Field(
        _GRACE_SECONDS,
        ge=0,
        le=_LONGEST_GRACE_SECONDS,
        description="How long the old key still opens; 0 for a key that leaked.",
    )


class TeamCreate(_LimitFields):
    """A new team."""

    name: Name = Field(
        description="Unique among teams that are not deleted.", examples=["research"]
    )


class TeamChange(_LimitFields):
    """What changes on a team: only the fields that are given; null clears one."""

    needs_a_field: ClassVar[bool] = True
    name: Name = Field("", description="Unique among teams that are not deleted.")


def edited_key(body: KeyCreate | KeyChange, draft: KeyDraft) -> KeyDraft:
    """*draft* with what *body* says."""
    limits, others = _given(body)
    return replace(draft, limits=replace(draft.limits, **limits), **others)


def edited_team(body: TeamCreate | TeamChange, draft: TeamDraft) -> TeamDraft:
    """*draft* with what *body* says."""
    limits, others = _given(body)
    return replace(draft, limits=replace(draft.limits, **limits), **others)


def _given(body: _LimitFields) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields that stand in *body*, limits and all others, as a draft names and keeps them."""
    limits, others = {}, {}
    for name in body.model_fields_set:
        value = getattr(body, name)
        if value is None:
            value = _CLEARED.get(name)
        elif isinstance(value, list):
            value = tuple(value)
        if name in _LIMITS:
            limits[_LIMITS[name]] = value
        else:
            others[name] = value
    return limits, others
