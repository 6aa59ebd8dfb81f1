"""
One request and all that happened to it: the notebook each step of the pipeline writes in and settlement reads.

Times are seconds on a monotonic clock; None where it never came to that.
"""

from dataclasses import dataclass

from app.domain.outcome import Outcome
from app.domain.usage import Usage

NOBODY = "none"  # upstream and model of an exchange that never got so far


@dataclass(slots=True)
class Exchange:
    """Written by one task only. *endpoint* is a capability, *model* the name sent upstream, *label* its metric name."""

    request_id: str
    method: str
    endpoint: str
    received_at: float
    client_request_id: str = ""
    principal: str = ""
    model_requested: str = ""
    upstream: str = NOBODY
    model: str = ""
    label: str = NOBODY
    stream: bool = False
    attempts: int = 0
    dropped: tuple[str, ...] = ()
    upstream_status: int = 0
    upstream_request_id: str = ""
    upstream_timing: str = ""
    sent_at: float | None = None
    upstream_first_at: float | None = None
    first_byte_at: float | None = None
    status: int = 0
    bytes_out: int = 0
    dropped_events: int = 0
    usage: Usage | None = None
    outcome: Outcome | None = None
    phase: str = ""
    error_code: str = ""
    error_detail: str = ""

    def overhead_seconds(self) -> float | None:
        """Our own time: until the upstream was asked, and from its first bytes to ours. None when it was not asked."""
        if self.sent_at is None or self.upstream_first_at is None or self.first_byte_at is None:
            return None
        return (self.sent_at - self.received_at) + (self.first_byte_at - self.upstream_first_at)
