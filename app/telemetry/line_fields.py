"""
The fields of the line of an exchange, in their order.

msgspec is told what to leave out behind the base class, which compiled code does not keep: this module stays
interpreted (docs/decisions/0018).
"""

import msgspec


class LineFields(msgspec.Struct, omit_defaults=True, gc=False):
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
