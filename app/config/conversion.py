"""Settings as written into the objects of the domain: megabytes into bytes, sections into one Configuration."""

from collections.abc import Iterable, Mapping
from datetime import UTC
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from pydantic import SecretStr

from app.config.ledger_conversion import (
    limit_options,
    limits_of,
    peppers_of,
    prices_of,
    storage_options,
    usage_options,
)
from app.config.not_enforced import not_enforced
from app.config.routes import routes
from app.config.schema import KeySection, ServerSection, Settings, StreamSection, TimeoutSection
from app.config.upstream_checks import dialect_of
from app.config.upstream_schema import (
    CredentialSection,
    DeadlineSection,
    NativePathSection,
    UpstreamSection,
)
from app.domain.configuration import (
    Configuration,
    Credential,
    KeyEntry,
    RecognitionOptions,
    ServerOptions,
    SpeechOptions,
    StreamOptions,
    TimeoutOverrides,
    Timeouts,
    UpstreamEntry,
)
from app.domain.principal import Native

_MEGABYTE = 1024 * 1024


def configuration_of(
    settings: Settings,
    *,
    upstream_order: Iterable[str],
    admin_key: SecretStr | None,
    viewer_key: SecretStr | None,
    source: str,
) -> Configuration:
    """The Configuration that *settings* mean. They have passed every check.

    *upstream_order*: the names as they were written, which decides where several have a route (architecture 5).
    """
    spelt = {name.lower(): name for name in settings.upstreams}
    default = settings.default_upstream
    return Configuration(
        server=_server(settings.server),
        auth_mode=settings.auth.mode,
        upstreams=tuple(
            _upstream(name, settings.upstreams[name]) for name in dict.fromkeys(upstream_order)
        ),
        routes=routes(settings),
        default_upstream=spelt[default.lower()] if default else None,
        keys=tuple(map(_key, settings.keys)),
        timeouts=_timeouts(settings.timeouts),
        streams=_streams(settings.streams),
        log_format=settings.logs.format,
        not_enforced=not_enforced(settings),
        source=source,
        admin_key=admin_key,
        viewer_key=viewer_key,
        peppers=peppers_of(settings),
        storage=storage_options(settings),
        usage=usage_options(settings.usage),
        limits=limit_options(settings.limits),
        prices=prices_of(settings),
    )


def _server(server: ServerSection) -> ServerOptions:
    return ServerOptions(
        host=server.host,
        port=server.port,
        max_body_bytes=int(server.max_body_mb * _MEGABYTE),
        max_upload_bytes=int(server.max_upload_mb * _MEGABYTE),
        drain_seconds=server.drain_seconds,
        metrics_token=server.metrics_token,
        cors_origins=server.cors_origins,
        admin_host=server.admin_host,
        admin_port=server.admin_port,
    )


def _upstream(name: str, upstream: UpstreamSection) -> UpstreamEntry:
    base_url, query = _split_query(upstream.base_url)
    return UpstreamEntry(
        name=name,
        dialect=dialect_of(name, upstream),
        api_key=upstream.api_key,
        base_url=base_url,
        credential=_credential(upstream.auth),
        headers=dict(upstream.headers),
        query={**query, **upstream.query},
        user_agent=upstream.user_agent,
        models=upstream.models,
        timeouts=_overrides(upstream.timeouts),
        capabilities={str(name): support for name, support in upstream.capabilities.items()},
        drop=upstream.drop,
        rename=dict(upstream.rename),
        developer_role=upstream.developer_role,
        max_tokens_name=upstream.max_tokens_name,
        max_json_bytes=int(upstream.max_json_mb * _MEGABYTE),
        max_connections=upstream.max_connections,
        keepalive_seconds=upstream.keepalive_seconds,
        max_connection_age_seconds=upstream.max_connection_age_seconds,
        proxy=upstream.proxy,
        http2=upstream.http2,
        upload_transfer=upstream.upload_transfer,
        native=upstream.native,
        native_paths=_native_paths(upstream.native_paths),
        append_v1=upstream.append_v1,
        events=upstream.events,
        generation=upstream.generation,
        chat_path=upstream.chat_path,
        models_path=upstream.models_path,
        thoughts=upstream.thoughts,
        missing_finish=upstream.missing_finish,
        not_ready=upstream.not_ready,
        catalogue=upstream.catalogue,
        providers=upstream.providers,
        model_providers=dict(upstream.model_providers),
        websocket_base=upstream.websocket_base,
        riva_asr_url=upstream.riva_asr_url,
        vila_url=upstream.vila_url,
        speech=SpeechOptions(**upstream.speech.model_dump()),
        transcription=RecognitionOptions(**upstream.transcription.model_dump()),
    )


def _native_paths(paths: NativePathSection) -> Mapping[Native, tuple[str, ...]]:
    rows: dict[Native, tuple[str, ...]] = {
        "use": paths.use,
        "read": paths.read,
        "manage": paths.manage,
    }
    return {name: found for name, found in rows.items() if found}


def _split_query(base_url: str | None) -> tuple[str | None, Mapping[str, SecretStr]]:
    """The URL without its query, and the query: a route's path goes between the two (upstreams G1)."""
    if base_url is None:
        return None, {}
    parts = urlsplit(base_url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    return urlunsplit(parts._replace(query="")), {name: SecretStr(value) for name, value in pairs}


def _credential(auth: CredentialSection | None) -> Credential | None:
    if auth is None:
        return None
    scheme = auth.scheme
    if scheme is None:
        scheme = "Bearer" if auth.header.lower() == "authorization" else ""
    return Credential(header=auth.header, scheme=scheme)


def _overrides(deadlines: DeadlineSection) -> TimeoutOverrides:
    return TimeoutOverrides(
        connect_seconds=deadlines.connect_seconds,
        first_byte_seconds=deadlines.first_byte_seconds,
        idle_seconds=deadlines.idle_seconds,
        total_seconds=deadlines.total_seconds,
        pool_wait_seconds=deadlines.pool_wait_seconds,
    )


def _timeouts(timeouts: TimeoutSection) -> Timeouts:
    return Timeouts(
        connect_seconds=timeouts.connect_seconds,
        first_byte_seconds=timeouts.first_byte_seconds,
        idle_seconds=timeouts.idle_seconds,
        total_seconds=timeouts.total_seconds,
        pool_wait_seconds=timeouts.pool_wait_seconds,
        first_byte_is_fixed="first_byte_seconds" in timeouts.model_fields_set,
    )


def _streams(streams: StreamSection) -> StreamOptions:
    return StreamOptions(
        heartbeat_seconds=streams.heartbeat_seconds,
        noop_seconds=streams.noop_seconds,
        max_event_bytes=streams.max_event_kb * 1024,
    )


def _key(key: KeySection) -> KeyEntry:
    expires = key.expires_at
    if expires is not None and expires.tzinfo is None:
        expires = expires.replace(tzinfo=UTC)
    return KeyEntry(
        name=key.name,
        key=key.key,
        models=key.models,
        resources=key.resources,
        expires_at=None if expires is None else expires.timestamp(),
        team=key.team,
        limits=limits_of(key),
        native=key.native,
        labels=dict(key.labels),
    )
