"""CORS, only for pages of origins the operator named (contract C14, C15)."""

import pytest

from app.edge.cors import cors_headers, is_preflight, preflight_headers

PAGE = "https://app.example"
ORIGIN = [(b"origin", PAGE.encode())]


@pytest.mark.parametrize(
    ("headers", "origins", "is_allowed"),
    [
        pytest.param(ORIGIN, (), False, id="nobody was named"),
        pytest.param([], (PAGE,), False, id="no page"),
        pytest.param(ORIGIN, (PAGE,), True, id="the page that was named"),
        pytest.param(ORIGIN, ("https://other.example", PAGE), True, id="one of several"),
        pytest.param(ORIGIN, ("*",), True, id="any page"),
        pytest.param(
            [(b"origin", b"https://app.example.evil")], (PAGE,), False, id="a longer name"
        ),
        pytest.param([(b"origin", b"http://app.example")], (PAGE,), False, id="another scheme"),
        pytest.param([(b"origin", b"null")], (PAGE,), False, id="a page without an origin"),
    ],
)
def test_who_gets_cors_headers(headers, origins, is_allowed):
    assert is_allowed is bool(cors_headers(headers, origins))


def test_c14_the_origin_is_named_and_caches_are_told():
    fields = dict(cors_headers(ORIGIN, ("*",)))

    assert (PAGE.encode(), b"origin") == (fields[b"access-control-allow-origin"], fields[b"vary"])
    assert b"access-control-allow-credentials" not in fields
    exposed = fields[b"access-control-expose-headers"].decode().split(", ")
    assert {"x-request-id", "retry-after", "x-mindgate-upstream", "x-mindgate-dropped"} <= set(
        exposed
    )


@pytest.mark.parametrize(
    ("method", "headers", "is_one"),
    [
        ("OPTIONS", [(b"access-control-request-method", b"POST")], True),
        ("OPTIONS", [], False),
        ("POST", [(b"access-control-request-method", b"POST")], False),
    ],
)
def test_what_a_preflight_is(method, headers, is_one):
    assert is_one is is_preflight(method, headers)


@pytest.mark.parametrize(
    ("wanted", "allowed"),
    [
        ("Authorization, Content-Type", "authorization, content-type"),
        ("x-stainless-os,x-stainless-lang", "x-stainless-os, x-stainless-lang"),
        ("x-api-key, x-mindgate-upstream, openai-beta", "x-api-key, x-mindgate-upstream, openai-beta"),
        ("x-evil, authorization", "authorization"),
        ("x-evil\r\nset-cookie: a", ""),
        ("*", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_c15_headers_are_allowed_by_name(wanted, allowed):
    headers = [(b"access-control-request-headers", wanted.encode())]

    fields = dict(preflight_headers(headers))

    assert allowed == fields[b"access-control-allow-headers"].decode()
    assert fields[b"access-control-allow-methods"] == b"GET, POST, DELETE, OPTIONS"
