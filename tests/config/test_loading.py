"""What a configuration means once it is read."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import SecretStr

from app.config.upstream_checks import RESERVED_NAMES
from app.domain.configuration import (
    Configuration,
    Credential,
    RouteEntry,
    ServerOptions,
    StorageOptions,
    StreamOptions,
    Timeouts,
    UpstreamEntry,
)
from tests.config.settings_from import KEY, LOCAL, OTHER_KEY, load


def shown(secrets: Mapping[str, str | SecretStr]) -> dict[str, str]:
    """The values, which are all secrets: any header may be a credential."""
    return {
        name: secret.get_secret_value()
        for name, secret in secrets.items()
        if isinstance(secret, SecretStr)
    }


def test_what_is_left_out_is_the_domains_own_default(folder):
    entry = UpstreamEntry("local", "openai", base_url="http://127.0.0.1:11434/v1")
    source = str(folder / "mindgate.yaml")

    storage = StorageOptions(
        SecretStr("sqlite:///mindgate.db"), Path("mindgate.journal"), Path("mindgate.pepper")
    )

    assert Configuration(upstreams=(entry,), source=source, storage=storage) == load(folder, LOCAL)


@pytest.mark.parametrize("text", ["server:", "server: {}", "server: {port: null}", "keys: null"])
def test_an_empty_section_is_a_default(folder, text):
    assert load(folder, LOCAL) == load(folder, LOCAL + text)


def test_every_field_of_an_upstream_arrives(folder):
    text = """
        upstreams:
          local:
            dialect: openai
            api_key: k
            base_url: https://127.0.0.1:1/v1?api-version=2&empty=
            auth: {header: api-key}
            headers: {x-a: b}
            query: {c: d}
            user_agent: me
            models: [llama-*, exact]
            timeouts: {connect_seconds: 1, first_byte_seconds: 2, idle_seconds: 3, total_seconds: 4,
                       pool_wait_seconds: 0.5}
            capabilities: {responses: auto, files: "-"}
            drop: [user]
            rename: {max_completion_tokens: max_tokens}
            developer_role: system
            max_tokens_name: max_tokens
            max_json_mb: 0.5
            max_connections: 7
            keepalive_seconds: 0
            max_connection_age_seconds: 60
            proxy: "socks5://me:secret@proxy.example:1080"
            http2: true
            append_v1: false
    """
    [entry] = load(folder, text).upstreams

    assert "https://127.0.0.1:1/v1" == entry.base_url
    assert {"api-version": "2", "empty": "", "c": "d"} == shown(entry.query)
    assert {"x-a": "b"} == shown(entry.headers)
    assert Credential("api-key", "") == entry.credential
    assert (1, 2, 3, 4, 0.5) == (
        entry.timeouts.connect_seconds,
        entry.timeouts.first_byte_seconds,
        entry.timeouts.idle_seconds,
        entry.timeouts.total_seconds,
        entry.timeouts.pool_wait_seconds,
    )
    assert {"responses": "auto", "files": "-"} == entry.capabilities
    assert (("user",), {"max_completion_tokens": "max_tokens"}) == (entry.drop, entry.rename)
    assert ("system", "max_tokens") == (entry.developer_role, entry.max_tokens_name)
    assert (512 * 1024, 7, 0) == (
        entry.max_json_bytes,
        entry.max_connections,
        entry.keepalive_seconds,
    )
    assert (60, SecretStr("socks5://me:secret@proxy.example:1080"), True) == (
        entry.max_connection_age_seconds,
        entry.proxy,
        entry.http2,
    )
    assert (False, "me", ("llama-*", "exact")) == (entry.append_v1, entry.user_agent, entry.models)


def test_every_field_of_a_dialect_arrives(folder):
    text = """
        upstreams:
          4minds: {api_key: a, events: raw}
          minds:
            {api_key: b, generation: llm, chat_path: /chat, models_path: "https://x.example/minds",
             thoughts: drop, missing_finish: error, not_ready: error}
          openmind: {api_key: c, catalogue: extended, providers: [openai, xai], model_providers: {m: xai}}
    """
    fourminds, minds, openmind = load(folder, text).upstreams

    assert ("4minds", "raw") == (fourminds.dialect, fourminds.events)
    assert ("llm", "/chat", "https://x.example/minds") == (
        minds.generation,
        minds.chat_path,
        minds.models_path,
    )
    assert ("drop", "error", "error") == (minds.thoughts, minds.missing_finish, minds.not_ready)
    assert ("extended", ("openai", "xai"), {"m": "xai"}) == (
        openmind.catalogue,
        openmind.providers,
        openmind.model_providers,
    )


@pytest.mark.parametrize(
    ("written", "credential"),
    [
        pytest.param("{scheme: Token}", Credential("authorization", "Token"), id="another scheme"),
        pytest.param("{header: x-api-key}", Credential("x-api-key", ""), id="the bare key"),
        pytest.param("{header: Authorization}", Credential("Authorization", "Bearer"), id="Bearer"),
        pytest.param('{scheme: ""}', Credential("authorization", ""), id="bare in authorization"),
    ],
)
def test_a_credential_is_sent_as_written(folder, written, credential):
    text = f"upstreams: {{openmind: {{api_key: a, auth: {written}}}}}"

    assert credential == load(folder, text).upstreams[0].credential


@pytest.mark.parametrize(
    ("name", "fields", "dialect"),
    [
        pytest.param("minds", "api_key: a", "minds", id="the name says it"),
        pytest.param("OpenMind", "api_key: a", "openmind", id="in any case"),
        pytest.param("box", "base_url: 'http://127.0.0.1:1'", "openai", id="else it is openai"),
        pytest.param("minds", "dialect: 4minds, api_key: a", "4minds", id="what is stated wins"),
    ],
)
def test_the_dialect_of_an_entry(folder, name, fields, dialect):
    assert dialect == load(folder, f"upstreams: {{{name}: {{{fields}}}}}").upstreams[0].dialect


def test_routes_end_at_upstreams_in_order(folder):
    text = """
        upstreams: {Local: {base_url: "http://127.0.0.1:1"}, openmind: {api_key: a}}
        models:
          gpt-4: openmind/gpt-4o
          fast: [gpt-4, local/llama-3.3, smart, openmind/gpt-4o]
          smart: {policy: ordered, deployments: [{target: openmind/nearai/x}, local/llama-3.3]}
          claude-*: fast
        default_upstream: LOCAL
    """
    found = load(folder, text)

    assert (
        RouteEntry("gpt-4", ("openmind/gpt-4o",)),
        RouteEntry("fast", ("openmind/gpt-4o", "Local/llama-3.3", "openmind/nearai/x")),
        RouteEntry("smart", ("openmind/nearai/x", "Local/llama-3.3")),
        RouteEntry("claude-*", ("openmind/gpt-4o", "Local/llama-3.3", "openmind/nearai/x")),
    ) == found.routes
    assert "Local" == found.default_upstream


def test_a_name_with_a_slash_that_is_no_upstreams_is_an_alias(folder):
    text = LOCAL + "models: {openai/gpt-4o: local/gpt-4o, b: openai/gpt-4o}"

    assert ["local/gpt-4o"] * 2 == [route.targets[0] for route in load(folder, text).routes]


@pytest.mark.parametrize(
    ("written", "epoch_seconds"),
    [
        pytest.param("2027-01-31T12:00:00Z", 1801396800, id="UTC"),
        pytest.param("2027-01-31T13:00:00+01:00", 1801396800, id="another zone"),
        pytest.param("2027-01-31 12:00:00", 1801396800, id="without a zone it is UTC"),
        pytest.param("2027-01-31", 1801353600, id="a date is its first moment"),
        pytest.param("1801396800", 1801396800, id="seconds since 1970"),
    ],
)
def test_a_keys_end(folder, written, epoch_seconds):
    text = LOCAL + f"keys: [{{name: a, key: {KEY}, expires_at: {written}}}]"

    assert epoch_seconds == load(folder, text).keys[0].expires_at


def test_a_key_arrives(folder):
    text = LOCAL + f"keys: [{{name: ci, key: {KEY}, models: [fast, local/*], resources: own}}]"
    [key] = load(folder, text).keys

    assert ("ci", ("fast", "local/*"), "own", None) == (
        key.name,
        key.models,
        key.resources,
        key.expires_at,
    )


def test_the_other_sections_arrive(folder):
    text = f"""
        server: {{host: 127.0.0.1, port: 0, max_body_mb: 1, drain_seconds: 0, metrics_token: {KEY},
                 cors_origins: ["https://a.example", "app://obsidian.md"], admin_host: "::1", admin_port: 9000}}
        timeouts: {{connect_seconds: 1, first_byte_seconds: 300}}
        streams: {{heartbeat_seconds: 1, noop_seconds: 2, max_event_kb: 3}}
        logs: {{format: console}}
    """
    found = load(folder, LOCAL + text.replace("\n        ", "\n"))

    assert found.server.metrics_token
    assert (
        ServerOptions(
            port=0,
            max_body_bytes=1024 * 1024,
            drain_seconds=0,
            metrics_token=found.server.metrics_token,
            cors_origins=("https://a.example", "app://obsidian.md"),
            admin_host="::1",
            admin_port=9000,
        )
        == found.server
    )
    assert Timeouts(connect_seconds=1, first_byte_is_fixed=True) == found.timeouts
    assert StreamOptions(1, 2, 3072) == found.streams
    assert "console" == found.log_format


@pytest.mark.parametrize(
    ("text", "names"),
    [
        pytest.param("keys: [{name: a, key: KEY, models: [x], resources: own}]", [], id="none"),
        pytest.param(
            "keys: [{name: a, key: KEY, expires_at: 2027-01-31}]", [], id="an end is enforced"
        ),
        pytest.param(
            "keys: [{name: a, key: KEY, team: t, rpm: 1, tpm: 2, concurrency: 3, budget_usd: 4,"
            " budget_tokens: 5, budget_period: day, max_tokens: 6, native: [use], labels: {a: b}}]",
            [],
            id="all that a key has",
        ),
        pytest.param("models: {a: {policy: first, deployments: [local/x]}}", [], id="in order"),
        pytest.param(
            "models: {a: {policy: weighted, deployments: [{target: local/x, weight: 9}]}}",
            ["models.a.policy", "models.a.weight"],
            id="weights",
        ),
        pytest.param("storage: {url: 'sqlite:///x.db'}", [], id="storage"),
        pytest.param("redis: {url: null}", [], id="no redis"),
        pytest.param("redis: {url: 'redis://127.0.0.1'}", ["redis.url"], id="redis"),
        pytest.param("prices: {local/x: {usd_per_request: 1}}", [], id="prices"),
        pytest.param("prices: {local/x: {usd_per_audio_second: 1}}", [], id="prices of sound"),
    ],
)
def test_what_is_not_enforced_is_named(folder, text, names):
    assert names == list(load(folder, LOCAL + text.replace("KEY", KEY)).not_enforced)


def test_the_admin_key_and_the_viewer_key_arrive(folder):
    environment = {"MINDGATE_ADMIN_KEY": KEY, "MINDGATE_VIEWER_KEY": OTHER_KEY}
    found = load(folder, LOCAL, environment=environment)

    assert () == found.not_enforced
    assert found.admin_key
    assert found.viewer_key
    assert (KEY, OTHER_KEY) == (
        found.admin_key.get_secret_value(),
        found.viewer_key.get_secret_value(),
    )


def test_yaml_anchors_and_merges_work(folder):
    text = """
        upstreams:
          a: &box {base_url: "http://127.0.0.1:1", max_connections: 3}
          b: {<<: *box, base_url: "http://127.0.0.1:2"}
    """

    assert [3, 3] == [upstream.max_connections for upstream in load(folder, text).upstreams]


def test_a_name_that_looks_like_a_date_is_a_name(folder):
    text = LOCAL + "models: {2024-08-06: local/2024-08-06}"

    assert (RouteEntry("2024-08-06", ("local/2024-08-06",)),) == load(folder, text).routes


def test_dotenv_is_read_as_shells_write_it(folder):
    dotenv = "# a comment\nexport MINDS_API_KEY='mk 1'  # another\nOTHER\nEMPTY=\n"
    [upstream] = load(folder, dotenv=dotenv).upstreams

    assert upstream.api_key
    assert "mk 1" == upstream.api_key.get_secret_value()


def test_the_paths_of_the_gateway_are_reserved():
    """Architecture 5, contract A3."""
    assert {"v1", "admin", "console", "metrics", "docs", "chat", "models"} <= RESERVED_NAMES
