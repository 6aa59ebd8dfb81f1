"""
What a caller may do with a model: what its key's patterns let it (reliability S15), less the fine-tuned models of other
teams (S16); and which stored files it may show to one.
"""

from collections.abc import Collection

from app.access.permissions import Permissions
from app.access.register import Register
from app.domain.principal import Principal
from app.domain.routes import Deployment, Route
from app.domain.stored_objects import ObjectName
from app.protocol.named_objects import files_shown
from app.protocol.object_ids import no_such_object
from app.proxy.call import Call
from app.proxy.off_loop import off_loop


class ModelRights:
    """Joins both. A model of another team's is as if it did not exist."""

    def __init__(self, permissions: Permissions, register: Register) -> None:
        self._permissions = permissions
        self._register = register

    def may_use(self, principal: Principal, route: Route) -> bool:
        """True when *principal* may be served by *route*."""
        if not self._permissions.may_use(principal, route):
            return False
        if principal.resources == "all":
            return True
        may_use = self._register.may_use_model
        return all(may_use(principal, one.upstream, one.model) for one in route.deployments)

    async def check_files(
        self, principal: Principal, upstreams: Collection[str], body: bytes, *, param: str
    ) -> None:
        """*principal* may show a model of any of *upstreams* what the JSON *body* shows it, by the member *param*:
        whoever names a file of the shared account could have its content told. Raises ObjectNotFound."""
        if principal.resources == "all":
            return
        for file_id in sorted(await off_loop(len(body), files_shown, body)):
            for upstream in upstreams:
                name = ObjectName(upstream, "file", file_id)
                if not await self._register.may_touch(principal, name):
                    raise no_such_object("file", file_id, param=param)

    async def may_delete(self, principal: Principal, deployment: Deployment) -> bool:
        """True when its team made the model, or it may touch what others made."""
        name = ObjectName(deployment.upstream, "model", deployment.model)
        return await self._register.may_touch(principal, name)

    def deleted(self, call: Call, deployment: Deployment) -> None:
        """The caller deleted the model: it is nobody's."""
        exchange, name = call.exchange, ObjectName(deployment.upstream, "model", deployment.model)
        self._register.disclaim(
            call.principal, name, exchange_id=exchange.request_id, at_ms=exchange.at_ms
        )
