"""
Settings that are valid and that this version does not act on yet.

They are named at start and in docs/configuration.md, so that nobody believes in a limit that nothing holds. A row
leaves this file with the commit that makes the setting work.
"""

from collections.abc import Iterator

from app.config.schema import Settings


def not_enforced(settings: Settings) -> tuple[str, ...]:
    """The dotted names of those that *settings* set to something else than their default."""
    return tuple(_names(settings))


def _names(settings: Settings) -> Iterator[str]:
    for name, route in settings.models.items():
        if route.policy == "weighted":
            yield f"models.{name}.policy"
        if any(deployment.weight != 1 for deployment in route.deployments):
            yield f"models.{name}.weight"
    if settings.redis.url is not None:
        yield "redis.url"
