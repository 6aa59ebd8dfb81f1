"""Which listening addresses only this machine can reach (architecture 5, reliability S12)."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """True for `localhost`, 127.0.0.0/8 and `::1`, IPv4-mapped or in brackets too.

    Any other name is False, even if it resolves to a loopback address today: resolving would make the start
    rules depend on a name server. "" is False, since a server takes it for every address.
    """
    if host.lower() == "localhost":
        return True
    try:
        address = ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_loopback or (mapped is not None and mapped.is_loopback)
