"""
What a person reads when a request could not be sent or its answer broke, whichever transport sent it.

Each takes the upstream's name. Whose fault it is and what may be tried again follows from the class (reliability R6).
"""

from typing import Final

from app.domain.errors import (
    GatewayError,
    Overloaded,
    UpstreamDisconnected,
    UpstreamMalformed,
    UpstreamTimeout,
    UpstreamUnreachable,
)

_NO_SLOT_RETRY_SECONDS: Final = 1.0


def unreachable(name: str) -> GatewayError:
    """DNS, connect or TLS failed; nothing was sent (contract F44)."""
    return UpstreamUnreachable(f"Upstream '{name}' could not be reached.")


def cut(name: str) -> GatewayError:
    """The connection ended before its answer did (contract F45)."""
    return UpstreamDisconnected(
        f"Upstream '{name}' closed the connection before its answer was complete."
    )


def malformed(name: str) -> GatewayError:
    """What came is no HTTP, or more of it than any answer has (contract F45)."""
    return UpstreamMalformed(f"Upstream '{name}' sent an answer that is not valid HTTP.")


def stuck(name: str) -> GatewayError:
    """It is connected and reads nothing (contract F48)."""
    return UpstreamTimeout(f"Upstream '{name}' took nothing of the request in time.", phase="idle")


def no_slot(name: str) -> GatewayError:
    """Every connection was taken, and stayed so (contract F41)."""
    return Overloaded(
        "The engine is currently overloaded, please try again later. "
        f"No connection to upstream '{name}' became free in time.",
        retry_after_seconds=_NO_SLOT_RETRY_SECONDS,
    )
