"""
Stored objects: completions, files, fine-tuning jobs, datasets, and two lists beside them (contract L, M; upstreams 3).

Law: nothing is asked of an upstream about an object that the caller may not touch, and what a call makes is in the
register before its reply goes out (reliability S16). Each is sent once (upstreams G7); bodies and answers pass byte for
byte, but for the prefix of a `model` and what strict SDKs need and an upstream leaves out.
"""

from collections.abc import Awaitable, Callable, Mapping

from app.access.register import Register
from app.domain.errors import InvalidRequest, ModelNotFound, UnsupportedEndpoint, unknown_model
from app.domain.routes import Deployment, Route
from app.domain.stored_objects import ObjectKind, ObjectName
from app.protocol.json_bodies import JsonBody, read_json_body
from app.protocol.lists import id_of, read_page
from app.protocol.lossless import literal
from app.protocol.named_objects import named_objects
from app.protocol.object_ids import no_such_object, object_id
from app.protocol.object_shapes import deletion, filled, was_deleted
from app.proxy.billing import Billing
from app.proxy.call import Call
from app.proxy.chooser import Chooser
from app.proxy.claims import Claims
from app.proxy.json_asking import JsonAsking
from app.proxy.model_rights import ModelRights
from app.proxy.off_loop import off_loop
from app.proxy.resource_lists import ResourceLists
from app.proxy.resource_rows import ROWS, Act, Row
from app.routing.table import RoutingTable
from app.upstreams.relayed_request import Relayed, segment
from app.upstreams.upstream import Upstream

_JSON = b"application/json"
# What a job's body may name. That one knows `dataset_id` is written nowhere: here it may name no other team's.
_NAMED_BY_A_JOB: Mapping[str, ObjectKind] = {
    "training_file": "file",
    "validation_file": "file",
    "dataset_id": "dataset",
}
_ACTED_ON = ("model", *_NAMED_BY_A_JOB)


class ResourceDesk:
    """Serves every row of `resource_rows`. *on_model*: told when a job has made a model, which no catalogue has yet."""

    def __init__(
        self,
        upstreams: Mapping[str, Upstream],
        table: RoutingTable,
        asking: JsonAsking,
        register: Register,
        *,
        rights: ModelRights,
        billing: Billing,
        on_model: Callable[[], None],
    ) -> None:
        self._upstreams = upstreams
        self._table = table
        self._register = register
        self._rights = rights
        self._billing = billing
        self._chooser = Chooser(upstreams, table, register)
        self._claims = Claims(register, on_model)
        self._asking = asking
        self._lists = ResourceLists(self._asking, register)
        self._acts: Mapping[Act, Callable[[Call, Row], Awaitable[None]]] = {
            "list": self._list,
            "create": self._create,
            "read": self._read,
            "change": self._change,
            "cancel": self._change,
            "delete": self._delete,
            "parts": self._parts,
            "plain": self._plain,
        }

    async def serve(self, call: Call) -> None:
        """*call* has its reply. Raises what may go wrong, typed."""
        method = "GET" if call.client.method == "HEAD" else call.client.method
        endpoint = call.target.endpoint
        row = ROWS[f"{method} {endpoint.template if endpoint else ''}"]
        await self._acts[row.act](call, row)

    # --- without an id ------------------------------------------------------------------------------------------------

    async def _plain(self, call: Call, row: Row) -> None:
        upstream = await self._admitted(call)
        relayed = Relayed("GET", row.path, call.client.query)
        await call.reply.whole((await self._asking.ask(call, upstream, relayed)).body)

    async def _list(self, call: Call, row: Row) -> None:
        upstream = await self._admitted(call)
        if call.principal.resources == "all":
            body = await self._lists.all_of(call, upstream, row, row.path)
        else:
            body = await self._lists.own(call, upstream, row)
        if row.kind == "job":
            await self._note_models(call, upstream, body)
        await call.reply.whole(body)

    async def _create(self, call: Call, row: Row) -> None:
        self._chooser.usual(call)  # where nobody can, that is said before anything is read
        await self._billing.admit(call.principal, call.exchange)
        body = read_json_body(await call.client.read_body(), _ACTED_ON)
        if row.kind == "job":
            upstream, text = await self._placed(call, body)
        else:
            upstream, text = self._chooser.usual(call), body.text
        await self._check_named(call, upstream, body)
        relayed = Relayed("POST", row.path, call.client.query, text, _JSON)
        whole = await self._asking.ask(call, upstream, relayed)
        made = id_of(whole.body)
        if made:
            self._claims.made(call, upstream, row.kind, made)
            await self._note_models_of(call, upstream, row, made, whole.body)
        await call.reply.whole(filled(whole.body, row.shape, whole.members), whole.status)

    async def _check_named(self, call: Call, upstream: Upstream, body: JsonBody) -> None:
        """Whatever *body* names at any depth is the caller's to use. Raises ObjectNotFound and ModelNotFound."""
        for kind, named in sorted(await off_loop(len(body.text), named_objects, body.text)):
            if kind == "model":
                self._check_model(call, upstream, named, named.removeprefix(f"{upstream.name}/"))
                continue
            name = ObjectName(upstream.name, kind, named)
            if not await self._register.may_touch(call.principal, name):
                raise no_such_object(kind, named)

    async def _admitted(self, call: Call) -> Upstream:
        upstream = self._chooser.usual(call)
        await self._billing.admit(call.principal, call.exchange)
        return upstream

    # --- one object ---------------------------------------------------------------------------------------------------

    async def _read(self, call: Call, row: Row) -> None:
        upstream, name = await self._found(call, row)
        relayed = Relayed("GET", _path(row, name), call.client.query)
        whole = await self._asking.ask(call, upstream, relayed)
        await self._note_models_of(call, upstream, row, name, whole.body)
        await call.reply.whole(filled(whole.body, row.shape, whole.members), whole.status)

    async def _change(self, call: Call, row: Row) -> None:
        upstream, name = await self._found(call, row)
        text = await call.client.read_body()
        if text.strip() or row.act != "cancel":
            text = read_json_body(text, ()).text
        relayed = Relayed("POST", _path(row, name), call.client.query, text, _JSON if text else b"")
        whole = await self._asking.ask(call, upstream, relayed)
        await self._note_models_of(call, upstream, row, name, whole.body)
        await call.reply.whole(filled(whole.body, row.shape, whole.members), whole.status)

    async def _delete(self, call: Call, row: Row) -> None:
        upstream, name = await self._found(call, row)
        relayed = Relayed("DELETE", _path(row, name), call.client.query)
        whole = await self._asking.ask(call, upstream, relayed)
        if was_deleted(whole.body):
            self._claims.deleted(call, upstream, row.kind, name)
        await call.reply.whole(deletion(whole.body, row.kind, name))

    async def _parts(self, call: Call, row: Row) -> None:
        upstream, name = await self._found(call, row)
        body = await self._lists.all_of(call, upstream, row, _path(row, name))
        if row.kind == "job" and models_in(body):
            for item in read_page(body).items:
                await self._claims.made_by_job(call, upstream, name, item)
        await call.reply.whole(body)

    async def _found(self, call: Call, row: Row) -> tuple[Upstream, str]:
        """The object in the path, and where it is. Raises InvalidRequest for an id that is none, ObjectNotFound."""
        endpoint = call.target.endpoint
        name = object_id(endpoint.parameters["id"][0] if endpoint else "")
        self._chooser.usual(call)
        await self._billing.admit(call.principal, call.exchange)
        return await self._chooser.owner(call, row.kind, name), name

    # --- jobs ---------------------------------------------------------------------------------------------------------

    async def _placed(self, call: Call, body: JsonBody) -> tuple[Upstream, bytes]:
        """Where a job goes and what is sent there. Raises ObjectNotFound for what the caller may not touch,
        and ModelNotFound for a model that it may not use."""
        model = body.text_member("model") or ""
        named = {name: body.id_member(name) or "" for name in _NAMED_BY_A_JOB}
        upstream = await self._place(call, model, named["training_file"])
        for param, named_id in named.items():
            name = ObjectName(upstream.name, _NAMED_BY_A_JOB[param], named_id)
            if named_id and not await self._register.may_touch(call.principal, name):
                raise no_such_object(name.kind, named_id, param=param)
        bare = model.removeprefix(f"{upstream.name}/")
        call.exchange.model_requested, call.exchange.model = model, bare
        self._check_model(call, upstream, model, bare)
        if bare == model:
            return upstream, body.text
        return upstream, body.with_value("model", literal(bare))

    async def _place(self, call: Call, model: str, training_file: str) -> Upstream:
        """Upstreams F14, contract M1: by the model's prefix, then by the file, then by who lists the model."""
        prefix = model.partition("/")[0]
        if call.pin is not None:
            return self._chooser.usual(call)
        if model != prefix and prefix in self._upstreams:
            return self._chooser.named(call, prefix)
        found = await self._chooser.known(call, "file", training_file) if training_file else None
        return found or self._claimed(call, model) or self._chooser.usual(call)

    def _claimed(self, call: Call, model: str) -> Upstream | None:
        """The upstream that has *model*, where several could; None where none says so."""
        if not model or not self._chooser.has_choice(call):
            return None
        try:
            route = self._table.resolve(model, operation=call.operation, pin=None)
        except (ModelNotFound, UnsupportedEndpoint):
            return None
        return None if route.is_named else self._upstreams[route.deployments[0].upstream]

    def _check_model(self, call: Call, upstream: Upstream, model: str, bare: str) -> None:
        """Raises ModelNotFound, and InvalidRequest where the key may use certain models and none is named."""
        principal = call.principal
        may_use = self._rights.may_use(principal, Route(model, (Deployment(upstream.name, bare),)))
        if not model and not may_use:
            raise InvalidRequest(
                "you must provide a model parameter",
                code="missing_required_parameter",
                param="model",
            )
        if not may_use:
            raise unknown_model(model)

    async def _note_models(self, call: Call, upstream: Upstream, jobs: bytes) -> None:
        if models_in(jobs):
            for job in read_page(jobs).items:
                await self._claims.made_by_job(call, upstream, id_of(job), job)

    async def _note_models_of(
        self, call: Call, upstream: Upstream, row: Row, name: str, told: bytes
    ) -> None:
        if row.kind == "job":
            await self._claims.made_by_job(call, upstream, name, told)


def models_in(text: bytes) -> bool:
    """Whether *text* may speak of a model that a job has made."""
    return b'"fine_tuned_model' in text


def _path(row: Row, name: str) -> str:
    return row.path.replace("{id}", segment(name))
