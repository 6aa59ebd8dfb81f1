"""
Leaving, as the kernel knows it: an end stands behind all that waits to be read, so that who is slow learns of it too
late (law 5). Asked, the kernel tells of one that has come; and a reset overtakes what waits.
"""

import asyncio
import socket
import struct
from contextlib import suppress
from typing import Final

_AT_ONCE: Final = struct.pack("ii", 1, 0)
_TCP_INFO: Final[int | None] = getattr(socket, "TCP_INFO", None)  # Linux; its first byte is a state
_ENDED: Final = (7, 8)  # TCP_CLOSE: reset; TCP_CLOSE_WAIT: it has said all it wants to say


def has_left(transport: asyncio.BaseTransport) -> bool:
    """True when *transport*'s other side has closed, half-closed or reset it; False where nobody can tell."""
    sock = transport.get_extra_info("socket")
    if _TCP_INFO is None or sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    try:
        state: int = sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, 1)[0]
    except OSError:  # it is gone already
        return True
    return state in _ENDED


def reset_on_close(transport: asyncio.BaseTransport) -> None:
    """The end of *transport*'s connection will be a reset."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
        with suppress(OSError):  # it is gone already
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)


def give_up(transport: asyncio.Transport) -> None:
    """*transport* is closed at once, by a reset: its other side reads nothing."""
    reset_on_close(transport)
    transport.abort()
