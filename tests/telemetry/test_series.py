"""Our plain numbers are shown exactly as prometheus-client shows its own, which they replace on the hot path."""

import random
from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from app.domain.outcome import Outcome
from app.telemetry.series import Counts, Distributions, Total

BOUNDS = (0.0001, 0.05, 1, 2.5, 10, 600)
LABELS = ("upstream", "status", "outcome")
NAMES = ('say "hi"', "back\\slash", "two\nlines", "naïve", "up")


def rows(registry: CollectorRegistry) -> list[str]:
    """The page without `_created`, which is the one thing left out on purpose."""
    return [row for row in generate_latest(registry).decode().splitlines() if "_created" not in row]


def labels_of(chance: random.Random) -> tuple[str, int, Outcome]:
    return chance.choice(NAMES), chance.choice((200, 404, 499)), chance.choice([*Outcome])


def distributions(chance: random.Random, ours: CollectorRegistry, theirs: CollectorRegistry):
    new = Distributions(ours, "taken_seconds", "How long.", LABELS, BOUNDS)
    old = Histogram("taken_seconds", "How long.", LABELS, buckets=BOUNDS, registry=theirs)
    for _ in range(300):
        labels, value = labels_of(chance), chance.choice((*BOUNDS, 0.0, chance.expovariate(0.2)))
        new.of(labels).observe(value)
        old.labels(*labels).observe(value)


def counters(chance: random.Random, ours: CollectorRegistry, theirs: CollectorRegistry):
    new = Counts(ours, CounterMetricFamily, "seen_total", "How many.", LABELS)
    old = Counter("seen_total", "How many.", LABELS, registry=theirs)
    for _ in range(300):
        labels, number = labels_of(chance), chance.randrange(3)
        new.of(labels).number += number
        old.labels(*labels).inc(number)


def gauges(chance: random.Random, ours: CollectorRegistry, theirs: CollectorRegistry):
    new = Counts(ours, GaugeMetricFamily, "there", "How many.", LABELS)
    old = Gauge("there", "How many.", LABELS, registry=theirs)
    for _ in range(300):
        labels, number = labels_of(chance), chance.choice((-1, 1))
        new.of(labels).number += number
        old.labels(*labels).inc(number)


def totals(chance: random.Random, ours: CollectorRegistry, theirs: CollectorRegistry):
    number = chance.randrange(1000)
    Total(ours, CounterMetricFamily, "lost_total", "How many.", lambda: number)
    Counter("lost_total", "How many.", registry=theirs).inc(number)


@pytest.mark.parametrize("fill", [distributions, counters, gauges, totals])
@pytest.mark.parametrize("seed", range(20))
def test_a_page_is_the_one_prometheus_client_would_write(fill: Callable[..., None], seed):
    ours, theirs = CollectorRegistry(), CollectorRegistry()

    fill(random.Random(seed), ours, theirs)

    assert rows(theirs) == rows(ours)


def test_a_name_is_registered_once():
    registry = CollectorRegistry()
    Counts(registry, CounterMetricFamily, "seen_total", "How many.", LABELS)

    with pytest.raises(ValueError, match="Duplicated"):
        Counts(registry, CounterMetricFamily, "seen_total", "How many.", LABELS)


def test_there_is_no_series_before_something_is_counted():
    registry = CollectorRegistry()
    Counts(registry, CounterMetricFamily, "seen_total", "How many.", LABELS)
    Distributions(registry, "taken_seconds", "How long.", LABELS, BOUNDS)

    assert [row for row in rows(registry) if not row.startswith("#")] == []
