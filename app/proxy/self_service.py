"""
What a key may know about itself: `GET /v1/me`, and `GET /v1/requests/{id}`, the receipt of an exchange of its own.

Figures, never content; another key's exchange is as unknown as one that never was (reliability S16).
"""

from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import msgspec

from app.domain.errors import ObjectNotFound
from app.domain.exchange import Exchange
from app.domain.ledger import UsageRecord
from app.domain.limits import Spending, Standing
from app.domain.principal import Principal
from app.domain.texts import shown
from app.limits.admission import Admission
from app.protocol.amounts import usd, utc
from app.protocol.targets import path_text
from app.proxy.call import Call

_MOST_FAILURES, _MOST_KEYS = 10, 10_000  # remembered
_MONEY_LIMIT = "budget_usd"
_ENCODER = msgspec.json.Encoder()


class Receipts(Protocol):
    """The ledger's records."""

    async def record(self, record_id: str) -> UsageRecord | None:
        """The record of one exchange; None where there is none."""
        ...


class RecentFailures:
    """The last few exchanges of each key that did not end well, in memory alone."""

    def __init__(self) -> None:
        self._by_key: OrderedDict[str, deque[dict[str, Any]]] = OrderedDict()

    def note(self, exchange: Exchange) -> None:
        """*exchange* failed; it is remembered if it came with a key."""
        caller = exchange.caller
        if caller is None:
            return
        found = self._by_key.pop(caller.key_id, None)
        if found is None:
            found = deque(maxlen=_MOST_FAILURES)
        self._by_key[caller.key_id] = found  # the keys that failed last stand last
        if len(self._by_key) > _MOST_KEYS:
            self._by_key.popitem(last=False)
        found.appendleft(
            {
                "id": exchange.request_id,
                "created_at": utc(exchange.at_ms),
                "model": shown(exchange.model_requested),
                "status": exchange.status,
                "outcome": str(exchange.outcome),
                "code": shown(exchange.error_code) or None,
            }
        )

    def of(self, key_id: str) -> list[dict[str, Any]]:
        """The newest first."""
        return list(self._by_key.get(key_id, ()))


class SelfService:
    """Answers a key's questions about itself. *flush*: afterwards all that was settled is among *receipts*; both are
    None where no ledger is kept."""

    def __init__(
        self,
        admission: Admission,
        failures: RecentFailures,
        receipts: Receipts | None,
        flush: Callable[[], Awaitable[None]] | None,
    ) -> None:
        self._admission = admission
        self._failures = failures
        self._receipts = receipts
        self._flush = flush

    def me(self, principal: Principal, models: list[str]) -> bytes:
        """What *principal* is, may and has used; *models*: the names it may use now."""
        standings = self._admission.standings(principal)
        scopes = []
        for scope in principal.scopes:
            own = [one for one in standings if one.scope is scope]
            scopes.append(
                {
                    "type": scope.kind,
                    "id": scope.id,
                    "name": scope.name,
                    "limits": {one.limit: limit_object(one) for one in own},
                    "spend": _spend(self._admission.spending(scope)),
                }
            )
        return _ENCODER.encode(
            {
                "object": "me",
                "name": principal.name,
                "team": principal.team or None,
                "models": models,
                "max_tokens": principal.max_tokens,
                "resources": principal.resources,
                "scopes": scopes,
                "last_errors": self._failures.of(principal.key_id),
            }
        )

    async def receipt(self, call: Call) -> bytes:
        """The exchange that the path names. Raises ObjectNotFound, and LedgerUnavailable while it cannot be read."""
        endpoint = call.target.endpoint
        asked = path_text(endpoint.parameters["id"]) if endpoint else ""
        found = await self._find(asked)
        if found is None or found.key_id != call.principal.key_id:
            raise ObjectNotFound(f"No such request: {shown(asked, 64)}", param="id")
        return _ENCODER.encode(receipt_object(found))

    async def _find(self, record_id: str) -> UsageRecord | None:
        if self._receipts is None or self._flush is None:
            return None
        found = await self._receipts.record(record_id)
        if found is None:  # it may be a moment old
            await self._flush()
            found = await self._receipts.record(record_id)
        return found


def limit_object(standing: Standing) -> Mapping[str, Any]:
    """One limit as JSON has it: its own unit, US dollars for money; *reset_at* null where it depends on others."""
    amount = usd if standing.limit == _MONEY_LIMIT else _same
    return {
        "used": amount(standing.used),
        "limit": amount(standing.allowed),
        "remaining": amount(max(standing.allowed - standing.used, 0)),
        "reset_at": None if standing.reset_at is None else utc(int(standing.reset_at * 1000)),
    }


def receipt_object(record: UsageRecord) -> Mapping[str, Any]:
    """One exchange as JSON has it. Times of the time-line and of attempts are seconds since the request came."""
    return {
        "object": "exchange",
        "id": record.id,
        "created_at": utc(record.at_ms),
        "endpoint": record.endpoint,
        "model": record.model,
        "upstream": record.upstream,
        "upstream_model": record.upstream_model,
        "stream": record.stream,
        "status": record.status,
        "outcome": record.outcome,
        "phase": record.phase or None,
        "code": record.error_code or None,
        "recovered": record.recovered,
        "timeline": {
            "received_seconds": 0,
            "upstream_asked_seconds": _seconds(record.sent_us),
            "upstream_answered_seconds": _seconds(record.answered_us),
            "first_byte_seconds": _seconds(record.ttft_us),
            "finished_seconds": _seconds(record.duration_us),
        },
        "attempts": _attempts(record),
        "usage": {
            "input_tokens": record.input_tokens,
            "cached_input_tokens": record.cached_input_tokens,
            "output_tokens": record.output_tokens,
            "source": record.usage_source or None,
        },
        "cost_usd": usd(record.cost_nano) if record.priced else None,
    }


def _attempts(record: UsageRecord) -> list[Mapping[str, Any]]:
    """Those that failed, then the one that answered."""
    failed = msgspec.json.decode(record.trail) if record.trail else []
    found: list[Mapping[str, Any]] = [
        {
            "upstream": upstream,
            "model": model,
            "result": reason,
            "began_seconds": _seconds(began_us),
            "ended_seconds": _seconds(ended_us),
        }
        for upstream, model, reason, began_us, ended_us in failed
    ]
    if record.attempts > len(found):
        found.append(
            {
                "upstream": record.upstream,
                "model": record.upstream_model,
                "result": "answered",
                "began_seconds": _seconds(record.sent_us),
                "ended_seconds": _seconds(record.duration_us),
            }
        )
    return found


def _spend(spending: Spending) -> Mapping[str, Any]:
    periods = spending._asdict()
    return {
        period: {"cost_usd": usd(nano), "tokens": tokens}
        for period, (nano, tokens) in periods.items()
    }


def _seconds(microseconds: int | None) -> float | None:
    return None if microseconds is None else microseconds / 1e6


def _same(value: int) -> int:
    return value
