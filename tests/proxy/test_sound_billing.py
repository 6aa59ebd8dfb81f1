"""What speech and transcription reserve (law 4; reliability J1, J11, J12)."""

from collections.abc import Iterable
from typing import Any

import pytest

from app.domain.configuration import LimitOptions
from app.domain.errors import QuotaExceeded, RateLimited
from app.domain.limits import Limits, Scope
from app.domain.outcome import Outcome
from app.domain.prices import Price
from app.domain.principal import Principal
from app.proxy.sound_billing import Asked, SoundBilling
from app.usage.price_book import PriceBook
from tests.fakes.billing import FakeJournal, admission_of, billing_of
from tests.fakes.clock import Clock
from tests.fakes.exchanges import exchange_with

PRICES = {
    "up/m": Price(character=1_000, audio_second=1_000_000),
    "dear/m": Price(character=50_000, request=9_000),
}
ONE = [Asked("up", "m")]


class Charging:
    """One billing and one exchange."""

    def __init__(self, options: LimitOptions | None = None, **limits: Any) -> None:
        clock, options = Clock(), options or LimitOptions()
        self.journal, self.admission = FakeJournal(), admission_of(clock)
        self.billing = billing_of(
            clock,
            journal=self.journal,
            prices=PRICES,
            options=options,
            admission=self.admission,
        )
        self.sound = SoundBilling(self.billing, PriceBook(PRICES), options)
        self.principal = Principal(
            "ci", key_id="key_1", scopes=(Scope("key", "key_1", "ci", Limits(**limits)),)
        )
        self.exchange = exchange_with(
            "req_1",
            "POST",
            "audio.speech",
            clock(),
            caller=self.principal,
            upstream="up",
            model="m",
        )
        self.clock = clock

    async def admit(self, asked: Iterable[Asked] = ONE, **metered: int) -> None:
        await self.sound.admit(self.principal, self.exchange, asked, **metered)

    def asked(self) -> None:
        self.billing.attempt(self.exchange)
        self.exchange.attempts, self.exchange.sent_at = 1, self.clock()

    def end(self, outcome: Outcome | None) -> None:
        self.exchange.outcome = outcome
        self.billing.book(self.exchange)
        self.billing.release(self.exchange)

    def used(self, limit: str) -> tuple[int, int]:
        for one in self.admission.standings(self.principal):
            if one.limit == limit:
                return one.used, one.reserved
        raise AssertionError(limit)


@pytest.mark.parametrize(
    ("asked", "metered", "reserved"),
    [
        pytest.param(ONE, {"characters": 100}, 100, id="A7: characters"),
        pytest.param(ONE, {"audio_ms": 3_200}, 3_200, id="A13: seconds"),
        pytest.param(ONE, {}, 0, id="the request alone, which is free here"),
        pytest.param(
            [*ONE, Asked("dear", "m")], {"characters": 100}, 5_009, id="the dearest that may serve"
        ),
        pytest.param([*ONE, Asked("up", "x")], {"characters": 100}, 100, id="one has no price"),
    ],
)
async def test_j1_the_most_it_can_come_to_is_reserved(asked, metered, reserved):
    one = Charging(budget_nano=10**9, rpm=9, tpm=9, concurrency=3)

    await one.admit(asked, **metered)

    assert (reserved, reserved) == one.used("budget_usd")
    assert [1, 0, 1] == [one.used(name)[0] for name in ("rpm", "tpm", "concurrency")]


@pytest.mark.parametrize(
    ("limits", "error"),
    [
        pytest.param({"budget_nano": 99}, QuotaExceeded, id="J1: more than is left"),
        pytest.param({"rpm": 0}, RateLimited, id="F36: no request left"),
    ],
)
async def test_law_4_a_refusal_consumes_nothing(limits, error):
    one = Charging(**limits, tpm=5)

    with pytest.raises(error):
        await one.admit(characters=100)
    assert one.exchange.reservation is None
    assert (0, 0) == one.used("tpm")


async def test_j12_what_has_no_price_is_refused_where_it_should_be():
    one = Charging(LimitOptions(unpriced="refuse"), budget_nano=10**9)

    with pytest.raises(QuotaExceeded) as caught:
        await one.admit([Asked("up", "unknown")], characters=1)
    assert "`unknown` has no price" in caught.value.message


async def test_j12_a_key_without_a_budget_is_not_asked_for_prices():
    one = Charging(LimitOptions(unpriced="refuse"), rpm=5)

    await one.admit([Asked("up", "unknown")], characters=1)


@pytest.mark.parametrize(
    ("outcome", "cost"),
    [
        pytest.param(None, 100, id="whole"),
        pytest.param(Outcome.CLIENT_GONE, 100, id="J14: who left has had it made"),
        pytest.param(Outcome.UPSTREAM_CUT, 100, id="J14: a cut"),
        pytest.param(Outcome.TIMEOUT, 100, id="J14: a timeout"),
        pytest.param(Outcome.UPSTREAM_ERROR, 0, id="J14: an error is no sound"),
        pytest.param(Outcome.REJECTED, 0, id="law 4: refused"),
    ],
)
async def test_what_is_charged_in_the_end(outcome, cost):
    one = Charging(budget_nano=10**9)
    await one.admit(characters=100)
    one.asked()

    one.end(outcome)

    (record,) = one.journal.records
    assert (cost, True) == (record.cost_nano, record.priced)
    assert (cost, 0) == one.used("budget_usd")


async def test_j8_a_process_that_dies_has_noted_what_it_would_cost():
    one = Charging()
    await one.admit(characters=100)
    one.asked()

    (intent,) = one.journal.notes
    assert 100 == intent.cost_nano


async def test_nobody_asked_is_nothing_charged():
    one = Charging(budget_nano=10**9)
    await one.admit(characters=100)

    one.end(Outcome.REJECTED)

    assert (0, 0) == one.used("budget_usd")
