"""One attempt on a websocket: noted, charged and refused as any other (reliability J1, R6; upstreams N13, A14)."""

import asyncio

import pytest

from app.domain.errors import GatewayError, LedgerUnavailable, UpstreamUnreachable
from app.domain.exchange import Exchange
from app.proxy.dialing import Dialing
from app.telemetry.metrics import Metrics
from app.upstreams.socket_dialer import HandshakeRefused
from tests.fakes.billing import FakeJournal, billing_of
from tests.fakes.clock import Clock
from tests.fakes.natives import FakeDialer
from tests.fakes.upstreams import UPSTREAM_KEY, upstream_of

URL = f"wss://asr.test/?api_key={UPSTREAM_KEY}"
UPSTREAM = upstream_of("openmind")


class Dialled:
    """One dialling."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.clock, self.journal, self.metrics = Clock(), FakeJournal(), Metrics("1")
        self.dialer = FakeDialer(failure)
        self.exchange = Exchange("req_1", "GET", "audio.transcriptions", self.clock())
        self.exchange.upstream, self.exchange.model = "openmind", "chirp_3"
        billing = billing_of(self.clock, journal=self.journal, upstreams={"openmind": UPSTREAM})
        self.dialing = Dialing(self.dialer, billing, self.metrics, self.clock)

    async def dial(self) -> object:
        return await self.dialing.dial(
            UPSTREAM, URL, [], self.exchange, capability="audio.transcriptions"
        )

    async def error(self) -> GatewayError:
        with pytest.raises(GatewayError) as caught:
            await self.dial()
        return caught.value


async def test_it_is_open_and_noted():
    at = Dialled()

    assert at.dialer.near is await at.dial()
    assert ["Intent"] == at.journal.kinds
    assert (1, 101, at.clock()) == (
        at.exchange.attempts,
        at.exchange.upstream_status,
        at.exchange.sent_at,
    )
    assert () == at.exchange.trail


async def test_it_is_not_dialled_where_that_cannot_be_noted():
    at = Dialled()
    at.journal.refuses = True

    assert isinstance(await at.error(), LedgerUnavailable)
    assert [] == at.dialer.dialled


async def test_a_refusal_is_read_and_tells_no_host_and_no_key():
    said = f'{{"error":"Bad key {UPSTREAM_KEY} at asr.test"}}'.encode()
    at = Dialled(HandshakeRefused(400, [(b"content-type", b"application/json")], said))
    error = await at.error()

    assert (400, 1) == (error.status, len(at.exchange.trail))
    assert UPSTREAM_KEY not in error.message
    assert "asr.test" not in error.message


async def test_what_reached_nobody_used_nothing():
    at = Dialled(UpstreamUnreachable("x"))
    await at.error()

    assert at.exchange.sent_at is None
    assert "upstream_unreachable" == at.exchange.trail[0][2]


async def test_who_gives_up_is_on_the_trail():
    at = Dialled()

    async def hang(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    at.dialer.dial = hang  # type: ignore[assignment]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await at.dial()

    assert "abandoned" == at.exchange.trail[0][2]


async def test_a_handshake_is_waited_for_no_longer_than_a_model():
    at = Dialled()
    await at.dial()

    assert (5.0, 15.0) == at.dialer.seconds
