"""Many at once: exactly as many are admitted as there is room for, and all of it comes back to zero (issue 4)."""

import asyncio
import random

import pytest

from app.domain.errors import QuotaExceeded, RateLimited
from app.domain.limits import NO_LIMITS, Ask, Limits, Spending, Spent
from tests.limits.gate import NOTHING, Gate, principal_of

ASK = Ask(1, 20, 30, 1)


@pytest.mark.parametrize("place", ["key", "team"])
@pytest.mark.parametrize(
    ("limits", "limit", "used"),
    [
        pytest.param(Limits(rpm=50), "rpm", 50, id="requests a minute"),
        pytest.param(Limits(tpm=1019), "tpm", 1000, id="tokens a minute"),
        pytest.param(Limits(concurrency=50), "concurrency", 50, id="concurrency"),
        pytest.param(Limits(budget_nano=1529), "budget_usd", 1500, id="a budget in dollars"),
        pytest.param(Limits(budget_tokens=1000), "budget_tokens", 1000, id="a budget in tokens"),
    ],
)
async def test_of_500_at_once_exactly_50_are_admitted(limits, limit, used, place):
    gate = Gate()
    principal = principal_of(limits) if place == "key" else principal_of(NO_LIMITS, limits)
    claims = [gate.admit(principal, ASK) for _ in range(500)]

    outcomes = await asyncio.gather(*claims, return_exceptions=True)

    refused = [one for one in outcomes if isinstance(one, RateLimited | QuotaExceeded)]
    admitted = [one for one in outcomes if not isinstance(one, BaseException)]
    assert (50, 450) == (len(admitted), len(refused))
    assert used == gate.used(principal, limit, len(principal.scopes) - 1)
    for reservation in admitted:
        gate.settle(reservation, NOTHING)
    assert 0 == gate.used(principal, limit, len(principal.scopes) - 1)


async def test_ten_thousand_exchanges_of_every_kind_come_back_to_zero():
    gate, chance = Gate(), random.Random(4)
    limits = Limits(10_000, 1_000_000, 40, 10**9, 10**8, "day")
    principals = [principal_of(limits, limits, name) for name in ("a", "b", "c")]
    running, charged, refused = [], dict.fromkeys(("a", "b", "c"), (0, 0)), 0
    for _ in range(10_000):
        principal = chance.choice(principals)
        try:
            ask = Ask(1, chance.randrange(5000), chance.randrange(5000), 1)
            running.append((principal.name, await gate.admit(principal, ask)))
        except (RateLimited, QuotaExceeded):
            refused += 1
        gate.advance(chance.choice((0, 0.001, 1, 30)))
        while running and chance.random() < 0.5:
            name, reservation = running.pop(chance.randrange(len(running)))
            spent = chance.choice(
                (NOTHING, Spent(1, 0, 0), Spent(1, chance.randrange(9000), chance.randrange(9000)))
            )
            gate.settle(reservation, spent)
            cost, tokens = charged[name]
            charged[name] = (cost + spent.cost_nano, tokens + spent.tokens)
    for _, reservation in running:
        gate.settle(reservation, NOTHING)

    assert refused > 100
    for principal in principals:
        standings = gate.admission.standings(principal)
        assert {0} == {standing.reserved for standing in standings}
        assert charged[principal.name] == gate.admission.spending(principal.scopes[0]).total
    team = gate.admission.spending(principals[0].scopes[1])
    assert tuple(map(sum, zip(*charged.values(), strict=True))) == team.total
    gate.advance(3600)
    for principal in principals:
        rates = {gate.used(principal, name) for name in ("rpm", "tpm", "concurrency")}
        assert {0} == rates
    assert Spending() != team
