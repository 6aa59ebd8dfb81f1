"""Which headers pass in which direction (contract B, C10; reliability S5; upstreams G2)."""

import pytest

from app.protocol.headers import client_key, header, names_for_upstream, response_headers

KEY = "sk-mg-0123456789"


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        pytest.param([], "", id="none"),
        pytest.param([(b"authorization", b"Bearer k1")], "k1", id="B1: bearer"),
        pytest.param([(b"authorization", b"bearer k1")], "k1", id="B1: the scheme in any case"),
        pytest.param([(b"authorization", b"BEARER   k1 ")], "k1", id="B1: blanks trimmed"),
        pytest.param([(b"x-api-key", b" k1 ")], "k1", id="B1: x-api-key"),
        pytest.param([(b"api-key", b"k1")], "k1", id="B1: api-key"),
        pytest.param([(b"authorization", b"Basic azE=")], "", id="another scheme is no key"),
        pytest.param([(b"authorization", b"k1")], "", id="no scheme is no key"),
        pytest.param([(b"authorization", b"Bearer")], "", id="a scheme alone"),
        pytest.param([(b"authorization", b"Bearer  ")], "", id="a scheme and blanks"),
        pytest.param([(b"x-api-key", b"  ")], "", id="blanks alone"),
        pytest.param([(b"cookie", b"api-key=k1")], "", id="a cookie is no carrier"),
        pytest.param([(b"proxy-authorization", b"Bearer k1")], "", id="nor the proxy's"),
        pytest.param([(b"x-goog-api-key", b"k1")], "", id="nor another vendor's"),
        pytest.param(
            [(b"api-key", b"k3"), (b"x-api-key", b"k2"), (b"authorization", b"Bearer k1")],
            "k1",
            id="B2: authorization before the others, whatever their order",
        ),
        pytest.param([(b"api-key", b"k3"), (b"x-api-key", b"k2")], "k2", id="B2: then x-api-key"),
        pytest.param(
            [(b"authorization", b"Bearer "), (b"x-api-key", b""), (b"api-key", b"k3")],
            "k3",
            id="B2: an empty one does not decide",
        ),
        pytest.param(
            [(b"authorization", b"Basic eA=="), (b"x-api-key", b"k2")],
            "k2",
            id="nor another scheme",
        ),
        pytest.param([(b"x-api-key", b"k\xe9")], "ké", id="B8: 8-bit bytes are no 500"),
    ],
)
def test_the_key_of_a_client(headers, key):
    assert key == client_key(headers)


CREDENTIALS = (
    *(b"authorization", b"proxy-authorization", b"x-api-key", b"api-key", b"x-goog-api-key"),
    *(b"xi-api-key", b"cookie", b"x-amz-security-token"),
)
ACCOUNTS = (b"openai-organization", b"openai-project", b"anthropic-beta", b"anthropic-version")
BELIEVED_BY_MINDS = (  # upstreams G2
    *(b"x-user-id", b"x-user-email", b"x-organization-id", b"x-company-id", b"x-user-roles"),
    b"x-billing-period-start",
)
OURS = (b"x-mindgate-upstream", b"x-request-id", b"x-client-request-id")
FRAMING = (
    *(b"host", b"content-length", b"transfer-encoding", b"connection", b"keep-alive", b"te"),
    *(b"trailer", b"upgrade", b"expect", b"content-encoding", b"accept-encoding"),
)
HARMLESS = (b"x-stainless-lang", b"referer", b"x-title", b"user-agent", b"origin", b"forwarded")


@pytest.mark.parametrize(
    "name", [*CREDENTIALS, *ACCOUNTS, *BELIEVED_BY_MINDS, *OURS, *FRAMING, *HARMLESS]
)
@pytest.mark.parametrize("openai_family", [True, False])
def test_a_client_header_that_is_not_named_stays_here(name, openai_family):
    assert name not in names_for_upstream(openai_family=openai_family)


def test_g2_what_passes_to_an_upstream():
    usual = {b"accept", b"idempotency-key"}

    assert usual == names_for_upstream(openai_family=False)
    assert usual | {b"openai-beta"} == names_for_upstream(openai_family=True)


@pytest.mark.parametrize(
    "name",
    [
        *(b"set-cookie", b"authorization", b"x-api-key", b"server", b"date", b"content-encoding"),
        *(b"transfer-encoding", b"content-length", b"connection", b"strict-transport-security"),
        *(b"x-request-id", b"cf-ray", b"x-mindgate-upstream", b"access-control-allow-origin"),
        *(b"openai-organization", b"location", b"retry-after", b"x-powered-by", b"via"),
    ],
)
def test_an_upstream_header_that_is_not_named_stays_here(name):
    assert response_headers([(name, b"value")]) == []


def test_c10_what_passes_to_a_client_with_repetitions():
    headers = [
        (b"openai-processing-ms", b"7"),
        (b"x-ratelimit-remaining-tokens", b"9"),
        (b"link", b"<a>"),
        (b"link", b"<b>"),
        (b"warning", b"299"),
    ]

    assert headers == response_headers(headers)


def test_a_header_is_found_by_name_the_first_one():
    assert header([(b"a", b"1"), (b"b", b"\xe9"), (b"b", b"3")], b"b") == "é"
    assert header([], b"b") is None
