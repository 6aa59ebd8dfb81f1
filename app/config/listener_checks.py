"""Where the gateway listens: two listeners, two ports (reliability S13)."""

from collections.abc import Iterator

from app.config.faults import Fault
from app.config.schema import ServerSection

_EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104 compared, never bound


def listener_faults(server: ServerSection) -> Iterator[Fault]:
    """Faults of `server.admin_host` and `server.admin_port`. Port 0 takes a free one, so it never collides."""
    if server.admin_port is None:
        if "admin_host" in server.model_fields_set:
            yield Fault(
                ("server", "admin_host"),
                "needs server.admin_port; without it the admin API stays on server.port",
            )
    elif server.admin_port == server.port != 0 and _overlap(server.host, server.admin_host):
        yield Fault(
            ("server", "admin_port"),
            "is server.port, and on the same address; choose another, or take this key out",
        )


def _overlap(one: str, other: str) -> bool:
    hosts = {"127.0.0.1" if host == "localhost" else host for host in (one, other)}
    return len(hosts) == 1 or bool(hosts & _EVERYWHERE)
