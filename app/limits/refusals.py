"""
A refusal in words (contract F36 to F40): which limit of whom, how far it is used, and whether waiting helps.
"""

from datetime import UTC, datetime

from app.domain.errors import QuotaExceeded, RateLimited
from app.domain.limits import NANO, Period, PeriodStarts
from app.limits.counters import Refusal, Verdict
from app.limits.durations import milliseconds, spoken_duration
from app.limits.periods import next_start_ms
from app.limits.rate_headers import rate_header_pairs

_BUDGETS = ("budget_usd", "budget_tokens")
_SPANS: dict[Period, str] = {
    "day": "today",
    "week": "this week",
    "month": "this month",
    "total": "in all",
}


def refusal_error(
    verdict: Verdict, *, model: str, starts: PeriodStarts
) -> RateLimited | QuotaExceeded:
    """The error of a claim that was refused: of several limits, the one that lasts longest."""
    refusal = max(verdict.refusals, key=_weight)
    error = (
        _quota_exceeded(refusal, starts)
        if refusal.limit in _BUDGETS
        else _rate_limited(refusal, model)
    )
    error.relayed = rate_header_pairs(verdict)
    return error


def _weight(refusal: Refusal) -> tuple[int, int]:
    """What no waiting cures comes first, a request that is too large before an empty budget; then the longest wait."""
    if refusal.wait_ns is not None:
        return 0, refusal.wait_ns
    return (1 if refusal.limit in _BUDGETS else 2), 0


def _rate_limited(refusal: Refusal, model: str) -> RateLimited:
    wait_ms = None if refusal.wait_ns is None else milliseconds(refusal.wait_ns)
    message = _MESSAGES[refusal.limit, wait_ms is not None].format(
        model=model,
        kind=refusal.scope.kind,
        name=refusal.scope.name,
        allowed=refusal.allowed,
        used=refusal.used,
        requested=refusal.requested,
        wait=spoken_duration(wait_ms or 0),
    )
    return RateLimited(
        message,
        type="tokens" if refusal.limit == "tpm" else "requests",
        scope=refusal.scope.kind,
        limit=refusal.limit,
        retry_after_seconds=None if wait_ms is None else wait_ms / 1000,
    )


# By limit, and whether waiting helps.
_MESSAGES = {
    ("rpm", True): (
        "Rate limit reached for {model} in {kind} {name} on requests per min (RPM): "
        "Limit {allowed}, Used {used}, Requested {requested}. Please try again in {wait}."
    ),
    ("rpm", False): (
        "Rate limit reached for {model} in {kind} {name} on requests per min (RPM): "
        "Limit {allowed}, Used {used}, Requested {requested}."
    ),
    ("tpm", True): (
        "Rate limit reached for {model} in {kind} {name} on tokens per min (TPM): "
        "Limit {allowed}, Used {used}, Requested {requested}. Please try again in {wait}."
    ),
    ("tpm", False): (
        "Request too large for {model} in {kind} {name} on tokens per min (TPM): "
        "Limit {allowed}, Requested {requested}. "
        "The input or output tokens must be reduced in order to run successfully."
    ),
    ("concurrency", True): (
        "Too many concurrent requests for {kind} {name}: limit {allowed}. "
        "Please try again in {wait}."
    ),
    ("concurrency", False): "Too many concurrent requests for {kind} {name}: limit {allowed}.",
}


def _quota_exceeded(refusal: Refusal, starts: PeriodStarts) -> QuotaExceeded:
    scope = refusal.scope
    period = scope.limits.budget_period
    say = _dollars if refusal.limit == "budget_usd" else _tokens
    anew_ms = next_start_ms(period, starts)
    anew = "" if anew_ms is None else f" It begins anew on {_utc(anew_ms)}."
    return QuotaExceeded(
        "You exceeded your current quota, please check your plan and billing details. "
        f"The budget of {scope.kind} {scope.name} is {say(refusal.allowed)} {_SPANS[period]}: "
        f"{say(refusal.used)} used or reserved, up to {say(refusal.requested)} requested.{anew}",
        scope=scope.kind,
        limit=refusal.limit,
    )


def _dollars(nano: int) -> str:
    """To the nano-dollar where it matters: `$5.00`, `$0.0003`."""
    whole, rest = divmod(nano, NANO)
    cents, finer = divmod(rest, NANO // 100)
    return f"${whole}.{cents:02}" + f"{finer:07}".rstrip("0")


def _tokens(count: int) -> str:
    return f"{count} tokens"


def _utc(wall_ms: int) -> str:
    return datetime.fromtimestamp(wall_ms / 1000, UTC).strftime("%Y-%m-%d at %H:%M UTC")
