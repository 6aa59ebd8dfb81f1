"""Exchanges to which something has happened already."""

from typing import Any

from app.domain.exchange import Exchange


def exchange_with(
    request_id: str = "req_1",
    method: str = "POST",
    endpoint: str = "chat.create",
    received_at: float = 0.0,
    **fields: Any,
) -> Exchange:
    """A new exchange in which *fields* are written."""
    exchange = Exchange(request_id, method, endpoint, received_at)
    for name, value in fields.items():
        setattr(exchange, name, value)
    return exchange
