"""
One request and all that happened to it: the notebook each step of the pipeline writes in and settlement reads.

Times are seconds on a monotonic clock; None where it never came to that.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from app.domain.ledger import UsageSource
from app.domain.limits import RateHeaders, Spent
from app.domain.outcome import Outcome
from app.domain.prices import Price
from app.domain.principal import Principal
from app.domain.usage import Usage

NOBODY = "none"  # upstream and model of an exchange that never got so far


class Output(Protocol):
    """What has come of an answer so far."""

    @property
    def usage(self) -> Usage | None:
        """The upstream's count; None while there is none."""
        ...

    @property
    def output_characters(self) -> int:
        """For an estimate where the upstream counts nothing."""
        ...

    @property
    def counted_characters(self) -> int:
        """How many of them had come when the upstream counted last."""
        ...


@dataclass(slots=True)
class Exchange:
    """Written by one task only. *endpoint* is a capability, *model* the name sent upstream, *label* its metric name.

    *at_ms*: when the request came, in milliseconds since 1970. *provider*: which of the upstream's own serves it, ""
    where it has none. *expected*: the tokens it was admitted with. *price*: of what is asked now; None where nobody
    said. *release* gives back what was reserved, once it is known what was spent; None where nothing is reserved.
    *output*: the answer, as far as it has come. *trail*: the attempts that failed, as in `UsageRecord`. *is_intended*,
    *is_booked*: its notes stand in the journal. *characters*: of the text to be spoken; *audio_ms*: of sound that was
    sent to be recognised. *on_first*: called with the first bytes of the answer, before they leave.
    """

    request_id: str
    method: str
    endpoint: str
    received_at: float
    client_request_id: str = ""
    caller: Principal | None = None
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
    provider: str = ""
    at_ms: int = 0
    expected: Usage | None = None
    release: Callable[[Spent], None] | None = None
    rate: RateHeaders | None = None
    output: Output | None = None
    usage_source: UsageSource = ""
    cost_nano: int = 0
    price: Price | None = None
    is_priced: bool = False
    is_intended: bool = False
    is_booked: bool = False
    trail: tuple[tuple[str, str, str, int, int], ...] = ()
    characters: int = 0
    audio_ms: int = 0
    on_first: Callable[[bytes], None] | None = None

    def overhead_seconds(self) -> float | None:
        """Our own time: until the upstream was asked, and from its first bytes to ours. None when it was not asked."""
        if self.sent_at is None or self.upstream_first_at is None or self.first_byte_at is None:
            return None
        return (self.sent_at - self.received_at) + (self.first_byte_at - self.upstream_first_at)
