"""
How long an exchange may wait for its upstream (reliability R5, contract G6): to the first event, between bytes, in all.

Every deadline is a point on the loop's monotonic clock, and each has its own words when it passes.
"""

import msgspec

from app.domain.configuration import Timeouts
from app.domain.errors import UpstreamTimeout
from app.protocol.headers import HeaderList

_MARGIN_SECONDS = 2.0  # we answer this long before a client gives up by itself
_STATED = (b"x-stainless-read-timeout", b"x-stainless-timeout")  # the first one first
_STATED_NAMES = frozenset(_STATED)


class Deadlines(msgspec.Struct, frozen=True, gc=False):
    """The deadlines of one exchange with *upstream*. *first_byte_at* and *total_at* are points in time."""

    upstream: str
    first_byte_seconds: float
    first_byte_at: float
    idle_seconds: float
    total_seconds: float
    total_at: float

    def first_byte_passed(self) -> UpstreamTimeout:
        """The error when no first event came in time."""
        return self._passed("did not answer", self.first_byte_seconds, "first_byte")

    def idle_passed(self) -> UpstreamTimeout:
        """The error when a stream fell silent."""
        return self._passed("sent nothing", self.idle_seconds, "idle")

    def total_passed(self) -> UpstreamTimeout:
        """The error when an answer took longer than any may."""
        return self._passed("did not complete its answer", self.total_seconds, "total")

    def _passed(self, what: str, seconds: float, phase: str) -> UpstreamTimeout:
        return UpstreamTimeout(
            f"Upstream '{self.upstream}' {what} within {seconds:g} seconds.", phase=phase
        )


def deadlines(
    upstream: str, timeouts: Timeouts, headers: HeaderList, started_at: float
) -> Deadlines:
    """The deadlines of an exchange that began at *started_at*.

    A client that states its patience moves the first-byte deadline to that less two seconds, at least half of it and
    at most the total; one that the operator wrote down holds (contract G6).
    """
    first_byte, total = timeouts.first_byte_seconds, timeouts.total_seconds
    if not timeouts.first_byte_is_fixed:
        for name, _ in headers:
            if name in _STATED_NAMES:
                patience = _stated_patience(dict(reversed(headers)))  # the first one of each name
                if patience is not None:
                    first_byte = max(patience - _MARGIN_SECONDS, patience / 2)
                break
    if first_byte > total:
        first_byte = total
    return Deadlines(
        upstream,
        first_byte,
        started_at + first_byte,
        timeouts.idle_seconds,
        total,
        started_at + total,
    )


def _stated_patience(fields: dict[bytes, bytes]) -> float | None:
    for name in _STATED:
        if name not in fields:
            continue
        try:
            seconds = float(fields[name])
        except ValueError:
            continue
        if 0 < seconds < float("inf"):
            return seconds
    return None
