"""httpcore2's errors become ours, each of them (style 4.7). What a sender does: `test_sender_contract`."""

import inspect
import ssl

import h2.exceptions
import httpcore2
import pytest

from app.domain.errors import (
    GatewayError,
    Overloaded,
    UpstreamDisconnected,
    UpstreamMalformed,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from app.upstreams.httpx_errors import typed_errors

# --- every error of the library has its row (style 4.7) -------------------------------------------------------------

PUBLIC_ERRORS = sorted(
    (
        kind
        for _, kind in inspect.getmembers(httpcore2, inspect.isclass)
        if issubclass(kind, Exception)
    ),
    key=lambda kind: kind.__name__,
)
MEANT = {
    httpcore2.ConnectError: (UpstreamUnreachable, "F44: nothing was sent"),
    httpcore2.ConnectTimeout: (UpstreamUnreachable, "F44: the connect deadline too"),
    httpcore2.ConnectionNotAvailable: (UpstreamUnreachable, "nothing was sent"),
    httpcore2.ProxyError: (UpstreamUnreachable, "nothing was sent"),
    httpcore2.UnsupportedProtocol: (UpstreamUnreachable, "nothing was sent"),
    httpcore2.PoolTimeout: (Overloaded, "F41: no slot became free"),
    httpcore2.ReadError: (UpstreamDisconnected, "F45: cut"),
    httpcore2.WriteError: (UpstreamDisconnected, "F45: cut"),
    httpcore2.NetworkError: (UpstreamDisconnected, "F45: cut"),
    httpcore2.ProtocolError: (UpstreamMalformed, "F45: no answer"),
    httpcore2.LocalProtocolError: (UpstreamMalformed, "F45: no answer"),
    httpcore2.RemoteProtocolError: (UpstreamMalformed, "F45: no answer"),
    httpcore2.ReadTimeout: (None, "either; never left as it is"),
    httpcore2.WriteTimeout: (UpstreamTimeout, "F48: a deadline passed once connected"),
    httpcore2.TimeoutException: (None, "either; never left as it is"),
}


def typed(error: Exception) -> GatewayError:
    with pytest.raises(GatewayError) as caught, typed_errors("up"):
        raise error
    return caught.value


@pytest.mark.parametrize("kind", PUBLIC_ERRORS, ids=lambda kind: kind.__name__)
def test_every_public_error_of_the_library_becomes_one_of_ours(kind):
    error = typed(kind("the library's words about http://10.0.0.1"))

    assert isinstance(error, GatewayError)
    assert "'up'" in error.message
    assert "10.0.0.1" not in error.message
    assert isinstance(error.__cause__, kind)


def test_no_public_error_is_missing_from_this_table():
    assert set(PUBLIC_ERRORS) == set(MEANT)


@pytest.mark.parametrize(
    ("kind", "ours"),
    [pytest.param(kind, ours, id=f"{kind.__name__}: {why}") for kind, (ours, why) in MEANT.items()],
)
def test_what_an_error_of_the_library_means(kind, ours):
    assert isinstance(typed(kind("words")), ours or GatewayError)


@pytest.mark.parametrize(
    "words",
    [
        "Server disconnected without sending a response.",
        "peer closed connection without sending complete message body (incomplete chunked read)",
        "peer unexpectedly closed connection",
        "<StreamReset stream_id:1, error_code:2, remote_reset:True>",
        "<ConnectionTerminated error_code:0, last_stream_id:1, additional_data:None>",
    ],
)
def test_a_cut_is_told_from_a_broken_answer_by_the_library_s_words(words):
    assert type(typed(httpcore2.RemoteProtocolError(words))) is UpstreamDisconnected


def test_tls_that_breaks_mid_way_is_a_cut():
    assert type(typed(ssl.SSLError("bad record"))) is UpstreamDisconnected


def test_h2_s_own_errors_are_broken_answers():
    """httpcore2 lets them through while a body is read."""
    assert type(typed(h2.exceptions.ProtocolError("words"))) is UpstreamMalformed


def test_what_is_not_the_library_s_passes():
    with pytest.raises(KeyError), typed_errors("up"):
        raise KeyError("ours")
