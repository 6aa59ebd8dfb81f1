"""
The one line of an exchange: which fields, in which order, and what a text of others may look like in it.

Fields are named here (reliability S20): what an exchange's line holds is this list and nothing that happens
to lie around. Never content, never a key.
"""

from typing import Any, Final

import msgspec

from app.domain.exchange import Exchange
from app.domain.limits import NANO
from app.domain.texts import LONGEST, shown
from app.telemetry.line_fields import LineFields

_ENCODER: Final = msgspec.json.Encoder()


def exchange_line(exchange: Exchange, now: float) -> dict[str, Any]:
    """The fields of the line of *exchange*, which is over at *now* on its own clock."""
    fields: dict[str, Any] = msgspec.to_builtins(_read(exchange, now))
    return fields


def json_line(exchange: Exchange, now: float, timestamp: str) -> str:
    """The same as a line of JSON, with what every line of the log ends with."""
    fields = _ENCODER.encode(_read(exchange, now)).decode()
    return f'{fields[:-1]},"event":"exchange","level":"info","timestamp":"{timestamp}"}}\n'


def _read(exchange: Exchange, now: float) -> LineFields:
    usage, first_byte_at = exchange.usage, exchange.first_byte_at
    duration, ttft = now - exchange.received_at, None
    if first_byte_at is not None:
        ttft = int((first_byte_at - exchange.received_at) * 1e6 + 0.5) / 1e6 or None
    client_request_id, asked = exchange.client_request_id, exchange.model_requested
    model, timing = exchange.model, exchange.upstream_timing
    upstream_request_id = exchange.upstream_request_id
    code, detail = exchange.error_code, exchange.error_detail
    together = f"{client_request_id}{asked}{model}{upstream_request_id}{timing}{code}{detail}"
    if len(together) > LONGEST or not together.isprintable():  # hardly ever: one look for all
        # What others wrote must not forge a line or paint a terminal.
        client_request_id, asked, model = shown(client_request_id), shown(asked), shown(model)
        upstream_request_id, timing = shown(upstream_request_id), shown(timing)
        code, detail = shown(code), shown(detail)
    return LineFields(  # by place: by name takes twice as long
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
