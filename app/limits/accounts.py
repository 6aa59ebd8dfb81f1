"""
All that is counted for one key or one team.
"""

from app.domain.limits import NO_LIMITS, Ask, Limits, Period, PeriodStarts, Scope, Spending, Spent
from app.limits.buckets import Bucket
from app.limits.counters import MINUTE_NS, Claim, Holding, LimitName, Refusal
from app.limits.tallies import Tally

_SLOT_WAIT_NS = 1_000_000_000  # when a slot becomes free is not known (contract F39)


class Account:
    """*in_flight*: slots taken. *cost* and *volume*: nano-dollars and tokens, counted whether they are limited or not,
    in the periods of *starts*. *requests*, *tokens*: None where *limits* has none a minute."""

    __slots__ = (
        "cost",
        "has_rates",
        "in_flight",
        "is_limited",
        "limits",
        "requests",
        "starts",
        "tokens",
        "volume",
    )

    def __init__(self, starts: PeriodStarts) -> None:
        self.starts = starts
        self.limits: Limits = NO_LIMITS
        self.is_limited = False
        self.has_rates = False
        self.requests: Bucket | None = None
        self.tokens: Bucket | None = None
        self.in_flight = 0
        self.cost = Tally()
        self.volume = Tally()

    def adopt(self, limits: Limits, now_ns: int) -> None:
        """*limits* hold from *now_ns* on; what is used of them stays used."""
        self.requests = _changed(self.requests, limits.rpm, now_ns)
        self.tokens = _changed(self.tokens, limits.tpm, now_ns)
        self.has_rates = limits.rpm is not None or limits.tpm is not None
        others = (limits.concurrency, limits.budget_nano, limits.budget_tokens)
        self.is_limited = self.has_rates or any(limit is not None for limit in others)
        self.limits = limits

    def turn(self, starts: PeriodStarts) -> None:
        """The periods of *starts* run; reservations stay in the period they were made in (reliability J10)."""
        if starts != self.starts:
            self.cost.turn(self.starts, starts)
            self.volume.turn(self.starts, starts)
        self.starts = starts

    def objections(self, scope: Scope, ask: Ask, now_ns: int) -> tuple[Refusal, ...]:
        """The limits of *scope* that *ask* would exceed. A limit of which it asks nothing cannot refuse it."""
        limits = self.limits
        requests, tokens, _, slots = ask
        found: tuple[Refusal, ...] = ()
        if (bucket := self.requests) is not None:
            level = bucket.leak(now_ns) + requests * MINUTE_NS
            if level > bucket.full and requests:
                found += (_too_fast(scope, "rpm", bucket, requests),)
        if (bucket := self.tokens) is not None:
            level = bucket.leak(now_ns) + tokens * MINUTE_NS
            if level > bucket.full and tokens:
                found += (_too_fast(scope, "tpm", bucket, tokens),)
        if (most := limits.concurrency) is not None and self.in_flight + slots > most:
            found += _too_many(scope, most, self.in_flight, slots)
        if limits.budget_nano is not None or limits.budget_tokens is not None:
            found += self._over_budget(scope, ask)
        return found

    def _over_budget(self, scope: Scope, ask: Ask) -> tuple[Refusal, ...]:
        limits = self.limits
        period = limits.budget_period
        found: tuple[Refusal, ...] = ()
        if (budget := limits.budget_nano) is not None:
            held = self.cost.held_in(period)
            if held + ask.cost_nano > budget and ask.cost_nano:
                found += (Refusal(scope, "budget_usd", budget, held, ask.cost_nano, None),)
        if (budget := limits.budget_tokens) is not None:
            held = self.volume.held_in(period)
            if held + ask.tokens > budget and ask.tokens:
                found += (Refusal(scope, "budget_tokens", budget, held, ask.tokens, None),)
        return found

    def take(self, ask: Ask) -> None:
        """What `objections` found nothing against, just now."""
        requests, tokens, cost_nano, slots = ask
        if (bucket := self.requests) is not None:
            bucket.level += requests * MINUTE_NS
        if (bucket := self.tokens) is not None:
            bucket.level += tokens * MINUTE_NS
        self.in_flight += slots
        self.cost.held += cost_nano
        self.volume.held += tokens

    def settle(self, claim: Claim, spent: Spent, now_ns: int) -> None:
        """*claim* is over and came to *spent*."""
        ask = claim.ask
        self.in_flight -= ask.slots
        if claim.starts is self.starts:  # as nearly always; see `_charge`
            cost, volume = self.cost, self.volume
            cost.spent += spent.cost_nano
            cost.held += spent.cost_nano - ask.cost_nano
            volume.spent += spent.tokens
            volume.held += spent.tokens - ask.tokens
        else:
            self._charge(claim.starts, ask, spent)
        if self.has_rates:
            self._correct_rates(claim, spent, now_ns)

    def expire(self, claim: Claim) -> None:
        """The lease of *claim* ended: its slots and its reservation are free. What a minute's limit had of it leaks."""
        self.in_flight -= claim.ask.slots
        self._charge(claim.starts, claim.ask, _NOTHING_SPENT)

    def settle_expired(self, claim: Claim, spent: Spent, now_ns: int) -> None:
        """As `settle`, after `expire` (J6)."""
        self._charge(claim.starts, _NOTHING_ASKED, spent)
        self._correct_rates(claim, spent, now_ns)

    def _charge(self, then: PeriodStarts, ask: Ask, spent: Spent) -> None:
        now, cost, volume = self.starts, self.cost, self.volume
        if then is now or then == now:
            _, tokens, cost_nano = spent
            cost.spent += cost_nano
            cost.held += cost_nano - ask.cost_nano
            volume.spent += tokens
            volume.held += tokens - ask.tokens
        else:
            cost.settle_older(ask.cost_nano, spent.cost_nano, then, now)
            volume.settle_older(ask.tokens, spent.tokens, then, now)

    def _correct_rates(self, claim: Claim, spent: Spent, now_ns: int) -> None:
        difference = spent.requests - claim.ask.requests
        if difference and self.requests is not None:
            self.requests.correct(difference, claim.now_ns, now_ns)
        difference = spent.tokens - claim.ask.tokens
        if difference and self.tokens is not None:
            self.tokens.correct(difference, claim.now_ns, now_ns)

    def holding(self, now_ns: int) -> Holding:
        """Where all of it stands against the limits."""
        for bucket in (self.requests, self.tokens):
            if bucket is not None:
                bucket.leak(now_ns)
        period = self.limits.budget_period
        spent_nano = self.cost.spent_in(period)
        spent_tokens = self.volume.spent_in(period)
        return Holding(
            requests=None if self.requests is None else self.requests.rate(),
            tokens=None if self.tokens is None else self.tokens.rate(),
            in_flight=self.in_flight,
            spent_nano=spent_nano,
            reserved_nano=self.cost.held_in(period) - spent_nano,
            spent_tokens=spent_tokens,
            reserved_tokens=self.volume.held_in(period) - spent_tokens,
        )

    def spending(self) -> Spending:
        """What was spent in each running period."""
        return Spending(
            self._spent("day"), self._spent("week"), self._spent("month"), self._spent("total")
        )

    def _spent(self, period: Period) -> tuple[int, int]:
        return self.cost.spent_in(period), self.volume.spent_in(period)

    def load(self, spending: Spending) -> None:
        """*spending* was spent, whatever was counted before."""
        self.cost.load(*(cost for cost, _ in spending))
        self.volume.load(*(tokens for _, tokens in spending))


_NOTHING_ASKED = Ask()
_NOTHING_SPENT = Spent(0, 0, 0)


def _changed(bucket: Bucket | None, limit: int | None, now_ns: int) -> Bucket | None:
    if limit is None:
        return None
    if bucket is None:
        return Bucket(limit, now_ns)
    bucket.change(limit, now_ns)
    return bucket


def _too_fast(scope: Scope, limit: LimitName, bucket: Bucket, requested: int) -> Refusal:
    rate = bucket.rate()
    if requested > rate.allowed:
        return Refusal(scope, limit, rate.allowed, rate.used, requested, wait_ns=None)
    excess = rate.level + requested * MINUTE_NS - bucket.full
    return Refusal(
        scope, limit, rate.allowed, rate.used, requested, wait_ns=-(-excess // rate.allowed)
    )


def _too_many(scope: Scope, most: int, in_flight: int, slots: int) -> tuple[Refusal, ...]:
    if not slots:
        return ()
    wait_ns = None if slots > most else _SLOT_WAIT_NS
    return (Refusal(scope, "concurrency", most, in_flight, slots, wait_ns),)
