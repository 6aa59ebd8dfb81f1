"""
Which secrets may open the gateway (reliability S12, S13).

A key is long, is nobody's example, opens one thing, and is not an upstream's: that one would leak to every client.
A pepper opens nothing, and whoever has a key must not have it.
"""

from collections.abc import Iterator, Mapping

from pydantic import SecretStr

from app.config.faults import Fault
from app.config.schema import Settings
from app.config.schema_tree import Where, dotted

MIN_LENGTH = 16
_MIN_DIFFERENT = 6
_EXAMPLE_STARTS = ("sk-1234", "sk-xxx", "sk-your", "test", "example", "placeholder", "password")
_EXAMPLE_PARTS = ("changeme", "change-me", "change_me", "your-", "your_", "xxxx", "...", "replace")

HOW_TO_MAKE_ONE = "make one with: openssl rand -hex 24"


def key_faults(settings: Settings, planes: Mapping[str, SecretStr]) -> Iterator[Fault]:
    """Faults of `keys`, `server.metrics_token`, the peppers and *planes*, the admin and viewer keys by variable."""
    names: dict[str, int] = {}
    for n, key in enumerate(settings.keys):
        if names.setdefault(key.name, n) != n:
            yield Fault(("keys", n, "name"), f"is also the name of keys[{names[key.name]}]")
    upstream_secrets = {secret.get_secret_value() for secret in _sent_upstream(settings)}
    owners: dict[str, Where] = {}
    for where, secret in _own(settings, planes):
        value = secret.get_secret_value()
        if weakness := _weakness(value):
            yield Fault(where, f"{weakness}; {HOW_TO_MAKE_ONE}")
        if value in upstream_secrets:
            yield Fault(where, "is also a key that an upstream gets; use another one here")
        if owners.setdefault(value, where) != where:
            yield Fault(where, f"is the same secret as {dotted(owners[value])}")


def _own(settings: Settings, planes: Mapping[str, SecretStr]) -> Iterator[tuple[Where, SecretStr]]:
    """The gateway's own secrets: what opens it, and what its keys are hashed with."""
    for n, key in enumerate(settings.keys):
        yield ("keys", n, "key"), key.key
    if settings.server.metrics_token is not None:
        yield ("server", "metrics_token"), settings.server.metrics_token
    if settings.auth.pepper is not None:
        yield ("auth", "pepper"), settings.auth.pepper
    for n, pepper in enumerate(settings.auth.previous_peppers):
        yield ("auth", "previous_peppers", n), pepper
    for variable, secret in planes.items():
        yield (variable,), secret


def _sent_upstream(settings: Settings) -> Iterator[SecretStr]:
    for upstream in settings.upstreams.values():
        if upstream.api_key is not None:
            yield upstream.api_key
        yield from upstream.headers.values()
        yield from upstream.query.values()


def _weakness(value: str) -> str | None:
    lowered = value.lower()
    if lowered.startswith(_EXAMPLE_STARTS) or any(part in lowered for part in _EXAMPLE_PARTS):
        return "looks like an example, not a secret"
    if len(value) < MIN_LENGTH:
        return f"is shorter than {MIN_LENGTH} characters"
    if len(set(value)) < _MIN_DIFFERENT:
        return "is too easy to guess"
    return None
