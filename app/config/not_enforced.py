"""
Settings that are valid and that this version does not act on yet.

They are named at start and in docs/configuration.md, so that nobody believes in a limit that nothing holds. A row
leaves this file with the commit that makes the setting work.
"""

from collections.abc import Iterator

from pydantic import SecretStr

from app.config.schema import Settings, StorageSection

KEY_FIELDS = (
    "team",
    "rpm",
    "tpm",
    "concurrency",
    "budget_usd",
    "budget_tokens",
    "budget_period",
    "max_tokens",
    "native",
    "labels",
)
VIEWER = "MINDGATE_VIEWER_KEY"


def not_enforced(settings: Settings, viewer_key: SecretStr | None) -> tuple[str, ...]:
    """The dotted names of those that *settings* set to something else than their default."""
    return tuple(_names(settings, viewer_key))


def _names(settings: Settings, viewer_key: SecretStr | None) -> Iterator[str]:
    for name, route in settings.models.items():
        if route.policy == "weighted":
            yield f"models.{name}.policy"
        if any(deployment.weight != 1 for deployment in route.deployments):
            yield f"models.{name}.weight"
    for key in settings.keys:
        yield from (f"keys.{key.name}.{field}" for field in KEY_FIELDS if getattr(key, field))
    if settings.storage != StorageSection():
        yield "storage.url"
    if settings.redis.url is not None:
        yield "redis.url"
    if settings.prices:
        yield "prices"
    if viewer_key is not None:
        yield VIEWER
