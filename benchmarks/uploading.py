"""
A large upload through one row, by a client in a process of its own.

    python -m benchmarks.uploading ORDER      prints by how many bytes the row's processes grew, and the seconds it took
"""

import socket
import sys
from time import perf_counter

import msgspec

from benchmarks import bodies
from benchmarks.plan import Target
from benchmarks.processes import resident_bytes

_PIECE = bytes(256 * 1024)
_LOOK_EVERY = 16  # pieces
_WARM_BYTES = 1024 * 1024
_PATIENCE_SECONDS = 120.0
_ENOUGH_BYTES = 64 * 1024


class UploadOrder(msgspec.Struct, frozen=True):
    """How much is sent to whom."""

    target: Target
    total_bytes: int


class Uploaded(msgspec.Struct, frozen=True):
    """What one upload took."""

    grown_bytes: int
    seconds: float


def upload(target: Target, total_bytes: int) -> int:
    """Sends them; the most memory that the row held meanwhile, in bytes. Raises ValueError when some did not arrive."""
    whole = len(bodies.UPLOAD_START) + total_bytes + len(bodies.UPLOAD_END)
    fields = "".join(f"{name}: {value}\r\n" for name, value in target.fields)
    head = (
        f"POST /v1/files HTTP/1.1\r\nhost: 127.0.0.1:{target.port}\r\n{fields}"
        f"content-type: {bodies.UPLOAD_TYPE}\r\ncontent-length: {whole}\r\nconnection: close\r\n\r\n"
    )
    highest = 0
    with socket.create_connection(("127.0.0.1", target.port), _PATIENCE_SECONDS) as line:
        line.sendall(head.encode() + bodies.UPLOAD_START)
        for number in range(total_bytes // len(_PIECE)):
            if not number % _LOOK_EVERY:
                highest = max(highest, resident_bytes(target.pid))
            line.sendall(_PIECE)
        line.sendall(bodies.UPLOAD_END)
        answer = b""
        while not answer.rstrip().endswith(b"}") and (piece := line.recv(_ENOUGH_BYTES)):
            answer += piece
    if f'"received":{whole}'.encode() not in answer.replace(b" ", b""):
        raise ValueError(f"the upstream got {answer[-200:]!r}")
    return max(highest, resident_bytes(target.pid))


def measure(order: UploadOrder) -> Uploaded:
    """One upload, after a small one that warms what stays."""
    upload(order.target, _WARM_BYTES)
    before, start = resident_bytes(order.target.pid), perf_counter()
    highest = upload(order.target, order.total_bytes)
    return Uploaded(max(0, highest - before), perf_counter() - start)


if __name__ == "__main__":
    found = measure(msgspec.json.decode(sys.argv[1], type=UploadOrder))
    sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
