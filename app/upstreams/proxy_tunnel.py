"""
The way through an HTTP or SOCKS5 proxy, for httpx2's pool.

Ours, since what the pool itself has for it waits without a bound for the proxy's answer, and keeps the socket and the
place in the pool when that answer is a refusal. The proxy resolves the upstream's name, so of reliability S7 the
proxy's own address is checked here, and an upstream that is given as an address.
"""

import socket
import ssl
from base64 import b64encode
from ipaddress import ip_address
from urllib.parse import unquote_to_bytes, urlsplit

import httpcore2
from pydantic import SecretStr

from app.protocol.headers import HeaderList
from app.upstreams.addresses import is_forbidden

_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
_MOST_HEAD_BYTES = 16 * 1024


class ProxyTunnel:
    """The proxy at *url*, `http`, `https`, `socks5` or `socks5h`, with user and password in it where it asks for them.

    *trust*: for TLS to the proxy itself.
    """

    __slots__ = ("_authorization", "_login", "_trust", "host", "port", "scheme")

    def __init__(self, url: SecretStr, trust: ssl.SSLContext) -> None:
        parts = urlsplit(url.get_secret_value())
        self.scheme = parts.scheme
        self.host = parts.hostname or ""
        self.port = parts.port or _PORTS[parts.scheme]
        self._trust = trust
        user, password = (
            unquote_to_bytes(parts.username or ""),
            unquote_to_bytes(parts.password or ""),
        )
        self._login = (user, password) if user or password else None
        self._authorization: HeaderList = []
        if self._login is not None:
            word = b"Basic " + b64encode(b"%b:%b" % self._login)
            self._authorization = [(b"proxy-authorization", word)]

    def forwarded(self, url: str, headers: HeaderList) -> tuple[httpcore2.URL, HeaderList] | None:
        """Where and with which fields a request for *url* is sent when the proxy is to repeat it; None: by a tunnel.

        Only unencrypted HTTP through an HTTP proxy is, as RFC 9112 3.2.2 wants it.
        """
        target = urlsplit(url)
        if target.scheme != "http" or self.scheme not in ("http", "https"):
            return None
        self.check(target.hostname or "")
        to = httpcore2.URL(
            scheme=self.scheme, host=self.host, port=self.port, target=url.encode("ascii")
        )
        return to, [*headers, *self._authorization]

    def check(self, host: str) -> None:
        """Raises ConnectError for a *host* that is spelt as a forbidden address, in whatever form."""
        try:
            rows = socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
        except OSError:
            return  # a name
        if any(is_forbidden(str(row[4][0])) for row in rows):
            raise httpcore2.ConnectError("no address of the upstream may be used")

    async def open(
        self, stream: httpcore2.AsyncNetworkStream, host: str, port: int
    ) -> httpcore2.AsyncNetworkStream:
        """*stream*, a fresh connection to the proxy, as one to *host*. Raises ProxyError, ReadError, WriteError."""
        if self.scheme in ("socks5", "socks5h"):
            await self._ask_socks(stream, host, port)
            return stream
        if self.scheme == "https":
            self._trust.set_alpn_protocols(["http/1.1"])
            stream = await stream.start_tls(self._trust, self.host)
        await self._ask_http(stream, f"[{host}]" if ":" in host else host, port)
        return stream

    async def _ask_http(self, stream: httpcore2.AsyncNetworkStream, host: str, port: int) -> None:
        target = f"{host}:{port}".encode("ascii")
        fields = b"".join([b"%b: %b\r\n" % pair for pair in self._authorization])
        await stream.write(b"CONNECT %b HTTP/1.1\r\nhost: %b\r\n%b\r\n" % (target, target, fields))
        head = b""
        while b"\r\n\r\n" not in head:
            data = await stream.read(_MOST_HEAD_BYTES)
            head += data
            if not data or len(head) > _MOST_HEAD_BYTES:
                raise httpcore2.ProxyError("the proxy's answer is not valid HTTP")
        status = head.split(b" ", 2)[1:2]
        # whoever is behind it speaks only when spoken to: bytes that are here already are the proxy's own
        if not status or not status[0].startswith(b"2") or not head.endswith(b"\r\n\r\n"):
            raise httpcore2.ProxyError("the proxy refused to connect")

    async def _ask_socks(self, stream: httpcore2.AsyncNetworkStream, host: str, port: int) -> None:
        """RFC 1928, and RFC 1929 for user and password."""
        method = 0 if self._login is None else 2
        await stream.write(bytes([5, 1, method]))
        if await _exactly(stream, 2) != bytes([5, method]):
            raise httpcore2.ProxyError("the proxy wants another way to log in")
        if self._login is not None:
            user, password = self._login
            await stream.write(bytes([1, len(user)]) + user + bytes([len(password)]) + password)
            if (await _exactly(stream, 2))[1] != 0:
                raise httpcore2.ProxyError("the proxy refused user or password")
        await stream.write(bytes([5, 1, 0]) + _socks_address(host) + port.to_bytes(2, "big"))
        version, reply, _, kind = await _exactly(stream, 4)
        if version != 5 or reply != 0:
            raise httpcore2.ProxyError("the proxy refused to connect")
        lengths = {1: 4, 4: 16}
        length = lengths[kind] if kind in lengths else (await _exactly(stream, 1))[0]
        await _exactly(stream, length + 2)


def _socks_address(host: str) -> bytes:
    try:
        address = ip_address(host)
    except ValueError:
        name = host.encode("ascii")
        return bytes([3, len(name)]) + name
    return bytes([1 if address.version == 4 else 4]) + address.packed


async def _exactly(stream: httpcore2.AsyncNetworkStream, count: int) -> bytes:
    found = b""
    while len(found) < count:
        data = await stream.read(count - len(found))
        if not data:
            raise httpcore2.ProxyError("the proxy closed the connection")
        found += data
    return found
