"""
Idle websocket relays through one row, by a client in a process of its own.

    python -m benchmarks.sockets TARGET      prints by how many bytes the row's processes grew
"""

import socket
import sys
from contextlib import ExitStack
from time import sleep

import msgspec

from benchmarks import bodies
from benchmarks.plan import Target
from benchmarks.processes import resident_bytes

SOCKETS = 100
_WARM = 10
_SETTLE_SECONDS = 1.0
_PATIENCE_SECONDS = 20.0
_KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def opened(target: Target) -> socket.socket:
    """A socket that nobody says anything on. Raises ValueError when it was refused."""
    line = socket.create_connection(("127.0.0.1", target.port), _PATIENCE_SECONDS)
    more = (
        *target.fields,
        ("upgrade", "websocket"),
        ("connection", "upgrade"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", _KEY),
    )
    line.sendall(bodies.get("/robots/google/asr", f"127.0.0.1:{target.port}", more))
    answer = line.recv(4096)
    if not answer.startswith(b"HTTP/1.1 101"):
        line.close()
        raise ValueError(f"the socket was refused: {answer[:300]!r}")
    return line


def measure(target: Target) -> int:
    """By how many bytes the row's processes grow for so many open ones."""
    with ExitStack() as stack:
        for _ in range(_WARM):
            stack.enter_context(opened(target))
    sleep(_SETTLE_SECONDS)
    before = resident_bytes(target.pid)
    with ExitStack() as stack:
        for _ in range(SOCKETS):
            stack.enter_context(opened(target))
        sleep(_SETTLE_SECONDS)
        return max(0, resident_bytes(target.pid) - before)


if __name__ == "__main__":
    sys.stdout.write(f"{measure(msgspec.json.decode(sys.argv[1], type=Target))}\n")
