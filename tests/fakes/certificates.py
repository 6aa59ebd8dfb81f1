"""Certificates of the tests' own, for both ends of TLS on a loopback address."""

import ssl
from functools import cache

import trustme


@cache
def authority(name: str = "ours") -> trustme.CA:
    """An authority; what it signs is trusted by whoever has its `trust`."""
    return trustme.CA(organization_name=name)


def trust(name: str = "ours") -> ssl.SSLContext:
    """A client's context that trusts that authority alone, and checks names."""
    context = ssl.create_default_context()
    context.load_verify_locations(cadata=authority(name).cert_pem.bytes().decode())
    return context


def server_tls(*names: str, by: str = "ours") -> ssl.SSLContext:
    """A server's context with a certificate for *names*, signed *by* that authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority(by).issue_cert(*(names or ("localhost", "127.0.0.1"))).configure_cert(context)
    return context
