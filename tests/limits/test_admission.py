"""Admit before, settle after: every limit at its edge, and a refusal that consumes nothing (law 4, reliability J1)."""

import pytest

from app.domain.errors import QuotaExceeded, RateLimited
from app.domain.limits import LOOK, NO_LIMITS, Ask, Limits, Spending, Spent
from app.domain.principal import Principal
from tests.limits.gate import NOTHING, ONE, Gate, principal_of

EVERY_LIMIT = Limits(rpm=10, tpm=1000, concurrency=10, budget_nano=1000, budget_tokens=1000)


@pytest.mark.parametrize(
    ("limits", "ask", "fits"),
    [
        pytest.param(NO_LIMITS, Ask(1, 10**9, 10**18, 1), True, id="no limit admits anything"),
        pytest.param(Limits(rpm=1), Ask(1), True, id="the last request of the minute fits"),
        pytest.param(Limits(rpm=1), Ask(2), False, id="one request more does not"),
        pytest.param(Limits(rpm=0), Ask(1), False, id="no request a minute admits none"),
        pytest.param(Limits(tpm=100), Ask(1, 100), True, id="exactly the tokens of a minute fit"),
        pytest.param(Limits(tpm=100), Ask(1, 101), False, id="one token more does not"),
        pytest.param(Limits(tpm=0), Ask(1, 1), False, id="no token a minute admits none"),
        pytest.param(Limits(tpm=0), Ask(1), True, id="what asks for no tokens needs none"),
        pytest.param(Limits(concurrency=1), Ask(1, slots=1), True, id="the last slot fits"),
        pytest.param(Limits(concurrency=1), Ask(1, slots=2), False, id="one slot more does not"),
        pytest.param(Limits(concurrency=0), Ask(1, slots=1), False, id="no slot admits none"),
        pytest.param(Limits(budget_nano=5), Ask(1, 0, 5), True, id="a budget is spent to the end"),
        pytest.param(Limits(budget_nano=5), Ask(1, 0, 6), False, id="one nano-dollar over is over"),
        pytest.param(Limits(budget_nano=0), Ask(1, 9, 0), True, id="what costs nothing needs none"),
        pytest.param(Limits(budget_tokens=9), Ask(1, 9), True, id="all tokens of a budget fit"),
        pytest.param(Limits(budget_tokens=9), Ask(1, 10), False, id="one token over is over"),
    ],
)
async def test_a_limit_is_exact(limits, ask, fits):
    for principal in (principal_of(limits), principal_of(NO_LIMITS, limits)):
        assert fits == (await Gate().refusal(principal, ask) is None)


async def test_to_look_is_never_refused_and_takes_nothing():
    gate = Gate()
    nothing_left = principal_of(Limits(0, 0, 0, 0, 0))

    assert None is await gate.refusal(nothing_left, LOOK)
    assert [0] * 5 == [one.used for one in gate.admission.standings(nothing_left)]


async def test_who_has_no_scope_is_admitted_and_counted_nowhere():
    gate = Gate()
    reservation = await gate.admit(Principal("anyone"))
    gate.settle(reservation, Spent(1, 5, 5))

    assert reservation.headers is None
    assert () == gate.admission.standings(Principal("anyone"))


@pytest.mark.parametrize(
    "full",
    [
        pytest.param(Limits(rpm=0), id="rpm"),
        pytest.param(Limits(tpm=0), id="tpm"),
        pytest.param(Limits(concurrency=0), id="concurrency"),
        pytest.param(Limits(budget_nano=0), id="budget in dollars"),
        pytest.param(Limits(budget_tokens=0), id="budget in tokens"),
    ],
)
@pytest.mark.parametrize("place", ["key", "team"])
async def test_a_refusal_consumes_nothing_in_any_counter(full, place):
    gate = Gate()
    limits = (full, EVERY_LIMIT) if place == "key" else (EVERY_LIMIT, full)
    principal = principal_of(*limits)

    for _ in range(3):
        assert await gate.refusal(principal) is not None

    assert {0} == {standing.used for standing in gate.admission.standings(principal)}
    assert Spending() == gate.admission.spending(principal.scopes[0])


async def test_a_key_without_limits_is_counted():
    gate = Gate()
    principal = principal_of(NO_LIMITS, NO_LIMITS)

    gate.settle(await gate.admit(principal), Spent(1, 7, 3))

    expected = Spending((3, 7), (3, 7), (3, 7), (3, 7))
    assert expected == gate.admission.spending(principal.scopes[0])
    assert expected == gate.admission.spending(principal.scopes[1])


async def test_a_team_stops_one_key_by_what_another_took():
    gate = Gate()
    team = Limits(budget_nano=8)
    await gate.admit(principal_of(NO_LIMITS, team, "a"))

    error = await gate.refusal(principal_of(NO_LIMITS, team, "b"))

    assert isinstance(error, QuotaExceeded)
    assert ("team", "budget_usd") == (error.scope, error.limit)
    assert 5 == gate.used(principal_of(NO_LIMITS, team, "b"), "budget_usd", 1)


async def test_settling_gives_back_what_was_not_used():
    gate = Gate()
    principal = principal_of(EVERY_LIMIT, EVERY_LIMIT)
    gate.settle(await gate.admit(principal, Ask(1, 600, 600, 1)), Spent(1, 200, 100))

    for scope in (0, 1):
        used = {name: gate.used(principal, name, scope) for name in ("rpm", "tpm", "concurrency")}
        assert {"rpm": 1, "tpm": 200, "concurrency": 0} == used
        assert 100 == gate.used(principal, "budget_usd", scope)
        assert 200 == gate.used(principal, "budget_tokens", scope)
    assert {0} == {standing.reserved for standing in gate.admission.standings(principal)}


async def test_what_asked_no_upstream_used_nothing():
    gate = Gate()
    principal = principal_of(EVERY_LIMIT, EVERY_LIMIT)
    gate.settle(await gate.admit(principal), NOTHING)

    assert {0} == {standing.used for standing in gate.admission.standings(principal)}


async def test_what_came_to_more_than_it_asked_for_is_counted_in_full():
    gate = Gate()
    principal = principal_of(Limits(tpm=100, budget_nano=10, budget_tokens=500))
    gate.settle(await gate.admit(principal, Ask(1, 100, 10)), Spent(1, 160, 12))

    assert 160 == gate.used(principal, "tpm")
    assert 12 == gate.used(principal, "budget_usd")
    error = await gate.refusal(principal, Ask(1, 1))
    assert isinstance(error, RateLimited)
    assert 36.6 == error.retry_after_seconds  # 61 tokens too many, at 100 a minute
    gate.advance(36.601)
    assert None is await gate.refusal(principal, Ask(1, 1))


async def test_a_second_settlement_changes_nothing():
    gate = Gate()
    principal = principal_of(EVERY_LIMIT)
    reservation = await gate.admit(principal)
    gate.settle(reservation, Spent(1, 4, 3))
    before = gate.admission.standings(principal)

    gate.settle(reservation, Spent(1, 400, 300))

    assert before == gate.admission.standings(principal)
    assert (3, 4) == gate.admission.spending(principal.scopes[0]).total


@pytest.mark.parametrize("limits", [Limits(rpm=7), Limits(tpm=7)], ids=["rpm", "tpm"])
async def test_the_wait_that_is_told_is_enough_and_not_a_millisecond_too_long(limits):
    gate = Gate()
    principal = principal_of(limits)
    for _ in range(7):
        await gate.admit(principal, Ask(1, 1))

    error = await gate.refusal(principal, Ask(1, 1))

    assert isinstance(error, RateLimited)
    assert error.retry_after_seconds == 8.572  # a seventh of a minute, rounded up
    gate.advance(8.571)
    assert await gate.refusal(principal, Ask(1, 1)) is not None
    gate.advance(0.001)
    assert None is await gate.refusal(principal, Ask(1, 1))


async def test_what_is_given_back_after_it_leaked_out_is_not_given_twice():
    gate = Gate()
    principal = principal_of(Limits(tpm=100))
    long_one = await gate.admit(principal, Ask(1, 100))
    gate.advance(60)
    await gate.admit(principal, Ask(1, 100))

    gate.settle(long_one, Spent(1, 20, 0))

    assert 100 == gate.used(principal, "tpm")


class TestAChangedLimit:
    async def test_raised_leaves_what_is_used(self):
        gate = Gate()
        await gate.admit(principal_of(Limits(rpm=2, tpm=20)), Ask(2, 20))

        raised = principal_of(Limits(rpm=5, tpm=50))

        assert (2, 20) == (gate.used(raised, "rpm"), gate.used(raised, "tpm"))
        assert None is await gate.refusal(raised, Ask(3, 30))
        assert await gate.refusal(raised, Ask(4, 0)) is not None

    async def test_lowered_below_use_is_full_and_free_again_within_a_minute(self):
        gate = Gate()
        await gate.admit(principal_of(Limits(tpm=1_000_000)), Ask(1, 500_000))

        lowered = principal_of(Limits(tpm=10))

        assert 10 == gate.used(lowered, "tpm")
        assert await gate.refusal(lowered, Ask(1, 1)) is not None
        gate.advance(60)
        assert None is await gate.refusal(lowered, Ask(1, 10))

    async def test_of_concurrency_counts_those_that_run(self):
        gate = Gate()
        running = [await gate.admit(principal_of(NO_LIMITS)) for _ in range(3)]

        lowered = principal_of(Limits(concurrency=2))

        assert 3 == gate.used(lowered, "concurrency")
        for reservation in running[:2]:
            assert await gate.refusal(lowered) is not None
            gate.settle(reservation, NOTHING)
        assert None is await gate.refusal(lowered)

    async def test_that_is_new_counts_from_now_on(self):
        gate = Gate()
        before = await gate.admit(principal_of(NO_LIMITS), Ask(1, 100))
        limited = principal_of(Limits(rpm=5, tpm=100))
        gate.advance(1)
        assert (0, 0) == (gate.used(limited, "rpm"), gate.used(limited, "tpm"))
        await gate.admit(limited, Ask(1, 80))

        gate.settle(before, NOTHING)  # which took nothing of it, so gives nothing back

        assert (1, 80) == (gate.used(limited, "rpm"), gate.used(limited, "tpm"))

    async def test_of_a_budget_and_its_period_needs_no_look_up(self):
        gate = Gate()
        gate.settle(await gate.admit(principal_of(NO_LIMITS), Ask(1, 10, 50)), Spent(1, 10, 50))
        gate.advance(86_400)
        by_day = principal_of(Limits(budget_nano=50, budget_period="day"))
        by_week = principal_of(Limits(budget_nano=50, budget_period="week"))

        assert None is await gate.refusal(by_day, Ask(1, 1, 50))
        assert isinstance(await gate.refusal(by_week, Ask(1, 1, 1)), QuotaExceeded)

    @pytest.mark.parametrize("lowered", [2500, 10], ids=["to the half", "to a hair"])
    async def test_that_is_lowered_forgives_no_debt_and_makes_it_no_longer(self, lowered):
        gate = Gate()
        before = principal_of(Limits(tpm=5000))
        gate.settle(await gate.admit(before, Ask(1, 10)), Spent(1, 50_000, 0))  # ten minutes' worth

        after = principal_of(Limits(tpm=lowered))
        gate.settle(await gate.admit(after, LOOK), NOTHING)

        assert 10 * lowered == gate.used(after, "tpm")

    async def test_that_was_nought_or_is_raised_is_paid_back_faster(self):
        gate = Gate()
        for number, (before, expected) in enumerate([(0, 5000), (100, 50_000)]):
            indebted = principal_of(Limits(tpm=before), name=str(number))
            gate.settle(await gate.admit(indebted, Ask(1)), Spent(1, 50_000, 0))

            raised = principal_of(Limits(tpm=5000), name=str(number))

            assert expected == gate.used(raised, "tpm")

    async def test_to_what_it_was_already_changes_nothing(self):
        gate = Gate()
        gate.settle(await gate.admit(principal_of(Limits(tpm=1000))), Spent(1, 50_000, 0))

        gate.settle(await gate.admit(principal_of(Limits(tpm=1000)), LOOK), NOTHING)

        assert 50_000 == gate.used(principal_of(Limits(tpm=1000)), "tpm")

    async def test_that_goes_and_comes_back_finds_what_was_used_less_what_leaked(self):
        gate = Gate()
        limited, free = principal_of(Limits(rpm=1, tpm=60)), principal_of(NO_LIMITS)
        await gate.admit(limited, Ask(1, 60))
        long_one = await gate.admit(free, Ask(1, 1000))
        gate.advance(20)
        assert await gate.refusal(limited, Ask(1)) is not None

        gate.settle(long_one, NOTHING)  # which took nothing of them, so gives nothing back

        assert (1, 40) == (gate.used(limited, "rpm"), gate.used(limited, "tpm"))

    async def test_is_not_undone_by_who_was_authenticated_before(self):
        gate = Gate()
        old = principal_of(Limits(rpm=100, budget_nano=5, budget_period="day"), version=4)
        new = principal_of(Limits(rpm=2, budget_nano=1000), version=5)
        await gate.admit(new)

        await gate.admit(old)

        assert await gate.refusal(old) is not None
        assert await gate.refusal(new) is not None
        gate.advance(60)
        error = await gate.refusal(old, Ask(1, 1, 991))
        assert isinstance(error, QuotaExceeded)
        assert "$0.000001 in all" in error.message


class TestToLook:
    async def test_forgives_no_debt(self):
        gate = Gate()
        principal = principal_of(Limits(tpm=1000))
        gate.settle(await gate.admit(principal), Spent(1, 50_000, 0))

        assert 0 == gate.used(principal_of(Limits(tpm=0)), "tpm")
        assert 50_000 == gate.used(principal_of(Limits(tpm=1000)), "tpm")
        assert 50_000 == gate.used(principal, "tpm")

    async def test_with_other_limits_changes_none(self):
        gate = Gate()
        principal = principal_of(Limits(rpm=1))
        await gate.admit(principal)

        for other in (NO_LIMITS, Limits(rpm=50), EVERY_LIMIT):
            gate.admission.standings(principal_of(other, version=9))

            assert await gate.refusal(principal) is not None

    async def test_at_a_key_that_nobody_used_shows_all_of_it_free(self):
        gate = Gate()

        assert [0] * 5 == [one.used for one in gate.admission.standings(principal_of(EVERY_LIMIT))]


async def test_what_asks_for_less_than_nothing_reserves_nothing():
    gate = Gate()
    principal = principal_of(Limits(tpm=100, budget_nano=100, budget_tokens=100))
    await gate.admit(principal, Ask(1, 40, 40, 1))

    await gate.admit(principal, Ask(1, -1000, 10, 1))
    await gate.admit(principal, Ask(1, 10, -1000, 1))

    used = [gate.used(principal, name) for name in ("tpm", "budget_usd", "budget_tokens")]
    assert [50, 50, 50] == used


async def test_ten_thousand_keys_are_no_problem():
    gate = Gate()
    for number in range(10_000):
        principal = principal_of(EVERY_LIMIT, name=f"k{number}")
        gate.settle(await gate.admit(principal, ONE), Spent(1, 1, 1))

    assert 1 == gate.used(principal_of(EVERY_LIMIT, name="k9999"), "rpm")
