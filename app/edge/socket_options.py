"""What the kernel is told about a client's socket."""

import asyncio
import socket

UNSENT_BYTES = 64 * 1024


def bound_kernel(transport: asyncio.BaseTransport) -> None:
    """The kernel keeps little that is unsent, where it can be told so (R3): else a slow reader costs megabytes."""
    sock = transport.get_extra_info("socket")
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    if option is not None and sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, option, UNSENT_BYTES)
