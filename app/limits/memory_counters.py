"""
Counters of one process, in memory.

There is no await anywhere: between the check and what it allows, nothing else runs (law 4, reliability J1).
"""

from collections.abc import Mapping
from typing import Final

from app.domain.limits import PeriodStarts, Scope, ScopeKind, Spending, Spent
from app.limits.accounts import Account
from app.limits.counters import GRANTED, Claim, Holding, Rate, Refusal, Verdict

_NEVER_NS: Final = 1 << 63


class MemoryCounters:
    """An account for each key and team that was seen; it holds what was spent, so it stays. A `Counters`."""

    def __init__(self) -> None:
        self._accounts: dict[ScopeKind, dict[str, Account]] = {"key": {}, "team": {}}
        self._leases: dict[Claim, list[Account]] = {}  # and what each took from
        self._expired_count = 0  # since the last sweep
        self._first_end_ns = _NEVER_NS  # no lease ends before; it may be that of one settled since

    def reserve(self, claim: Claim) -> Verdict:
        """See `Counters.reserve`."""
        ask, now_ns = claim.ask, claim.now_ns
        if now_ns >= self._first_end_ns:
            self._expire(now_ns)
        accounts: list[Account] = []
        starts = claim.starts
        refusals: tuple[Refusal, ...] = ()
        for scope in claim.scopes:
            account = self._accounts[scope.kind].get(scope.id)
            if (
                account is None
                or account.limits is not scope.limits
                or account.starts is not starts
            ):
                account = self._current(scope, starts, now_ns)
            accounts.append(account)
            if account.is_limited and (found := account.objections(scope, ask, now_ns)):
                refusals += found
        if refusals:
            return _verdict(accounts, refusals)
        has_rates = False
        for account in accounts:
            account.take(ask)
            has_rates |= account.has_rates
        self._leases[claim] = accounts
        if claim.lease_ends_ns < self._first_end_ns:
            self._first_end_ns = claim.lease_ends_ns
        return _verdict(accounts) if has_rates else GRANTED

    def settle(self, claim: Claim, spent: Spent, now_ns: int) -> None:
        """See `Counters.settle`."""
        accounts = self._leases.pop(claim, None)
        if accounts is not None:
            for account in accounts:
                account.settle(claim, spent, now_ns)
        else:
            for scope in claim.scopes:
                self._accounts[scope.kind][scope.id].settle_expired(claim, spent, now_ns)

    def sweep(self, now_ns: int) -> int:
        """See `Counters.sweep`."""
        self._expire(now_ns)
        count, self._expired_count = self._expired_count, 0
        return count

    def _expire(self, now_ns: int) -> None:
        if now_ns < self._first_end_ns:
            return
        ended = [claim for claim in self._leases if claim.lease_ends_ns <= now_ns]
        self._expired_count += len(ended)
        for claim in ended:
            for account in self._leases.pop(claim):
                account.expire(claim)
        self._first_end_ns = min((one.lease_ends_ns for one in self._leases), default=_NEVER_NS)

    def holding(self, scope: Scope, starts: PeriodStarts, now_ns: int) -> Holding:
        """See `Counters.holding`."""
        self._expire(now_ns)
        account = self._accounts[scope.kind].get(scope.id) or Account(starts)
        account.turn(starts)
        return account.holding(scope.limits, now_ns)

    def spending(self, scope: Scope, starts: PeriodStarts) -> Spending:
        """See `Counters.spending`."""
        account = self._accounts[scope.kind].get(scope.id)
        if account is None:
            return Spending()
        account.turn(starts)
        return account.spending()

    def load(
        self, spending: Mapping[tuple[ScopeKind, str], Spending], starts: PeriodStarts
    ) -> None:
        """See `Counters.load`."""
        for (kind, scope_id), spent in spending.items():
            account = self._accounts[kind].setdefault(scope_id, Account(starts))
            account.turn(starts)
            account.load(spent)

    def _current(self, scope: Scope, starts: PeriodStarts, now_ns: int) -> Account:
        """The account of *scope*, with its limits, in the periods of *starts*."""
        account = self._accounts[scope.kind].get(scope.id)
        if account is None:
            account = self._accounts[scope.kind][scope.id] = Account(starts)
        # Whoever was authenticated before a change of the limits does not undo it.
        if account.limits is not scope.limits and scope.version >= account.version:
            account.adopt(scope.limits, scope.version, now_ns)
        if account.starts is not starts:
            account.turn(starts)
        return account


def _verdict(accounts: list[Account], refusals: tuple[Refusal, ...] = ()) -> Verdict:
    requests: Rate | None = None
    tokens: Rate | None = None
    for account in accounts:
        if (bucket := account.requests) is not None:
            rate = Rate(bucket.limit, bucket.level)
            requests = rate if requests is None else _tighter(requests, rate)
        if (bucket := account.tokens) is not None:
            rate = Rate(bucket.limit, bucket.level)
            tokens = rate if tokens is None else _tighter(tokens, rate)
    return Verdict(refusals, requests, tokens)


def _tighter(one: Rate, other: Rate) -> Rate:
    return other if other.remaining < one.remaining else one
