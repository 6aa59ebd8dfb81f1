"""
What the ledger keeps of an exchange: three kinds of note in the journal, of which the last is the record (reliability
J2 to J8).

All times are milliseconds of wall time since 1970 or microseconds of duration, all money integers of nano-dollars.
Nothing here is content.
"""

from typing import Literal

import msgspec

from app.domain.routes import OTHER

UsageSource = Literal["upstream", "estimated", ""]


class Intent(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An upstream is about to be asked. *input_tokens*, *output_tokens*: the estimate that was reserved; *cost_nano* is
    what the input alone would cost, as *priced* says whether it has a price, which is what an exchange is charged whose
    process dies before the first progress (J8).

    *lease_ends_at_ms*: when the reservation ends by itself. *label*: as in `UsageRecord`.
    """

    id: str
    at_ms: int
    key_id: str
    team_id: str
    endpoint: str
    model: str
    stream: bool
    input_tokens: int
    output_tokens: int
    cost_nano: int
    lease_ends_at_ms: int
    upstream: str = ""
    upstream_model: str = ""
    label: str = OTHER
    priced: bool = False


class Progress(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """How far the exchange *id* has come: what it would be charged if the gateway died now (J4)."""

    id: str
    upstream: str
    upstream_model: str
    attempts: int
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    usage_source: UsageSource
    cost_nano: int
    priced: bool


class UsageRecord(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One exchange that is over. *at_ms*: when its request came, which also decides the period it counts in (J10).

    *model*: the name the client sent; *upstream* and *upstream_model*: who answered, or was asked last. *usage_source*
    "": nothing was used. *priced* False: *upstream_model* has no price, so *cost_nano* is 0 without meaning it (J12).
    *recovered*: written by a start after a kill, from the last progress (J8). *ttft_us*: None when nothing was sent.
    *trail*: JSON, the attempts that failed: `[[upstream, model, reason, began_us, ended_us], …]`, times since the
    request came; *sent_us* and *answered_us*: the same of the last attempt. *label*: *upstream_model* where it is a
    configured or discovered name, else `other`: what sums are kept by, and a client must not make any number of (S22).
    """

    id: str
    at_ms: int
    key_id: str
    team_id: str
    endpoint: str
    model: str
    upstream: str
    upstream_model: str
    stream: bool
    status: int
    outcome: str
    phase: str
    error_code: str
    attempts: int
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    usage_source: UsageSource
    cost_nano: int
    priced: bool
    duration_us: int
    ttft_us: int | None
    sent_us: int | None
    answered_us: int | None
    trail: str
    recovered: bool
    label: str = OTHER
