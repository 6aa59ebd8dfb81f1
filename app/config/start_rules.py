"""When the gateway must not start: others could reach it, and nobody would need a key (architecture 5, S12)."""

from collections.abc import Iterator

from app.config.faults import Fault
from app.config.key_checks import HOW_TO_MAKE_ONE
from app.domain.addresses import is_loopback
from app.domain.configuration import Configuration


def start_faults(configuration: Configuration) -> Iterator[Fault]:
    """What forbids to serve with *configuration*; nothing for what is safe.

    On a loopback address no key is needed: the composition root makes one where nobody else can.
    """
    server = configuration.server
    if configuration.auth_mode == "none":
        if not is_loopback(server.host):
            yield Fault(
                ("auth", "mode"),
                "none works on a loopback address only, and others can reach server.host;"
                " set it to keys, or server.host to 127.0.0.1",
            )
        if "*" in server.cors_origins:
            yield Fault(
                ("server", "cors_origins"),
                "must not be * with auth.mode none: any web page could spend your money",
            )
    elif not _can_have_keys(configuration) and not is_loopback(server.host):
        through_admin = (
            ", or set MINDGATE_ADMIN_KEY and make keys with it" if configuration.storage else ""
        )
        yield Fault(
            ("server", "host"),
            "others can reach this address, and there is no key; add an entry with name and key"
            f" under keys:, or set MINDGATE_KEYS{through_admin}; {HOW_TO_MAKE_ONE}",
        )


def _can_have_keys(configuration: Configuration) -> bool:
    """There is a key, or somebody who can make one that is kept."""
    can_make = configuration.admin_key is not None and configuration.storage is not None
    return bool(configuration.keys) or can_make
