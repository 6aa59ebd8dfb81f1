"""
Calls to the desks of `app.proxy`, over upstreams, register and counters in memory.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from app.access.permissions import Permissions
from app.domain.configuration import DialectName
from app.domain.errors import GatewayError
from app.domain.exchange import Exchange
from app.domain.outcome import Outcome
from app.domain.principal import Principal
from app.domain.stored_objects import ObjectKind, ObjectName
from app.protocol.headers import HeaderList
from app.protocol.targets import read_target
from app.proxy.attempts import Attempts
from app.proxy.billing import Billing
from app.proxy.call import Call
from app.proxy.chooser import Chooser
from app.proxy.json_asking import JsonAsking
from app.proxy.model_access import ModelAccess
from app.proxy.model_rights import ModelRights
from app.proxy.model_routes import ModelRoutes
from app.proxy.reply import Reply
from app.routing.catalogue import Catalogue
from app.routing.finder import RouteFinder
from app.routing.table import RoutingTable
from app.telemetry.metrics import Metrics
from app.upstreams.upstream import Upstream
from tests.fakes.billing import FakeJournal, billing_of
from tests.fakes.clients import FakeClient
from tests.fakes.clock import Clock
from tests.fakes.exchanges import exchange_with
from tests.fakes.registers import EVERYTHING, memory_register
from tests.fakes.senders import FakeResponse, FakeSender
from tests.fakes.upstreams import upstream_of

_Serve = Callable[[Call], Awaitable[None]]
_DIALECTS: tuple[DialectName, ...] = ("4minds", "minds", "openmind", "openai")


@dataclass
class Served:
    """What became of one call."""

    client: FakeClient
    exchange: Exchange
    error: GatewayError | None

    @property
    def body(self) -> bytes:
        return self.client.body


@dataclass
class Office:
    """What the desks stand on. *senders* answer from scripts, by upstream."""

    upstreams: dict[str, Upstream]
    senders: dict[str, FakeSender]
    journal: FakeJournal = field(default_factory=FakeJournal)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.register = memory_register(self.clock)
        self.billing: Billing = billing_of(
            self.clock, journal=self.journal, upstreams=self.upstreams
        )
        self.catalogue = Catalogue(self.upstreams.values())
        self.table = RoutingTable(self.upstreams, (), None, self.catalogue)
        self.finder = RouteFinder(self.table, self.catalogue, lambda: None)
        self.permissions = Permissions(self.upstreams)
        self.rights = ModelRights(self.permissions, self.register)
        self.attempts = Attempts(
            self.upstreams, self.senders, self.billing, Metrics("1"), self.clock
        )
        self.chooser = Chooser(self.upstreams, self.table, self.register)
        self.asking = JsonAsking(self.attempts, self.clock)
        self.routes = ModelRoutes(
            self.upstreams,
            ModelAccess(self.upstreams, self.finder, self.rights),
            self.rights,
            self.billing,
        )

    @classmethod
    def of(cls, *script: FakeResponse | Exception, names: tuple[str, ...] = _DIALECTS) -> "Office":
        """One upstream of each dialect of *names*, the first of which answers with *script*."""
        dialects = [name for name in _DIALECTS if name in names]
        upstreams: dict[str, Upstream] = {
            name: upstream_of(name) for name in sorted(dialects, key=names.index)
        }
        first = next(iter(upstreams))
        senders: dict[str, FakeSender] = {
            name: FakeSender(*(script if name == first else ())) for name in upstreams
        }
        return cls(upstreams, senders)

    def made(
        self, principal: Principal, kind: ObjectKind, *ids: str, upstream: str = "4minds"
    ) -> None:
        """*principal* made these at *upstream*."""
        for one in ids:
            self.register.claim(
                principal, ObjectName(upstream, kind, one), exchange_id="req_0", at_ms=1
            )

    def call(
        self,
        line: str,
        principal: Principal = EVERYTHING,
        *,
        pin: str | None = None,
        headers: HeaderList | None = None,
        body: bytes = b"",
        **client: Any,
    ) -> Call:
        """*line*: method and target, as `GET /v1/files?limit=2`."""
        method, _, target = line.partition(" ")
        path, _, query = target.partition("?")
        caller = FakeClient(method, path, query=query, headers=headers, body=body, **client)
        meant = read_target(path, self.upstreams)
        asked = "GET" if method == "HEAD" else method
        capability = meant.endpoint.capabilities[asked] if meant.endpoint else ""
        exchange = exchange_with("req_1", method, capability, self.clock(), caller=principal)
        reply = Reply(caller, exchange, self.clock, self.billing)
        return Call(caller, meant, pin or meant.pin, principal, exchange, reply)

    async def serve(self, serve: _Serve, call: Call) -> Served:
        """As the pipeline does it."""
        client = call.client
        if not isinstance(client, FakeClient):
            raise TypeError("not one of `call`'s")
        error: GatewayError | None = None
        try:
            await serve(call)
            call.exchange.outcome = Outcome.COMPLETE
        except GatewayError as raised:
            error = raised
            call.reply.failure(raised)
        self.billing.release(call.exchange)
        return Served(client, call.exchange, error)

    def asked(self) -> list[str]:
        """Every request that reached an upstream: method and URL."""
        return [
            f"{request.head.method} {request.head.url}"
            for sender in self.senders.values()
            for request in sender.requests
        ]
