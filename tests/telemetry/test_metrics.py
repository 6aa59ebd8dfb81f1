"""Every metric of architecture 5 that this release has, and labels that cannot grow (reliability S22)."""

from typing import Any

import pytest

from app.domain.exchange import Exchange
from app.domain.outcome import Outcome
from app.domain.principal import Principal
from app.domain.usage import Usage
from app.telemetry.metrics import Metrics, Watched
from tests.fakes.exchanges import exchange_with

LABELS = {  # architecture 5; cost and limits come with the release that has them
    "mindgate_requests_total": {"endpoint", "upstream", "model", "status", "outcome"},
    "mindgate_requests_in_flight": {"endpoint"},
    "mindgate_request_duration_seconds": {"endpoint", "upstream", "model", "outcome"},
    "mindgate_time_to_first_byte_seconds": {"endpoint", "upstream", "model", "outcome"},
    "mindgate_overhead_seconds": {"endpoint"},
    "mindgate_tokens_total": {"upstream", "model", "kind"},
    "mindgate_attempts_total": {"upstream", "reason"},
    "mindgate_cost_usd_total": {"upstream", "model", "team"},
    "mindgate_unpriced_requests_total": {"upstream", "model"},
    "mindgate_limited_total": {"scope", "limit"},
    "mindgate_journal_pending": set(),
    "mindgate_journal_dropped_total": set(),
    "mindgate_leases_expired_total": set(),
    "mindgate_log_lines_dropped_total": set(),
    "mindgate_build_info": {"version", "build"},
}


def exchange(**fields) -> Exchange:
    usual: dict[str, Any] = {
        "upstream": "up",
        "label": "m",
        "attempts": 1,
        "status": 200,
        "outcome": Outcome.COMPLETE,
        "sent_at": 1.0,
        "upstream_first_at": 2.0,
        "first_byte_at": 2.5,
        "usage": Usage(3, 5),
        "usage_source": "upstream",
        "is_priced": True,
        "cost_nano": 2_500_000,
        "caller": Principal("ci", team="research"),
    }
    return exchange_with("req_1", "POST", "chat.create", 0.5, **usual | fields)


def after(*exchanges: Exchange) -> Metrics:
    metrics = Metrics("9.9", build="compiled")
    for one in exchanges:
        metrics.begin(one.endpoint)
        metrics.attempt(one.upstream, "answered")
        metrics.end(one, now=4.5)
    return metrics


def samples(metrics: Metrics) -> dict[str, str]:
    rows = [row for row in metrics.page().decode().splitlines() if not row.startswith("#")]
    return dict(row.rsplit(" ", 1) for row in rows)


def test_the_names_are_architecture_5_s():
    page = after(exchange()).page().decode()
    typed = {row.split(" ")[2] for row in page.splitlines() if row.startswith("# TYPE")}

    assert set(LABELS) == typed  # and no `_created` beside them, which nothing reads in this format


@pytest.mark.parametrize("name", LABELS)
def test_the_labels_are_architecture_5_s(name):
    metrics = after(exchange(), exchange(is_priced=False, cost_nano=0))
    metrics.limited("key", "rpm")
    keys = [key for key in samples(metrics) if key.startswith(name)]
    labels = {
        part.split("=")[0] for key in keys if "{" in key for part in key.split("{")[1].split(",")
    }

    assert keys
    assert LABELS[name] == labels - {"le"}


@pytest.mark.parametrize(
    ("sample", "value"),
    [
        (
            'mindgate_requests_total{endpoint="chat.create",model="m",outcome="complete",'
            'status="200",upstream="up"}',
            1,
        ),
        ('mindgate_requests_in_flight{endpoint="chat.create"}', 0),
        (
            'mindgate_request_duration_seconds_sum{endpoint="chat.create",model="m",'
            'outcome="complete",upstream="up"}',
            4,
        ),
        (
            'mindgate_time_to_first_byte_seconds_sum{endpoint="chat.create",model="m",'
            'outcome="complete",upstream="up"}',
            2,
        ),
        ('mindgate_overhead_seconds_sum{endpoint="chat.create"}', 1),
        ('mindgate_tokens_total{kind="input",model="m",upstream="up"}', 3),
        ('mindgate_tokens_total{kind="output",model="m",upstream="up"}', 5),
        ('mindgate_cost_usd_total{model="m",team="research",upstream="up"}', 0.0025),
        ('mindgate_attempts_total{reason="answered",upstream="up"}', 1),
        ('mindgate_build_info{build="compiled",version="9.9"}', 1),
    ],
)
def test_what_one_exchange_counts(sample, value):
    assert float(samples(after(exchange()))[sample]) == value


def test_an_exchange_that_asked_nobody_has_no_first_byte_overhead_or_tokens():
    refused = exchange_with("r", "POST", "chat.create", 0.5, status=401, outcome=Outcome.REJECTED)
    refused.first_byte_at = 0.6

    found = samples(after(refused))

    names = ("mindgate_time_to_first_byte_seconds", "mindgate_overhead", "mindgate_tokens")
    assert not [key for key in found if key.startswith(names)]


def test_s22_ten_thousand_made_up_models_make_no_series():
    """The label is what routing bounded, never the name a client sent."""
    metrics = Metrics("1")
    sizes = []
    for n in range(10_000):
        one = exchange(label="other", model=f"junk-{n}", model_requested=f"junk-{n}")
        metrics.begin(one.endpoint)
        metrics.end(one, now=4.5)
        if n in (0, 9_999):
            sizes.append(len(samples(metrics)))

    assert sizes[0] == sizes[1]
    assert b"junk" not in metrics.page()


def test_s27_no_key_and_no_id_in_any_label():
    one = exchange(
        caller=Principal("ci-key", key_id="key_7"),
        client_request_id="theirs",
        upstream_request_id="up-7",
    )
    page = after(one).page()

    assert not [
        word for word in (b"ci-key", b"key_7", b"req_1", b"theirs", b"up-7") if word in page
    ]


def test_an_upstream_that_counts_beyond_all_numbers_does_not_take_the_page_away():
    found = samples(after(exchange(usage=Usage(10**400, 5)), exchange(usage=Usage(1, 5))))

    assert found['mindgate_tokens_total{kind="output",model="m",upstream="up"}'] == "10.0"


def test_dropped_log_lines_are_asked_for_when_the_page_is():
    lines = [0]
    metrics = Metrics("1", Watched(dropped_log_lines=lambda: lines[0]))
    lines[0] = 7

    assert samples(metrics)["mindgate_log_lines_dropped_total"] == "7.0"


def test_two_gateways_in_one_process_do_not_mix():
    one, two = after(exchange()), Metrics("2")

    assert "up" in one.page().decode()
    assert b'upstream="up"' not in two.page()
