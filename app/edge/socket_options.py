"""What the kernel is told about a client's socket."""

import asyncio
import socket
import struct

UNSENT_BYTES = 64 * 1024
_AT_ONCE = struct.pack("ii", 1, 0)


def bound_kernel(transport: asyncio.BaseTransport) -> None:
    """The kernel keeps little that is unsent, where it can be told so (R3): else a slow reader costs megabytes."""
    sock = transport.get_extra_info("socket")
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    if option is not None and sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, option, UNSENT_BYTES)


def reset_on_close(transport: asyncio.BaseTransport) -> None:
    """The connection's end is a reset: else a body that only the end delimits looks whole when it is cut."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
