"""
What a call made or deleted, told to the register before the reply goes out (reliability S16, upstreams G7).
"""

from collections.abc import Callable

from app.access.register import Register
from app.domain.stored_objects import ObjectKind, ObjectName
from app.protocol.object_shapes import models_made
from app.proxy.call import Call
from app.upstreams.upstream import Upstream


class Claims:
    """Speaks to *register* in the name of a call. *on_model* is told of a model that was not there before."""

    def __init__(self, register: Register, on_model: Callable[[], None] = lambda: None) -> None:
        self._register = register
        self._on_model = on_model

    def made(self, call: Call, upstream: Upstream, kind: ObjectKind, object_id: str) -> None:
        """The caller made it."""
        exchange, name = call.exchange, ObjectName(upstream.name, kind, object_id)
        self._register.claim(
            call.principal, name, exchange_id=exchange.request_id, at_ms=exchange.at_ms
        )

    def deleted(self, call: Call, upstream: Upstream, kind: ObjectKind, object_id: str) -> None:
        """The caller deleted it."""
        exchange, name = call.exchange, ObjectName(upstream.name, kind, object_id)
        self._register.disclaim(
            call.principal, name, exchange_id=exchange.request_id, at_ms=exchange.at_ms
        )

    async def made_by_job(self, call: Call, upstream: Upstream, job_id: str, told: bytes) -> None:
        """The models that *told*, which is about the job or a part of it, says it has made are whose the job is. Raises
        LedgerUnavailable."""
        exchange = call.exchange
        for model in models_made(told):
            is_new = await self._register.claim_result(
                ObjectName(upstream.name, "model", model),
                ObjectName(upstream.name, "job", job_id),
                exchange_id=exchange.request_id,
                at_ms=exchange.at_ms,
            )
            if is_new:
                self._on_model()
