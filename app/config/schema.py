"""
Every setting of the file, section by section (architecture 5), with its kind, range and default.

The page docs/configuration.md is compared with these classes, both ways: tests/contract/test_configuration_docs.py.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.config.amounts import Budget, Price, PricePerMillion
from app.config.database_url import DatabaseUrl
from app.config.upstream_schema import Section, UpstreamSection
from app.config.values import (
    Folder,
    Host,
    Megabytes,
    Origin,
    Pepper,
    Rate,
    Seconds,
    SecondsOrZero,
    Secret,
    SecretText,
    Text,
    Tokens,
    Whole,
)
from app.domain.limits import Period
from app.domain.principal import Native, Resources


class ServerSection(Section):
    """`server:`."""

    host: Host = "127.0.0.1"
    port: Annotated[Whole, Field(ge=0, le=65_535)] = 8080
    max_body_mb: Megabytes = 64
    max_upload_mb: Megabytes = 512
    drain_seconds: SecondsOrZero = 30
    metrics_token: Secret | None = None
    cors_origins: tuple[Origin, ...] = ()
    admin_host: Host = "127.0.0.1"
    admin_port: Annotated[Whole, Field(ge=0, le=65_535)] | None = None


class AuthSection(Section):
    """`auth:`."""

    mode: Literal["keys", "none"] = "keys"
    pepper: Pepper | None = None
    previous_peppers: tuple[Pepper, ...] = ()


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
    rpm: Rate | None = None
    tpm: Rate | None = None
    concurrency: Rate | None = None
    budget_usd: Budget | None = None
    budget_tokens: Tokens | None = None
    budget_period: Period = "total"
    max_tokens: Rate | None = None
    expires_at: datetime | None = None
    resources: Resources = "all"
    native: tuple[Native, ...] = ()
    labels: dict[Text, Text] = Field(default_factory=dict)


class StorageSection(Section):
    """`storage:`. The URL may hold a password; None keeps nothing."""

    url: DatabaseUrl = SecretStr("sqlite:///mindgate.db")


class RedisSection(Section):
    """`redis:`. The URL may hold a password."""

    url: SecretText | None = None


class UsageSection(Section):
    """`usage:`, reliability J3, J7, R19. Without *journal*: a folder beside the database."""

    journal: Folder | None = None
    fsync: Literal["interval", "always", "never"] = "interval"
    on_journal_failure: Literal["accept", "refuse"] = "accept"
    retention_days: Annotated[Whole, Field(ge=1, le=36_500)] = 90


class LimitSection(Section):
    """`limits:`, reliability J11, J12, R24."""

    assumed_output_tokens: Rate = 1024
    assumed_media_tokens: Rate = 1000
    unpriced: Literal["allow", "refuse"] = "allow"


class PriceSection(Section):
    """One entry of `prices:`, named `upstream/model`. What is left out costs nothing, cached input as much as input."""

    input_usd_per_million: PricePerMillion | None = None
    output_usd_per_million: PricePerMillion | None = None
    cached_input_usd_per_million: PricePerMillion | None = None
    usd_per_request: Price | None = None
    usd_per_audio_second: Price | None = None
    usd_per_million_characters: PricePerMillion | None = None


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
    usage: UsageSection = UsageSection()
    limits: LimitSection = LimitSection()
    redis: RedisSection = RedisSection()
    prices: dict[Text, PriceSection] = Field(default_factory=dict)
    timeouts: TimeoutSection = TimeoutSection()
    streams: StreamSection = StreamSection()
    logs: LogSection = LogSection()
