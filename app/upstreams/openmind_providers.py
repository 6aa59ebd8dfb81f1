"""
Which provider of OpenMind serves a model: table 5.2 of upstreams, and rules O-P1 to O-P3 over it.

OpenMind has no list of its models and wants the provider in the path, so the gateway has to know both.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from app.upstreams.discovery import DiscoveredModel


@dataclass(frozen=True, slots=True)
class Provider:
    """One row of table 5.2. *listed*: the seed's models; *further*: what the vendor's pages added later."""

    listed: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    further: tuple[str, ...] = ()


class ProviderTarget(NamedTuple):
    """Where a model is asked for: the provider in the path, and the name in the body."""

    provider: str
    model: str


TABLE: Mapping[str, Provider] = {
    "openai": Provider(
        listed=("gpt-4o", "gpt-4o-mini"),
        prefixes=("gpt-", "o1", "o3", "o4"),
        further=(
            "gpt-4.1",
            "gpt-4.1-mini",
            "gpt-4.1-nano",
            "gpt-5",
            "gpt-5-mini",
            "gpt-5-nano",
            "gpt-5.1",
            "gpt-5.2",
        ),
    ),
    "deepseek": Provider(listed=("deepseek-chat",), prefixes=("deepseek-",)),
    "gemini": Provider(
        listed=("gemini-2.0-flash-exp",),
        prefixes=("gemini-",),
        further=(
            "gemini-2.5-flash",
            "gemini-2.5-flash-lite",
            "gemini-2.5-pro",
            "gemini-3-flash-preview",
            "gemini-3-pro-preview",
            "gemini-3.1-pro-preview",
            "gemini-3.1-flash-lite",
            "gemini-3.5-flash",
        ),
    ),
    "xai": Provider(
        listed=("grok-2-latest",),
        prefixes=("grok-",),
        further=("grok-3-mini-beta", "grok-3-beta", "grok-4", "grok-4-latest"),
    ),
    "nearai": Provider(
        further=(
            "qwen3-30b-a3b-instruct-2507",
            "qwen2.5-vl-72b-instruct",
            "qwen-2.5-7b-instruct",
            "openai/gpt-oss-120b",
            "deepseek-ai/DeepSeek-V3.1",
            "zai-org/GLM-4.7",
        ),
    ),
    "openrouter": Provider(
        further=(
            "meta-llama/llama-3.3-70b-instruct",
            "anthropic/claude-sonnet-4.5",
            "anthropic/claude-opus-4.1",
            "moonshotai/kimi-k2.5",
            "deepseek/deepseek-v3.2",
            "x-ai/grok-4-fast",
        ),
    ),
}

# A name is looked up with every request, and not searched for. No name stands in two rows.
_SEED = frozenset(name for row in TABLE.values() for name in row.listed)
_CATALOGUES: Mapping[str, frozenset[str]] = {
    "seed": _SEED,
    "extended": _SEED.union(*(row.further for row in TABLE.values())),
}
_OWNERS = {name: owner for owner, row in TABLE.items() for name in (*row.listed, *row.further)}
_PREFIXES = sorted(
    ((prefix, owner) for owner, row in TABLE.items() for prefix in row.prefixes),
    key=lambda pair: len(pair[0]),
    reverse=True,
)
_TAKES_SLASHES = "openrouter"  # O-P1, rule 4


def claims(name: str) -> bool:
    """True when a bare *name* begins with a prefix that OpenMind claims (architecture 5)."""
    return any(name.startswith(prefix) for prefix, _ in _PREFIXES)


def provider_of(
    name: str,
    *,
    catalogue: str,
    models: Sequence[str],
    providers: Collection[str],
    model_providers: Mapping[str, str],
) -> ProviderTarget | None:
    """Who serves *name*, the first rule of O-P1 that knows; None is a 404 without a call.

    *name*: without the upstream's own prefix. *providers*: those that are in use. The rest is the entry's settings.
    """
    provider = model_providers.get(name)
    if provider is None and ("/" in name or name in (models or _CATALOGUES[catalogue])):
        # A name with a slash may always be asked for (rule 4), a bare one only where it is listed (contract K8).
        provider = _exact(name, providers)
    if provider is not None:
        return ProviderTarget(provider, name)
    first, _, rest = name.partition("/")
    if rest and first in providers:
        return ProviderTarget(first, rest)
    claimed = _longest_prefix(name, providers)
    if claimed is not None:
        return ProviderTarget(claimed, name)
    if rest and _TAKES_SLASHES in providers:
        return ProviderTarget(_TAKES_SLASHES, name)
    return None


def listed_models(
    *,
    catalogue: str,
    models: Sequence[str],
    providers: Collection[str],
    model_providers: Mapping[str, str],
) -> tuple[DiscoveredModel, ...]:
    """What `GET /v1/models` shows for OpenMind: *models* if there are any, else the catalogue; each with its provider.

    Names of *model_providers* are shown too, and a name that no rule places is not: what is listed works (contract K8).
    """
    return tuple(
        DiscoveredModel(name, 0, f"openmind/{target.provider}")
        for name in _listed(catalogue, models, model_providers)
        if (
            target := provider_of(
                name,
                catalogue=catalogue,
                models=models,
                providers=providers,
                model_providers=model_providers,
            )
        )
    )


def _listed(
    catalogue: str, models: Sequence[str], model_providers: Mapping[str, str]
) -> tuple[str, ...]:
    """The names to show, each once. A pattern is no name."""
    names = models or tuple(_catalogue(catalogue))
    return tuple(name for name in dict.fromkeys((*names, *model_providers)) if "*" not in name)


def _catalogue(catalogue: str) -> Iterator[str]:
    for row in TABLE.values():
        yield from row.listed
        if catalogue == "extended":
            yield from row.further


def _exact(name: str, providers: Collection[str]) -> str | None:
    """The provider whose row of the table has *name*."""
    owner = _OWNERS.get(name)
    return owner if owner in providers else None


def _longest_prefix(name: str, providers: Collection[str]) -> str | None:
    for prefix, owner in _PREFIXES:
        if owner in providers and name.startswith(prefix):
            return owner
    return None
