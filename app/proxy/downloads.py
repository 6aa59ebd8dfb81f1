"""
What a file holds, from its upstream to the client: whole or a range of it, in memory never more than a piece (contract
L9, L10, upstreams 3.1).
"""

import re
from collections.abc import Callable

from app.domain.errors import UpstreamAnswered
from app.protocol.headers import HeaderList, header, response_headers
from app.protocol.object_ids import object_id
from app.protocol.passed_headers import body_length, file_headers
from app.proxy.attempts import Answer, Attempts
from app.proxy.billing import Billing
from app.proxy.body_relay import BodyRelay
from app.proxy.call import Call
from app.proxy.chooser import Chooser
from app.upstreams.deadlines import deadlines
from app.upstreams.relayed_request import Relayed, relayed_request, segment
from app.upstreams.upstream import Upstream

_WHOLE, _PART, _NO_SUCH_RANGE = 200, 206, 416
_SIZE = re.compile(r"bytes \*/[0-9]{1,18}")  # of a whole file, where a part is not to be had
_ASKS_FOR_PART = (b"range", b"if-range")


class DownloadDesk:
    """Serves `files.content`. *now*: the loop's monotonic clock."""

    def __init__(
        self,
        chooser: Chooser,
        attempts: Attempts,
        relay: BodyRelay,
        *,
        billing: Billing,
        now: Callable[[], float],
    ) -> None:
        self._chooser = chooser
        self._attempts = attempts
        self._relay = relay
        self._billing = billing
        self._now = now

    async def serve(self, call: Call) -> None:
        """The client has the file. Raises ObjectNotFound for one that it may not touch; what goes wrong once bytes have
        left cuts the reply."""
        endpoint, reply, exchange = call.target.endpoint, call.reply, call.exchange
        file_id = object_id(endpoint.parameters["id"][0] if endpoint else "")
        self._chooser.usual(call)
        await self._billing.admit(call.principal, exchange)
        upstream = await self._chooser.owner(call, "file", file_id)
        answer = await self._answer(call, upstream, file_id)
        headers = answer.response.headers
        reply.relayed = response_headers(headers)
        await self._relay.relay(
            answer,
            exchange,
            reply,
            status=answer.response.status,
            fields=file_headers(headers),
            length=body_length(headers),
        )

    async def _answer(self, call: Call, upstream: Upstream, file_id: str) -> Answer:
        exchange, asked = call.exchange, call.client.headers
        exchange.upstream = upstream.name
        relayed = Relayed("GET", f"/files/{segment(file_id)}/content", call.client.query)
        request = relayed_request(upstream, relayed, headers=asked, request_id=exchange.request_id)
        request.headers += [field for field in asked if field[0] in _ASKS_FOR_PART]
        limits = deadlines(upstream.name, upstream.timeouts, asked, exchange.received_at)
        answer = await self._attempts.send(
            upstream,
            request,
            limits,
            exchange,
            capability="files.content",
            statuses=(_WHOLE, _PART, _NO_SUCH_RANGE),
        )
        if answer.response.status == _NO_SUCH_RANGE:
            await answer.response.aclose()
            raise _no_such_range(answer.response.headers)
        return answer


def _no_such_range(headers: HeaderList) -> UpstreamAnswered:
    error = UpstreamAnswered(
        "The file is shorter than the range that was asked for.",
        status=_NO_SUCH_RANGE,
        type="invalid_request_error",
        param="range",
    )
    size = header(headers, b"content-range")
    is_size = size is not None and _SIZE.fullmatch(size)
    fields = [(b"content-range", size.encode("latin-1"))] if size and is_size else []
    error.relayed = (*response_headers(headers), *fields)
    return error
