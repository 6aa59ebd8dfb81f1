"""
Admission against a model that keeps every exchange and adds them up anew each time (issue 4).

Times are eighths of a second, which floats and nanoseconds hold exactly.
"""

import math
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, multiple, rule
from typing_extensions import override

from app.domain.errors import QuotaExceeded, RateLimited
from app.domain.limits import LOOK, Ask, Limits, Spending, Spent
from app.domain.principal import Principal
from app.limits.admission import Reservation
from tests.limits.gate import LEASE_SECONDS, Gate, principal_of

KEYS = ("a", "b")
SCOPES = (*KEYS, "team")
SPANS = ("day", "week", "month", "total")


def few(most: int) -> st.SearchStrategy[int]:
    return st.integers(0, most)


LIMITS = st.builds(
    Limits,
    rpm=st.none() | few(5),
    tpm=st.none() | few(200),
    concurrency=st.none() | few(4),
    budget_nano=st.none() | few(300),
    budget_tokens=st.none() | few(500),
    budget_period=st.sampled_from(SPANS),
)
ASKS = st.builds(Ask, few(2), few(100), few(100), few(1))
SPENT = st.just(Spent(0, 0, 0)) | st.builds(Spent, few(2), few(150), few(150))


def drive(coroutine: Any) -> Any:
    """What *coroutine* returns, which never waits."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waited")


def spans_of(wall_seconds: float) -> tuple[object, ...]:
    """The names of the day, the week and the month, by the calendar's own account."""
    moment = datetime.fromtimestamp(0, UTC) + timedelta(seconds=wall_seconds)
    return (moment.date(), moment.isocalendar()[:2], (moment.year, moment.month), "ever")


class Exchange:
    """One that was admitted. *spent* None: it runs."""

    def __init__(self, key: str, ask: Ask, now: Fraction, spans: tuple[object, ...]) -> None:
        self.key = key
        self.ask = ask
        self.at = now
        self.ends = now + Fraction(LEASE_SECONDS)
        self.spans = spans
        self.spent: Spent | None = None
        self.has_expired = False

    @property
    def holds(self) -> bool:
        return self.spent is None and not self.has_expired


class ModelBucket:
    """A limit a minute in fractions of a request or token. *is_open*: there is one now."""

    is_open = True

    def __init__(self, limit: int, now: Fraction) -> None:
        self.limit = limit
        self.level = Fraction(0)
        self.at = self.emptied = now

    def leak(self, now: Fraction) -> Fraction:
        self.level = max(Fraction(0), self.level - (now - self.at) * self.limit / 60)
        self.at = now
        if not self.level:
            self.emptied = now
        return self.level

    def change(self, limit: int, now: Fraction) -> None:
        """No debt is forgiven, and nobody waits longer than he had to or than a minute."""
        level = self.leak(now)
        if limit != self.limit:
            as_long = level * limit / self.limit if self.limit else Fraction(0)
            grain = 60 * 10**9  # the finest that a level tells
            self.level = min(level, max(Fraction(limit), Fraction(int(as_long * grain), grain)))
        self.limit = limit
        if not self.is_open:
            self.emptied = now
        self.is_open = True


class AdmissionMachine(RuleBasedStateMachine):
    """Two keys of one team."""

    reservations = Bundle("reservations")

    @initialize(keys=st.tuples(LIMITS, LIMITS), team=LIMITS)
    def begin(self, keys, team):
        self.gate = Gate()
        self.limits = dict(zip(KEYS, keys, strict=True)) | {"team": team}
        self.exchanges: list[tuple[Reservation, Exchange]] = []
        self.buckets: dict[tuple[str, str], ModelBucket] = {}
        self.unseen_ends = self.jumps = 0
        for scope in SCOPES:
            self._adopt(scope)

    @property
    def now(self) -> Fraction:
        return Fraction(self.gate.clock())

    def _principal(self, key: str) -> Principal:
        return principal_of(self.limits[key], self.limits["team"], key)

    def _adopt(self, scope: str) -> None:
        for name in ("rpm", "tpm"):
            limit = getattr(self.limits[scope], name)
            bucket = self.buckets.get((scope, name))
            if bucket is not None and limit is None:
                bucket.is_open = False
            elif bucket is not None and limit is not None:
                bucket.change(limit, self.now)
            elif limit is not None:
                self.buckets[scope, name] = ModelBucket(limit, self.now)
        for key in KEYS:
            assert drive(self.gate.refusal(self._principal(key), LOOK)) is None
        self._notice_ends()

    def _bucket(self, scope: str, name: str) -> ModelBucket | None:
        bucket = self.buckets.get((scope, name))
        return bucket if bucket is not None and bucket.is_open else None

    def _notice_ends(self) -> None:
        for _, one in self.exchanges:
            if one.holds and one.ends <= self.now:
                one.has_expired = True
                self.unseen_ends += 1

    def _of(self, scope: str) -> list[Exchange]:
        return [one for _, one in self.exchanges if scope in (one.key, "team")]

    def _settled(self, scope: str, span: int) -> tuple[int, int]:
        current = spans_of(self.gate.wall())[span]
        settled = [one.spent for one in self._of(scope) if one.spent and one.spans[span] == current]
        return sum(one.cost_nano for one in settled), sum(one.tokens for one in settled)

    def _reserved(self, scope: str, span: int) -> tuple[int, int]:
        current = spans_of(self.gate.wall())[span]
        held = [one.ask for one in self._of(scope) if one.holds and one.spans[span] == current]
        return sum(one.cost_nano for one in held), sum(one.tokens for one in held)

    def _expected_refusals(self, scope: str, ask: Ask) -> set[str]:
        limits = self.limits[scope]
        asked = {"rpm": ask.requests, "tpm": ask.tokens}
        hit = {
            name
            for name, amount in asked.items()
            if amount
            and (bucket := self._bucket(scope, name))
            and bucket.leak(self.now) + amount > bucket.limit
        }
        slots = sum(one.ask.slots for one in self._of(scope) if one.holds)
        if limits.concurrency is not None and ask.slots and slots + 1 > limits.concurrency:
            hit.add("concurrency")
        span = SPANS.index(limits.budget_period)
        spent, reserved = self._settled(scope, span), self._reserved(scope, span)
        for place, name, budget, amount in (
            (0, "budget_usd", limits.budget_nano, ask.cost_nano),
            (1, "budget_tokens", limits.budget_tokens, ask.tokens),
        ):
            if budget is not None and amount and spent[place] + reserved[place] + amount > budget:
                hit.add(name)
        return hit

    @rule(target=reservations, key=st.sampled_from(KEYS), ask=ASKS)
    def admit(self, key, ask):
        self._notice_ends()
        expected = {
            (kind, name)
            for kind, scope in (("key", key), ("team", "team"))
            for name in self._expected_refusals(scope, ask)
        }
        reservation, told = None, None
        try:
            reservation = drive(self.gate.admit(self._principal(key), ask))
        except (RateLimited, QuotaExceeded) as error:
            told = (error.scope, error.limit)
        assert told in expected if expected else told is None
        if reservation is None:
            return multiple()
        for scope in (key, "team"):
            for name, amount in (("rpm", ask.requests), ("tpm", ask.tokens)):
                if bucket := self._bucket(scope, name):
                    bucket.level = bucket.leak(self.now) + amount
        exchange = Exchange(key, ask, self.now, spans_of(self.gate.wall()))
        self.exchanges.append((reservation, exchange))
        return reservation, exchange

    @rule(one=reservations, spent=SPENT)
    def settle(self, one, spent):
        """Often enough it is settled a second time."""
        reservation, exchange = one
        self.gate.settle(reservation, spent)
        if exchange.spent is not None:
            return
        exchange.spent = spent
        for scope in (exchange.key, "team"):
            for name, used, asked in (
                ("rpm", spent.requests, exchange.ask.requests),
                ("tpm", spent.tokens, exchange.ask.tokens),
            ):
                if (bucket := self._bucket(scope, name)) is None:
                    continue
                level = bucket.leak(self.now)
                if used > asked or bucket.emptied <= exchange.at:
                    bucket.level = max(Fraction(0), level + used - asked)

    @rule(eighths=st.sampled_from((1, 8, 80, 480, 8 * 660)) | st.integers(1, 8 * 700))
    def pass_time(self, eighths):
        self.gate.advance(eighths / 8)

    @rule(hours=st.integers(1, 24 * 40))
    def set_the_calendar_forward(self, hours):
        self.gate.wall.advance(hours * 3600)

    @rule(days=few(99), sign=st.sampled_from((1, -1)), ask=ASKS)
    def jump_with_the_calendar_and_come_back(self, days, sign, ask):
        """To where it never was and never is again: counters know but the periods that ran last."""
        self.jumps += 1
        jump = sign * (5000 + 100 * self.jumps + days) * 86_400
        self.gate.wall.seconds += jump
        made = self.admit(KEYS[0], ask)
        self.gate.wall.seconds -= jump
        self.look(KEYS[0])
        if isinstance(made, tuple):
            self.settle(made, Spent(1, 3, 2))

    @rule(scope=st.sampled_from(SCOPES), limits=LIMITS)
    def change_limits(self, scope, limits):
        self.limits[scope] = limits
        self._adopt(scope)

    @rule()
    def sweep(self):
        self._notice_ends()
        assert self.unseen_ends == self.gate.admission.sweep()
        self.unseen_ends = 0

    @rule(key=st.sampled_from(KEYS))
    def look(self, key):
        """All that is shown is what the model adds up."""
        self._notice_ends()
        principal = self._principal(key)
        for scope, name in zip(principal.scopes, (key, "team"), strict=True):
            settled = [self._settled(name, span) for span in range(4)]
            assert Spending(*settled) == self.gate.admission.spending(scope)
            shown = {
                one.limit: (one.used, one.reserved)
                for one in self.gate.admission.standings(principal)
                if one.scope is scope
            }
            assert self._expected_standings(name) == shown

    def _expected_standings(self, scope: str) -> dict[str, tuple[int, int]]:
        limits = self.limits[scope]
        expected = {
            name: (math.ceil(bucket.leak(self.now)), 0)
            for (whose, name), bucket in self.buckets.items()
            if whose == scope and bucket.is_open
        }
        if limits.concurrency is not None:
            slots = sum(one.ask.slots for one in self._of(scope) if one.holds)
            expected["concurrency"] = (slots, slots)
        span = SPANS.index(limits.budget_period)
        spent, reserved = self._settled(scope, span), self._reserved(scope, span)
        if limits.budget_nano is not None:
            expected["budget_usd"] = (spent[0] + reserved[0], reserved[0])
        if limits.budget_tokens is not None:
            expected["budget_tokens"] = (spent[1] + reserved[1], reserved[1])
        return expected

    @override
    def teardown(self):
        """Everything is settled in the end: nothing is reserved, and what was settled is what was spent."""
        if not hasattr(self, "gate"):
            return
        for reservation, exchange in self.exchanges:
            self.settle((reservation, exchange), Spent(1, 3, 2))
        for key in KEYS:
            self.look(key)
            standings = self.gate.admission.standings(self._principal(key))
            assert all(standing.reserved == 0 for standing in standings)


AdmissionMachine.TestCase.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None
)
# Finding a failure takes seconds, making it small a minute.
TestAdmissionMachine = pytest.mark.timeout(300)(AdmissionMachine.TestCase)
