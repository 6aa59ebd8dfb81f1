"""
Where the limits of one scope stand, for people who look at them.
"""

from collections.abc import Iterator

from app.domain.limits import PeriodStarts, Scope, Standing
from app.limits.counters import Holding, Rate
from app.limits.periods import next_start_ms


def standings(
    scope: Scope, holding: Holding, starts: PeriodStarts, wall_seconds: float
) -> Iterator[Standing]:
    """One for each limit that *scope* has. What a minute's limit has reserved is not told apart from what it used."""
    limits = scope.limits
    for name, rate in (("rpm", holding.requests), ("tpm", holding.tokens)):
        if rate is not None:
            yield _of_rate(scope, name, rate, wall_seconds)
    if (most := limits.concurrency) is not None:
        taken = holding.in_flight
        yield Standing(scope, "concurrency", taken, taken, most, None)
    anew_ms = next_start_ms(limits.budget_period, starts)
    reset_at = None if anew_ms is None else anew_ms / 1000
    if (budget := limits.budget_nano) is not None:
        reserved = holding.reserved_nano
        used = holding.spent_nano + reserved
        yield Standing(scope, "budget_usd", used, reserved, budget, reset_at)
    if (budget := limits.budget_tokens) is not None:
        reserved = holding.reserved_tokens
        used = holding.spent_tokens + reserved
        yield Standing(scope, "budget_tokens", used, reserved, budget, reset_at)


def _of_rate(scope: Scope, name: str, rate: Rate, wall_seconds: float) -> Standing:
    return Standing(scope, name, rate.used, 0, rate.allowed, wall_seconds + rate.reset_ms / 1000)
