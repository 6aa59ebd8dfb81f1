"""Requests as bytes: prepared once, framed by their body, and nothing smuggled in."""

import pytest

from app.wire.requests import Origin, RequestHead, Upload, opening

HEAD = RequestHead("POST", "http://up.example:8000/v1/x?y=1", [(b"a", b"b")])


async def _pieces():
    yield b"piece"


@pytest.mark.parametrize(
    ("method", "body", "framing"),
    [
        pytest.param("POST", b"{}", b"content-length: 2\r\n", id="a body has its length"),
        pytest.param("POST", b"", b"content-length: 0\r\n", id="a POST has one without a body"),
        pytest.param("GET", b"", b"", id="a GET has none"),
        pytest.param("DELETE", b"", b"", id="a DELETE has none"),
        pytest.param("HEAD", b"", b"", id="a HEAD has none"),
        pytest.param("DELETE", b"{}", b"content-length: 2\r\n", id="but with a body it has"),
        pytest.param(
            "POST", Upload(_pieces(), 5), b"content-length: 5\r\n", id="an upload that knows its length"
        ),
        pytest.param(
            "POST", Upload(_pieces()), b"transfer-encoding: chunked\r\n", id="and one that does not"
        ),
    ],
)  # fmt: skip
def test_how_a_body_is_framed(method, body, framing):
    head = RequestHead(method, "http://up.example/", [])

    start = f"{method} / HTTP/1.1\r\nhost: up.example\r\n".encode()
    assert start + framing + b"\r\n" == opening(head, [], body)


def test_a_request_s_own_fields_follow_the_prepared_ones():
    expected = (
        b"POST /v1/x?y=1 HTTP/1.1\r\nhost: up.example:8000\r\na: b\r\nc: d\r\nc: e\r\n"
        b"content-length: 0\r\n\r\n"
    )

    assert expected == opening(HEAD, [(b"c", b"d"), (b"c", b"e")], b"")


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://up.example/x", Origin("http", "up.example", 80)),
        ("https://up.example/x", Origin("https", "up.example", 443)),
        ("https://Up.Example:8443", Origin("https", "up.example", 8443)),
        ("http://[::1]:8000/", Origin("http", "::1", 8000)),
    ],
)
def test_where_a_request_goes(url, origin):
    assert origin == RequestHead("GET", url, []).origin


@pytest.mark.parametrize("url", ["ftp://up.example/", "//up.example/", "/x", "http:///x", ""])
def test_an_address_that_is_no_http_url_is_refused(url):
    with pytest.raises(ValueError, match="URL"):
        RequestHead("GET", url, [])


@pytest.mark.parametrize(
    "pair", [(b"a", b"b\r\nc: d"), (b"a\r\nb", b"c"), (b"a", b"b\n"), (b"a", b"\r"), (b"a", b"\0")]
)
def test_a_field_that_holds_a_line_break_is_refused(pair):
    with pytest.raises(ValueError, match="line break"):
        RequestHead("GET", "http://up.example/", [pair])
    with pytest.raises(ValueError, match="line break"):
        opening(HEAD, [pair], b"")


@pytest.mark.parametrize("rest", ["/a b", "/a\x7fb", "/\u2028", "/ä", ":80 /", " b/", "/?q=a b"])
def test_an_address_that_would_break_the_request_line_is_refused(rest):
    with pytest.raises(ValueError, match=r"URL|codec|Port"):
        RequestHead("GET", f"http://up.example{rest}", [])


def test_its_repr_holds_no_secret():
    head = RequestHead("GET", "http://up.example/?key=secret", [(b"authorization", b"secret")])

    assert "secret" not in repr(head)
