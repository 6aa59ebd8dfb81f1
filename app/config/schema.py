"""
Every setting of the file, section by section (architecture 5), with its kind, range and default.

The page docs/configuration.md is compared with these classes, both ways: tests/contract/test_configuration_docs.py.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.config.upstream_schema import Section, UpstreamSection
from app.config.values import (
    Amount,
    Count,
    Host,
    Megabytes,
    Number,
    Origin,
    Seconds,
    SecondsOrZero,
    Secret,
    SecretText,
    Text,
    Whole,
)
from app.domain.principal import Resources


class ServerSection(Section):
    """`server:`."""

    host: Host = "127.0.0.1"
    port: Annotated[Whole, Field(ge=0, le=65_535)] = 8080
    max_body_mb: Megabytes = 64
    drain_seconds: SecondsOrZero = 30
    metrics_token: Secret | None = None
    cors_origins: tuple[Origin, ...] = ()


class AuthSection(Section):
    """`auth:`."""

    mode: Literal["keys", "none"] = "keys"


class TargetSection(Section):
    """One deployment of a route; alone, the file may write it as its *target*."""

    target: Text
    weight: Annotated[Whole, Field(ge=1, le=1_000_000)] = 1

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        return {"target": value} if isinstance(value, str) else value


class RouteSection(Section):
    """One entry of `models:`; the file may write an alias as text and an ordered route as a list."""

    policy: Literal["ordered", "first", "weighted"] = "ordered"
    deployments: Annotated[tuple[TargetSection, ...], Field(min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _from_short_form(cls, value: object) -> object:
        if isinstance(value, str):
            return {"deployments": [value]}
        return {"deployments": value} if isinstance(value, list) else value


class KeySection(Section):
    """One entry of `keys:`: every field of `POST /admin/v1/keys`. No *models* means all of them."""

    name: Text
    key: Secret
    models: tuple[Text, ...] = ()
    team: Text | None = None
    rpm: Count | None = None
    tpm: Count | None = None
    concurrency: Count | None = None
    budget_usd: Annotated[Number, Field(gt=0)] | None = None
    budget_tokens: Count | None = None
    budget_period: Literal["day", "week", "month", "total"] | None = None
    max_tokens: Count | None = None
    expires_at: datetime | None = None
    resources: Resources = "all"
    native: tuple[Literal["use", "read", "manage"], ...] | None = None
    labels: dict[Text, Text] = Field(default_factory=dict)


class StorageSection(Section):
    """`storage:`. The URL may hold a password."""

    url: SecretText = SecretStr("sqlite:///mindgate.db")


class RedisSection(Section):
    """`redis:`. The URL may hold a password."""

    url: SecretText | None = None


class PriceSection(Section):
    """One entry of `prices:`, named `upstream/model`."""

    input_usd_per_million: Amount | None = None
    output_usd_per_million: Amount | None = None
    cached_input_usd_per_million: Amount | None = None
    usd_per_request: Amount | None = None
    usd_per_audio_second: Amount | None = None
    usd_per_million_characters: Amount | None = None


class TimeoutSection(Section):
    """`timeouts:`, reliability R5."""

    connect_seconds: Seconds = 5
    first_byte_seconds: Seconds = 300
    idle_seconds: Seconds = 120
    total_seconds: Seconds = 1800
    pool_wait_seconds: Seconds = 5


class StreamSection(Section):
    """`streams:`, reliability R16."""

    heartbeat_seconds: Seconds = 15
    noop_seconds: Seconds = 60
    max_event_kb: Annotated[Whole, Field(ge=1, le=65_536)] = 1024


class LogSection(Section):
    """`logs:`. `auto` is console on a terminal, else JSON."""

    format: Literal["auto", "console", "json"] = "auto"


class Settings(BaseSettings):
    """The whole of it, as written. What may be left out is the default; names and secrets are checked elsewhere."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, case_sensitive=True
    )

    server: ServerSection = ServerSection()
    auth: AuthSection = AuthSection()
    upstreams: dict[str, UpstreamSection] = Field(default_factory=dict)
    models: dict[Text, RouteSection] = Field(default_factory=dict)
    default_upstream: Text | None = None
    keys: tuple[KeySection, ...] = ()
    storage: StorageSection = StorageSection()
    redis: RedisSection = RedisSection()
    prices: dict[Text, PriceSection] = Field(default_factory=dict)
    timeouts: TimeoutSection = TimeoutSection()
    streams: StreamSection = StreamSection()
    logs: LogSection = LogSection()
