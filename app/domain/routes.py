"""A model name and the deployments that serve it."""

import msgspec

OTHER = (
    "other"  # the metric label of every name that nobody configured or discovered (reliability S22)
)


class Deployment(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """One model at one upstream: the unit of selection (architecture 4).

    *model* is the name at the upstream, *label* the same for metrics, or `other`.
    """

    upstream: str
    model: str
    label: str = OTHER


class Route(msgspec.Struct, frozen=True, cache_hash=True):
    """Who serves a request, in the order to be tried; never empty.

    *is_named*: *name* is a route or alias of the configuration, so a key that may use the name may use its targets.
    """

    name: str
    deployments: tuple[Deployment, ...]
    is_named: bool = False
