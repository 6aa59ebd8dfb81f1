"""
All that is counted for one key or one team.
"""

from dataclasses import replace
from typing import Final

from app.domain.limits import NO_LIMITS, Ask, Limits, Period, PeriodStarts, Scope, Spending, Spent
from app.limits.buckets import Bucket
from app.limits.counters import MINUTE_MS, MS_NS, Claim, Holding, LimitName, Rate, Refusal
from app.limits.tallies import Tally, Which

_SLOT_WAIT_NS: Final = 1_000_000_000  # when a slot becomes free is not known (contract F39)


class Account:
    """*in_flight*: slots taken. *cost* and *volume*: nano-dollars and tokens, counted whether they are limited or not,
    in the periods of *starts*. *last_starts*: for each of them, when the one began that ran before it here.
    *requests*, *tokens*: None where *limits*, which are of *version*, have none a minute; the `kept_` ones are there
    since there first was one, as it may come back."""

    __slots__ = (
        "cost",
        "has_rates",
        "in_flight",
        "is_limited",
        "kept_requests",
        "kept_tokens",
        "last_starts",
        "limits",
        "requests",
        "starts",
        "tokens",
        "version",
        "volume",
    )

    def __init__(self, starts: PeriodStarts) -> None:
        self.starts = starts
        self.last_starts = _NEVER
        self.limits: Limits = NO_LIMITS
        self.version = 0
        self.is_limited = False
        self.has_rates = False
        self.requests: Bucket | None = None
        self.tokens: Bucket | None = None
        self.kept_requests: Bucket | None = None
        self.kept_tokens: Bucket | None = None
        self.in_flight = 0
        self.cost = Tally()
        self.volume = Tally()

    def adopt(self, limits: Limits, version: int, now_ns: int) -> None:
        """*limits* hold from *now_ns* on; what is used of them stays used, also of one that was away for a while."""
        if limits.rpm is not None:
            self.kept_requests = _changed(self.requests, self.kept_requests, limits.rpm, now_ns)
        if limits.tpm is not None:
            self.kept_tokens = _changed(self.tokens, self.kept_tokens, limits.tpm, now_ns)
        self.requests = None if limits.rpm is None else self.kept_requests
        self.tokens = None if limits.tpm is None else self.kept_tokens
        self.has_rates = limits.rpm is not None or limits.tpm is not None
        others = (limits.concurrency, limits.budget_nano, limits.budget_tokens)
        self.is_limited = self.has_rates or any(limit is not None for limit in others)
        self.limits = limits
        self.version = version

    def turn(self, starts: PeriodStarts) -> None:
        """The periods of *starts* run; reservations stay in the period they were made in (reliability J10).

        One that ran just before is what it was: the clock was set back (R21), or a request came in before midnight.
        """
        if starts != self.starts:
            which = self._which(starts)
            self.cost.turn(which)
            self.volume.turn(which)
            known = zip(starts, self.starts, self.last_starts, strict=True)
            self.last_starts = PeriodStarts(
                *(last if one == now else now for one, now, last in known)
            )
        self.starts = starts

    def _which(self, starts: PeriodStarts) -> tuple[Which, ...]:
        """For the day, week and month of *starts*, and for all time: whether it runs, ran last, or neither."""
        known = zip(starts, self.starts, self.last_starts, strict=True)
        return (
            *(
                "running" if one == now else "last" if one == last else "other"
                for one, now, last in known
            ),
            "running",
        )

    def objections(self, scope: Scope, ask: Ask, now_ns: int) -> tuple[Refusal, ...]:
        """The limits of *scope* that *ask* would exceed. A limit of which it asks nothing cannot refuse it."""
        limits = self.limits
        found: tuple[Refusal, ...] = ()
        if (bucket := self.requests) is not None:
            level = bucket.leak(now_ns) + ask.requests * MINUTE_MS * MS_NS
            if level > bucket.full and ask.requests:
                found += (_too_fast(scope, "rpm", bucket, ask.requests),)
        if (bucket := self.tokens) is not None:
            level = bucket.leak(now_ns) + ask.tokens * MINUTE_MS * MS_NS
            if level > bucket.full and ask.tokens:
                found += (_too_fast(scope, "tpm", bucket, ask.tokens),)
        if (most := limits.concurrency) is not None and self.in_flight + ask.slots > most:
            found += _too_many(scope, most, self.in_flight, ask.slots)
        if (budget := limits.budget_nano) is not None and ask.cost_nano:
            held = self.cost.held_in(limits.budget_period)
            if held + ask.cost_nano > budget:
                found += (self._spent_up(scope, "budget_usd", budget, held, ask.cost_nano),)
        if (budget := limits.budget_tokens) is not None and ask.tokens:
            held = self.volume.held_in(limits.budget_period)
            if held + ask.tokens > budget:
                found += (self._spent_up(scope, "budget_tokens", budget, held, ask.tokens),)
        return found

    def _spent_up(
        self, scope: Scope, limit: LimitName, budget: int, held: int, asked: int
    ) -> Refusal:
        if self.limits is not scope.limits:  # those of *scope* are out of date
            scope = replace(scope, limits=self.limits)
        return Refusal(scope, limit, budget, held, asked, None)

    def take(self, ask: Ask) -> None:
        """What `objections` found nothing against, just now."""
        if (bucket := self.requests) is not None:
            bucket.level += ask.requests * MINUTE_MS * MS_NS
        if (bucket := self.tokens) is not None:
            bucket.level += ask.tokens * MINUTE_MS * MS_NS
        self.in_flight += ask.slots
        self.cost.held += ask.cost_nano
        self.volume.held += ask.tokens

    def settle(self, claim: Claim, spent: Spent, now_ns: int) -> None:
        """*claim* is over and came to *spent*."""
        ask = claim.ask
        self.in_flight -= ask.slots
        if claim.starts is self.starts:  # as nearly always; see `_charge`
            cost_nano, tally = spent.cost_nano, self.cost
            tally.spent += cost_nano
            tally.held += cost_nano - ask.cost_nano
            tokens, tally = spent.tokens, self.volume
            tally.spent += tokens
            tally.held += tokens - ask.tokens
        else:
            self._charge(claim.starts, ask, spent)
        if (bucket := self.requests) is not None and spent.requests != ask.requests:
            bucket.correct(spent.requests - ask.requests, claim.now_ns, now_ns)
        if (bucket := self.tokens) is not None and spent.tokens != ask.tokens:
            bucket.correct(spent.tokens - ask.tokens, claim.now_ns, now_ns)

    def expire(self, claim: Claim) -> None:
        """The lease of *claim* ended: its slots and its reservation are free. What a minute's limit had of it leaks."""
        self.in_flight -= claim.ask.slots
        self._charge(claim.starts, claim.ask, _NOTHING_SPENT)

    def settle_expired(self, claim: Claim, spent: Spent, now_ns: int) -> None:
        """As `settle`, after `expire` (J6)."""
        self._charge(claim.starts, _NOTHING_ASKED, spent)
        if self.requests is not None:
            self.requests.correct(spent.requests - claim.ask.requests, claim.now_ns, now_ns)
        if self.tokens is not None:
            self.tokens.correct(spent.tokens - claim.ask.tokens, claim.now_ns, now_ns)

    def _charge(self, then: PeriodStarts, ask: Ask, spent: Spent) -> None:
        now, cost, volume = self.starts, self.cost, self.volume
        if then is now or then == now:
            cost.spent += spent.cost_nano
            cost.held += spent.cost_nano - ask.cost_nano
            volume.spent += spent.tokens
            volume.held += spent.tokens - ask.tokens
        else:
            which = self._which(then)
            cost.settle_elsewhere(ask.cost_nano, spent.cost_nano, which)
            volume.settle_elsewhere(ask.tokens, spent.tokens, which)

    def holding(self, limits: Limits, now_ns: int) -> Holding:
        """Where all of it would stand against *limits*; those that hold go on to."""
        period = limits.budget_period
        spent_nano = self.cost.spent_in(period)
        spent_tokens = self.volume.spent_in(period)
        return Holding(
            requests=_rate_under(self.kept_requests, limits.rpm, now_ns),
            tokens=_rate_under(self.kept_tokens, limits.tpm, now_ns),
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
        self.last_starts = _NEVER
        self.cost.load(*(cost for cost, _ in spending))
        self.volume.load(*(tokens for _, tokens in spending))


_NOTHING_ASKED: Final = Ask()
_NOTHING_SPENT: Final = Spent(0, 0, 0)
_NEVER: Final = PeriodStarts(-1, -1, -1)  # no period begins then


def _changed(active: Bucket | None, kept: Bucket | None, limit: int, now_ns: int) -> Bucket:
    if kept is None:
        return Bucket(limit, now_ns)
    kept.change(limit, now_ns)
    if active is None:  # what was claimed while there was no limit gives nothing back
        kept.emptied_ns = now_ns
    return kept


def _rate_under(bucket: Bucket | None, limit: int | None, now_ns: int) -> Rate | None:
    if limit is None:
        return None
    return Rate(limit, 0 if bucket is None else bucket.level_under(limit, now_ns))


def _too_fast(scope: Scope, limit: LimitName, bucket: Bucket, requested: int) -> Refusal:
    rate = bucket.rate()
    if requested > rate.allowed:
        return Refusal(scope, limit, rate.allowed, rate.used, requested, wait_ns=None)
    excess = rate.level + requested * MINUTE_MS * MS_NS - bucket.full
    return Refusal(
        scope, limit, rate.allowed, rate.used, requested, wait_ns=-(-excess // rate.allowed)
    )


def _too_many(scope: Scope, most: int, in_flight: int, slots: int) -> tuple[Refusal, ...]:
    if not slots:
        return ()
    wait_ns = None if slots > most else _SLOT_WAIT_NS
    return (Refusal(scope, "concurrency", most, in_flight, slots, wait_ns),)
