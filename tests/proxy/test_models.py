"""Describing one model does not wait as long as a chat may (contract K2, G6)."""

import asyncio

from typing_extensions import override

from app.access.permissions import Permissions
from app.domain.exchange import Exchange
from app.domain.principal import Principal
from app.protocol.targets import read_target
from app.proxy.attempts import Answer, Attempts
from app.proxy.call import Call
from app.proxy.models import ModelDesk
from app.proxy.reply import Reply
from app.routing.catalogue import Catalogue
from app.routing.finder import RouteFinder
from app.routing.table import RoutingTable
from app.telemetry.metrics import Metrics
from tests.fakes.billing import billing_of
from tests.fakes.clients import FakeClient
from tests.fakes.senders import FakeSender, answer
from tests.fakes.upstreams import upstream_of

MODEL = b'{"id":"m","object":"model","created":1,"owned_by":"them"}'


class NotingAttempts(Attempts):
    """Notes the deadline of each call."""

    patience_seconds = 0.0

    @override
    async def send(self, upstream, request, limits, exchange, **more) -> Answer:
        self.patience_seconds = limits.first_byte_seconds
        return await super().send(upstream, request, limits, exchange, **more)


async def test_an_sdk_s_stated_patience_does_not_hold_up_a_model():
    """Every OpenAI SDK states 600 seconds; what the catalogue knows stands in long before."""
    now = asyncio.get_running_loop().time
    upstreams = {"up": upstream_of("openai", name="up", models=("m",))}
    catalogue = Catalogue(upstreams.values())
    table = RoutingTable(upstreams, (), None, catalogue)
    finder = RouteFinder(table, catalogue, lambda: None)
    senders = {"up": FakeSender(answer(MODEL))}
    attempts = NotingAttempts(upstreams, senders, billing_of(now), Metrics("1"), now)
    desk = ModelDesk(
        upstreams,
        catalogue,
        finder,
        attempts,
        permissions=Permissions(upstreams),
        now=now,
        on_deleted=lambda: None,
    )
    client = FakeClient("GET", "/v1/models/m", headers=[(b"x-stainless-read-timeout", b"600")])
    exchange = Exchange("req_1", "GET", "models.get", now())
    call = Call(
        client,
        read_target(client.path, upstreams),
        None,
        Principal("k"),
        exchange,
        Reply(client, exchange, now, billing_of(now)),
    )

    assert await desk.describe(call, "m") == MODEL
    assert attempts.patience_seconds == 10
