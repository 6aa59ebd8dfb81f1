"""
What an upstream speaks, as data: one frozen row per dialect (upstreams.md, sections 1 to 6).

A field here is used by two dialects or says so. What a row cannot say is a named pure function in a module of its own:
`minds_thoughts`, `fourminds_events`, `openmind_providers`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from app.domain.configuration import Credential, DialectName, Support, TimeoutOverrides
from app.upstreams.capabilities import capabilities_of

BEARER = Credential(header="authorization", scheme="Bearer")


@dataclass(frozen=True, slots=True)
class Generation:
    """One age of the Minds service (upstreams 4.1). *asks_usage*: it knows `stream_options`."""

    base_url: str
    chat_path: str
    models_path: str
    missing_finish: Literal["accept", "error"] = "error"
    asks_usage: bool = False


@dataclass(frozen=True, slots=True)
class Dialect:
    """One row.

    *base_url* None: the entry must give one. *chat_path* may hold `{provider}`. *models_path* None: there is no list to
    ask for. *drops_when_true*: members removed when they are true, since the upstream has nothing behind them.
    *asks_usage*: `stream_options.include_usage` may be added (contract I11). *claims*: model patterns (architecture 5);
    *audio_claims*: further ones on the audio routes (upstreams G8).
    """

    name: DialectName
    capabilities: Mapping[str, Support]
    credential: Credential = BEARER
    base_url: str | None = None
    chat_path: str = "/chat/completions"
    models_path: str | None = "/models"
    developer_role: Literal["keep", "system"] = "keep"
    max_tokens_name: Literal["keep", "max_tokens", "max_completion_tokens"] = "keep"
    drops_when_true: tuple[str, ...] = ()
    asks_usage: bool = True
    several_choices: bool = True
    claims: tuple[str, ...] = ()
    audio_claims: tuple[str, ...] = ()
    timeouts: TimeoutOverrides = TimeoutOverrides()
    headers: Mapping[str, str] = field(default_factory=dict)
    generations: Mapping[str, Generation] = field(default_factory=dict)
    timing_headers: tuple[bytes, ...] = ()  # logged, not relayed (upstreams 5.1)
    openai_headers: bool = False
    path_providers: bool = False
    ignores_case: bool = False


FOURMINDS = Dialect(
    name="4minds",
    base_url="https://api.4minds.ai/v1",
    capabilities=capabilities_of("4minds"),
    claims=("4minds-*",),
    timeouts=TimeoutOverrides(first_byte_seconds=300, idle_seconds=300),  # upstreams 3.5
)

MINDS = Dialect(
    name="minds",
    capabilities=capabilities_of("minds"),
    generations={
        "seed": Generation(
            "https://mdb.ai", "/chat/completions", "/api/projects/mindsdb/minds", "accept"
        ),
        "llm": Generation(
            "https://llm.mdb.ai",
            "/chat/completions",
            "https://mdb.ai/api/projects/mindsdb/minds",
            "accept",
        ),
        "api-v1": Generation("https://mdb.ai", "/api/v1/chat/completions", "/api/v1/minds/"),
        "mindshub": Generation(
            "https://api.mindshub.ai", "/v1/chat/completions", "/v1/models", asks_usage=True
        ),
    },
    developer_role="system",
    max_tokens_name="max_tokens",
    drops_when_true=("store",),
    asks_usage=False,
    several_choices=False,
    timeouts=TimeoutOverrides(first_byte_seconds=300, idle_seconds=300),  # upstreams 4.6
    headers={"accept-language": "en"},  # G3: the bot filter before mdb.ai
    ignores_case=True,
)

OPENMIND = Dialect(
    name="openmind",
    base_url="https://api.openmind.org/api/core",
    capabilities=capabilities_of("openmind"),
    credential=Credential(header="x-api-key", scheme=""),
    chat_path="/{provider}/chat/completions",
    models_path=None,
    developer_role="system",
    drops_when_true=("store",),
    claims=("gpt-*", "o1*", "o3*", "o4*", "deepseek-*", "gemini-*", "grok-*"),
    audio_claims=(
        *("tts-*", "gpt-4o*-tts*", "eleven_*", "riva*", "whisper-*", "*-transcribe*", "scribe*"),
        *("chirp*", "elevenlabs/*", "google/*"),
    ),
    path_providers=True,
    timing_headers=(
        *(b"x-proxy-parse-ms", b"x-upstream-ttfb-ms"),
        *(b"x-upstream-total-ms", b"x-proxy-total-ms"),
    ),
)

OPENAI = Dialect(
    name="openai",
    capabilities=capabilities_of("openai"),
    openai_headers=True,
    timing_headers=(b"openai-processing-ms",),
)

DIALECTS: Mapping[DialectName, Dialect] = {
    "4minds": FOURMINDS,
    "minds": MINDS,
    "openmind": OPENMIND,
    "openai": OPENAI,
}
