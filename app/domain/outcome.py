"""How an exchange ended: exactly one of these, equal in metric and log line (contract J12, reliability R27)."""

from enum import StrEnum


class Outcome(StrEnum):
    """The one word for an exchange that is over."""

    COMPLETE = "complete"
    CLIENT_GONE = "client_gone"
    UPSTREAM_ERROR = "upstream_error"
    UPSTREAM_CUT = "upstream_cut"
    TIMEOUT = "timeout"
    REJECTED = "rejected"
    SHUTDOWN = "shutdown"
    INTERNAL_ERROR = "internal_error"
