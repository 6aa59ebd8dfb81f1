"""
How long an exchange may wait for its upstream (reliability R5, contract G6): to the first event, between bytes, in all.

Every deadline is a point on the loop's monotonic clock, and each has its own words when it passes.
"""

from dataclasses import dataclass
from typing import Final

from app.domain.configuration import Timeouts
from app.domain.errors import UpstreamTimeout
from app.protocol.headers import HeaderList

_MARGIN_SECONDS: Final = 2.0  # we answer this long before a client gives up by itself
_READ_TIMEOUT: Final = b"x-stainless-read-timeout"  # counts before the other
_TIMEOUT: Final = b"x-stainless-timeout"


@dataclass(slots=True, init=False)
class Deadlines:
    """The deadlines of one exchange with *upstream*. *first_byte_at* and *total_at* are points in time."""

    upstream: str
    first_byte_seconds: float
    first_byte_at: float
    idle_seconds: float
    total_seconds: float
    total_at: float

    def __init__(
        self,
        upstream: str,
        first_byte_seconds: float,
        first_byte_at: float,
        idle_seconds: float,
        total_seconds: float,
        total_at: float,
    ) -> None:
        self.upstream = upstream
        self.first_byte_seconds = first_byte_seconds
        self.first_byte_at = first_byte_at
        self.idle_seconds = idle_seconds
        self.total_seconds = total_seconds
        self.total_at = total_at

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
            if name in (_READ_TIMEOUT, _TIMEOUT):
                patience = _stated_patience(headers)
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


def _stated_patience(headers: HeaderList) -> float | None:
    read: bytes | None = None
    whole: bytes | None = None
    for name, value in headers:  # the first one of each name
        if name == _READ_TIMEOUT:
            read = value if read is None else read
        elif name == _TIMEOUT:
            whole = value if whole is None else whole
    return _seconds(read) or _seconds(whole)


def _seconds(value: bytes | None) -> float | None:
    """*value* where it is a time to wait, which is never nought."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        return None
    return seconds if 0 < seconds < float("inf") else None
