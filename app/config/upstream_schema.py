"""
One entry of `upstreams:` as the file spells it. What each field does: upstreams.md, sections 1 to 6 and 12.

A field that only one dialect knows is listed in DIALECT_FIELDS: elsewhere it is an error, not silently ignored.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.config.values import (
    BaseUrl,
    BodyMember,
    Count,
    HeaderName,
    HeaderText,
    Megabytes,
    NativePath,
    Number,
    ProxyUrl,
    Scheme,
    Seconds,
    SecondsOrZero,
    Secret,
    Segment,
    SocketUrl,
    Text,
    UrlPath,
    UrlPathOrUrl,
)
from app.domain.configuration import DialectName, Support
from app.domain.principal import Native

# The ids of the capability matrix, upstreams.md section 2. The matrix itself stands in app.upstreams, a floor above.
Capability = Literal[
    "chat.create",
    "chat.stored",
    "models.list",
    "models.get",
    "models.delete",
    "completions",
    "responses",
    "messages",
    "embeddings",
    "audio.speech",
    "audio.transcriptions",
    "realtime.transcription",
    "realtime.conversation",
    "files",
    "files.content",
    "fine_tuning",
    "fine_tuning.more",
    "fine_tune_categories",
    "datasets",
    "external_models",
    "families",
    "other",
]

DIALECT_FIELDS: dict[str, DialectName] = {
    "events": "4minds",
    "generation": "minds",
    "chat_path": "minds",
    "models_path": "minds",
    "thoughts": "minds",
    "missing_finish": "minds",
    "not_ready": "minds",
    "catalogue": "openmind",
    "providers": "openmind",
    "model_providers": "openmind",
    "websocket_base": "openmind",
    "riva_asr_url": "openmind",
    "vila_url": "openmind",
    "speech": "openmind",
    "transcription": "openmind",
    "append_v1": "openai",
}


class Section(BaseModel):
    """A mapping of the file. A key it does not know is an error; its errors never show a value (S19)."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class CredentialSection(Section):
    """`auth:` of an upstream. Without *scheme*: Bearer in `authorization`, the bare key in any other header."""

    header: HeaderName = "authorization"
    scheme: Scheme | None = None


class DeadlineSection(Section):
    """`timeouts:` of an upstream; what is left out falls to the dialect's, then to the file's `timeouts`."""

    connect_seconds: Seconds | None = None
    first_byte_seconds: Seconds | None = None
    idle_seconds: Seconds | None = None
    total_seconds: Seconds | None = None
    pool_wait_seconds: Seconds | None = None


class SpeechSection(Section):
    """`speech:` of an OpenMind upstream (upstreams K9)."""

    route: Literal["auto", "stream", "json"] = "auto"
    both_names: bool = True
    voices: dict[Text, Text] = Field(default_factory=dict)
    model: Text = "eleven_flash_v2_5"
    voice: Text = "JBFqnCBsd6RMkjVDRZzb"


class RecognitionSection(Section):
    """`transcription:` of an OpenMind upstream (upstreams K10)."""

    pace: Annotated[Number, Field(gt=0, le=100)] = 1.25
    language: Text = "en-US"
    silence_seconds: SecondsOrZero = 1.5
    quiet_seconds: Seconds = 2
    max_audio_seconds: Seconds = 600


class NativePathSection(Section):
    """`native_paths:` of an upstream, by class (upstreams N9, N12)."""

    use: tuple[NativePath, ...] = ()
    read: tuple[NativePath, ...] = ()
    manage: tuple[NativePath, ...] = ()


class UpstreamSection(Section):
    """One entry. Without *dialect*: the entry's own name where that is a dialect's, else `openai`."""

    dialect: DialectName | None = None
    api_key: Secret | None = None
    base_url: BaseUrl | None = None
    auth: CredentialSection | None = None
    headers: dict[HeaderName, Secret] = Field(default_factory=dict)
    query: dict[Text, Secret] = Field(default_factory=dict)
    user_agent: HeaderText | None = None
    models: tuple[Text, ...] = ()
    timeouts: DeadlineSection = DeadlineSection()
    capabilities: dict[Capability, Support] = Field(default_factory=dict)
    drop: tuple[BodyMember, ...] = ()
    rename: dict[BodyMember, BodyMember] = Field(default_factory=dict)
    developer_role: Literal["keep", "system"] | None = None
    max_tokens_name: Literal["keep", "max_tokens", "max_completion_tokens"] | None = None
    max_json_mb: Megabytes = 64
    max_connections: Count = 2000
    keepalive_seconds: SecondsOrZero = 30
    max_connection_age_seconds: Seconds = 300
    proxy: ProxyUrl | None = None
    http2: bool = False
    upload_transfer: Literal["auto", "length"] = "auto"
    native: tuple[Native, ...] = ("use", "read")
    native_paths: NativePathSection = NativePathSection()
    append_v1: bool = True
    events: Literal["chunk", "comment", "raw", "drop"] = "chunk"
    generation: Literal["seed", "llm", "api-v1", "mindshub"] = "seed"
    chat_path: UrlPath | None = None
    models_path: UrlPathOrUrl | None = None
    thoughts: Literal["reasoning", "content", "comment", "drop"] = "reasoning"
    missing_finish: Literal["accept", "error"] | None = None
    not_ready: Literal["answer", "error"] = "answer"
    catalogue: Literal["seed", "extended"] = "seed"
    providers: tuple[Segment, ...] = (
        "openai",
        "deepseek",
        "gemini",
        "xai",
        "nearai",
        "openrouter",
    )
    model_providers: dict[Text, Segment] = Field(default_factory=dict)
    websocket_base: SocketUrl | None = None
    riva_asr_url: SocketUrl = "wss://api-asr.openmind.org"
    vila_url: SocketUrl = "wss://api-vila.openmind.org"
    speech: SpeechSection = SpeechSection()
    transcription: RecognitionSection = RecognitionSection()
