"""All that speech and transcription call, over upstreams in memory and a clock that moves when told."""

from collections.abc import Mapping
from typing import Any

from app.access.permissions import Permissions
from app.domain.configuration import LimitOptions, RouteEntry
from app.domain.errors import GatewayError
from app.domain.ledger import UsageRecord
from app.domain.limits import Limits, Scope
from app.domain.prices import Price
from app.domain.principal import Principal
from app.protocol.headers import HeaderList
from app.protocol.targets import read_target
from app.proxy.attempts import Attempts
from app.proxy.body_relay import BodyRelay
from app.proxy.call import Call
from app.proxy.model_access import ModelAccess
from app.proxy.model_rights import ModelRights
from app.proxy.outcomes import outcome_of
from app.proxy.reply import Reply
from app.proxy.sound_billing import SoundBilling
from app.proxy.sound_steps import SoundSteps
from app.routing.catalogue import Catalogue
from app.routing.finder import RouteFinder
from app.routing.table import RoutingTable
from app.telemetry.metrics import Metrics
from app.upstreams.upstream import Upstream
from app.usage.price_book import PriceBook
from tests.fakes.billing import FakeJournal, admission_of, billing_of
from tests.fakes.clients import FakeClient
from tests.fakes.clock import Clock
from tests.fakes.exchanges import exchange_with
from tests.fakes.registers import memory_register
from tests.fakes.senders import FakeResponse, FakeSender
from tests.fakes.upstreams import upstream_of


def caller(models: tuple[str, ...] = (), **limits: Any) -> Principal:
    scope = Scope("key", "key_1", "ci", Limits(**limits))
    return Principal("ci", key_id="key_1", scopes=(scope,), models=models)


class Sounding:
    """One gateway's worth of steps. *senders*: what each upstream's answers are scripted in."""

    def __init__(
        self,
        capability: str,
        *,
        upstreams: Mapping[str, Upstream] | None = None,
        routes: tuple[RouteEntry, ...] = (),
        prices: Mapping[str, Price] | None = None,
        options: LimitOptions | None = None,
        principal: Principal | None = None,
    ) -> None:
        self.capability = capability
        self.clock, self.journal = Clock(), FakeJournal()
        self.admission = admission_of(self.clock)
        self.principal = principal or caller()
        self.upstreams = upstreams or {"openmind": upstream_of("openmind")}
        self.senders = {name: FakeSender() for name in self.upstreams}
        prices, options = prices or {}, options or LimitOptions()
        self.billing = billing_of(
            self.clock,
            journal=self.journal,
            prices=prices,
            options=options,
            admission=self.admission,
            upstreams=self.upstreams,
        )
        catalogue = Catalogue(self.upstreams.values())
        table = RoutingTable(self.upstreams, routes, None, catalogue)
        attempts = Attempts(self.upstreams, self.senders, self.billing, Metrics("1"), self.clock)
        self.steps = SoundSteps(
            upstreams=self.upstreams,
            access=ModelAccess(
                self.upstreams,
                RouteFinder(table, catalogue, lambda: None),
                ModelRights(Permissions(self.upstreams), memory_register()),
            ),
            attempts=attempts,
            billing=SoundBilling(self.billing, PriceBook(prices), options),
            relay=BodyRelay(self.clock, self.clock.call_later),
            heartbeat_seconds=15.0,
            now=self.clock,
        )

    def script(self, *steps: FakeResponse | Exception, upstream: str = "openmind") -> FakeSender:
        """What *upstream* answers, in order."""
        self.senders[upstream] = sender = FakeSender(*steps)
        return sender

    def call(
        self, body: bytes, *, headers: HeaderList | None = None, pin: str | None = None
    ) -> Call:
        path = f"/v1/{self.capability.replace('.', '/')}"
        client = FakeClient("POST", path, headers=headers, body=body)
        exchange = exchange_with(
            "req_1", "POST", self.capability, self.clock(), caller=self.principal, at_ms=1000
        )
        reply = Reply(client, exchange, self.clock, self.billing)
        target = read_target(path, self.upstreams)
        return Call(client, target, pin, self.principal, exchange, reply)

    async def serve(self, desk: Any, call: Call) -> FakeClient:
        """As the pipeline does: *call* is served, its failure too is a reply, and it is settled."""
        client = call.client
        assert isinstance(client, FakeClient)
        try:
            await desk.serve(call)
        except GatewayError as error:
            call.exchange.outcome = outcome_of(error, was_asked=call.exchange.attempts > 0)
            call.exchange.error_code = error.code or ""
            call.reply.failure(error)
        finally:
            self.billing.book(call.exchange)
            self.billing.release(call.exchange)
        return client

    @property
    def record(self) -> UsageRecord:
        """The one that stands in the journal."""
        (record,) = self.journal.records
        return record

    def used(self, limit: str) -> tuple[int, int]:
        """Of the key: used and reserved."""
        for one in self.admission.standings(self.principal):
            if one.limit == limit:
                return one.used, one.reserved
        raise AssertionError(limit)
