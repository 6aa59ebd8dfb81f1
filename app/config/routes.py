"""
Routes and aliases, resolved: each ends in `upstream/model` of a configured upstream, in the order to be tried.

A target is `upstream/model`, or else the name of another route, whose targets stand in its place.
"""

from collections.abc import Iterator

from app.config.faults import Fault, did_you_mean
from app.config.schema import Settings
from app.config.schema_tree import Where
from app.config.upstream_checks import unknown_upstream
from app.domain.configuration import RouteEntry


def route_faults(settings: Settings) -> Iterator[Fault]:
    """Names that can never be reached, targets that lead nowhere, and circles."""
    upstreams = {name.lower() for name in settings.upstreams}
    for name, route in settings.models.items():
        prefix, slash, _ = name.partition("/")
        if slash and prefix.lower() in upstreams:
            yield Fault(("models", name), f"can never be reached: {prefix}/… goes to that upstream")
        if circle := _circle(name, settings):
            yield Fault(("models", name), f"leads back to itself: {' → '.join(circle)}")
        for n, deployment in enumerate(route.deployments):
            where = ("models", name, "deployments", n, "target")
            yield from _target_faults(where, deployment.target, settings)


def routes(settings: Settings) -> tuple[RouteEntry, ...]:
    """All routes with their targets flattened, repeats left out. *settings* has no `route_faults`."""
    spelt = {name.lower(): name for name in settings.upstreams}
    entries = []
    for name in settings.models:
        targets = dict.fromkeys(_flat(name, settings, spelt))
        entries.append(RouteEntry(name=name, targets=tuple(targets)))
    return tuple(entries)


def _flat(name: str, settings: Settings, spelt: dict[str, str]) -> Iterator[str]:
    for deployment in settings.models[name].deployments:
        prefix, slash, model = deployment.target.partition("/")
        if slash and prefix.lower() in spelt:
            yield f"{spelt[prefix.lower()]}/{model}"
        else:
            yield from _flat(deployment.target, settings, spelt)


def _target_faults(where: Where, target: str, settings: Settings) -> Iterator[Fault]:
    prefix, slash, model = target.partition("/")
    if slash and prefix.lower() in {name.lower() for name in settings.upstreams}:
        if not model:
            yield Fault(where, f"needs a model behind {prefix}/")
        elif "*" in model:
            yield Fault(where, "must be one model; only a route's name may be a pattern")
    elif target not in settings.models:
        yield Fault(where, _unknown_target(target, settings))


def _unknown_target(target: str, settings: Settings) -> str:
    prefix, slash, _ = target.partition("/")
    if slash:
        return unknown_upstream(prefix, settings)
    hint = did_you_mean(target, settings.models)
    return f"'{target}' is no upstream/model, and no route has this name{hint}"


def _circle(name: str, settings: Settings) -> tuple[str, ...]:
    """The way from *name* back to *name*; () if there is none."""
    pending: list[tuple[str, ...]] = [(name,)]
    visited: set[str] = set()
    upstreams = {upstream.lower() for upstream in settings.upstreams}
    while pending:
        way = pending.pop()
        for deployment in settings.models[way[-1]].deployments:
            target = deployment.target
            if target not in settings.models or target.partition("/")[0].lower() in upstreams:
                continue
            if target == name:
                return (*way, name)
            if target not in visited:
                visited.add(target)
                pending.append((*way, target))
    return ()
