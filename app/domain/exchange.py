"""
One request and all that happened to it: the notebook each step of the pipeline writes in and settlement reads.

Times are seconds on a monotonic clock; None where it never came to that.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from app.domain.ledger import UsageSource
from app.domain.limits import RateHeaders, Spent
from app.domain.outcome import Outcome
from app.domain.prices import Price
from app.domain.principal import Principal
from app.domain.usage import Usage

NOBODY: Final = "none"  # upstream and model of an exchange that never got so far


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


class Reserved(Protocol):
    """What an exchange was admitted with."""

    def settle(self, spent: Spent) -> None:
        """It is free and *spent* is counted; a second call changes nothing."""
        ...


@dataclass(slots=True, init=False)
class Exchange:
    """Written by one task only. *endpoint* is a capability, *model* the name sent upstream, *label* its metric name.

    *at_ms*: when the request came, in milliseconds since 1970. *provider*: which of the upstream's own serves it, ""
    where it has none. *expected*: the tokens it was admitted with. *price*: of what is asked now; None where nobody
    said. *reservation*: what was reserved for it; None where nothing is. *output*: the answer, as far as it has come.
    *trail*: the attempts that failed, as in `UsageRecord`. *is_intended*, *is_booked*: its notes stand in the journal.
    *characters*: of the text to be spoken; *audio_ms*: of sound that was sent to be recognised. *on_first*: called with
    the first bytes of the answer, before they leave.
    """

    request_id: str
    method: str
    endpoint: str
    received_at: float
    client_request_id: str
    caller: Principal | None
    model_requested: str
    upstream: str
    model: str
    label: str
    stream: bool
    attempts: int
    dropped: tuple[str, ...]
    upstream_status: int
    upstream_request_id: str
    upstream_timing: str
    sent_at: float | None
    upstream_first_at: float | None
    first_byte_at: float | None
    status: int
    bytes_out: int
    dropped_events: int
    usage: Usage | None
    outcome: Outcome | None
    phase: str
    error_code: str
    error_detail: str
    provider: str
    at_ms: int
    expected: Usage | None
    reservation: Reserved | None
    rate: RateHeaders | None
    output: Output | None
    usage_source: UsageSource
    cost_nano: int
    price: Price | None
    is_priced: bool
    is_intended: bool
    is_booked: bool
    trail: tuple[tuple[str, str, str, int, int], ...]
    characters: int
    audio_ms: int
    on_first: Callable[[bytes], None] | None

    def __init__(
        self,
        request_id: str,
        method: str,
        endpoint: str,
        received_at: float,
        client_request_id: str = "",
    ) -> None:
        self.request_id = request_id
        self.method = method
        self.endpoint = endpoint
        self.received_at = received_at
        self.client_request_id = client_request_id
        self.caller = None
        self.upstream = self.label = NOBODY
        self.model_requested = self.model = self.provider = ""
        self.upstream_request_id = self.upstream_timing = ""
        self.phase = self.error_code = self.error_detail = ""
        self.usage_source = ""
        self.stream = self.is_priced = self.is_intended = self.is_booked = False
        self.attempts = self.upstream_status = self.status = 0
        self.bytes_out = self.dropped_events = self.at_ms = 0
        self.cost_nano = self.characters = self.audio_ms = 0
        self.dropped = ()
        self.trail = ()
        self.sent_at = self.upstream_first_at = self.first_byte_at = None
        self.usage = self.expected = None
        self.outcome = None
        self.reservation = None
        self.rate = None
        self.output = None
        self.price = None
        self.on_first = None

    def overhead_seconds(self) -> float | None:
        """Our own time: until the upstream was asked, and from its first bytes to ours. None when it was not asked."""
        if self.sent_at is None or self.upstream_first_at is None or self.first_byte_at is None:
            return None
        return (self.sent_at - self.received_at) + (self.first_byte_at - self.upstream_first_at)
