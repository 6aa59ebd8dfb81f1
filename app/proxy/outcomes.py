"""What an error means for the exchange that it ended."""

from app.domain.errors import (
    ClientError,
    ClientGone,
    Draining,
    GatewayError,
    LedgerUnavailable,
    Overloaded,
    UpstreamDisconnected,
    UpstreamError,
    UpstreamTimeout,
)
from app.domain.outcome import Outcome

# The first row that fits; an UpstreamDisconnected after the head is a cut stream, before it an upstream's error.
_OUTCOMES: tuple[tuple[type[GatewayError], Outcome], ...] = (
    (ClientGone, Outcome.CLIENT_GONE),
    (ClientError, Outcome.REJECTED),
    (Overloaded, Outcome.REJECTED),
    (LedgerUnavailable, Outcome.REJECTED),
    (Draining, Outcome.SHUTDOWN),
    (UpstreamTimeout, Outcome.TIMEOUT),
    (UpstreamDisconnected, Outcome.UPSTREAM_CUT),
    (UpstreamError, Outcome.UPSTREAM_ERROR),
)


def outcome_of(error: GatewayError, *, was_asked: bool) -> Outcome:
    """The outcome that *error* means. A 4xx that an upstream gave is an upstream's error only when one *was_asked*."""
    found = next(
        (out for kind, out in _OUTCOMES if isinstance(error, kind)), Outcome.INTERNAL_ERROR
    )
    if isinstance(error, ClientError) and was_asked:
        return Outcome.UPSTREAM_ERROR
    if found is Outcome.SHUTDOWN and not was_asked:
        return Outcome.REJECTED
    return found
