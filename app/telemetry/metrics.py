"""
Every metric, declared once (architecture 5).

Labels are bounded: an endpoint is a capability of the matrix, an upstream a configured name, a model a
configured or discovered one, else `other` (reliability S22). The registry is this object's own: two gateways
in one process do not mix.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from app.domain.exchange import NOBODY, Exchange

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_OVERHEAD_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)
_SERVED = ("endpoint", "upstream", "model")


class Metrics:
    """What the gateway counts. Written by settlement and the data plane, read at `/metrics`."""

    def __init__(self, version: str) -> None:
        self._registry = CollectorRegistry()
        registry = self._registry
        self._requests = Counter(
            "mindgate_requests_total",
            "Exchanges that are over, by how they ended.",
            (*_SERVED, "status", "outcome"),
            registry=registry,
        )
        self._in_flight = Gauge(
            "mindgate_requests_in_flight",
            "Exchanges that have begun and are not settled.",
            ("endpoint",),
            registry=registry,
        )
        self._duration = Histogram(
            "mindgate_request_duration_seconds",
            "From the request's head to its settlement.",
            (*_SERVED, "outcome"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._first_byte = Histogram(
            "mindgate_time_to_first_byte_seconds",
            "From the request's head to the first byte of content sent.",
            (*_SERVED, "outcome"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._overhead = Histogram(
            "mindgate_overhead_seconds",
            "The gateway's own share of the time to the first byte.",
            ("endpoint",),
            buckets=_OVERHEAD_SECONDS,
            registry=registry,
        )
        self._tokens = Counter(
            "mindgate_tokens_total",
            "Tokens as the upstream counted them; kind is input or output.",
            ("upstream", "model", "kind"),
            registry=registry,
        )
        self._attempts = Counter(
            "mindgate_attempts_total",
            "Requests sent to an upstream, by what came of them.",
            ("upstream", "reason"),
            registry=registry,
        )
        Gauge(
            "mindgate_build_info", "The version that runs.", ("version",), registry=registry
        ).labels(version).set(1)

    def begin(self, endpoint: str) -> None:
        """An exchange has begun."""
        self._in_flight.labels(endpoint).inc()

    def attempt(self, upstream: str, reason: str) -> None:
        """A request went to *upstream*; *reason* is `answered` or an error code."""
        self._attempts.labels(upstream, reason).inc()

    def end(self, exchange: Exchange, now: float) -> None:
        """*exchange* is over at *now*. Called once each, by settlement."""
        endpoint, outcome = exchange.endpoint, str(exchange.outcome)
        served = (endpoint, exchange.upstream, exchange.label)
        self._in_flight.labels(endpoint).dec()
        self._requests.labels(*served, str(exchange.status), outcome).inc()
        self._duration.labels(*served, outcome).observe(now - exchange.received_at)
        if exchange.first_byte_at is not None and exchange.upstream != NOBODY:
            waited = exchange.first_byte_at - exchange.received_at
            self._first_byte.labels(*served, outcome).observe(waited)
        overhead = exchange.overhead_seconds()
        if overhead is not None:
            self._overhead.labels(endpoint).observe(overhead)
        if exchange.usage is not None:
            counted = (exchange.upstream, exchange.label)
            self._tokens.labels(*counted, "input").inc(exchange.usage.input_tokens)
            self._tokens.labels(*counted, "output").inc(exchange.usage.output_tokens)

    def page(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self._registry)
