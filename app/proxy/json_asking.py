"""
One JSON question to an upstream and its whole answer, bounded (reliability R4, upstreams G7, E).

What creates or destroys is sent once. Where such a request left and no clear answer came, the client is told not to try
again: it may have worked.
"""

from collections.abc import Callable, Collection
from typing import NamedTuple

from app.domain.errors import GatewayError, UpstreamAnswered, UpstreamMalformed
from app.protocol.headers import response_headers
from app.protocol.lists import object_members
from app.protocol.lossless import NULL, is_json
from app.protocol.members import Member, Members
from app.proxy.attempts import Attempts
from app.proxy.call import Call
from app.proxy.source import Source
from app.upstreams.bodies import too_large
from app.upstreams.client import UpstreamRequest
from app.upstreams.deadlines import deadlines
from app.upstreams.no_answer import no_answer
from app.upstreams.relayed_request import Relayed, relayed_request
from app.upstreams.upstream import Upstream

_READ: Collection[int] = (200,)
_MADE: Collection[int] = (200, 201, 202)
_GONE: Collection[int] = (200, 202, 204)
_STATUSES = {"GET": _READ, "DELETE": _GONE}
_WHAT_ANSWERS_HAVE = ("id", "data", "object")


class Whole(NamedTuple):
    """An answer: its status, all of its body, and the members of the object that it is; None where it is none."""

    status: int
    body: bytes
    members: Members | None


class JsonAsking:
    """Asks upstreams. *now*: the loop's monotonic clock."""

    def __init__(self, attempts: Attempts, now: Callable[[], float]) -> None:
        self._attempts = attempts
        self._now = now

    async def ask(self, call: Call, upstream: Upstream, relayed: Relayed) -> Whole:
        """What *upstream* answers: JSON, or nothing at all to a DELETE. Raises the typed error of anything else."""
        exchange = call.exchange
        exchange.upstream = upstream.name
        request = relayed_request(
            upstream, relayed, headers=call.client.headers, request_id=exchange.request_id
        )
        try:
            status, body = await self._asked(call, upstream, request, relayed.method)
            found = object_members(body)
            if not (_is_answer(body, found) or (relayed.method == "DELETE" and not body.strip())):
                raise no_answer(upstream, body, exchange.model_requested)
        except GatewayError as error:
            if relayed.method != "GET" and request.has_left and not _is_clear(error):
                error.should_retry = False
            raise
        return Whole(status, body, found)

    async def _asked(
        self, call: Call, upstream: Upstream, request: UpstreamRequest, method: str
    ) -> tuple[int, bytes]:
        exchange = call.exchange
        limits = deadlines(
            upstream.name, upstream.timeouts, call.client.headers, exchange.received_at
        )
        answer = await self._attempts.send(
            upstream,
            request,
            limits,
            exchange,
            capability=exchange.endpoint,
            statuses=_STATUSES.get(method, _MADE),
        )
        response, limit = answer.response, upstream.entry.max_json_bytes
        try:
            body = None if answer.coding else response.whole()
            if body is None:
                body = await Source(answer, self._now, limit=limit).rest(b"")
            elif len(body) > limit:
                raise too_large(upstream.name, limit)
        except BaseException:
            await response.aclose()
            raise
        response.release()
        exchange.upstream_first_at = self._now()
        call.reply.relayed = response_headers(response.headers)
        return response.status, body


def _is_clear(error: GatewayError) -> bool:
    """True where the upstream itself said no, and so has done nothing."""
    return isinstance(error, UpstreamAnswered) and error.status < 500


def _is_answer(body: bytes, found: Members | None) -> bool:
    """A failed job has an `error` too: what has an id, or items, is no error."""
    if found is None:
        return is_json(body)
    if any(name in found for name in _WHAT_ANSWERS_HAVE):
        return True
    if "detail" in found:  # upstreams E-S3, E-S4
        return False
    error, status = (_value(body, found.find(name)) for name in ("error", "status"))
    return error in (b"", NULL) and status != b'"error"'


def _value(text: bytes, member: Member | None) -> bytes:
    return b"" if member is None else text[member.value.start : member.value.end]


def unreadable(upstream: Upstream, what: str) -> UpstreamMalformed:
    """The error for an answer of *upstream* that is not *what* it should be."""
    return UpstreamMalformed(f"Upstream '{upstream.name}' sent something else than {what}.")
