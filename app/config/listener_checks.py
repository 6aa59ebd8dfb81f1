"""Where the gateway listens: two listeners, two ports, which tell them apart (reliability S13)."""

from collections.abc import Iterator

from app.config.faults import Fault
from app.config.schema import ServerSection


def listener_faults(server: ServerSection) -> Iterator[Fault]:
    """Faults of `server.admin_host` and `server.admin_port`. Port 0 takes a free one, so it never collides."""
    if server.admin_port is None:
        if "admin_host" in server.model_fields_set:
            yield Fault(
                ("server", "admin_host"),
                "needs server.admin_port; without it the admin API stays on server.port",
            )
    elif server.admin_port == server.port != 0:
        yield Fault(
            ("server", "admin_port"),
            "is server.port; the two listeners are told apart by their ports, whatever their addresses: choose another,"
            " or take this key out",
        )
