"""
Every metric, declared once (architecture 5).

Labels are bounded: an endpoint is a capability of the matrix, an upstream a configured name, a model a
configured or discovered one, else `other` (reliability S22). The registry is this object's own: two gateways
in one process do not mix. Counted and read by the event loop's thread alone.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from app.domain.exchange import NOBODY, Exchange
from app.domain.limits import NANO
from app.telemetry.series import Count, Counts, Distribution, Distributions, Total

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_OVERHEAD_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)
_SERVED = ("endpoint", "upstream", "model")


def _none() -> int:
    return 0


def _counter(
    registry: CollectorRegistry,
    name: str,
    documentation: str,
    labels: tuple[str, ...],
    parts: int = 1,
) -> Counts:
    return Counts(registry, CounterMetricFamily, name, documentation, labels, parts)


@dataclass(slots=True)
class _Alike:
    """What is counted of exchanges that have every label in common: found together, since each look-up costs as much
    as all the counting. *tokens*: of input and of output; None until an upstream counted some."""

    in_flight: Count
    requests: Count
    duration: Distribution
    first_byte: Distribution
    overhead: Distribution
    tokens: tuple[Count, Count] | None = None


@dataclass(frozen=True, slots=True)
class Watched:
    """What others count."""

    dropped_log_lines: Callable[[], int] = _none
    journal_pending: Callable[[], int] = _none
    journal_dropped: Callable[[], int] = _none
    leases_expired: Callable[[], int] = _none


def _totals(
    watched: Watched,
) -> Iterator[tuple[type[CounterMetricFamily | GaugeMetricFamily], str, str, Callable[[], int]]]:
    yield (
        CounterMetricFamily,
        "mindgate_log_lines_dropped_total",
        "Log lines that standard error did not take in time or at all.",
        watched.dropped_log_lines,
    )
    yield (
        GaugeMetricFamily,
        "mindgate_journal_pending",
        "Usage records that are in the journal and not yet in the database.",
        watched.journal_pending,
    )
    yield (
        CounterMetricFamily,
        "mindgate_journal_dropped_total",
        "Usage records and owners of objects lost because the journal could not be written for too long.",
        watched.journal_dropped,
    )
    yield (
        CounterMetricFamily,
        "mindgate_leases_expired_total",
        "Reservations that ended by themselves, since their exchange did not end in time.",
        watched.leases_expired,
    )


class Metrics:
    """What the gateway counts. Written by settlement and the data plane, read at `/metrics`.

    *watched* are asked for their numbers whenever a page is. *build*: `compiled` or `interpreted`.
    """

    def __init__(
        self, version: str, watched: Watched | None = None, build: str = "interpreted"
    ) -> None:
        watched = watched or Watched()
        self._registry = registry = CollectorRegistry()
        counted = partial(_counter, registry)
        self._requests = counted(
            "mindgate_requests_total",
            "Exchanges that are over, by how they ended.",
            (*_SERVED, "status", "outcome"),
        )
        self._in_flight = Counts(
            registry,
            GaugeMetricFamily,
            "mindgate_requests_in_flight",
            "Exchanges that have begun and are not settled.",
            ("endpoint",),
        )
        self._duration = Distributions(
            registry,
            "mindgate_request_duration_seconds",
            "From the request's head to its settlement.",
            (*_SERVED, "outcome"),
            _SECONDS,
        )
        self._first_byte = Distributions(
            registry,
            "mindgate_time_to_first_byte_seconds",
            "From the request's head to the first byte of content sent.",
            (*_SERVED, "outcome"),
            _SECONDS,
        )
        self._overhead = Distributions(
            registry,
            "mindgate_overhead_seconds",
            "The gateway's own share of the time to the first byte.",
            ("endpoint",),
            _OVERHEAD_SECONDS,
        )
        self._tokens = counted(
            "mindgate_tokens_total",
            "Tokens as the upstream counted them; kind is input or output.",
            ("upstream", "model", "kind"),
        )
        self._attempts = counted(
            "mindgate_attempts_total",
            "Requests sent to an upstream, by what came of them.",
            ("upstream", "reason"),
        )
        self._declare_money(counted)
        for kind, name, documentation, read in _totals(watched):
            Total(registry, kind, name, documentation, read)
        self._alike: dict[tuple[str, str, str, int, str], _Alike] = {}
        Gauge(
            "mindgate_build_info", "The version that runs.", ("version", "build"), registry=registry
        ).labels(version, build).set(1)

    def _declare_money(self, counted: Callable[..., Counts]) -> None:
        self._cost = counted(
            "mindgate_cost_usd_total",
            "What answers cost by the configured prices; team is none for a key without one.",
            ("upstream", "model", "team"),
            parts=NANO,
        )
        self._unpriced = counted(
            "mindgate_unpriced_requests_total",
            "Exchanges that used tokens of a model without a price.",
            ("upstream", "model"),
        )
        self._limited = counted(
            "mindgate_limited_total",
            "Requests refused by a limit: whose, and which.",
            ("scope", "limit"),
        )

    def begin(self, endpoint: str) -> None:
        """An exchange has begun."""
        self._in_flight.of((endpoint,)).number += 1

    def attempt(self, upstream: str, reason: str) -> None:
        """A request went to *upstream*; *reason* is `answered` or an error code."""
        self._attempts.of((upstream, reason)).number += 1

    def limited(self, scope: str, limit: str) -> None:
        """A request was refused by *limit* of a *scope*."""
        self._limited.of((scope, limit)).number += 1

    def end(self, exchange: Exchange, now: float) -> None:
        """*exchange* is over at *now*. Called once each, by settlement."""
        upstream, received_at = exchange.upstream, exchange.received_at
        # As text: the hash of an enum's member is a call of Python's.
        outcome = str(exchange.outcome)
        labels = (exchange.endpoint, upstream, exchange.label, exchange.status, outcome)
        alike = self._alike.get(labels)
        if alike is None:
            alike = self._alike[labels] = self._counted_alike(*labels)
        alike.in_flight.number -= 1
        alike.requests.number += 1
        alike.duration.observe(now - received_at)
        first_byte_at = exchange.first_byte_at
        if first_byte_at is not None and upstream != NOBODY:
            alike.first_byte.observe(first_byte_at - received_at)
        overhead = exchange.overhead_seconds()
        if overhead is not None:
            alike.overhead.observe(overhead)
        usage = exchange.usage
        if usage is not None:
            if exchange.usage_source == "upstream":
                tokens = alike.tokens
                if tokens is None:
                    tokens = alike.tokens = (
                        self._tokens.of((upstream, exchange.label, "input")),
                        self._tokens.of((upstream, exchange.label, "output")),
                    )
                tokens[0].number += usage.input_tokens
                tokens[1].number += usage.output_tokens
            if exchange.cost_nano:
                team = (exchange.caller.team if exchange.caller else "") or NOBODY
                self._cost.of((upstream, exchange.label, team)).number += exchange.cost_nano
            if not exchange.is_priced:
                self._unpriced.of((upstream, exchange.label)).number += 1

    def _counted_alike(
        self, endpoint: str, upstream: str, model: str, status: int, outcome: str
    ) -> _Alike:
        served = (endpoint, upstream, model, outcome)
        return _Alike(
            self._in_flight.of((endpoint,)),
            self._requests.of((endpoint, upstream, model, status, outcome)),
            self._duration.of(served),
            self._first_byte.of(served),
            self._overhead.of((endpoint,)),
        )

    def page(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self._registry)
