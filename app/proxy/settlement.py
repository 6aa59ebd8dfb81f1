"""
Every exchange ends here, once, whatever happened to it (law 1).

Nothing in this file awaits: a cancellation that arrives now cannot lose a settlement.
"""

from collections.abc import Callable
from typing import Final

from app.domain.errors import GatewayError, QuotaExceeded, RateLimited, UpstreamTimeout
from app.domain.exchange import Exchange
from app.domain.outcome import Outcome
from app.proxy.billing import Billing
from app.proxy.outcomes import outcome_of
from app.proxy.self_service import RecentFailures
from app.telemetry.logs import Log
from app.telemetry.metrics import Metrics

_COMPLETE: Final = Outcome.COMPLETE  # here, since a member of an enum is slow to look up


class Settlement:
    """Turns a finished notebook into a charge, metrics and a log line. *now* is the monotonic clock of the exchange's
    times."""

    def __init__(
        self,
        billing: Billing,
        failures: RecentFailures,
        metrics: Metrics,
        log: Log,
        now: Callable[[], float],
    ) -> None:
        self._billing = billing
        self._failures = failures
        self._metrics = metrics
        self._log = log
        self._now = now

    def begin(self, exchange: Exchange) -> None:
        """*exchange* has begun; `settle` is owed."""
        self._metrics.begin(exchange.endpoint)

    def note_failure(self, exchange: Exchange, error: GatewayError) -> None:
        """What ended *exchange*, if nothing has yet."""
        if exchange.outcome is not None:
            return
        exchange.outcome = outcome_of(error, was_asked=exchange.attempts > 0)
        exchange.error_code = error.code or ""
        exchange.error_detail = str(getattr(error, "log_detail", "") or "")
        if isinstance(error, RateLimited | QuotaExceeded):
            self._metrics.limited(error.scope, error.limit)
        if isinstance(error, UpstreamTimeout):
            exchange.phase = error.phase

    def settle(self, exchange: Exchange) -> None:
        """*exchange* is over: charged if it is not yet, what it held is free, and it is counted and logged. Called
        exactly once each."""
        if exchange.outcome is None:
            exchange.outcome = Outcome.INTERNAL_ERROR
        try:
            if not exchange.is_booked:
                self._billing.book(exchange)
        finally:
            self._billing.release(exchange)
            if exchange.outcome is not _COMPLETE:
                self._failures.note(exchange)
            now = self._now()
            self._metrics.end(exchange, now)
            self._log.exchange(exchange, now)
