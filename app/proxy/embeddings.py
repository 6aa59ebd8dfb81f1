"""
`POST /v1/embeddings`: relayed to whoever serves the model, charged by its count of tokens (contract N1 to N3, upstreams
P4).
"""

from app.domain.errors import GatewayError, InvalidRequest, Overloaded, UpstreamUnreachable
from app.domain.routes import Deployment
from app.protocol.embeddings import Encoding, read_embeddings
from app.protocol.json_bodies import JsonBody, read_json_body
from app.protocol.lists import NoList
from app.proxy.call import Call
from app.proxy.json_asking import JsonAsking, Whole, unreadable
from app.proxy.model_routes import ModelRoutes
from app.proxy.off_loop import off_loop
from app.upstreams.relayed_request import Relayed
from app.upstreams.upstream import Upstream

_ACTED_ON = ("model", "encoding_format")
_JSON = b"application/json"


class EmbeddingDesk:
    """Serves `embeddings`."""

    def __init__(self, routes: ModelRoutes, asking: JsonAsking) -> None:
        self._routes = routes
        self._asking = asking

    async def serve(self, call: Call) -> None:
        """The client has its vectors, in the encoding that it asked for. Raises what may go wrong, typed."""
        raw = await call.client.read_body()
        body = await off_loop(len(raw), read_json_body, raw, _ACTED_ON)
        model = body.text_member("model")
        if not model:
            raise InvalidRequest(
                "you must provide a model parameter",
                code="missing_required_parameter",
                param="model",
            )
        encoding: Encoding = "base64" if _asks_for_base64(body) else "float"
        route = await self._routes.admitted(call, model, body)
        whole, upstream = await self._asked(call, route.deployments, body)
        try:
            found = await off_loop(len(whole.body), read_embeddings, whole.body, encoding)
        except NoList:
            raise unreadable(upstream, "embeddings") from None
        call.exchange.usage = found.usage
        await call.reply.whole(found.body)

    async def _asked(
        self, call: Call, deployments: tuple[Deployment, ...], body: JsonBody
    ) -> tuple[Whole, Upstream]:
        """The answer of the first of *deployments* that can be reached (reliability R6)."""
        failure: GatewayError | None = None
        for deployment in deployments:
            upstream, text = self._routes.placed(call, deployment, body)
            relayed = Relayed("POST", "/embeddings", call.client.query, text, _JSON)
            try:
                return await self._asking.ask(call, upstream, relayed), upstream
            except (UpstreamUnreachable, Overloaded) as error:
                failure = error
        if failure is None:
            raise ValueError("a route has at least one deployment")
        raise failure


def _asks_for_base64(body: JsonBody) -> bool:
    return body.text_member("encoding_format") == "base64"
