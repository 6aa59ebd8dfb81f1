"""Native websockets: the upstream's opens first, both end together, and each is one exchange (upstreams N3, N4, N11 to
N14; U2; contract B5)."""

import asyncio
from typing import Any

import pytest
from pydantic import SecretStr

from app.domain.configuration import TimeoutOverrides
from app.domain.errors import (
    ClientGone,
    GatewayError,
    InvalidRequest,
    QuotaExceeded,
    UnsupportedEndpoint,
    UpstreamAnswered,
    UpstreamDisconnected,
    UpstreamMalformed,
    UpstreamRefusedCredential,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from app.domain.limits import Limits, Scope
from app.domain.outcome import Outcome
from app.domain.prices import Price
from app.domain.principal import Principal
from app.proxy.call import Call
from app.upstreams.socket_dialer import HandshakeRefused
from app.wire.messages import Message
from tests.fakes.natives import (
    MANAGER,
    OPENING,
    FakeDialer,
    HangingDialer,
    NativeOffice,
    client_of,
    closed_with,
)
from tests.fakes.raw_client import eventually
from tests.fakes.sockets import FakeSocket
from tests.fakes.upstreams import UPSTREAM_KEY, upstream_of

ASR = "GET /openmind/google/asr"
HELLO = Message(b"hello", True)
A_CENT_A_SECOND = {"openmind/native": Price(audio_second=10_000_000_000)}


def office(failure: Exception | None = None, **fields: Any) -> NativeOffice:
    prices = fields.pop("prices", None)
    upstreams = {"openmind": upstream_of("openmind", **fields)}
    return NativeOffice(upstreams=upstreams, dialer=FakeDialer(failure), prices=prices)


def opening(at: NativeOffice, line: str = ASR, principal: Principal = MANAGER) -> Call:
    return at.call(line, principal, headers=OPENING)


def far(call: Call) -> FakeSocket:
    return client_of(call).far_socket


class Open:
    """A socket that is open, and the task that serves it."""

    def __init__(self, at: NativeOffice, line: str = ASR, principal: Principal = MANAGER) -> None:
        self.at = at
        self.call = opening(at, line, principal)
        self.task = asyncio.get_running_loop().create_task(at.serve(self.call))

    async def until_open(self) -> None:
        assert await eventually(lambda: self.call.client.head_sent)

    async def error(self) -> GatewayError | None:
        async with asyncio.timeout(5):
            return await self.task


async def test_n13_the_upstream_s_is_opened_first_and_then_both_speak():
    at = office()
    one = Open(at)
    await one.until_open()
    await far(one.call).send(HELLO)
    await at.dialer.far.send(Message(b"\x01", False))

    assert HELLO == await at.dialer.far.receive()
    assert Message(b"\x01", False) == await far(one.call).receive()
    assert 101 == one.call.exchange.status
    await far(one.call).close(1000, "done")

    assert await one.error() is None
    assert Outcome.COMPLETE is one.call.exchange.outcome
    assert (1000, "done") == closed_with(at.dialer.far)
    assert ["Intent", "UsageRecord"] == at.journal.kinds


async def test_n11_the_client_s_key_stays_and_the_upstream_s_goes():
    at = office()
    one = Open(at, f"{ASR}?api_key=sk-mine&model=chirp_3")
    await one.until_open()
    ((url, fields),) = at.dialer.dialled
    await far(one.call).close()
    await one.error()

    assert f"wss://api.openmind.org/api/core/google/asr?model=chirp_3&api_key={UPSTREAM_KEY}" == url
    assert {b"user-agent", b"x-request-id"} == {name for name, _ in fields}


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("/openmind/riva/asr", "wss://api-asr.openmind.org/"),
        ("/openmind/vila", "wss://api-vila.openmind.org/"),
        ("/openmind/elevenlabs/asr", "wss://api.openmind.org/api/core/elevenlabs/asr"),
    ],
)
async def test_each_socket_is_where_it_is(path, url):
    at = office()
    one = Open(at, f"GET {path}")
    await one.until_open()
    await far(one.call).close()
    await one.error()

    assert f"{url}?api_key={UPSTREAM_KEY}" == at.dialer.dialled[0][0]


async def test_c1_the_101_says_whose_exchange_it_is():
    at = office()
    one = Open(at)
    await one.until_open()
    await far(one.call).close()
    await one.error()
    fields = client_of(one.call).socket_fields or b""

    assert b"x-request-id: req_1\r\n" in fields
    assert b"x-mindgate-upstream: openmind\r\n" in fields
    assert b"x-mindgate-attempts: 1\r\n" in fields
    assert fields.endswith(b"\r\n")
    assert UPSTREAM_KEY.encode() not in fields


@pytest.mark.parametrize(
    ("refused", "error", "status"),
    [
        pytest.param(
            HandshakeRefused(401, [], b'{"error":"Invalid API key: up-0123456789abcdef"}'),
            UpstreamRefusedCredential,
            502,
            id="E-C4: the operator's key",
        ),
        pytest.param(
            HandshakeRefused(403, [], b""), UpstreamRefusedCredential, 502, id="E-C4: 403"
        ),
        pytest.param(HandshakeRefused(429, [], b"{}"), UpstreamAnswered, 429, id="E-C6"),
        pytest.param(HandshakeRefused(404, [], b"{}"), UpstreamAnswered, 404, id="E-C2"),
        pytest.param(HandshakeRefused(503, [], b"{}"), UpstreamAnswered, 503, id="E-C8"),
        pytest.param(HandshakeRefused(302, [], b""), UpstreamMalformed, 502, id="G4: a redirect"),
        pytest.param(HandshakeRefused(200, [], b"hi"), UpstreamMalformed, 502, id="no socket"),
        pytest.param(UpstreamUnreachable("x"), UpstreamUnreachable, 502, id="nobody there"),
        pytest.param(
            UpstreamTimeout("x", phase="first_byte"), UpstreamTimeout, 504, id="no answer"
        ),
    ],
)
async def test_n13_a_refused_handshake_is_answered_before_101(refused, error, status):
    at = office(refused)
    call = opening(at)
    found = await at.serve(call)

    assert isinstance(found, error)
    assert (status, None) == (client_of(call).status, client_of(call).socket_fields)
    assert b'"error"' in client_of(call).body
    assert UPSTREAM_KEY.encode() not in client_of(call).body
    assert 1 == len(at.dialer.dialled)  # never again
    assert 0 == call.exchange.cost_nano


async def test_an_attempt_that_came_to_nothing_is_on_the_trail():
    at = office(HandshakeRefused(503, [], b"{}"))
    call = opening(at)
    await at.serve(call)

    assert [("openmind", "native", "upstream_error")] == [row[:3] for row in call.exchange.trail]
    assert 503 == call.exchange.upstream_status
    assert call.exchange.sent_at is not None


async def test_r6_one_that_reached_nobody_used_nothing():
    at = office(UpstreamUnreachable("x"))
    call = opening(at)
    await at.serve(call)

    assert call.exchange.sent_at is None
    assert b'"upstream_unreachable"' in at.metrics.page()


async def test_a_handshake_that_is_none_reaches_no_upstream():
    at = office()
    headers = [field for field in OPENING if field[0] != b"sec-websocket-key"]
    call = at.call(ASR, headers=headers)

    assert isinstance(await at.serve(call), InvalidRequest)
    assert [] == at.dialer.dialled


async def test_one_that_the_connection_refuses_closes_the_upstream_s():
    at = office()
    call = opening(at)
    client_of(call).socket_refusal = InvalidRequest("no websocket")

    assert isinstance(await at.serve(call), InvalidRequest)
    assert 400 == client_of(call).status
    assert at.dialer.far.closed_with is not None


async def test_no_socket_goes_around_a_proxy():
    at = office(proxy=SecretStr("http://proxy.test:3128"))

    assert isinstance(await at.serve(opening(at)), UnsupportedEndpoint)
    assert [] == at.dialer.dialled


async def test_n12_a_socket_may_be_off_too():
    at = office(native=("read",))

    assert isinstance(await at.serve(opening(at)), UnsupportedEndpoint)
    assert [] == at.dialer.dialled


# --- how it ends ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1000, 1001, 1005, 1008, 1011, 4001])
async def test_n13_code_and_reason_are_carried_over(code):
    at = office()
    one = Open(at)
    await one.until_open()
    await at.dialer.far.close(code, "no quota")

    assert await one.error() is None
    assert (code, "no quota") == closed_with(far(one.call))
    assert Outcome.COMPLETE is one.call.exchange.outcome


async def test_f11_a_reason_holds_no_secret():
    at = office()
    one = Open(at)
    await one.until_open()
    await at.dialer.far.close(1008, f"Invalid API key: {UPSTREAM_KEY}")
    await one.error()

    assert UPSTREAM_KEY not in closed_with(far(one.call))[1]
    assert 1008 == closed_with(far(one.call))[0]


async def test_an_upstream_that_was_cut_is_told_as_a_failure():
    at = office()
    one = Open(at)
    await one.until_open()
    at.dialer.far.abort()

    assert isinstance(await one.error(), UpstreamDisconnected)
    assert 1011 == closed_with(far(one.call))[0]
    assert (Outcome.UPSTREAM_CUT, "upstream_disconnected") == (
        one.call.exchange.outcome,
        one.call.exchange.error_code,
    )


async def test_law_5_a_client_that_was_cut_takes_the_upstream_along():
    at = office()
    one = Open(at)
    await one.until_open()
    far(one.call).abort()
    async with asyncio.timeout(0.25):
        error = await one.task

    assert isinstance(error, ClientGone)
    assert 1001 == closed_with(at.dialer.far)[0]
    assert Outcome.CLIENT_GONE is one.call.exchange.outcome


async def test_it_ends_before_its_reservation_would():
    at = office(timeouts=TimeoutOverrides(total_seconds=0.05))
    one = Open(at)
    await one.until_open()
    error = await one.error()

    assert isinstance(error, UpstreamTimeout)
    assert ("total", Outcome.TIMEOUT) == (one.call.exchange.phase, one.call.exchange.outcome)
    for side in (far(one.call), at.dialer.far):
        assert 1001 == closed_with(side)[0]


async def test_a18_a_stop_closes_both_with_1001():
    at = office()
    one = Open(at)
    await one.until_open()
    one.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await one.task

    for side in (far(one.call), at.dialer.far):
        assert (1001, "The gateway is shutting down.") == closed_with(side)
    assert Outcome.SHUTDOWN is one.call.exchange.outcome
    assert ["Intent", "UsageRecord"] == at.journal.kinds


async def test_law_5_a_client_that_leaves_while_the_upstream_is_dialled_ends_that():
    dialer = HangingDialer()
    at = NativeOffice(upstreams={"openmind": upstream_of("openmind")}, dialer=dialer)
    task = asyncio.get_running_loop().create_task(at.serve(opening(at)))
    assert await eventually(lambda: bool(dialer.dialled))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert dialer.was_cancelled


async def test_j5_it_is_in_the_ledger_before_the_client_is_told():
    at = office()
    one = Open(at)
    await one.until_open()
    durable = asyncio.get_running_loop().create_future()
    at.journal.durability = durable
    await at.dialer.far.close(1000)
    await asyncio.sleep(0.01)

    assert "UsageRecord" == at.journal.kinds[-1]
    assert far(one.call).closed_with is None
    durable.set_result(None)
    assert await one.error() is None
    assert 1000 == closed_with(far(one.call))[0]


# --- what it costs ----------------------------------------------------------------------------------------------------


async def test_n14_a_socket_costs_by_its_seconds():
    at = office(prices=A_CENT_A_SECOND)
    one = Open(at)
    await one.until_open()
    await asyncio.sleep(0.05)
    await far(one.call).close()
    await one.error()
    exchange = one.call.exchange

    assert 45 <= exchange.audio_ms < 2_000  # uvloop's clock goes by the millisecond
    assert exchange.audio_ms * 10_000 == exchange.cost_nano
    assert [exchange.cost_nano] == [record.cost_nano for record in at.journal.records]


async def test_one_that_was_cut_costs_what_it_lasted():
    at = office(prices=A_CENT_A_SECOND)
    one = Open(at)
    await one.until_open()
    await asyncio.sleep(0.05)
    at.dialer.far.abort()
    await one.error()

    assert one.call.exchange.cost_nano >= 450_000


def limited(**limits: Any) -> Principal:
    return Principal("ci", key_id="k", scopes=(Scope("key", "k", "ci", Limits(**limits)),))


async def test_all_that_a_socket_may_come_to_is_reserved():
    """1800 seconds at a cent are 18 dollars."""
    at = office(prices=A_CENT_A_SECOND)
    poor = limited(budget_nano=17_000_000_000, budget_period="total")
    rich = limited(budget_nano=19_000_000_000, budget_period="total")

    assert isinstance(await at.serve(opening(at, principal=poor)), QuotaExceeded)
    assert [] == at.dialer.dialled
    one = Open(at, principal=rich)
    await one.until_open()
    await far(one.call).close()
    assert await one.error() is None


async def test_a18_a_socket_holds_its_slot_for_as_long_as_it_lives():
    at = office()
    key = limited(concurrency=1)
    one = Open(at, principal=key)
    await one.until_open()
    refused = await at.serve(opening(at, principal=key))

    assert refused is not None
    assert 429 == refused.status
    await far(one.call).close()
    await one.error()
    assert one.call.exchange.reservation is None


async def test_s22_no_secret_is_told_by_a_repr():
    at = office()
    one = Open(at)
    await one.until_open()
    shown = repr((one.call.exchange, at.dialer.near, at.upstreams))
    await far(one.call).close()
    await one.error()

    assert UPSTREAM_KEY not in shown
