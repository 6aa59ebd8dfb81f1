"""
What the operator decided, validated and without surprises left.

The room `config` makes one of these from environment and file; `main` hands each room its part. A field that
is None here means "the dialect's own default", which `app.upstreams` knows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import SecretStr

from app.domain.limits import NO_LIMITS, Limits
from app.domain.prices import Price
from app.domain.principal import Native, Resources

DialectName = Literal["4minds", "minds", "openmind", "openai"]
Support = Literal["native", "map", "local", "auto", "bridge", "-"]


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Where the gateway listens and what it accepts there.

    *max_body_bytes*: of a body held in memory; *max_upload_bytes*: of one that is passed on as it comes (contract L1).
    *admin_port*: where the control plane listens on its own; None leaves it beside the data plane (reliability S13).
    """

    host: str = "127.0.0.1"
    port: int = 8080
    max_body_bytes: int = 64 * 1024 * 1024
    max_upload_bytes: int = 512 * 1024 * 1024
    drain_seconds: float = 30.0
    metrics_token: SecretStr | None = None
    cors_origins: tuple[str, ...] = ()
    admin_host: str = "127.0.0.1"
    admin_port: int | None = None


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Deadlines towards an upstream, in seconds (reliability R5).

    *first_byte_is_fixed*: the operator wrote the first-byte deadline down, so a client's stated patience
    does not move it (contract G6).
    """

    connect_seconds: float = 5.0
    first_byte_seconds: float = 300.0
    idle_seconds: float = 120.0
    total_seconds: float = 1800.0
    pool_wait_seconds: float = 5.0
    first_byte_is_fixed: bool = False


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """What a stream does in silence, and how large one event may be (reliability R16)."""

    heartbeat_seconds: float = 15.0
    noop_seconds: float = 60.0
    max_event_bytes: int = 1024 * 1024


@dataclass(frozen=True, slots=True)
class TimeoutOverrides:
    """An upstream's own deadlines; None falls to the dialect's, then to the file's `timeouts`."""

    connect_seconds: float | None = None
    first_byte_seconds: float | None = None
    idle_seconds: float | None = None
    total_seconds: float | None = None
    pool_wait_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Credential:
    """Where an upstream wants its key. *scheme* "" sends the bare key."""

    header: str
    scheme: str


@dataclass(frozen=True, slots=True)
class SpeechOptions:
    """How speech is asked of OpenMind (upstreams A1 to A4, K9). *voices*: OpenAI's name → the service's id."""

    route: Literal["auto", "stream", "json"] = "auto"
    both_names: bool = True
    voices: Mapping[str, str] = field(default_factory=dict)
    model: str = "eleven_flash_v2_5"
    voice: str = "JBFqnCBsd6RMkjVDRZzb"


@dataclass(frozen=True, slots=True)
class RecognitionOptions:
    """How OpenMind's recognition sockets are fed (upstreams A10 to A12, K10). *pace*: times real time."""

    pace: float = 1.25
    language: str = "en-US"
    silence_seconds: float = 1.5
    quiet_seconds: float = 2.0
    max_audio_seconds: float = 600.0


@dataclass(frozen=True, slots=True)
class UpstreamEntry:
    """One entry of `upstreams:`. Meaning and defaults of each field: upstreams.md, sections 1 to 6 and 12."""

    name: str
    dialect: DialectName
    api_key: SecretStr | None = None
    base_url: str | None = None
    credential: Credential | None = None
    headers: Mapping[str, str | SecretStr] = field(default_factory=dict)
    query: Mapping[str, str | SecretStr] = field(default_factory=dict)
    user_agent: str | None = None
    models: tuple[str, ...] = ()
    timeouts: TimeoutOverrides = TimeoutOverrides()
    capabilities: Mapping[str, Support] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    developer_role: Literal["keep", "system"] | None = None
    max_tokens_name: Literal["keep", "max_tokens", "max_completion_tokens"] | None = None
    max_json_bytes: int = 64 * 1024 * 1024
    max_connections: int = 2000
    keepalive_seconds: float = 30.0
    max_connection_age_seconds: float = 300.0
    proxy: SecretStr | None = None  # a URL; user and password stand in it
    http2: bool = False
    upload_transfer: Literal["auto", "length"] = (
        "auto"  # length: an upload without one waits in a file
    )
    native: tuple[Native, ...] = ("use", "read")  # classes of native routes that are relayed
    native_paths: Mapping[Native, tuple[str, ...]] = field(default_factory=dict)  # "METHOD /path"
    append_v1: bool = True
    # 4minds
    events: Literal["chunk", "comment", "raw", "drop"] = "chunk"
    # minds
    generation: Literal["seed", "llm", "api-v1", "mindshub"] = "seed"
    chat_path: str | None = None
    models_path: str | None = None
    thoughts: Literal["reasoning", "content", "comment", "drop"] = "reasoning"
    missing_finish: Literal["accept", "error"] | None = None
    not_ready: Literal["answer", "error"] = "answer"
    # openmind
    catalogue: Literal["seed", "extended"] = "seed"
    providers: tuple[str, ...] = ("openai", "deepseek", "gemini", "xai", "nearai", "openrouter")
    model_providers: Mapping[str, str] = field(default_factory=dict)
    websocket_base: str | None = None
    riva_asr_url: str = "wss://api-asr.openmind.org"
    vila_url: str = "wss://api-vila.openmind.org"
    speech: SpeechOptions = SpeechOptions()
    transcription: RecognitionOptions = RecognitionOptions()


@dataclass(frozen=True, slots=True)
class RouteEntry:
    """One entry of `models:`: a name or pattern and its targets, each an `upstream/model` or another name."""

    name: str
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """One entry of `keys:`. *expires_at*: seconds since 1970 in UTC; None never ends. *team*: its name."""

    name: str
    key: SecretStr
    models: tuple[str, ...] = ()
    resources: Resources = "all"
    expires_at: float | None = None
    team: str | None = None
    limits: Limits = NO_LIMITS
    native: tuple[Native, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StorageOptions:
    """Where keys, teams, ledger and audit log are kept. *url*: `sqlite:///FILE` or `postgresql://…`; it may hold a
    password. *journal*: the folder of the journal. *pepper_file*: where a pepper is kept that nobody configured."""

    url: SecretStr
    journal: Path
    pepper_file: Path


@dataclass(frozen=True, slots=True)
class UsageOptions:
    """How the ledger is kept (reliability J3, J7, R19, Q6)."""

    fsync: Literal["interval", "always", "never"] = "interval"
    on_journal_failure: Literal["accept", "refuse"] = "accept"
    retention_days: int = 90


@dataclass(frozen=True, slots=True)
class LimitOptions:
    """What is assumed of a request that does not say (reliability J11, J12, R24)."""

    assumed_output_tokens: int = 1024
    assumed_media_tokens: int = 1000
    unpriced: Literal["allow", "refuse"] = "allow"


@dataclass(frozen=True, slots=True)
class Configuration:
    """All of it.

    *not_enforced*: settings that are valid but that this version does not act on yet, as `section.key`.
    *source*: the file read, or "environment"; for messages. *peppers*: of kept keys, the newest first; none: one is
    made beside the database. *storage* None: nothing is kept, keys come from the file alone, and there is no admin API.
    *prices*: by `upstream/model`, which may be a pattern; an exact name wins, then the first that fits.
    """

    server: ServerOptions = ServerOptions()
    auth_mode: Literal["keys", "none"] = "keys"
    upstreams: tuple[UpstreamEntry, ...] = ()
    routes: tuple[RouteEntry, ...] = ()
    default_upstream: str | None = None
    keys: tuple[KeyEntry, ...] = ()
    timeouts: Timeouts = Timeouts()
    streams: StreamOptions = StreamOptions()
    log_format: Literal["auto", "console", "json"] = "auto"
    not_enforced: tuple[str, ...] = ()
    source: str = "environment"
    admin_key: SecretStr | None = None
    viewer_key: SecretStr | None = None
    peppers: tuple[SecretStr, ...] = ()
    storage: StorageOptions | None = None
    usage: UsageOptions = UsageOptions()
    limits: LimitOptions = LimitOptions()
    prices: Mapping[str, Price] = field(default_factory=dict)
