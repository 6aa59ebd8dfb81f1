"""How an exchange ended, over the whole error tree, and that it is counted and logged once (law 1, contract J12)."""

import inspect
import io
import json
from typing import Any

import pytest

from app.domain import errors
from app.domain.errors import GatewayError
from app.domain.exchange import Exchange
from app.domain.outcome import Outcome
from app.proxy.outcomes import outcome_of
from app.proxy.self_service import RecentFailures
from app.proxy.settlement import Settlement
from app.telemetry.logs import make_log
from app.telemetry.metrics import Metrics
from tests.fakes.billing import billing_of
from tests.fakes.clock import Clock
from tests.fakes.exchanges import exchange_with

BEFORE, AFTER = False, True  # an upstream was asked

MADE: dict[type[GatewayError], GatewayError] = {
    errors.MethodNotAllowed: errors.MethodNotAllowed("m", allow=("GET",)),
    errors.UpstreamTimeout: errors.UpstreamTimeout("m", phase="idle"),
    errors.UpstreamAnswered: errors.UpstreamAnswered("m", status=429, type="rate_limit_error"),
    errors.InternalError: errors.InternalError(),
    errors.RateLimited: errors.RateLimited(
        "m", type="requests", scope="key", limit="rpm", retry_after_seconds=1.0
    ),
    errors.QuotaExceeded: errors.QuotaExceeded("m", scope="key", limit="budget_usd"),
}
TREE = sorted(
    (
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, GatewayError)
    ),
    key=lambda kind: kind.__name__,
)
BRANCHES = (GatewayError, errors.ClientError, errors.UpstreamError, errors.GatewayFault)

TABLE = {  # by name: outcome before an upstream was asked, and after
    "ClientGone": (Outcome.CLIENT_GONE, Outcome.CLIENT_GONE),
    "Draining": (Outcome.REJECTED, Outcome.SHUTDOWN),
    "InternalError": (Outcome.INTERNAL_ERROR, Outcome.INTERNAL_ERROR),
    "InvalidRequest": (Outcome.REJECTED, Outcome.UPSTREAM_ERROR),
    "MethodNotAllowed": (Outcome.REJECTED, Outcome.UPSTREAM_ERROR),
    "ModelNotFound": (Outcome.REJECTED, Outcome.UPSTREAM_ERROR),
    "ObjectNotFound": (Outcome.REJECTED, Outcome.UPSTREAM_ERROR),
    "PermissionDenied": (Outcome.REJECTED, Outcome.UPSTREAM_ERROR),
    "QuotaExceeded": (Outcome.REJECTED, Outcome.UPSTREAM_ERROR),
    "RateLimited": (Outcome.REJECTED, Outcome.UPSTREAM_ERROR),
    "RequestTimedOut": (Outcome.REJECTED, Outcome.UPSTREAM_ERROR),
    "RequestTooLarge": (Outcome.REJECTED, Outcome.UPSTREAM_ERROR),
    "Unauthenticated": (Outcome.REJECTED, Outcome.UPSTREAM_ERROR),
    "UnknownUrl": (Outcome.REJECTED, Outcome.UPSTREAM_ERROR),
    "UnsupportedEndpoint": (Outcome.REJECTED, Outcome.UPSTREAM_ERROR),
    "TargetTooLong": (Outcome.REJECTED, Outcome.UPSTREAM_ERROR),
    "HeadersTooLarge": (Outcome.REJECTED, Outcome.UPSTREAM_ERROR),
    "UnsupportedMediaType": (Outcome.REJECTED, Outcome.UPSTREAM_ERROR),
    "UpstreamAnswered": (Outcome.UPSTREAM_ERROR, Outcome.UPSTREAM_ERROR),
    "UpstreamDisconnected": (Outcome.UPSTREAM_CUT, Outcome.UPSTREAM_CUT),
    "UpstreamMalformed": (Outcome.UPSTREAM_ERROR, Outcome.UPSTREAM_ERROR),
    "UpstreamRefusedCredential": (Outcome.UPSTREAM_ERROR, Outcome.UPSTREAM_ERROR),
    "UpstreamTimeout": (Outcome.TIMEOUT, Outcome.TIMEOUT),
    "UpstreamUnreachable": (Outcome.UPSTREAM_ERROR, Outcome.UPSTREAM_ERROR),
}
# Raised where nothing was sent.
BEFORE_ONLY = {"Overloaded": Outcome.REJECTED, "LedgerUnavailable": Outcome.REJECTED}


def made(kind: type[GatewayError]) -> GatewayError:
    return MADE.get(kind) or kind("m")


def test_every_leaf_of_the_tree_has_its_row():
    assert {kind.__name__ for kind in TREE if kind not in BRANCHES} == {*TABLE, *BEFORE_ONLY}


@pytest.mark.parametrize(
    ("name", "was_asked", "outcome"),
    [
        pytest.param(name, asked, row[asked], id=f"{name} {'after' if asked else 'before'} asking")
        for name, row in TABLE.items()
        for asked in (BEFORE, AFTER)
    ]
    + [pytest.param(name, BEFORE, row, id=f"{name} before") for name, row in BEFORE_ONLY.items()],
)
def test_the_outcome_of_an_error(name, was_asked, outcome):
    assert outcome is outcome_of(made(getattr(errors, name)), was_asked=was_asked)


class Ended:
    """One settlement with its metrics page and log."""

    def __init__(self) -> None:
        self.metrics, self.log, self.clock = Metrics("1"), io.StringIO(), Clock(10.0)
        self.failures = RecentFailures()
        self.settlement = Settlement(
            billing_of(self.clock),
            self.failures,
            self.metrics,
            make_log("json", self.log),
            self.clock,
        )

    def exchange(self, **fields) -> Exchange:
        found = exchange_with("req_1", "POST", "chat.create", received_at=8.0, **fields)
        self.settlement.begin(found)
        return found

    def count(self, sample: str) -> list[str]:
        rows = self.metrics.page().decode().splitlines()
        return [row for row in rows if row.startswith(sample)]

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]


def test_an_exchange_is_in_flight_until_it_is_settled():
    ended = Ended()
    exchange = ended.exchange()
    gauge = 'mindgate_requests_in_flight{endpoint="chat.create"}'
    assert [f"{gauge} 1.0"] == ended.count(gauge)

    exchange.outcome = Outcome.COMPLETE
    ended.settlement.settle(exchange)

    assert [f"{gauge} 0.0"] == ended.count(gauge)
    (line,) = ended.lines()
    assert ("exchange", "complete", 2.0) == (
        line["event"],
        line["outcome"],
        line["duration_seconds"],
    )


def test_an_exchange_that_nobody_gave_an_outcome_is_our_defect():
    ended = Ended()

    ended.settlement.settle(ended.exchange())

    assert ended.lines()[0]["outcome"] == "internal_error"


def test_the_first_failure_is_the_one():
    ended = Ended()
    exchange = ended.exchange(attempts=1)

    ended.settlement.note_failure(exchange, MADE[errors.UpstreamTimeout])
    ended.settlement.note_failure(exchange, errors.ClientGone("m"))

    assert (Outcome.TIMEOUT, "idle", "upstream_timeout") == (
        exchange.outcome,
        exchange.phase,
        exchange.error_code,
    )


def test_what_an_upstream_said_for_the_log_alone_is_in_the_log():
    ended = Ended()
    exchange = ended.exchange(attempts=1)
    error = errors.UpstreamRefusedCredential("refused")
    error.log_detail = "invalid token"

    ended.settlement.note_failure(exchange, error)
    ended.settlement.settle(exchange)

    assert ended.lines()[0]["detail"] == "invalid token"
