"""Where a websocket is and what opens it: the upstream's key, and never a client's (upstreams N3, N11; contract B5)."""

import pytest
from pydantic import SecretStr

from app.domain.configuration import Credential
from app.upstreams.socket_addresses import socket_address, socket_base, socket_url
from tests.fakes.upstreams import UPSTREAM_KEY, VERSION, upstream_of

URL = "wss://api.openmind.org/api/core/google/asr"


def test_openmind_wants_its_key_in_the_query_and_nowhere_else():
    address = socket_address(upstream_of("openmind"), URL, request_id="req_1")

    assert f"{URL}?api_key={UPSTREAM_KEY}" == address.url
    assert [
        (b"user-agent", f"Mozilla/5.0 (compatible; Mindgate/{VERSION})".encode()),
        (b"x-request-id", b"req_1"),
    ] == address.fields


def test_the_others_want_it_where_http_has_it():
    address = socket_address(
        upstream_of("openai"), "https://host.test/v1/realtime", query="model=m"
    )

    assert "wss://host.test/v1/realtime?model=m" == address.url
    assert (b"authorization", f"Bearer {UPSTREAM_KEY}".encode()) in address.fields


@pytest.mark.parametrize(
    ("query", "sent"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param("api_key=sk-mine", "", id="the client's key"),
        pytest.param("key=sk-mine&model=chirp_3", "model=chirp_3&", id="in either name"),
        pytest.param("%61pi_key=sk-mine", "", id="its name encoded"),
        pytest.param("api_key=sk-mine&api_key=again", "", id="twice"),
        pytest.param(
            "API_KEY=sk-mine&apikey=x&api-key=y&access_token=z&api_key[]=w",
            "",
            id="in names much like it",
        ),
        pytest.param("model=latest_long&x=a%20b", "model=latest_long&x=a%20b&", id="the rest"),
    ],
)
def test_n11_a_client_s_key_is_replaced(query, sent):
    address = socket_address(upstream_of("openmind"), URL, query=query)

    assert f"{URL}?{sent}api_key={UPSTREAM_KEY}" == address.url


def test_a_key_is_encoded():
    upstream = upstream_of("openmind", api_key=SecretStr("a&b=c d/e"))

    assert f"{URL}?api_key=a%26b%3Dc%20d%2Fe" == socket_address(upstream, URL).url


def test_without_a_key_none_is_made_up():
    assert URL == socket_address(upstream_of("openmind", api_key=None), URL).url


def test_the_entry_s_own_headers_and_query_go_along():
    upstream = upstream_of(
        "openmind",
        headers={"X-Site": "lab"},
        query={"region": "eu"},
        credential=Credential("authorization", "Bearer"),
    )
    address = socket_address(upstream, URL)

    assert f"{URL}?region=eu&api_key={UPSTREAM_KEY}" == address.url
    assert (b"x-site", b"lab") in address.fields
    assert b"authorization" not in dict(address.fields)


def test_s22_its_repr_shows_no_secret():
    assert UPSTREAM_KEY not in repr(socket_address(upstream_of("openmind"), URL))


@pytest.mark.parametrize(
    ("fields", "base"),
    [
        pytest.param({}, "wss://api.openmind.org/api/core", id="the base URL's"),
        pytest.param({"base_url": "http://127.0.0.1:1/x/"}, "ws://127.0.0.1:1/x", id="without TLS"),
        pytest.param({"websocket_base": "wss://ws.test/"}, "wss://ws.test", id="one of its own"),
    ],
)
def test_n3_where_sockets_stand(fields, base):
    assert base == socket_base(upstream_of("openmind", **fields))


@pytest.mark.parametrize(
    ("url", "expected"),
    [("http://a/b", "ws://a/b"), ("https://a", "wss://a"), ("ws://a/", "ws://a/"), ("wss://a", "wss://a")],
)  # fmt: skip
def test_a_url_as_a_websocket_s(url, expected):
    assert expected == socket_url(url)
