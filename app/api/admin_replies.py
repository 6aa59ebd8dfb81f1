"""The answers of the admin API as `/docs` shows them. The routes write them by hand, for numbers that are exact; a test
holds every answer against these."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_USD = "US dollars, exact to the nano-dollar."
_TIME = "ISO 8601, UTC."


class _Reply(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Page(_Reply):
    object: Literal["list"]
    has_more: bool
    last_id: str | None = Field(description="Give it as `after` for the next page.")


class _Limits(_Reply):
    id: str
    name: str
    models: list[str]
    rpm: int | None
    tpm: int | None
    concurrency: int | None
    budget_usd: float | None = Field(description=_USD)
    budget_tokens: int | None
    budget_period: Literal["day", "week", "month", "total"]
    max_tokens: int | None
    labels: dict[str, str]
    created_at: str = Field(description=_TIME)


class KeyObject(_Limits):
    """A virtual key, without its secret."""

    object: Literal["key"]
    prefix: str = Field(description="Its first letters and last four.")
    team: str | None = Field(description="Its team's name.")
    team_id: str | None
    resources: Literal["own", "all"]
    native: list[Literal["use", "read", "manage"]]
    expires_at: str | None
    revoked_at: str | None
    source: Literal["admin", "file"] = Field(
        description="`file`: it stands in the configuration, which alone may change it."
    )


class NewKey(KeyObject):
    """A virtual key with its secret."""

    key: str = Field(description="The secret, shown this once.")


class KeyPage(_Page):
    """Keys, revoked ones too, by id."""

    data: list[KeyObject]


class TeamObject(_Limits):
    """A team: its limits hold over all its keys together."""

    object: Literal["team"]
    deleted_at: str | None


class TeamPage(_Page):
    """Teams, by id."""

    data: list[TeamObject]


class UsageRow(_Reply):
    """What was used together. Only what `group_by` names stands in it beside the sums."""

    key: str | None = Field(None, description="The key's name; its id where it is gone.")
    key_id: str | None = None
    team: str | None = Field(None, description="The team's name; its id where it is gone.")
    team_id: str | None = None
    model: str | None = None
    upstream: str | None = None
    hour: str | None = Field(None, description="When it began. " + _TIME)
    day: str | None = Field(None, description="The date, UTC.")
    requests: int
    input_tokens: int
    output_tokens: int
    cost_usd: float = Field(description=_USD)
    unpriced_requests: int = Field(description="Of models without a price: they count as 0.")
    estimated_requests: int = Field(description="Whose usage is an estimate.")


class UsagePage(_Page):
    """Sums."""

    data: list[UsageRow]


class RecordRow(_Reply):
    """One exchange that is over."""

    object: Literal["record"]
    id: str = Field(description="The reply's `x-request-id`.")
    created_at: str = Field(description="When the request came. " + _TIME)
    key: str | None = Field(description="The key's name; its id where it is gone.")
    key_id: str | None
    team: str | None
    team_id: str | None
    model: str = Field(description="As the client named it.")
    upstream: str | None
    upstream_model: str | None = Field(description="As the upstream names it.")
    endpoint: str
    stream: bool
    status: int
    outcome: str
    error_code: str | None
    attempts: int
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    usage_source: Literal["upstream", "estimated"] | None
    cost_usd: float = Field(description=_USD)
    priced: bool = Field(description="False: the model has no price, and `cost_usd` says nothing.")
    duration_seconds: float
    ttft_seconds: float | None
    recovered: bool = Field(description="Written by a start after a crash.")


class RecordPage(_Page):
    """Exchanges, the newest first."""

    data: list[RecordRow]


class LimitRow(_Reply):
    """Where one limit stands now. `budget_usd` is in US dollars."""

    limit: float
    used: float = Field(description="What is reserved for requests under way counts as used.")
    remaining: float = Field(description="Never below 0.")
    reset_at: str | None = Field(
        description="When all of it is free again; null: not known, or never."
    )


class LimitsObject(_Reply):
    """Where the limits of a key or team stand now."""

    object: Literal["limits"]
    scope: Literal["key", "team"]
    id: str
    name: str
    limits: dict[str, LimitRow] = Field(
        description="By name: `rpm`, `tpm`, `concurrency`, `budget_usd`, `budget_tokens`."
    )


class LimitsPage(_Page):
    """Keys or teams with their limits; revoked keys are left out."""

    data: list[LimitsObject]


class PriceRow(_Reply):
    """One entry of `prices:`."""

    object: Literal["price"]
    id: str = Field(description="`upstream/model`, or a pattern.")
    input_usd_per_million: float
    output_usd_per_million: float
    cached_input_usd_per_million: float | None = Field(description="null: as input.")
    usd_per_request: float
    usd_per_audio_second: float
    usd_per_million_characters: float


class PricePage(_Page):
    """Prices, in the operator's order: an exact name wins, then the first pattern that fits."""

    data: list[PriceRow]


class AuditEntry(_Reply):
    """One change, as the log keeps it."""

    object: Literal["audit_entry"]
    id: str = Field(description="The change's number.")
    created_at: str = Field(description=_TIME)
    actor: str
    address: str
    action: str
    target: str = Field(description="The id of what was changed.")
    before: Any = Field(description="null where there was nothing.")
    after: Any
    hash: str = Field(description="Over this row and the hash before it.")


class AuditPage(_Page):
    """Changes to keys and teams, in the log's own order."""

    data: list[AuditEntry]


class AuditVerdict(_Reply):
    """Whether the log is as it was written."""

    object: Literal["audit_verdict"]
    ok: bool
    rows: int
    first_bad_id: str | None
    reason: str | None
