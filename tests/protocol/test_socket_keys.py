"""Where the key of a websocket's client stands (upstreams N11; contract B1, B2)."""

import pytest

from app.access.authenticator import OpenDoor
from app.domain.errors import PermissionDenied
from app.protocol.headers import client_key
from app.protocol.socket_keys import with_query_key


@pytest.mark.parametrize(
    ("headers", "query", "key"),
    [
        pytest.param([], "api_key=sk-1", "sk-1", id="in the query"),
        pytest.param([], "model=m&api_key=sk-1", "sk-1", id="among others"),
        pytest.param([], "%61pi_key=sk%2D1", "sk-1", id="encoded"),
        pytest.param(
            [], "api_key=&api_key=sk-1", "sk-1", id="the first that is none is passed over"
        ),
        pytest.param([], "api_key=sk-1&api_key=sk-2", "sk-1", id="the first"),
        pytest.param([], "key=sk-1", "", id="in no other parameter"),
        pytest.param([], "", "", id="nowhere"),
        pytest.param([(b"x-api-key", b"sk-h")], "api_key=sk-1", "sk-h", id="a header wins"),
        pytest.param(
            [(b"authorization", b"Bearer sk-h")], "api_key=sk-1", "sk-h", id="whichever header"
        ),
        pytest.param([(b"x-api-key", b" ")], "api_key=sk-1", "sk-1", id="an empty one does not"),
    ],
)
def test_a_websocket_s_key(headers, query, key):
    assert key == client_key(with_query_key(headers, query))


def test_a_foreign_page_opens_no_socket_of_a_gateway_without_keys():
    """A browser sends its page's origin with every handshake, and nothing takes it away."""
    handshake = [
        (b"host", b"127.0.0.1:8080"),
        (b"origin", b"https://evil.example"),
        (b"upgrade", b"websocket"),
        (b"connection", b"Upgrade"),
    ]

    with pytest.raises(PermissionDenied):
        OpenDoor(()).authenticate(with_query_key(handshake, "api_key=anything"))
