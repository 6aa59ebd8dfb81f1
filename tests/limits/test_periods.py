"""Budgets count over days, weeks from Monday and months, in UTC (reliability J10, R21)."""

from datetime import UTC, datetime

import pytest

from app.domain.errors import QuotaExceeded
from app.domain.limits import Ask, Limits, PeriodStarts, Spending, Spent
from app.limits.periods import Calendar, next_start_ms, period_starts
from tests.fakes.clock import Clock
from tests.limits.gate import NOTHING, Gate, principal_of


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("now", "day", "week", "month"),
    [
        pytest.param(
            "1970-01-01", "1970-01-01", "1969-12-29", "1970-01-01", id="the first of all days"
        ),
        pytest.param(
            "2026-11-23T00:00:00", "2026-11-23", "2026-11-23", "2026-11-01", id="a Monday begins"
        ),
        pytest.param(
            "2026-11-22T23:59:59.999", "2026-11-22", "2026-11-16", "2026-11-01", id="a Sunday ends"
        ),
        pytest.param(
            "2026-12-01T00:00:00", "2026-12-01", "2026-11-30", "2026-12-01", id="a month begins"
        ),
        pytest.param(
            "2028-02-29T12:00:00", "2028-02-29", "2028-02-28", "2028-02-01", id="a leap day"
        ),
        pytest.param(
            "2027-03-01T00:00:00", "2027-03-01", "2027-03-01", "2027-03-01", id="no leap day"
        ),
        pytest.param(
            "2027-01-01T05:00:00", "2027-01-01", "2026-12-28", "2027-01-01", id="a week of 2 years"
        ),
        pytest.param(
            "2026-03-29T02:30:00", "2026-03-29", "2026-03-23", "2026-03-01", id="summer time begins"
        ),
        pytest.param(
            "2026-10-25T02:30:00", "2026-10-25", "2026-10-19", "2026-10-01", id="summer time ends"
        ),
    ],
)
def test_a_moment_lies_in_periods(now, day, week, month):
    expected = PeriodStarts(ms(day), ms(week), ms(month))

    assert expected == period_starts(ms(now))


@pytest.mark.parametrize(
    ("period", "now", "expected"),
    [
        pytest.param("day", "2026-11-22T12:00", "2026-11-23", id="a day"),
        pytest.param("day", "2028-02-28T12:00", "2028-02-29", id="a day before a leap day"),
        pytest.param("week", "2026-11-22T12:00", "2026-11-23", id="a week on its Sunday"),
        pytest.param("week", "2026-11-23T00:00", "2026-11-30", id="a week on its Monday"),
        pytest.param("month", "2026-11-22T12:00", "2026-12-01", id="a month of 30 days"),
        pytest.param("month", "2026-12-31T12:00", "2027-01-01", id="a December"),
        pytest.param("month", "2027-02-10T12:00", "2027-03-01", id="a February"),
        pytest.param("month", "2028-02-29T12:00", "2028-03-01", id="a leap February"),
    ],
)
def test_a_period_begins_anew(period, now, expected):
    assert ms(expected) == next_start_ms(period, period_starts(ms(now)))


def test_all_time_never_begins_anew():
    assert next_start_ms("total", period_starts(0)) is None


class TestTheCalendar:
    def test_is_the_same_until_midnight(self):
        wall = Clock(ms("2026-11-22T00:00") / 1000)
        calendar = Calendar(wall)
        first = calendar.starts()
        wall.advance(86_399.999)
        assert calendar.starts() is first
        wall.advance(0.001)

        assert period_starts(ms("2026-11-23")) == calendar.starts()

    def test_knows_two_days_at_once(self):
        calendar = Calendar(Clock(ms("2026-11-23T00:30") / 1000))
        today, yesterday = calendar.starts(), calendar.starts(ms("2026-11-22T23:59:59.999"))

        assert period_starts(ms("2026-11-22")) == yesterday
        for _ in range(3):
            assert calendar.starts() is today
            assert calendar.starts(ms("2026-11-22T23:59")) is yesterday

    def test_set_back_across_midnight_shows_the_day_before(self):
        wall = Clock(ms("2026-11-23T00:30") / 1000)
        calendar = Calendar(wall)
        calendar.starts()
        wall.seconds -= 3600

        assert period_starts(ms("2026-11-22")) == calendar.starts()

    def test_set_back_by_a_month_follows(self):
        wall = Clock(ms("2026-12-23T00:30") / 1000)
        calendar = Calendar(wall)
        calendar.starts()
        wall.seconds -= 30 * 86_400

        assert period_starts(ms("2026-11-23")) == calendar.starts()


def by(period: str) -> Limits:
    return Limits(budget_nano=10, budget_tokens=100, budget_period=period)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("period", "days", "is_new"),
    [
        pytest.param("day", 1, True, id="a day begins tomorrow"),
        pytest.param("week", 6, False, id="a week runs until Sunday"),
        pytest.param("week", 7, True, id="a week begins on Monday"),
        pytest.param("month", 7, False, id="a month runs until its end"),
        pytest.param("month", 8, True, id="a month begins on the first"),
        pytest.param("total", 400, False, id="all time never begins anew"),
    ],
)
async def test_a_budget_begins_anew_with_its_period(period, days, is_new):
    gate = Gate()  # a Monday, the 23rd of November
    principal = principal_of(by(period), by(period))
    gate.settle(await gate.admit(principal, Ask(1, 1, 10)), Spent(1, 1, 10))
    assert isinstance(await gate.refusal(principal, Ask(1, 1, 1)), QuotaExceeded)

    gate.advance(days * 86_400)

    assert is_new == (await gate.refusal(principal, Ask(1, 1, 10)) is None)


async def test_an_open_reservation_stays_in_its_period_and_so_does_its_settlement():
    gate = Gate()
    principal = principal_of(by("day"), by("week"))
    open_one = await gate.admit(principal, Ask(1, 50, 6))
    gate.advance(86_400)
    gate.clock.seconds -= 86_400  # the lease has not ended: only the calendar moves here

    assert 0 == gate.used(principal, "budget_usd")
    assert 6 == gate.used(principal, "budget_usd", 1)
    gate.settle(open_one, Spent(1, 30, 4))

    assert 0 == gate.used(principal, "budget_usd")
    assert 4 == gate.used(principal, "budget_usd", 1)
    expected = Spending((0, 0), (4, 30), (4, 30), (4, 30))
    assert expected == gate.admission.spending(principal.scopes[0])
    assert {0} == {standing.reserved for standing in gate.admission.standings(principal)}


async def test_a_reservation_settled_before_anyone_noticed_midnight_counts_yesterday():
    gate = Gate()
    principal = principal_of(by("day"))
    reservation = await gate.admit(principal, Ask(1, 50, 6))
    gate.wall.advance(86_400)
    gate.settle(reservation, Spent(1, 50, 6))

    assert 0 == gate.used(principal, "budget_usd")
    assert (6, 50) == gate.admission.spending(principal.scopes[0]).week


async def test_a_request_counts_in_the_day_it_came_in_as_in_the_ledger():
    gate = Gate(ms("2026-11-22T23:59") / 1000)
    principal = principal_of(by("day"))
    came_ms = int(gate.wall() * 1000)
    gate.settle(await gate.admit(principal, Ask(1, 1, 8)), Spent(1, 1, 8))
    gate.advance(120)  # its body takes so long, and others come meanwhile
    gate.settle(await gate.admit(principal, Ask(1, 1, 6)), Spent(1, 1, 6))

    with pytest.raises(QuotaExceeded):
        await gate.admit(principal, Ask(1, 1, 3), came_ms)
    late_one = await gate.admit(principal, Ask(1, 1, 2), came_ms)

    assert 6 == gate.used(principal, "budget_usd")
    gate.settle(late_one, Spent(1, 1, 1))
    assert 6 == gate.used(principal, "budget_usd")
    assert None is await gate.refusal(principal, Ask(1, 1, 4))
    expected = Spending((6, 1), (15, 3), (15, 3), (15, 3))._replace(week=(6, 1))
    assert expected == gate.admission.spending(principal.scopes[0])
    with pytest.raises(QuotaExceeded):
        await gate.admit(principal, Ask(1, 1, 2), came_ms)


@pytest.mark.parametrize("period", ["day", "week", "month"])
@pytest.mark.parametrize(
    "hours",
    [pytest.param(hours, id=f"{hours} hours") for hours in (960, -960, 24, -24, -30, 13, -13)],
)
async def test_a_clock_that_jumps_and_comes_back_gives_no_second_budget(period, hours):
    """Reliability R21: each period keeps what was spent in it."""
    gate = Gate()
    principal = principal_of(by(period), by(period))
    gate.settle(await gate.admit(principal, Ask(1, 1, 10)), Spent(1, 1, 10))
    before = gate.admission.spending(principal.scopes[0])
    open_one = None
    gate.wall.seconds += hours * 3600
    if gate.used(principal, "budget_usd") == 0:  # another period
        open_one = await gate.admit(principal, Ask(1, 1, 3))

    gate.wall.seconds -= hours * 3600

    assert isinstance(await gate.refusal(principal, Ask(1, 1, 1)), QuotaExceeded)
    if open_one is not None:
        gate.settle(open_one, NOTHING)
    assert before == gate.admission.spending(principal.scopes[0])
    assert {0} == {standing.reserved for standing in gate.admission.standings(principal)}


async def test_a_start_goes_on_where_the_ledger_stands():
    gate = Gate()
    principal = principal_of(by("week"), by("month"))
    gate.admission.load(
        {
            ("key", "key_ci"): Spending((1, 2), (7, 30), (9, 40), (50, 90)),
            ("team", "team_red"): Spending((1, 2), (3, 4), (5, 6), (7, 8)),
        }
    )

    assert (7, 5) == (gate.used(principal, "budget_usd"), gate.used(principal, "budget_usd", 1))
    assert None is await gate.refusal(principal, Ask(1, 70, 3))
    assert isinstance(await gate.refusal(principal, Ask(1, 1, 4)), QuotaExceeded)
    assert isinstance(await gate.refusal(principal, Ask(1, 71, 1)), QuotaExceeded)
    gate.settle(await gate.admit(principal, Ask(1, 1, 1)), Spent(1, 2, 3))
    expected = Spending((4, 4), (10, 32), (12, 42), (53, 92))
    assert expected == gate.admission.spending(principal.scopes[0])


async def test_a_ledger_summed_before_midnight_is_not_taken_for_today():
    gate = Gate()
    yesterday = period_starts(int(gate.wall() * 1000) - 86_400_000)  # a Sunday

    gate.admission.load({("key", "key_ci"): Spending((1, 2), (3, 4), (5, 6), (7, 8))}, yesterday)

    expected = Spending((0, 0), (0, 0), (5, 6), (7, 8))
    assert expected == gate.admission.spending(principal_of(by("day")).scopes[0])


@pytest.mark.parametrize("jump", [3600, -3600, 30 * 86_400, -30 * 86_400])
async def test_a_wall_clock_that_jumps_refuses_nobody(jump):
    gate = Gate()
    principal = principal_of(Limits(rpm=60, tpm=600, budget_nano=1000, budget_period="day"))
    for second in range(100):
        if second in (30, 60):
            gate.wall.seconds += jump if second == 30 else -jump
        gate.settle(await gate.admit(principal), Spent(1, 10, 5))
        gate.advance(1)

    assert {0} == {standing.reserved for standing in gate.admission.standings(principal)}
