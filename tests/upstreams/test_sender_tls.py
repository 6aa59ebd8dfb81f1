"""TLS as both senders speak it: certificates and names are checked, and the name is said."""

import asyncio
import ssl

import pytest

from app.domain.errors import GatewayError, UpstreamDisconnected, UpstreamUnreachable
from app.wire.requests import Upload
from tests.fakes.certificates import server_tls, trust
from tests.fakes.scripted_upstream import LAST_CHUNK, End, chunked, scripted, sse_head, whole
from tests.upstreams.both_senders import TAKEN, TRUST, read_all, request_of, sent

LARGE = bytes(range(256)) * 16_384  # 4 MiB


@pytest.fixture
async def encrypted():
    async with scripted(server_tls()) as one:
        yield one


@pytest.mark.parametrize("way", sorted(TAKEN))
async def test_an_answer_comes_through_tls(encrypted, make, way):
    sender = make(ssl_context=trust())
    encrypted.tell(sse_head() + chunked(b"one") + chunked(b"two") + LAST_CHUNK)

    assert (200, b"onetwo") == await TAKEN[way](sender, request_of(encrypted))


async def test_large_bodies_go_both_ways_through_tls(encrypted, make):
    sender = make(ssl_context=trust())
    encrypted.tell(whole(LARGE))

    assert (200, LARGE) == await read_all(sender, request_of(encrypted, body=LARGE))

    assert LARGE == encrypted.seen[0].body


async def test_an_upload_goes_through_tls(encrypted, make):
    async def pieces():
        for _ in range(16):
            yield LARGE[: 64 * 1024]

    sender = make(ssl_context=trust())
    encrypted.tell(whole(b"{}"))

    await read_all(sender, request_of(encrypted, body=Upload(pieces())))

    assert 1024 * 1024 == len(encrypted.seen[0].body)


async def test_an_answer_before_an_upload_s_end_comes_through_tls(encrypted, make):
    async def pieces():
        yield b"a"
        await asyncio.Event().wait()

    sender = make(ssl_context=trust())
    encrypted.answers_heads = True
    encrypted.tell(whole(b"{}", 413))

    assert (413, b"{}") == await read_all(sender, request_of(encrypted, body=Upload(pieces())))


async def test_a_tls_connection_is_used_again(encrypted, make):
    sender = make(ssl_context=trust())
    encrypted.tell(whole(b"{}"))

    for _ in range(3):
        await read_all(sender, request_of(encrypted))

    assert 1 == encrypted.connections


async def test_the_name_is_said(make):
    said: list[str | None] = []
    tls = server_tls()
    tls.sni_callback = lambda _, name, __: said.append(name)
    async with scripted(tls) as encrypted:
        encrypted.tell(whole(b"{}"))

        await read_all(make(ssl_context=trust()), request_of(encrypted))

    assert ["localhost"] == said


async def test_an_address_may_be_certified_too(encrypted, make):
    sender = make(ssl_context=trust())
    encrypted.tell(whole(b"{}"))

    request = request_of(f"https://127.0.0.1:{encrypted.port}/")

    assert (200, b"{}") == await read_all(sender, request)


def old() -> ssl.SSLContext:
    tls = server_tls()
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    return tls


@pytest.mark.parametrize(
    ("tls", "trusted"),
    [
        pytest.param(server_tls("elsewhere.example"), trust(), id="another name"),
        pytest.param(server_tls(by="theirs"), trust(), id="another authority"),
        pytest.param(server_tls(), TRUST, id="an authority the machine does not know"),
    ],
)
async def test_a_certificate_that_is_not_theirs_is_refused(make, tls, trusted):
    async with scripted(tls) as encrypted:
        encrypted.tell(whole(b"{}"))

        with pytest.raises(UpstreamUnreachable):
            await sent(make(ssl_context=trusted), request_of(encrypted))

        await encrypted.all_gone()
        assert [] == encrypted.seen


async def test_tls_towards_a_server_without_it_is_unreachable(upstream, sender):
    upstream.greeting = [b"HTTP/1.1 400 Bad Request\r\n\r\n", End.CLOSE]

    with pytest.raises(UpstreamUnreachable):
        await sent(sender, request_of(f"https://127.0.0.1:{upstream.port}/", "GET"))


@pytest.mark.parametrize("end", [End.CLOSE, End.RESET])
async def test_a_server_that_leaves_in_the_handshake_is_unreachable(upstream, sender, end):
    upstream.greeting = [end]

    with pytest.raises(UpstreamUnreachable):
        await sent(sender, request_of(f"https://127.0.0.1:{upstream.port}/", "GET"))


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([End.CLOSE], id="before the head"),
        pytest.param([sse_head() + chunked(b"one"), End.CLOSE], id="mid-way"),
        pytest.param([sse_head() + chunked(b"one"), End.RESET], id="reset mid-way"),
    ],
)
@pytest.mark.parametrize("way", sorted(TAKEN))
async def test_a_cut_is_a_cut_through_tls(encrypted, make, script, way):
    encrypted.tell(*script)

    with pytest.raises(UpstreamDisconnected):
        await TAKEN[way](make(ssl_context=trust()), request_of(encrypted))


async def test_given_up_mid_body_the_upstream_sees_the_close_through_tls(encrypted, make):
    encrypted.tell(sse_head() + chunked(b"one"), End.HOLD)
    response = await sent(make(ssl_context=trust()), request_of(encrypted))

    await response.aclose()

    async with asyncio.timeout(0.25):
        await encrypted.all_gone()


async def test_an_older_tls_is_spoken_where_it_is_still_safe(make):
    async with scripted(old()) as encrypted:
        encrypted.tell(whole(b"{}"))

        assert (200, b"{}") == await read_all(make(ssl_context=trust()), request_of(encrypted))


async def test_a_client_s_hello_in_a_plain_port_is_no_request(upstream, make):
    """The other way round: our plain request at a TLS port."""
    async with scripted(server_tls()) as encrypted:
        with pytest.raises(GatewayError):
            await read_all(make(), request_of(f"http://127.0.0.1:{encrypted.port}/", "GET"))
