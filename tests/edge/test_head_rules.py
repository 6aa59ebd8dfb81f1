"""What a head is refused for (reliability S1 to S4, F4; contract A13)."""

import httptools
import pytest

from app.domain.errors import ClientError, HeadersTooLarge, InvalidRequest
from app.edge.head_rules import (
    MAX_HEADER_BYTES,
    check_framing,
    check_size,
    fields_by_name,
    is_host,
    read_target,
    refusal,
    without_underscores,
)

HOST = (b"host", b"a.example")


@pytest.mark.parametrize(
    ("url", "path", "plain_path", "query"),
    [
        pytest.param(b"/v1/models", "/v1/models", "/v1/models", "", id="a path"),
        pytest.param(b"/a?b=c?d", "/a", "/a", "b=c?d", id="a query, at the first mark"),
        pytest.param(b"/a%2Fb%20c", "/a%2Fb%20c", "/a/b c", "", id="as it came, and decoded (F8)"),
        pytest.param(b"//a//", "//a//", "//a//", "", id="slashes stay"),
        pytest.param(b"http://a.example/v1?x", "/v1", "/v1", "x", id="absolute"),
        pytest.param(b"HTTPS://a.example", "/", "/", "", id="absolute, no path"),
        pytest.param(b"http://a.example?x=/y", "/", "/", "x=/y", id="absolute, a query alone"),
        pytest.param(b"*", "*", "*", "", id="an OPTIONS of everything"),
    ],
)
def test_a_target_is_read(url, path, plain_path, query):
    target = read_target(url)

    assert (path, plain_path, query) == (target.path, target.plain_path, target.query)
    assert (path.encode(), query.encode()) == (target.raw_path, target.raw_query)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param(b"/a#b", id="S4: a fragment"),
        pytest.param(b"http://a.example/#b", id="S4: a fragment, absolute"),
        pytest.param(b"a.example:443", id="an authority"),
        pytest.param(b"ftp://a.example/", id="another scheme"),
        pytest.param(b"v1/models", id="no slash"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_a_target_that_is_none_is_refused(url):
    with pytest.raises(InvalidRequest):
        read_target(url)


@pytest.mark.parametrize(
    "host",
    [b"a", b"a.example", b"127.0.0.1:8080", b"[::1]:8080", b"[::1]", b"A_b~c", b"a:", b"%41"],
)
def test_s1_what_a_host_is(host):
    assert is_host(host)


@pytest.mark.parametrize(
    "host",
    [b"", b"a/x?y=", b"a b", b"a@b", b"a,b/", b"a:b", b"a:1:2", b"[::1", b"::1", b"a#", b"\xe9"],
)
def test_s1_what_no_host_is(host):
    assert not is_host(host)


@pytest.mark.parametrize(
    ("version", "fields", "url"),
    [
        pytest.param("1.1", [HOST], b"/", id="1.1 with its Host"),
        pytest.param("1.0", [], b"/", id="S1: 1.0 may lack it"),
        pytest.param("1.1", [HOST, (b"transfer-encoding", b"chunked")], b"/", id="chunked"),
        pytest.param("1.1", [HOST, (b"transfer-encoding", b"Chunked")], b"/", id="in any case"),
        pytest.param("1.1", [HOST], b"http://A.example/", id="absolute, the same host"),
        pytest.param("1.0", [], b"http://a.example/", id="absolute, no Host"),
    ],
)
def test_what_is_understood_in_one_way_passes(version, fields, url):
    check(version, fields, url)


@pytest.mark.parametrize(
    ("version", "fields", "url"),
    [
        pytest.param("0.9", [], b"/", id="F6: HTTP/0.9"),
        pytest.param("2.0", [HOST], b"/", id="F4: HTTP/2.0"),
        pytest.param("1.1", [], b"/", id="S1: no Host"),
        pytest.param("1.1", [(b"host", b"")], b"/", id="S1: an empty Host"),
        pytest.param("1.0", [(b"host", b"a/b")], b"/", id="S1: no host, on 1.0 neither"),
        pytest.param("1.0", [HOST, (b"transfer-encoding", b"chunked")], b"/", id="S2: coded 1.0"),
        pytest.param("1.1", [HOST, (b"transfer-encoding", b"gzip, chunked")], b"/", id="S2: gzip"),
        pytest.param("1.1", [HOST, (b"transfer-encoding", b"identity")], b"/", id="S2: identity"),
        pytest.param("1.1", [HOST, (b"transfer-encoding", b"")], b"/", id="S2: none"),
        pytest.param("1.1", [HOST], b"http://b.example/", id="two hosts in one request"),
        pytest.param("1.1", [HOST], b"http://u@a.example/", id="a user in the address"),
    ],
)
def test_what_two_readers_could_understand_in_two_ways_is_refused(version, fields, url):
    for _ in range(2):  # what was refused once is refused again
        with pytest.raises(InvalidRequest):
            check(version, fields, url)


def check(version, fields, url):
    named = fields_by_name(fields)
    coding, host = named.get(b"transfer-encoding"), named.get(b"host")
    check_framing(version, coding, host, read_target(url).authority)


def test_s1_two_hosts_are_refused_even_equal_ones():
    with pytest.raises(InvalidRequest):
        fields_by_name([HOST, (b"a", b"1"), HOST])


def test_of_a_repeated_field_the_first_counts():
    assert {b"a": b"1", b"b": b"3"} == fields_by_name([(b"a", b"1"), (b"a", b"2"), (b"b", b"3")])


def test_s3_a_name_with_an_underscore_is_dropped():
    assert [HOST] == without_underscores([(b"x_api_key", b"1"), HOST, (b"_", b"2")])


@pytest.mark.parametrize(("spare", "is_refused"), [(0, False), (-1, True)])
def test_a13_the_block_is_measured_to_the_byte(spare, is_refused):
    fields = [(b"a", b"v" * (MAX_HEADER_BYTES - 5 - 6 - spare)), (b"b", b"1")]

    if is_refused:
        with pytest.raises(HeadersTooLarge):
            check_size(fields)
    else:
        check_size(fields)


def test_a_defect_of_ours_is_no_refusal():
    error = httptools.HttpParserCallbackError("a callback failed")
    error.__context__ = ZeroDivisionError()

    with pytest.raises(httptools.HttpParserCallbackError):
        refusal(error)
    assert isinstance(refusal(httptools.HttpParserError("bad")), ClientError)
