"""
`POST /v1/files` (contract L, upstreams F10, F-M1 to F-M4, G7).

The form streams through: the upstream is chosen without reading it (contract L3), memory stays flat, and what begins to
leave is never sent again. Its last bytes leave when it was found whole and the key may touch the data set it names, so
an upstream never completes an upload that the gateway refuses. What it made is claimed before the client is told.
"""

from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from functools import partial

from app.access.register import Register
from app.domain.errors import GatewayError, UpstreamMalformed
from app.domain.outcome import Outcome
from app.domain.stored_objects import ObjectName
from app.protocol.error_shapes import error_in
from app.protocol.file_object import (
    MadeByUpload,
    UploadedFile,
    made_by_upload,
    whole_file_object,
)
from app.protocol.form_rewrite import FormRewriter
from app.protocol.fourminds_form import FIELD
from app.protocol.headers import response_headers
from app.protocol.lossless import NotJson
from app.protocol.multipart import boundary_of
from app.protocol.object_ids import no_such_object
from app.proxy.attempts import Answer
from app.proxy.billing import Billing
from app.proxy.call import Call
from app.proxy.chooser import Chooser
from app.proxy.claims import Claims
from app.proxy.form_body import FormBody, is_small
from app.proxy.source import Source
from app.proxy.spooling import spooled
from app.proxy.upload_attempts import UploadAttempts
from app.telemetry.logs import Log
from app.upstreams.deadlines import deadlines
from app.upstreams.no_answer import no_answer
from app.upstreams.relayed_request import Relayed, relayed_request
from app.upstreams.upstream import Upstream
from app.wire.requests import Upload

_PATH = "/files"
_CREATED = (200, 201)
_PURPOSE = "purpose"


class UploadDesk:
    """Takes uploads. *max_upload_bytes*: the largest form. *now*: the monotonic clock of an exchange's times."""

    def __init__(
        self,
        chooser: Chooser,
        register: Register,
        billing: Billing,
        attempts: UploadAttempts,
        log: Log,
        *,
        max_upload_bytes: int,
        now: Callable[[], float],
    ) -> None:
        self._chooser = chooser
        self._register = register
        self._claims = Claims(register)
        self._billing = billing
        self._attempts = attempts
        self._log = log
        self._max_upload_bytes = max_upload_bytes
        self._now = now

    async def serve(self, call: Call) -> None:
        """The file is where the call is pinned to, else at the first upstream that takes files, and the client has its
        answer.

        Raises UnsupportedEndpoint; UnsupportedMediaType, InvalidRequest, RequestTooLarge; RateLimited; ObjectNotFound
        for another team's data set; and what the upstream's refusal means. After a byte has left, nobody is told to try
        again (`x-should-retry: false`).
        """
        client, exchange = call.client, call.exchange
        upstream = self._chooser.usual(call)
        boundary = boundary_of(client.named.get(b"content-type", b""))
        await self._billing.admit(call.principal, exchange)
        form = FormRewriter(
            boundary,
            takes_field=upstream.dialect.name == FIELD,
            keeps_length=client.body_bytes is not None and not is_small(client.body_bytes),
            needs_file=True,
            watched=frozenset((_PURPOSE,)),
        )
        pieces = client.body_pieces(self._max_upload_bytes)
        body = FormBody(pieces, form, partial(self._check, call, upstream, form))
        try:
            async with AsyncExitStack() as stack:
                ready = await _ready(call, upstream, body, form, stack)
                answer = await self._sent(call, upstream, ready)
                await self._answered(call, form, answer, is_whole=body.is_whole)
        except GatewayError as error:
            if error is body.fault:  # not the upstream's, even if one was asked
                exchange.outcome, exchange.error_code = Outcome.REJECTED, error.code or ""
            raise

    async def _check(self, call: Call, upstream: Upstream, form: FormRewriter) -> None:
        """Raises ObjectNotFound for a data set that *form*, as far as it has come, may not name."""
        dataset = form.dataset_id
        if dataset is None:
            return
        name = ObjectName(upstream.name, "dataset", dataset)
        if not await self._register.may_touch(call.principal, name):
            raise no_such_object("dataset", dataset, param=FIELD)

    async def _sent(self, call: Call, upstream: Upstream, body: bytes | Upload) -> Answer:
        client, exchange = call.client, call.exchange
        exchange.upstream = upstream.name
        relayed = Relayed("POST", _PATH, client.query, body, client.named[b"content-type"])
        request = relayed_request(
            upstream, relayed, headers=client.headers, request_id=exchange.request_id
        )
        limits = deadlines(upstream.name, upstream.timeouts, client.headers, self._now())
        try:
            return await self._attempts.send(
                upstream,
                request,
                limits,
                exchange,
                capability=exchange.endpoint,
                statuses=_CREATED,
            )
        except GatewayError as error:
            if request.has_left:
                error.should_retry = False
            raise

    async def _answered(
        self, call: Call, form: FormRewriter, answer: Answer, *, is_whole: bool
    ) -> None:
        upstream = answer.upstream
        try:
            if not is_whole:
                raise UpstreamMalformed(
                    f"Upstream '{upstream.name}' answered before it had the whole upload."
                )
            source = Source(answer, self._now, limit=upstream.entry.max_json_bytes)
            text = await source.rest(b"")
            call.exchange.upstream_first_at = self._now()
            made = _made(upstream, text)
        except GatewayError as error:
            error.should_retry = False
            raise
        finally:
            await answer.response.aclose()
        if made.file_id is not None:
            self._claims.made(call, upstream, "file", made.file_id)
            text = whole_file_object(text, _uploaded(form, call.exchange.at_ms // 1000))
        else:
            self._warn(call, "an upload was answered without an id")
        if made.dataset_id is not None and form.dataset_id is None:
            self._claims.made(call, upstream, "dataset", made.dataset_id)
        if form.has_late_parts:
            self._warn(call, f"fields '{FIELD}[…]' behind a file were passed as they are")
        call.reply.relayed = response_headers(answer.response.headers)
        await call.reply.whole(text, answer.response.status)

    def _warn(self, call: Call, event: str) -> None:
        exchange = call.exchange
        self._log.warning(event, upstream=exchange.upstream, request_id=exchange.request_id)


async def _ready(
    call: Call, upstream: Upstream, body: FormBody, form: FormRewriter, stack: AsyncExitStack
) -> bytes | Upload:
    """The body as it will be sent; *stack* keeps what it is read from."""
    whole = await body.begin()
    if whole is not None:
        return whole
    told = call.client.body_bytes
    if told is None and upstream.entry.upload_transfer == "length":
        spool = await stack.enter_async_context(spooled(body.rest()))
        return Upload(spool.pieces(), spool.length)
    return Upload(body.rest(), None if told is None else told + form.grown_bytes)


def _made(upstream: Upstream, text: bytes) -> MadeByUpload:
    """What the answer *text* says was made. Raises the error that it may be instead (contract E5)."""
    with suppress(NotJson):
        made = made_by_upload(text)
        if made.file_id is not None or error_in(text, status=502, unsaid="…") is None:
            return made
    raise no_answer(upstream, text)


def _uploaded(form: FormRewriter, created_at: int) -> UploadedFile:
    purpose = form.fields.get(_PURPOSE)
    return UploadedFile(
        (form.file.filename or "") if form.file is not None else "",
        form.file_bytes,
        None if purpose is None else purpose.decode("utf-8", "replace"),
        created_at,
    )
