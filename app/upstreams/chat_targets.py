"""Who inside an upstream serves a model: one name for whoever routes, prices and asks."""

from app.upstreams.openmind_providers import ProviderTarget, provider_of
from app.upstreams.upstream import Upstream


def chat_target(
    upstream: Upstream, model: str, provider: str | None = None
) -> ProviderTarget | None:
    """Which provider of *upstream* serves *model*, and under what name: *provider* where the path names one, "" at an
    upstream that has none. None when no provider claims it (O-P1)."""
    if not upstream.dialect.path_providers:
        return ProviderTarget("", model)
    if provider is not None:
        return ProviderTarget(provider, model)
    entry = upstream.entry
    return provider_of(
        model,
        catalogue=entry.catalogue,
        models=entry.models,
        providers=entry.providers,
        model_providers=entry.model_providers,
    )
