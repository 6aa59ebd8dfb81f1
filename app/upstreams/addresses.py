"""
Addresses that no upstream may have (reliability S7): link-local ones, where clouds keep their metadata services.

Checked on the resolved address, at connect, so that neither a name, nor a decimal or octal spelling, nor a DNS answer
that changes gets around it.
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

# NAT64, NAT64 of a network's own, IPv4-translated, IPv4-compatible: the last four bytes are the IPv4 address
_EMBEDDING: Final = tuple(
    map(IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96", "::/96"))
)
_METADATA: Final = frozenset(
    map(
        ip_address,
        ("100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254"),
    )
)


def is_forbidden(address: str) -> bool:
    """True for a link-local, metadata, multicast or unspecified address, however it is wrapped."""
    found = _unwrapped(ip_address(address.partition("%")[0]))
    return found.is_link_local or found.is_multicast or found.is_unspecified or found in _METADATA


def _unwrapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if any(address in network for network in _EMBEDDING):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address
