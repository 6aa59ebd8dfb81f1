"""
All that may go wrong on the wire, in one tree.

WireError
├─ NotConnected           nothing of the request was sent
│  ├─ NameUnknown · AddressRefused · ConnectFailed · ConnectTimedOut · TlsFailed
│  ├─ ClosedBeforeUse     the connection was made, and gone before a byte was written
│  └─ PoolClosed
├─ NoConnectionFree       every connection is taken
│  └─ PoolWaitOver · PoolQueueFull
├─ Cut                    the connection ended before its answer did
│  └─ CutBeforeHead · CutBody
├─ Malformed              what came is not HTTP/1.1 as we read it
│  └─ HeadTooLarge · TooManyFields · TooManyInterim
└─ Late                   a deadline passed
   └─ HeadLate · TotalLate · WriteStuck

`upstreams.wire_sender` maps each to the gateway's errors, and a test holds that none is forgotten.
"""


class WireError(Exception):
    """A request that could not be sent, or an answer that did not come whole."""


class NotConnected(WireError):
    """Nothing of the request was sent."""


class NameUnknown(NotConnected):
    """The host's name has no address, or could not be looked up."""


class AddressRefused(NotConnected):
    """Every address of the host is one that may not be connected to (reliability S7)."""


class ConnectFailed(NotConnected):
    """No address of the host took the connection."""


class ConnectTimedOut(NotConnected):
    """The connection was not made in time, its name's lookup and TLS included."""


class TlsFailed(NotConnected):
    """The other side speaks no TLS, or is not who it should be."""


class ClosedBeforeUse(NotConnected):
    """The other side ended a new connection before anything was sent on it (reliability H1)."""


class PoolClosed(NotConnected):
    """The pool was closed."""


class NoConnectionFree(WireError):
    """Every connection is taken."""


class PoolWaitOver(NoConnectionFree):
    """None became free within the time to wait for one."""


class PoolQueueFull(NoConnectionFree):
    """As many requests as may wait for one do so already."""


class Cut(WireError):
    """The connection ended before its answer did."""


class CutBeforeHead(Cut):
    """Before its head was complete. *is_stale*: the connection had served before, and not a byte of this answer came:
    the other side had most likely ended it before the request arrived (reliability R6)."""

    def __init__(self, *, is_stale: bool) -> None:
        super().__init__()
        self.is_stale = is_stale


class CutBody(Cut):
    """Behind its head."""


class Malformed(WireError):
    """What came is not HTTP/1.1, or is HTTP/1.1 that two readers could read in two ways (reliability R15)."""


class HeadTooLarge(Malformed):
    """The head did not end within its bound of bytes."""


class TooManyFields(Malformed):
    """The head has more fields than its bound."""


class TooManyInterim(Malformed):
    """More interim answers (1xx) came than any upstream has a reason to send."""


class Late(WireError):
    """A deadline passed."""


class HeadLate(Late):
    """The answer's head was not complete in time."""


class TotalLate(Late):
    """The answer was not complete in time."""


class WriteStuck(Late):
    """The other side read nothing of the request for too long."""
