"""What must hold for the upstreams together: names, dialects, keys and where they are sent."""

import re
from collections.abc import Iterator
from importlib.util import find_spec

from app.config.environment import UPSTREAM_VARIABLES
from app.config.faults import Fault, did_you_mean
from app.config.schema import Settings
from app.config.schema_tree import Where
from app.config.upstream_schema import DIALECT_FIELDS, UpstreamSection
from app.domain.configuration import DialectName

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*", re.IGNORECASE)

# The first path segments of ours, aliases without /v1 too (contract A3, A6; upstreams.md 8).
RESERVED_NAMES = frozenset(
    {
        "v1",
        "admin",
        "console",
        "healthz",
        "readyz",
        "metrics",
        "docs",
        "openapi.json",
        "redoc",
        "api",
    }
    | {"chat", "models", "completions", "responses", "messages", "embeddings", "audio", "realtime"}
    | {"files", "fine_tuning", "fine-tune-categories", "datasets", "external-models", "moderations"}
    | {"images", "batches", "uploads", "vector_stores", "assistants", "threads", "evals"}
    | {"containers", "conversations", "videos", "rerank"}
)
_DIALECTS: dict[str, DialectName] = {"4minds": "4minds", "minds": "minds", "openmind": "openmind"}


def dialect_of(name: str, upstream: UpstreamSection) -> DialectName:
    """The dialect the entry states, else the one that it is named after, else `openai`."""
    return upstream.dialect or _DIALECTS.get(name.lower(), "openai")


def upstream_faults(settings: Settings, *, to_serve: bool) -> Iterator[Fault]:
    """Faults of `upstreams` and `default_upstream`; *to_serve*: there must be one."""
    if to_serve and not settings.upstreams:
        variables = ", ".join(UPSTREAM_VARIABLES.values())
        yield Fault(
            (),
            f"no upstream is configured; set one of {variables}, or add an entry under upstreams:,"
            " or try it without any key: mindgate demo",
        )
    seen: set[str] = set()
    for name, upstream in settings.upstreams.items():
        yield from _name_faults(name, seen)
        seen.add(name.lower())
        yield from _entry_faults(name, upstream)
    default = settings.default_upstream
    if settings.upstreams and default and default.lower() not in seen:
        yield Fault(("default_upstream",), unknown_upstream(default, settings))


def unknown_upstream(name: str, settings: Settings) -> str:
    """What to say when *name* is no configured upstream."""
    if variable := UPSTREAM_VARIABLES.get(name.lower()):
        return f"the upstream {name} is not switched on; set {variable}, or add it under upstreams:"
    known = ", ".join(settings.upstreams)
    return f"there is no upstream {name}" + (
        did_you_mean(name, settings.upstreams) or f"; configured: {known}"
    )


def _name_faults(name: str, seen: set[str]) -> Iterator[Fault]:
    where: Where = ("upstreams", name)
    if not _NAME.fullmatch(name):
        yield Fault(
            where, "an upstream's name is letters, digits, dots, dashes and underscores only"
        )
    elif name.lower() in RESERVED_NAMES:
        yield Fault(where, "is a path of the gateway's own; choose another name")
    if name.lower() in seen:
        yield Fault(where, "stands there twice, in another case")


def _entry_faults(name: str, upstream: UpstreamSection) -> Iterator[Fault]:
    where: Where = ("upstreams", name)
    dialect = dialect_of(name, upstream)
    for field in sorted(upstream.model_fields_set):
        owner = DIALECT_FIELDS.get(field, dialect)
        if owner != dialect:
            yield Fault(
                (*where, field),
                f"only the dialect {owner} knows it, and this upstream is {dialect}",
            )
    if dialect == "openai":
        if upstream.base_url is None:
            yield Fault((*where, "base_url"), "is needed for the dialect openai")
    elif upstream.api_key is None:
        variable = UPSTREAM_VARIABLES[dialect]
        hint = f"set {variable}, or api_key here" if name.lower() == dialect else "set api_key here"
        yield Fault((*where, "api_key"), f"is needed for the dialect {dialect}; {hint}")
    yield from _part_faults(where, upstream)


def _part_faults(where: Where, upstream: UpstreamSection) -> Iterator[Fault]:
    sent_in = upstream.auth.header if upstream.auth else "authorization"
    for header in upstream.headers:
        if upstream.api_key and header.lower() in {sent_in.lower(), "authorization"}:
            yield Fault((*where, "headers", header), "would be a second credential beside api_key")
    if upstream.http2:
        yield from _http2_faults((*where, "http2"), upstream)
    for model, provider in upstream.model_providers.items():
        if provider not in upstream.providers:
            hint = did_you_mean(provider, upstream.providers)
            yield Fault((*where, "model_providers", model), f"names no entry of providers{hint}")


def _http2_faults(where: Where, upstream: UpstreamSection) -> Iterator[Fault]:
    if (upstream.base_url or "https://").startswith("http://"):
        yield Fault(
            where, "is agreed on in the TLS handshake, so base_url must begin with https://"
        )
    if find_spec("h2") is None:
        yield Fault(where, "needs a package more; run: pip install 'mindgate[http2]'")
