"""What an exchange is charged, over every way it can end (reliability J1 to J5, J11 to J14)."""

from typing import Any

import pytest

from app.domain.configuration import LimitOptions
from app.domain.errors import InvalidRequest, LedgerUnavailable, QuotaExceeded, RateLimited
from app.domain.exchange import Exchange
from app.domain.ledger import Intent, Progress
from app.domain.limits import Limits, Scope
from app.domain.outcome import Outcome
from app.domain.prices import Price
from app.domain.principal import Principal
from app.domain.routes import Deployment, Route
from app.domain.usage import Usage
from app.protocol.chat_answer import WholeOutput
from app.protocol.requests import read_chat_request
from app.proxy.billing import Billing
from tests.fakes.billing import FakeJournal, admission_of, billing_of
from tests.fakes.clock import Clock
from tests.fakes.exchanges import exchange_with
from tests.fakes.upstreams import upstream_of

ROUTE = Route("m", (Deployment("up", "m", "m"),))
TWO = Route("r", (Deployment("up", "m", "m"), Deployment("dear", "x", "x")), is_named=True)
CHAT = read_chat_request(b'{"model":"m","max_tokens":100}')  # 30 bytes: ten tokens
PRICES = {"up/m": Price(input=1_000_000, output=2_000_000), "dear/*": Price(output=50_000_000)}


def caller(**limits: Any) -> Principal:
    scope = Scope("key", "key_1", "ci", Limits(**limits))
    return Principal("ci", key_id="key_1", scopes=(scope,), max_tokens=limits.get("max_tokens"))


class Charging:
    """One billing over a journal that can be asked."""

    def __init__(self, principal: Principal | None = None, **options: Any) -> None:
        self.clock, self.journal = Clock(100.0), FakeJournal()
        self.admission = admission_of(self.clock)
        self.principal = principal or caller()
        self.billing: Billing = billing_of(
            self.clock,
            journal=self.journal,
            prices=PRICES,
            admission=self.admission,
            options=LimitOptions(**options),
        )
        self.exchange = self.new()

    def new(self) -> Exchange:
        found = exchange_with("req_1", "POST", "chat.create", self.clock(), caller=self.principal)
        found.model_requested = "m"
        return found

    async def admit(self, chat, route: Route) -> None:
        reserving = self.billing.admit_chat(self.principal, chat, route, self.exchange)
        if reserving is not None:
            await reserving

    async def asked(self, *, chat=CHAT, route: Route = ROUTE, model: str = "m") -> Exchange:
        """An exchange whose upstream is asked for *model*."""
        exchange = self.exchange
        await self.admit(chat, route)
        exchange.upstream, exchange.model, exchange.label = "up", model, model
        self.billing.attempt(exchange)
        exchange.attempts, exchange.sent_at = 1, self.clock()
        return exchange

    def end(self, outcome: Outcome | None = None) -> None:
        self.exchange.outcome = outcome
        self.billing.book(self.exchange)
        self.billing.release(self.exchange)

    def used(self, limit: str) -> tuple[int, int]:
        """Of the key: used and reserved."""
        for one in self.admission.standings(self.principal):
            if one.limit == limit:
                return one.used, one.reserved
        raise AssertionError(limit)


COUNTED = Usage(1000, 50)
SAID = WholeOutput(4 * 25)  # 25 tokens


@pytest.mark.parametrize(
    ("outcome", "usage", "output", "charged", "source"),
    [
        pytest.param(None, COUNTED, None, COUNTED, "upstream", id="the upstream's count"),
        pytest.param(None, None, SAID, Usage(10, 25), "estimated", id="no count: by what came"),
        pytest.param(None, None, None, Usage(10, 0), "estimated", id="no count and no text"),
        pytest.param(
            Outcome.CLIENT_GONE, None, SAID, Usage(10, 25), "estimated", id="J14: who left"
        ),
        pytest.param(
            Outcome.CLIENT_GONE,
            None,
            WholeOutput(9, COUNTED, counted_characters=9),
            COUNTED,
            "upstream",
            id="who left behind the count",
        ),
        pytest.param(
            None,
            None,
            WholeOutput(409, COUNTED, counted_characters=9),
            Usage(1000, 50 + 100),
            "estimated",
            id="what came behind the count is added to it",
        ),
        pytest.param(Outcome.TIMEOUT, None, None, Usage(10, 0), "estimated", id="a timeout"),
        pytest.param(Outcome.SHUTDOWN, None, SAID, Usage(10, 25), "estimated", id="a drain"),
        pytest.param(Outcome.UPSTREAM_CUT, None, SAID, Usage(10, 25), "estimated", id="a cut"),
        pytest.param(Outcome.UPSTREAM_ERROR, None, None, None, "", id="J14: an error is no output"),
        pytest.param(
            Outcome.UPSTREAM_ERROR,
            None,
            SAID,
            Usage(10, 25),
            "estimated",
            id="an error behind text",
        ),
        pytest.param(
            None,
            Usage(10**30, 5),
            None,
            Usage(10**9, 5),
            "upstream",
            id="a count beyond belief is bounded",
        ),
    ],
)
async def test_what_an_exchange_is_charged(outcome, usage, output, charged, source):
    one = Charging(caller(budget_nano=10**12, tpm=10**9))
    exchange = await one.asked()
    exchange.usage, exchange.output = usage, output

    one.end(outcome)

    expected = charged or Usage(0, 0)
    cost = PRICES["up/m"].cost_nano(expected)
    (record,) = one.journal.records
    assert (expected.input_tokens, expected.output_tokens, source, cost) == (
        record.input_tokens,
        record.output_tokens,
        record.usage_source,
        record.cost_nano,
    )
    assert record.priced
    assert (cost, 0) == one.used("budget_usd")


async def test_j1_the_most_it_can_come_to_is_reserved():
    """The dearest of a route's deployments, since any may serve it."""
    one = Charging(caller(budget_nano=10**12, budget_tokens=10**6, concurrency=3))

    await one.asked(route=TWO)

    assert one.used("budget_usd") == (5_000_000, 5_000_000)  # 100 tokens of the dear one
    assert one.used("budget_tokens") == (110, 110)
    assert one.used("concurrency")[0] == 1


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        pytest.param(b'{"model":"m","max_tokens":100}', 110, id="as asked"),
        pytest.param(b'{"model":"m","max_tokens":100,"n":2}', 212, id="for each choice"),
        pytest.param(
            b'{"model":"m","max_tokens":5,"max_completion_tokens":90}', 109, id="the greater bound"
        ),
        pytest.param(b'{"model":"m"}', 1029, id="J11: assumed where it is not said"),
        pytest.param(b'{"model":"m","max_tokens":-1}', 1034, id="no bound that holds"),
    ],
)
async def test_j11_how_many_tokens_are_reserved(body, tokens):
    one = Charging(caller(tpm=100_000))

    await one.asked(chat=read_chat_request(body))

    assert one.used("tpm")[0] == tokens


async def test_a_key_s_ceiling_stands_where_the_client_says_nothing():
    one = Charging(caller(tpm=100_000, max_tokens=40))

    await one.asked(chat=read_chat_request(b'{"model":"m"}'))

    assert one.used("tpm")[0] == 5 + 40


@pytest.mark.parametrize("asked", [41, -1, 10**6])
async def test_more_than_the_ceiling_is_refused_and_consumes_nothing(asked):
    one = Charging(caller(tpm=100_000, max_tokens=40))

    with pytest.raises(InvalidRequest) as caught:
        await one.asked(chat=read_chat_request(b'{"model":"m","max_tokens":%d}' % asked))

    assert ("unsupported_value", "max_tokens") == (caught.value.code, caught.value.param)
    assert "from 0 to 40" in caught.value.message
    assert one.used("tpm") == (0, 0)


async def test_j12_a_model_without_a_price_costs_nothing_and_says_so():
    one = Charging(caller(budget_nano=1))
    exchange = await one.asked(route=Route("y", (Deployment("up", "y"),)), model="y")
    exchange.usage = COUNTED

    one.end()

    (record,) = one.journal.records
    assert (0, False) == (record.cost_nano, record.priced)


async def test_j12_or_is_refused_to_a_key_with_a_budget():
    route = Route("y", (Deployment("up", "y"),))
    with_budget = Charging(caller(budget_nano=1), unpriced="refuse")
    without = Charging(caller(rpm=1), unpriced="refuse")

    with pytest.raises(QuotaExceeded, match="`y` has no price"):
        await with_budget.asked(route=route)
    await without.asked(route=route)

    assert without.exchange.is_intended


OF_A_PROVIDER = Price(request=7_000)


@pytest.mark.parametrize(
    ("model", "named"),
    [
        pytest.param("openai/gpt-4o", None, id="the model names it"),
        pytest.param("gpt-4o", None, id="the model's name alone says it"),
        pytest.param("gpt-4o", "openai", id="the path names it"),
    ],
)
@pytest.mark.parametrize("price", ["mind/openai/gpt-4o", "mind/openai/*", "mind/gpt-4o"])
async def test_j1_a_provider_s_price_is_reserved_and_charged(model, named, price):
    """However the client spells it: else a budget would hold nothing."""
    one = Charging(caller(budget_nano=10**12))
    upstreams = {"mind": upstream_of("openmind", name="mind")}
    one.billing = billing_of(
        one.clock,
        journal=one.journal,
        prices={price: OF_A_PROVIDER},
        admission=one.admission,
        upstreams=upstreams,
        options=LimitOptions(unpriced="refuse"),
    )
    one.exchange.provider = named or ""
    await one.admit(CHAT, Route("x", (Deployment("mind", model),)))
    reserved = one.used("budget_usd")
    one.exchange.upstream, one.exchange.model, one.exchange.provider = "mind", "gpt-4o", "openai"
    one.billing.attempt(one.exchange)
    one.exchange.attempts, one.exchange.sent_at, one.exchange.usage = 1, one.clock(), COUNTED
    one.end()

    assert (7, 7) == reserved
    assert (7, True) == (one.journal.records[0].cost_nano, one.journal.records[0].priced)
    assert (7, 0) == one.used("budget_usd")


@pytest.mark.parametrize("choices", [-99_999_999, -1, 0])
async def test_no_count_of_choices_gives_tokens_back(choices):
    one = Charging(caller(tpm=1_000_000, budget_tokens=1_000_000))
    chat = read_chat_request(b'{"model":"m","max_tokens":100,"n":%d}' % choices)

    await one.asked(chat=chat)
    assert one.used("tpm")[0] > 100
    one.end(Outcome.UPSTREAM_ERROR)

    assert one.used("tpm") == one.used("budget_tokens") == (0, 0)


async def test_j2_the_intent_stands_before_an_upstream_is_asked():
    one = Charging(caller())

    await one.asked()

    (intent,) = one.journal.notes
    assert isinstance(intent, Intent)
    assert ("req_1", "key_1", "chat.create", "m", 10, 100) == (
        intent.id,
        intent.key_id,
        intent.endpoint,
        intent.model,
        intent.input_tokens,
        intent.output_tokens,
    )
    assert intent.lease_ends_at_ms > one.exchange.at_ms


async def test_j4_a_second_attempt_notes_how_far_the_first_came():
    one = Charging()
    exchange = await one.asked()
    exchange.output = SAID

    one.billing.attempt(exchange)

    assert one.journal.kinds == ["Intent", "Progress"]
    progress = one.journal.notes[-1]
    assert isinstance(progress, Progress)
    assert ("up", "m", 1, 25, "estimated") == (
        progress.upstream,
        progress.upstream_model,
        progress.attempts,
        progress.output_tokens,
        progress.usage_source,
    )


async def test_what_asks_no_upstream_leaves_no_note():
    one = Charging()

    one.billing.progress(one.exchange)
    one.end()

    assert one.journal.notes == []


async def test_j5_it_is_booked_once_and_released_once():
    one = Charging(caller(concurrency=2, budget_nano=10**12))
    exchange = await one.asked()
    exchange.usage = COUNTED

    one.end()
    one.end(Outcome.CLIENT_GONE)

    assert one.journal.kinds == ["Intent", "UsageRecord"]
    assert one.used("concurrency") == (0, 0)
    assert one.used("budget_usd") == (PRICES["up/m"].cost_nano(COUNTED), 0)


async def test_law_4_what_no_upstream_was_asked_for_consumes_nothing():
    one = Charging(caller(rpm=5, tpm=10**6, concurrency=1, budget_nano=10**12))
    await one.admit(CHAT, ROUTE)

    one.end(Outcome.REJECTED)

    for limit in ("rpm", "tpm", "concurrency", "budget_usd"):
        assert one.used(limit) == (0, 0)
    assert one.journal.notes == []


async def test_a_limit_refuses_before_anything_is_noted():
    one = Charging(caller(rpm=1))
    await one.asked()
    one.exchange = one.new()

    with pytest.raises(RateLimited):
        await one.asked()

    assert one.journal.kinds == ["Intent"]
    assert one.exchange.reservation is None


async def test_r19_what_cannot_be_noted_is_not_asked_for():
    one = Charging(caller(concurrency=1))
    one.journal.refuses = True

    with pytest.raises(LedgerUnavailable):
        await one.asked()
    one.end(Outcome.REJECTED)

    assert one.used("concurrency") == (0, 0)


async def test_c5_a_reply_says_where_the_limits_stand_also_where_nothing_is_taken():
    one = Charging(caller(rpm=7))

    await one.billing.look(one.principal, one.exchange)
    one.end()

    assert one.exchange.rate is not None
    assert b"x-ratelimit-remaining-requests: 7\r\n" in one.exchange.rate.lines
    assert one.used("rpm") == (0, 0)


async def test_names_of_others_are_kept_as_text_that_any_database_takes():
    one = Charging()
    exchange = await one.asked()
    exchange.model_requested = exchange.model = "a\x00b\ud800" + "x" * 500

    one.end()

    (record,) = one.journal.records
    assert (256, 256) == (len(record.model), len(record.upstream_model))
    assert record.model.isprintable()
