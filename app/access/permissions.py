"""What a principal may do with a route (architecture 5, reliability S15)."""

from collections.abc import Collection
from fnmatch import fnmatchcase
from typing import Final

from app.domain.errors import PermissionDenied
from app.domain.principal import Principal
from app.domain.routes import Deployment, Route

# Clients choose the names of routes, so both what is kept and how long each may be are bounded.
_MOST_REMEMBERED: Final = 4096
_LONGEST_REMEMBERED: Final = 512


class Permissions:
    """Knows which routes a key's patterns let it use; *upstreams* are the configured names.

    An answer is remembered: patterns and routes are data, so the same question has the same answer.
    """

    def __init__(self, upstreams: Collection[str]) -> None:
        self._upstreams = upstreams
        self._known: dict[tuple[tuple[str, ...], tuple[str, ...], Route], bool] = {}

    def may_use(self, principal: Principal, route: Route) -> bool:
        """True when *principal* may be served by *route*.

        A pattern that matches the name of a route or alias brings its targets with it. Reached any other way, each
        target, failover ones too, must match a pattern itself, as `upstream/model` or by its bare name. No patterns:
        all models. The patterns of the key and those of its team must both let it.
        """
        patterns, team_patterns = principal.models, principal.team_models
        if not patterns and not team_patterns:
            return True
        question = patterns, team_patterns, route
        known = self._known.get(question)
        if known is None:
            known = self._lets_use(patterns, route) and self._lets_use(team_patterns, route)
            if len(route.name) <= _LONGEST_REMEMBERED:
                if len(self._known) >= _MOST_REMEMBERED:
                    self._known.clear()
                self._known[question] = known
        return known

    def _lets_use(self, patterns: tuple[str, ...], route: Route) -> bool:
        if not patterns:
            return True
        if route.is_named and _matches(patterns, route.name):
            return True
        return all(self._lets_reach(patterns, deployment) for deployment in route.deployments)

    def _lets_reach(self, patterns: tuple[str, ...], deployment: Deployment) -> bool:
        if _matches(patterns, f"{deployment.upstream}/{deployment.model}"):
            return True
        # A bare `openai/gpt-4o` of some router must not pass for the upstream `openai` that a pattern means.
        is_ambiguous = deployment.model.partition("/")[0] in self._upstreams
        return not is_ambiguous and _matches(patterns, deployment.model)


def require_all_resources(principal: Principal) -> None:
    """Nothing, where *principal* may touch what others made; else raises PermissionDenied (contract F17)."""
    if principal.resources != "all":
        raise PermissionDenied(
            "You have insufficient permissions for this operation. The key needs `resources: all`."
        )


def _matches(patterns: tuple[str, ...], name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
