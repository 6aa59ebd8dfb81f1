"""
Logs: one line for each exchange, and one for each event of the gateway's own life. Never content, never a key.

Fields are named here (reliability S20): what an exchange's line holds is this list and nothing that happens
to lie around.
"""

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import FilteringBoundLogger

from app.domain.exchange import Exchange

Log = FilteringBoundLogger
_LONGEST = 256  # characters of any one text in a line


def make_log(style: str, stream: TextIO | None = None) -> Log:
    """A log that writes to *stream* (standard error): `json`, `console`, or `auto`, console on a terminal."""
    out = stream or sys.stderr
    is_console = style == "console" or (style == "auto" and out.isatty())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=out.isatty())
        if is_console
        else structlog.processors.JSONRenderer()
    )
    log: Log = structlog.wrap_logger(
        structlog.WriteLogger(out),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    return log


def exchange_line(exchange: Exchange, now: float) -> dict[str, object]:
    """The fields of an exchange's one line; those that say nothing are left out."""
    usage = exchange.usage
    fields: dict[str, object] = {
        "request_id": exchange.request_id,
        "client_request_id": _text(exchange.client_request_id),
        "key": exchange.principal,
        "endpoint": exchange.endpoint,
        "model": _text(exchange.model_requested),
        "upstream": exchange.upstream,
        "upstream_model": _text(exchange.model),
        "upstream_status": exchange.upstream_status,
        "upstream_request_id": _text(exchange.upstream_request_id),
        "upstream_timing": _text(exchange.upstream_timing),
        "stream": exchange.stream,
        "attempts": exchange.attempts,
        "dropped": ",".join(exchange.dropped),
        "status": exchange.status,
        "outcome": str(exchange.outcome),
        "phase": exchange.phase,
        "error": exchange.error_code,
        "detail": _text(exchange.error_detail),
        "input_tokens": usage.input_tokens if usage else None,
        "output_tokens": usage.output_tokens if usage else None,
        "bytes_out": exchange.bytes_out,
        "dropped_events": exchange.dropped_events,
        "duration_seconds": round(now - exchange.received_at, 6),
        "ttft_seconds": _since(exchange.received_at, exchange.first_byte_at),
    }
    return {name: value for name, value in fields.items() if value not in ("", None, 0, False)}


def _since(start: float, end: float | None) -> float | None:
    return None if end is None else round(end - start, 6)


def _text(value: str) -> str:
    """*value* on one line and bounded: a client's text must not forge a line or paint a terminal."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}"
        for letter in value[:_LONGEST]
    )
