"""
Whose a stored completion is: noted when its answer's first bytes are about to leave, so that nobody has an id that the
gateway does not know (reliability S16, contract M12).
"""

from collections.abc import Mapping
from functools import partial

from app.access.register import Register
from app.domain.exchange import Exchange
from app.domain.principal import Principal
from app.domain.stored_objects import ObjectName
from app.protocol.answer_ids import completion_id
from app.upstreams.upstream import Upstream


class StoredChats:
    """Claims what chats with `store: true` leave at their upstream."""

    def __init__(self, upstreams: Mapping[str, Upstream], register: Register) -> None:
        self._upstreams = upstreams
        self._register = register

    def watch(self, principal: Principal, exchange: Exchange) -> None:
        """The answer of *exchange*, which is to be kept, will be *principal*'s where its upstream keeps any."""
        exchange.on_first = partial(self._claim, principal, exchange)

    def _claim(self, principal: Principal, exchange: Exchange, first: bytes) -> None:
        upstream = self._upstreams[exchange.upstream]
        object_id = completion_id(first) if upstream.supports("chat.stored") else ""
        if object_id:
            name = ObjectName(upstream.name, "completion", object_id)
            self._register.claim(
                principal, name, exchange_id=exchange.request_id, at_ms=exchange.at_ms
            )
