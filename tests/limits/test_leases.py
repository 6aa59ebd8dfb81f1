"""A lease ends by itself, and what it came to is counted all the same (reliability J1, J6, J8)."""

from app.domain.limits import Ask, Limits, Spent
from tests.limits.gate import LEASE_SECONDS, NOTHING, Gate, principal_of

LIMITS = Limits(concurrency=1, budget_nano=10, budget_tokens=20)
ASK = Ask(1, 20, 10, 1)


async def test_a_lease_holds_until_its_end_and_not_longer():
    gate = Gate()
    principal = principal_of(LIMITS)
    await gate.admit(principal, ASK)

    gate.advance(LEASE_SECONDS - 1)
    assert 0 == gate.admission.sweep()
    assert await gate.refusal(principal, ASK) is not None
    gate.advance(1)

    assert 1 == gate.admission.sweep()
    assert 0 == gate.admission.sweep()
    assert {0} == {standing.used for standing in gate.admission.standings(principal)}


async def test_a_request_need_not_wait_for_the_sweep():
    gate = Gate()
    principal = principal_of(LIMITS, LIMITS)
    await gate.admit(principal, ASK)
    gate.advance(LEASE_SECONDS)

    assert None is await gate.refusal(principal, ASK)
    assert 1 == gate.admission.sweep()


async def test_only_ended_leases_end():
    gate = Gate()
    principal = principal_of(Limits(concurrency=9))
    early = await gate.admit(principal)
    gate.advance(100)
    await gate.admit(principal)
    await gate.admit(principal)
    gate.settle(early, NOTHING)
    gate.advance(LEASE_SECONDS - 100)

    assert 0 == gate.admission.sweep()
    assert 2 == gate.used(principal, "concurrency")
    gate.advance(100)
    assert 2 == gate.admission.sweep()


async def test_an_ended_lease_is_settled_for_its_money_once():
    gate = Gate()
    principal = principal_of(LIMITS, LIMITS)
    reservation = await gate.admit(principal, ASK)
    gate.advance(LEASE_SECONDS)
    gate.admission.sweep()

    for _ in range(2):
        gate.settle(reservation, Spent(1, 7, 4))

    for scope in (0, 1):
        assert (4, 7) == gate.admission.spending(principal.scopes[scope]).total
        assert 0 == gate.used(principal, "concurrency", scope)
        assert 4 == gate.used(principal, "budget_usd", scope)
        assert 7 == gate.used(principal, "budget_tokens", scope)


async def test_an_ended_lease_gives_nothing_back_of_a_minute_long_past():
    gate = Gate()
    principal = principal_of(Limits(tpm=100))
    reservation = await gate.admit(principal, Ask(1, 100, 0, 1))
    gate.advance(LEASE_SECONDS)
    await gate.admit(principal, Ask(1, 100, 0, 1))

    gate.settle(reservation, NOTHING)

    assert 100 == gate.used(principal, "tpm")


async def test_an_ended_lease_belongs_to_the_period_it_was_made_in():
    gate = Gate()
    principal = principal_of(Limits(budget_nano=10, budget_period="day"))
    reservation = await gate.admit(principal, ASK)
    gate.advance(86_400)
    gate.admission.sweep()

    gate.settle(reservation, Spent(1, 7, 4))

    spending = gate.admission.spending(principal.scopes[0])
    assert (0, 0) == spending.day
    assert (4, 7) == spending.week == spending.total
    assert 0 == gate.used(principal, "budget_usd")
