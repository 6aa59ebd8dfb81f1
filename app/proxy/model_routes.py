"""
Who serves a model on a route other than chat, for a caller that may use it (architecture 5, reliability S15, S16).
"""

from collections.abc import Mapping

from app.domain.errors import InvalidRequest
from app.domain.routes import Deployment, Route
from app.protocol.json_bodies import JsonBody
from app.protocol.lossless import literal
from app.protocol.named_objects import may_name_files
from app.protocol.requests import ChatRequest
from app.proxy.billing import Billing
from app.proxy.call import Call
from app.proxy.model_access import ModelAccess
from app.proxy.model_rights import ModelRights
from app.upstreams.upstream import Upstream


class ModelRoutes:
    """Finds routes, and admits what goes there."""

    def __init__(
        self,
        upstreams: Mapping[str, Upstream],
        access: ModelAccess,
        rights: ModelRights,
        billing: Billing,
    ) -> None:
        self._upstreams = upstreams
        self._access = access
        self._rights = rights
        self._billing = billing

    async def admitted(self, call: Call, model: str, body: JsonBody) -> Route:
        """The route of *model*, with the tokens reserved that *body* may come to.

        Raises ModelNotFound also for a model that the caller may not use, UnsupportedEndpoint, RateLimited,
        QuotaExceeded.
        """
        route = await self._access.route(call, model)
        asked = ChatRequest(body.text, model, False, False, 1, body.members, max_tokens=0)
        reserving = self._billing.admit_chat(call.principal, asked, route, call.exchange)
        if reserving is not None:
            await reserving
        return route

    def placed(self, call: Call, deployment: Deployment, body: JsonBody) -> tuple[Upstream, bytes]:
        """The upstream of *deployment*, and *body* as it goes there: with the name that its model has there."""
        exchange = call.exchange
        exchange.model, exchange.label = deployment.model, deployment.label
        upstream = self._upstreams[deployment.upstream]
        if deployment.model == exchange.model_requested:
            return upstream, body.text
        return upstream, body.with_value("model", literal(deployment.model))

    async def check_files(self, call: Call, upstream: Upstream, text: bytes) -> None:
        """*text*, JSON for *upstream*, may go on. Raises ObjectNotFound for a stored file that is not the caller's."""
        if may_name_files(text):
            await self._rights.check_files(call.principal, (upstream.name,), text, param="file_id")

    def check_unnamed(self, call: Call, upstream: Upstream) -> None:
        """A request that names no model, or none that the gateway can see, may go on. Raises InvalidRequest where the
        key may use certain models only: which one this is about, nobody could tell."""
        if not self._rights.may_use(call.principal, Route("", (Deployment(upstream.name, ""),))):
            raise InvalidRequest(
                "you must provide a model parameter: this key may use certain models only, so a request has to "
                "name its model in a JSON body.",
                code="missing_required_parameter",
                param="model",
            )
