"""When the gateway asks again and when it must not (law 2; reliability R6, S22; contract I11)."""

import asyncio

import pytest

from app.domain.errors import (
    GatewayError,
    Overloaded,
    UpstreamAnswered,
    UpstreamDisconnected,
    UpstreamMalformed,
    UpstreamRefusedCredential,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from app.domain.exchange import Exchange
from app.domain.routes import Deployment, Route
from app.protocol.requests import read_chat_request
from app.proxy.attempts import Answer, Attempts
from app.telemetry.metrics import Metrics
from app.upstreams.chat_request import ChatOptions
from tests.fakes.billing import billing_of
from tests.fakes.registers import EVERYTHING, OTHER_TEAM, OWN_TEAM, TEAM_MATE, TEAMLESS
from tests.fakes.senders import FakeResponse, FakeSender, HangingSender, answer
from tests.fakes.upstreams import upstream_of

ROUTE = Route("fast", (Deployment("one", "m-1", "m-1"), Deployment("two", "m-2", "m-2")), True)
REFUSES_OPTIONS = (
    b'{"error":{"message":"Unknown parameter: stream_options","type":"invalid_request_error",'
    b'"param":"stream_options","code":null}}'
)


class Asking:
    """Two upstreams with senders of the test's choice."""

    def __init__(self, one: FakeSender, two: FakeSender) -> None:
        names = ("one", "two")
        upstreams = {name: upstream_of("openai", name=name) for name in names}
        self.metrics = Metrics("1")
        self.exchange = Exchange("req_1", "POST", "chat.create", received_at=0.0)
        self.senders = (one, two)
        now = asyncio.get_running_loop().time
        self.exchange.received_at = now()
        senders = {"one": one, "two": two}
        self.attempts = Attempts(upstreams, senders, billing_of(now), self.metrics, now)

    async def chat(self, body: bytes = b'{"model":"fast"}') -> Answer:
        options = ChatOptions([], "req_1")
        return await self.attempts.chat(ROUTE, read_chat_request(body), options, self.exchange)

    def reasons(self) -> set[tuple[str, str]]:
        rows = self.metrics.page().decode().splitlines()
        found = [row for row in rows if row.startswith("mindgate_attempts_total{")]
        return {(row.split('"')[3], row.split('"')[1]) for row in found}


async def test_the_first_that_answers_is_the_answer():
    asking = Asking(FakeSender(answer(b"{}")), FakeSender())

    found = await asking.chat()

    assert ("one", 1, "m-1") == (
        found.upstream.name,
        asking.exchange.attempts,
        asking.exchange.model,
    )
    assert asking.reasons() == {("one", "answered")}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(UpstreamUnreachable("x"), "upstream_unreachable", id="no connection"),
        pytest.param(Overloaded("x"), "overloaded", id="F41: no slot became free"),
    ],
)
async def test_r6_where_nothing_was_sent_the_next_is_asked(error, reason):
    asking = Asking(FakeSender(error), FakeSender(answer(b"{}")))

    found = await asking.chat()

    assert (found.upstream.name, asking.exchange.attempts) == ("two", 2)
    assert ("two", "m-2", "m-2") == (
        asking.exchange.upstream,
        asking.exchange.model,
        asking.exchange.label,
    )
    assert b'"m-2"' in asking.senders[1].bodies()[0]
    assert asking.reasons() == {("one", reason), ("two", "answered")}


async def test_when_nobody_can_be_reached_it_says_so():
    asking = Asking(FakeSender(UpstreamUnreachable("1")), FakeSender(UpstreamUnreachable("2")))

    with pytest.raises(UpstreamUnreachable, match="2"):
        await asking.chat()


@pytest.mark.parametrize(
    ("step", "error"),
    [
        pytest.param(
            UpstreamDisconnected("x"), UpstreamDisconnected, id="it may have worked on it"
        ),
        pytest.param(UpstreamMalformed("x"), UpstreamMalformed, id="it answered, badly"),
        pytest.param(UpstreamTimeout("x", phase="idle"), UpstreamTimeout, id="it was too slow"),
        pytest.param(answer(b"{}", 500), UpstreamAnswered, id="it said 500"),
        pytest.param(answer(b"{}", 503), UpstreamAnswered, id="it said 503"),
        pytest.param(answer(b"{}", 429), UpstreamAnswered, id="it said 429"),
        pytest.param(answer(b"{}", 401), UpstreamRefusedCredential, id="it refused our key"),
        pytest.param(answer(b"{}", 302), UpstreamMalformed, id="F7: it redirected"),
        pytest.param(answer(b"", 204), UpstreamMalformed, id="F7: it had nothing to say"),
    ],
)
async def test_once_a_byte_was_sent_nobody_else_is_asked(step, error):
    two = FakeSender()
    asking = Asking(FakeSender(step), two)

    with pytest.raises(error):
        await asking.chat()

    assert two.requests == []
    assert not isinstance(step, FakeResponse) or step.is_closed


async def test_i11_stream_options_are_left_out_for_whom_they_are_unknown_from_then_on():
    one = FakeSender(answer(REFUSES_OPTIONS, 400), answer(b"{}"), answer(b"{}"))
    asking = Asking(one, FakeSender())
    body = b'{"model":"fast","stream":true}'

    await asking.chat(body)
    await asking.chat(body)

    sent = [b"stream_options" in body for body in one.bodies()]
    assert [True, False, False] == sent


async def test_i11_only_once_and_only_for_a_stream():
    refusals = [answer(REFUSES_OPTIONS, 400) for _ in range(3)]
    one = FakeSender(*refusals)

    with pytest.raises(GatewayError):
        await Asking(one, FakeSender()).chat(b'{"model":"fast","stream":true}')
    assert len(one.requests) == 2
    with pytest.raises(GatewayError):
        await Asking(one, FakeSender()).chat(b'{"model":"fast"}')
    assert len(one.requests) == 3


async def test_s22_an_upstream_s_own_words_make_no_series():
    for n in range(20):
        body = b'{"error":{"message":"m","type":"t","param":null,"code":"made-up-%d"}}' % n
        asking = Asking(FakeSender(answer(body, 400)), FakeSender())
        with pytest.raises(UpstreamAnswered):
            await asking.chat()

        assert not any("made-up" in reason for _, reason in asking.reasons())


async def test_law_5_a_client_that_leaves_ends_the_wait_for_the_head():
    hanging = HangingSender()
    running = asyncio.ensure_future(Asking(hanging, FakeSender()).chat())
    await hanging.was_asked.wait()

    running.cancel()
    await asyncio.wait([running])

    assert hanging.was_cancelled


async def test_g6_the_sender_is_told_until_when_the_head_must_have_come():
    one = FakeSender(answer(b"{}"))
    asking = Asking(one, FakeSender())
    options = ChatOptions([(b"x-stainless-read-timeout", b"0.02")], "req_1")

    await asking.attempts.chat(ROUTE, read_chat_request(b'{"model":"m"}'), options, asking.exchange)

    limits = one.requests[0].deadlines
    assert limits is not None
    assert limits.first_byte_at == asking.exchange.received_at + 0.01


async def test_g6_a_refusal_that_does_not_end_is_a_timeout():
    refusing = FakeResponse(400, pieces=[b"{", *[None] * 1000])
    asking = Asking(FakeSender(refusing), FakeSender())
    asking.exchange.received_at -= 300

    with pytest.raises(UpstreamTimeout) as caught:
        await asking.chat()

    assert caught.value.phase == "first_byte"
    assert refusing.is_closed


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [
        pytest.param(OWN_TEAM, OTHER_TEAM, False, id="two teams"),
        pytest.param(OWN_TEAM, TEAM_MATE, True, id="one team"),
        pytest.param(OWN_TEAM, TEAMLESS, False, id="a key without a team"),
        pytest.param(EVERYTHING, EVERYTHING, True, id="a key for all"),
    ],
)
async def test_s16_an_idempotency_key_is_its_team_s_own(one, other, share):
    seen = []
    for caller in (one, other):
        asking = Asking(FakeSender(answer(b"{}")), FakeSender())
        asking.exchange.caller = caller
        options = ChatOptions([(b"idempotency-key", b"again"), (b"accept", b"*/*")], "req_1")
        body = read_chat_request(b'{"model":"fast"}')
        await asking.attempts.chat(ROUTE, body, options, asking.exchange)
        fields = dict(asking.senders[0].requests[0].headers)
        seen.append(fields[b"idempotency-key"])
        assert b"*/*" == fields[b"accept"]

    assert share is (seen[0] == seen[1])
    assert (one is EVERYTHING) is (seen[0] == b"again")
