"""
Every metric, declared once (architecture 5).

Labels are bounded: an endpoint is a capability of the matrix, an upstream a configured name, a model a
configured or discovered one, else `other` (reliability S22). The registry is this object's own: two gateways
in one process do not mix. Counted and read by the event loop's thread alone.
"""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from app.domain.exchange import NOBODY, Exchange
from app.telemetry.series import Counts, Distributions, Total

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_OVERHEAD_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)
_SERVED = ("endpoint", "upstream", "model")


class Metrics:
    """What the gateway counts. Written by settlement and the data plane, read at `/metrics`.

    *dropped_log_lines* is asked for its number whenever a page is.
    """

    def __init__(self, version: str, *, dropped_log_lines: Callable[[], int] = lambda: 0) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counts(
            registry,
            CounterMetricFamily,
            "mindgate_requests_total",
            "Exchanges that are over, by how they ended.",
            (*_SERVED, "status", "outcome"),
        ).by_labels
        self._in_flight = Counts(
            registry,
            GaugeMetricFamily,
            "mindgate_requests_in_flight",
            "Exchanges that have begun and are not settled.",
            ("endpoint",),
        ).by_labels
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
        self._tokens = Counts(
            registry,
            CounterMetricFamily,
            "mindgate_tokens_total",
            "Tokens as the upstream counted them; kind is input or output.",
            ("upstream", "model", "kind"),
        ).by_labels
        self._attempts = Counts(
            registry,
            CounterMetricFamily,
            "mindgate_attempts_total",
            "Requests sent to an upstream, by what came of them.",
            ("upstream", "reason"),
        ).by_labels
        Total(
            registry,
            "mindgate_log_lines_dropped_total",
            "Log lines that standard error did not take in time or at all.",
            dropped_log_lines,
        )
        Gauge(
            "mindgate_build_info", "The version that runs.", ("version",), registry=registry
        ).labels(version).set(1)

    def begin(self, endpoint: str) -> None:
        """An exchange has begun."""
        self._in_flight[endpoint,] += 1

    def attempt(self, upstream: str, reason: str) -> None:
        """A request went to *upstream*; *reason* is `answered` or an error code."""
        self._attempts[upstream, reason] += 1

    def end(self, exchange: Exchange, now: float) -> None:
        """*exchange* is over at *now*. Called once each, by settlement."""
        endpoint, upstream, model = exchange.endpoint, exchange.upstream, exchange.label
        outcome, received_at = exchange.outcome, exchange.received_at
        served = (endpoint, upstream, model, outcome)
        self._in_flight[endpoint,] -= 1
        self._requests[endpoint, upstream, model, exchange.status, outcome] += 1
        self._duration.observe(served, now - received_at)
        first_byte_at = exchange.first_byte_at
        if first_byte_at is not None and upstream != NOBODY:
            self._first_byte.observe(served, first_byte_at - received_at)
        overhead = exchange.overhead_seconds()
        if overhead is not None:
            self._overhead.observe((endpoint,), overhead)
        usage = exchange.usage
        if usage is not None:
            self._tokens[upstream, model, "input"] += usage.input_tokens
            self._tokens[upstream, model, "output"] += usage.output_tokens

    def page(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self._registry)
