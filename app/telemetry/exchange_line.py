"""
The one line of an exchange: which fields, in which order, and what a text of others may look like in it.

Fields are named here (reliability S20): what an exchange's line holds is this list and nothing that happens
to lie around. Never content, never a key.
"""

from typing import Any

import msgspec

from app.domain.exchange import Exchange
from app.domain.limits import NANO
from app.domain.texts import LONGEST, shown

_ENCODER = msgspec.json.Encoder()


class _Fields(msgspec.Struct, omit_defaults=True, gc=False):
    """The fields of a line in their order; one that says nothing is left out."""

    request_id: str = ""
    client_request_id: str = ""
    key: str = ""
    endpoint: str = ""
    model: str = ""
    upstream: str = ""
    upstream_model: str = ""
    upstream_status: int = 0
    upstream_request_id: str = ""
    upstream_timing: str = ""
    stream: bool = False
    attempts: int = 0
    dropped: str = ""
    status: int = 0
    outcome: str = ""
    phase: str = ""
    error: str = ""
    detail: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    usage_source: str = ""
    cost_usd: float | None = None
    bytes_out: int = 0
    dropped_events: int = 0
    duration_seconds: float | None = None
    ttft_seconds: float | None = None


def exchange_line(exchange: Exchange, now: float) -> dict[str, Any]:
    """The fields of the line of *exchange*, which is over at *now* on its own clock."""
    fields: dict[str, Any] = msgspec.to_builtins(_read(exchange, now))
    return fields


def json_line(exchange: Exchange, now: float, timestamp: str) -> str:
    """The same as a line of JSON, with what every line of the log ends with."""
    fields = _ENCODER.encode(_read(exchange, now)).decode()
    return f'{fields[:-1]},"event":"exchange","level":"info","timestamp":"{timestamp}"}}\n'


def _read(exchange: Exchange, now: float) -> _Fields:
    usage, first_byte_at = exchange.usage, exchange.first_byte_at
    duration, ttft = now - exchange.received_at, None
    if first_byte_at is not None:
        ttft = int((first_byte_at - exchange.received_at) * 1e6 + 0.5) / 1e6 or None
    texts: tuple[str, ...] = (
        exchange.client_request_id,
        exchange.model_requested,
        exchange.model,
        exchange.upstream_request_id,
        exchange.upstream_timing,
        exchange.error_code,
        exchange.error_detail,
    )
    together = "".join(texts)
    if len(together) > LONGEST or not together.isprintable():  # hardly ever: one look for all
        texts = tuple(
            map(shown, texts)
        )  # what others wrote must not forge a line or paint a terminal
    client_request_id, asked, model, upstream_request_id, timing, code, detail = texts
    return _Fields(  # by place: by name takes twice as long
        exchange.request_id,
        client_request_id,
        exchange.caller.name if exchange.caller else "",
        exchange.endpoint,
        asked,
        exchange.upstream,
        model,
        exchange.upstream_status,
        upstream_request_id,
        timing,
        exchange.stream,
        exchange.attempts,
        ",".join(exchange.dropped) if exchange.dropped else "",
        exchange.status,
        str(exchange.outcome),
        exchange.phase,
        code,
        detail,
        usage.input_tokens if usage else 0,
        usage.output_tokens if usage else 0,
        exchange.usage_source if exchange.usage_source != "upstream" else "",
        exchange.cost_nano / NANO if exchange.cost_nano else None,
        exchange.bytes_out,
        exchange.dropped_events,
        int(duration * 1e6 + 0.5) / 1e6 or None,  # to the microsecond: `round` takes twice as long
        ttft,
    )
