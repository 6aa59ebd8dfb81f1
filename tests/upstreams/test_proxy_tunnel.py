"""An upstream behind a proxy: how it is asked, what S7 still holds for, and that no failure of it keeps anything."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from pydantic import SecretStr

from app.domain.configuration import Timeouts
from app.domain.errors import UpstreamDisconnected, UpstreamUnreachable
from app.upstreams.httpx_sender import HttpxSender
from app.upstreams.proxy_tunnel import ProxyTunnel
from app.wire.requests import Upload
from tests.fakes.certificates import server_tls, trust
from tests.fakes.proxies import proxying
from tests.fakes.scripted_upstream import SECONDS, End, Pause, head, scripted, whole
from tests.upstreams.both_senders import poured, read_all, request_of, sent

Through = Callable[..., HttpxSender]
LOGIN = "me:p@ss/word"
LIMITS = Timeouts(connect_seconds=SECONDS, pool_wait_seconds=0.05)
QUOTED = "me:p%40ss%2Fword"


@pytest.fixture
async def through() -> AsyncIterator[Through]:
    """Makes a sender behind the proxy at a URL."""
    made: list[HttpxSender] = []

    def make(url: str, timeouts: Timeouts = LIMITS) -> HttpxSender:
        made.append(
            HttpxSender(
                "up",
                timeouts,
                max_connections=1,
                keepalive_seconds=30,
                max_connection_age_seconds=300,
                ssl_context=trust(),
                proxy=SecretStr(url),
            )
        )
        return made[-1]

    yield make
    for sender in made:
        await sender.aclose()


@pytest.fixture
async def encrypted():
    async with scripted(server_tls()) as one:
        yield one


# --- each kind of proxy ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("login", [None, LOGIN])
async def test_an_http_proxy_is_asked_to_forward_plain_requests(upstream, through, login):
    async with proxying(login=login) as proxy:
        upstream.tell(whole(b"{}"))
        sender = through(f"http://{QUOTED + '@' if login else ''}127.0.0.1:{proxy.port}")

        for _ in range(2):
            assert (200, b"{}") == await read_all(sender, request_of(upstream))

        assert [f"POST {upstream.url}/x?y=1"] == proxy.asked
        assert "/v1/x?y=1" == upstream.seen[0].target
        assert f"127.0.0.1:{upstream.port}" == upstream.seen[0].header("host")


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks5h"])
@pytest.mark.parametrize("login", [None, LOGIN])
async def test_a_tunnel_leads_to_the_upstream_and_its_certificate(
    encrypted, through, scheme, login
):
    async with proxying(login=login) as proxy:
        encrypted.tell(whole(b"{}"))
        sender = through(f"{scheme}://{QUOTED + '@' if login else ''}127.0.0.1:{proxy.port}")

        for _ in range(2):
            assert (200, b"{}") == await poured(sender, request_of(encrypted))

        word = "SOCKS" if scheme.startswith("socks") else "CONNECT"
        assert [f"{word} localhost:{encrypted.port}"] == proxy.asked
        assert encrypted.seen[0].header("proxy-authorization") is None


async def test_a_socks_proxy_leads_to_a_plain_upstream_too(upstream, through):
    async with proxying() as proxy:
        upstream.tell(whole(b"{}"))
        sender = through(f"socks5://127.0.0.1:{proxy.port}")

        assert (200, b"{}") == await read_all(sender, request_of(upstream))
        assert [f"SOCKS 127.0.0.1:{upstream.port}"] == proxy.asked


@pytest.mark.parametrize("is_encrypted", [True, False])
async def test_the_way_to_the_proxy_may_be_tls(upstream, encrypted, through, is_encrypted):
    async with proxying(server_tls()) as proxy:
        origin = encrypted if is_encrypted else upstream
        origin.tell(whole(b"{}"))
        sender = through(f"https://localhost:{proxy.port}")

        assert (200, b"{}") == await read_all(sender, request_of(origin))
        assert 1 == len(proxy.asked)


async def test_the_proxy_resolves_the_name(upstream, through):
    """No look-up leaves this machine, so a name that only the proxy knows is one."""
    async with proxying() as proxy:
        proxy.leads_to = ("127.0.0.1", upstream.port)
        upstream.tell(whole(b"{}"))
        sender = through(f"socks5://127.0.0.1:{proxy.port}")

        assert (200, b"{}") == await read_all(sender, request_of("http://inside.invalid:81/"))
        assert ["SOCKS inside.invalid:81"] == proxy.asked


async def test_an_upload_goes_through_a_tunnel_until_it_is_answered(encrypted, through):
    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"
        await asyncio.Event().wait()

    async with proxying() as proxy:
        encrypted.answers_heads = True
        encrypted.tell(whole(b"{}", 413))
        sender = through(f"http://127.0.0.1:{proxy.port}")

        request = request_of(encrypted, body=Upload(pieces()))

        assert (413, b"{}") == await read_all(sender, request)


# --- what goes wrong ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["http", "socks5"])
@pytest.mark.parametrize("given", ["", "me:wrong@"])
async def test_a_proxy_that_refuses_the_login_is_unreachable(encrypted, through, scheme, given):
    async with proxying(login=LOGIN) as proxy:
        sender = through(f"{scheme}://{given}127.0.0.1:{proxy.port}")

        for _ in range(3):  # and none of them keeps a place in the pool
            with pytest.raises(UpstreamUnreachable) as caught:
                await sent(sender, request_of(encrypted))
            assert "wrong" not in repr(caught.value.__cause__)

        assert [] == encrypted.seen


async def test_a_forwarding_proxy_that_refuses_the_login_is_unreachable(upstream, through):
    async with proxying(login=LOGIN) as proxy:
        sender = through(f"http://127.0.0.1:{proxy.port}")

        with pytest.raises(UpstreamUnreachable):
            await sent(sender, request_of(upstream))


@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
async def test_a_proxy_where_nobody_listens_is_unreachable(encrypted, through, scheme):
    with pytest.raises(UpstreamUnreachable):
        await sent(through(f"{scheme}://127.0.0.1:1"), request_of(encrypted))


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_certificate_is_checked_behind_a_proxy(through, scheme):
    async with proxying() as proxy, scripted(server_tls("elsewhere.example")) as encrypted:
        sender = through(f"{scheme}://127.0.0.1:{proxy.port}")

        for _ in range(3):
            with pytest.raises(UpstreamUnreachable):
                await sent(sender, request_of(encrypted))


async def test_the_proxy_s_own_certificate_is_checked(encrypted, through):
    async with proxying(server_tls("elsewhere.example")) as proxy:
        with pytest.raises(UpstreamUnreachable):
            await sent(through(f"https://localhost:{proxy.port}"), request_of(encrypted))


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([head(502, {"content-length": "0"})], id="502"),
        pytest.param([b"HTTP/1.1 200"], id="half a head, then closed"),
        pytest.param([head(200) + b"\x15\x03\x01"], id="bytes behind its head"),
        pytest.param([head(200, {"a": "b" * 20_000})], id="a head without measure"),
        pytest.param([b"nonsense\r\n\r\n"], id="no HTTP"),
        pytest.param([], id="nothing"),
    ],
)
async def test_a_proxy_that_talks_nonsense_is_unreachable(upstream, through, script):
    upstream.tell(*script, Pause(0.01), End.CLOSE)
    sender = through(f"http://127.0.0.1:{upstream.port}")

    for _ in range(3):
        with pytest.raises(UpstreamUnreachable):
            await sent(sender, request_of("https://inside.invalid/"))

    await upstream.all_gone()


@pytest.mark.parametrize(
    "greeting",
    [b"\x05", b"\x05\xff", b"\x04\x00", b"HTTP/1.1 400 Bad\r\n\r\n", b"\x05\x00\x05\x02\x00\x01"],
)
async def test_a_socks_proxy_that_talks_nonsense_is_unreachable(upstream, through, greeting):
    upstream.greeting = [greeting, Pause(0.01), End.CLOSE]
    sender = through(f"socks5://127.0.0.1:{upstream.port}")

    for _ in range(3):
        with pytest.raises(UpstreamUnreachable):
            await sent(sender, request_of("https://inside.invalid/"))

    await upstream.all_gone()


@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
async def test_the_way_through_a_proxy_must_be_open_in_time(upstream, through, scheme):
    upstream.tell(End.HOLD)
    limits = Timeouts(connect_seconds=0.05)
    sender = through(f"{scheme}://127.0.0.1:{upstream.port}", limits)

    with pytest.raises(UpstreamUnreachable):
        await sent(sender, request_of("https://inside.invalid/"))

    await upstream.all_gone()


@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
async def test_cancelled_on_the_way_through_the_proxy_sees_the_close(upstream, through, scheme):
    upstream.tell(End.HOLD)
    sender = through(f"{scheme}://127.0.0.1:{upstream.port}")
    task = asyncio.ensure_future(sender.send(request_of("https://inside.invalid/")))
    await upstream.opened.wait()
    await asyncio.sleep(0.01)

    task.cancel()
    await asyncio.wait({task})

    assert task.cancelled()
    async with asyncio.timeout(0.25):
        await upstream.all_gone()


async def test_a_tunnel_that_breaks_is_a_cut(encrypted, through):
    async with proxying() as proxy:
        encrypted.tell(head(200, {"content-length": "9"}) + b"{}", End.CLOSE)

        with pytest.raises(UpstreamDisconnected):
            await read_all(through(f"http://127.0.0.1:{proxy.port}"), request_of(encrypted))


# --- addresses (reliability S7) -------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["169.254.169.254", "[fe80::1]", "[::ffff:a9fe:a9fe]"])
async def test_s7_a_proxy_at_a_forbidden_address_is_unreachable(encrypted, through, address):
    with pytest.raises(UpstreamUnreachable):
        await sent(through(f"http://{address}:3128"), request_of(encrypted))


@pytest.mark.parametrize("scheme", ["http", "socks5"])
@pytest.mark.parametrize("host", ["169.254.169.254", "2852039166", "0xa9fea9fe", "[fe80::1]"])
@pytest.mark.parametrize("origin", ["http", "https"])
async def test_s7_no_proxy_is_asked_for_a_forbidden_address(through, scheme, host, origin):
    async with proxying() as proxy:
        sender = through(f"{scheme}://127.0.0.1:{proxy.port}")

        with pytest.raises(UpstreamUnreachable):
            await sent(sender, request_of(f"{origin}://{host}/latest"))

        assert [] == proxy.asked


def test_a_proxy_s_password_is_not_shown():
    assert "word" not in repr(ProxyTunnel(SecretStr(f"http://{QUOTED}@127.0.0.1"), trust()))


async def test_no_proxy_is_taken_from_the_environment(upstream, make, monkeypatch):
    async with proxying() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        upstream.tell(whole(b"{}"))

        await read_all(make(), request_of(upstream))

        assert 0 == proxy.connections
