"""What a principal may do with a route (architecture 5, reliability S15)."""

from collections.abc import Collection
from fnmatch import fnmatchcase

from app.domain.errors import PermissionDenied
from app.domain.principal import Principal
from app.domain.routes import Deployment, Route


def may_use(principal: Principal, route: Route, upstreams: Collection[str]) -> bool:
    """True when *principal* may be served by *route*, where *upstreams* are the configured names.

    A pattern that matches the name of a route or alias brings its targets with it. Reached any other way, each target,
    failover ones too, must match a pattern itself, as `upstream/model` or by its bare name. No patterns: all models.
    """
    if not principal.models:
        return True
    if route.is_named and _matches(principal, route.name):
        return True
    return all(_may_reach(principal, deployment, upstreams) for deployment in route.deployments)


def require_all_resources(principal: Principal) -> None:
    """Nothing, where *principal* may touch what others made; else raises PermissionDenied (contract F17)."""
    if principal.resources != "all":
        raise PermissionDenied(
            "You have insufficient permissions for this operation. The key needs `resources: all`."
        )


def _may_reach(principal: Principal, deployment: Deployment, upstreams: Collection[str]) -> bool:
    if _matches(principal, f"{deployment.upstream}/{deployment.model}"):
        return True
    # A bare `openai/gpt-4o` of some router must not pass for the upstream `openai` that a pattern means.
    is_ambiguous = deployment.model.partition("/")[0] in upstreams
    return not is_ambiguous and _matches(principal, deployment.model)


def _matches(principal: Principal, name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in principal.models)
