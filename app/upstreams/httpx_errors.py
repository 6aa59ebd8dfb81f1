"""httpx2's errors become the gateway's, each of them (style 4.7)."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpcore2

from app.domain.errors import GatewayError
from app.upstreams.send_errors import cut, malformed, no_slot, stuck, unreachable

# httpcore2 has one error for a broken answer and a cut one: these are its, h11's and h2's words for the cut.
_CUT_WORDS = (
    "disconnected",
    "peer closed connection",
    "peer unexpectedly closed",
    "StreamReset",
    "ConnectionTerminated",
)


def _protocol(name: str, error: Exception) -> GatewayError:
    if any(words in str(error) for words in _CUT_WORDS):
        return cut(name)
    return malformed(name)


def _plain(make: Callable[[str], GatewayError]) -> Callable[[str, Exception], GatewayError]:
    return lambda name, _: make(name)


_ERRORS: dict[
    type[Exception], Callable[[str, Exception], GatewayError]
] = {  # the first row that fits
    httpcore2.ConnectTimeout: _plain(unreachable),
    httpcore2.ConnectError: _plain(unreachable),
    httpcore2.PoolTimeout: _plain(no_slot),
    httpcore2.ProxyError: _plain(unreachable),
    httpcore2.UnsupportedProtocol: _plain(unreachable),
    httpcore2.ConnectionNotAvailable: _plain(unreachable),
    httpcore2.ProtocolError: _protocol,
    httpcore2.TimeoutException: _plain(stuck),
    httpcore2.NetworkError: _plain(cut),
    ssl.SSLError: _plain(cut),
}


@contextmanager
def typed_errors(name: str) -> Iterator[None]:
    """httpcore2's errors become the gateway's; *name* is the upstream's, for the message."""
    try:
        yield
    except tuple(_ERRORS) as error:
        for kind, make in _ERRORS.items():
            if isinstance(error, kind):
                raise make(name, error) from error
        raise
    except Exception as error:
        # h2 is an extra, so it cannot be named; httpcore2 lets its errors through while a body is read
        if type(error).__module__ == "h2.exceptions":
            raise malformed(name) from error
        raise
