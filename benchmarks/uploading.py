"""
A large upload through the gateway's own client, in a process of its own: until a route carries uploads.

    python -m benchmarks.uploading PORT      prints by how many bytes this process grew, and the seconds it took
"""

import asyncio
import json
import os
import ssl
import sys
from collections.abc import AsyncIterator
from time import perf_counter

import uvloop

from app.domain.configuration import Timeouts
from app.upstreams.client import UpstreamRequest
from app.upstreams.wire_sender import WireSender
from app.wire.requests import RequestHead, Upload
from benchmarks.processes import resident_bytes
from benchmarks.works import UPLOAD_BYTES

_PIECE = bytes(64 * 1024)
_LOOK_EVERY = 16  # pieces
_WARM_BYTES = 1024 * 1024
_PATIENCE_SECONDS = 60.0


class Level:
    """The highest resident memory of this process that was seen."""

    def __init__(self) -> None:
        self.highest = 0

    def look(self) -> None:
        """Reads it now."""
        self.highest = max(self.highest, resident_bytes(os.getpid()))


async def pieces(total_bytes: int, level: Level) -> AsyncIterator[bytes]:
    """*total_bytes* in pieces, as a client would send them: each is memory of its own."""
    for number in range(total_bytes // len(_PIECE)):
        if not number % _LOOK_EVERY:
            level.look()
            await asyncio.sleep(0)
        yield bytes(bytearray(_PIECE))


async def upload(sender: WireSender, port: int, total_bytes: int, level: Level) -> None:
    """Sends them, and reads how many arrived. Raises ValueError when some did not."""
    head = RequestHead(
        "POST",
        f"http://127.0.0.1:{port}/v1/files",
        [(b"content-type", b"application/octet-stream")],
    )
    body = Upload(pieces(total_bytes, level), total_bytes)
    response = await sender.send(UpstreamRequest(head, body=body, repeatable=False))
    answer = b""
    while piece := await response.read(_PATIENCE_SECONDS):
        answer += piece
    await response.aclose()
    if json.loads(answer) != {"received": total_bytes}:
        raise ValueError(f"the upstream got {answer!r}")


async def measure(port: int) -> dict[str, float]:
    """One upload, after a small one that warms what stays."""
    sender = WireSender(
        "bench",
        Timeouts(),
        max_connections=10,
        keepalive_seconds=30.0,
        max_connection_age_seconds=300.0,
        ssl_context=ssl.create_default_context(),
    )
    await upload(sender, port, _WARM_BYTES, Level())
    before, level, start = resident_bytes(os.getpid()), Level(), perf_counter()
    await upload(sender, port, UPLOAD_BYTES, level)
    seconds = perf_counter() - start
    level.look()
    await sender.aclose()
    return {"grown_bytes": level.highest - before, "seconds": seconds}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(uvloop.run(measure(int(sys.argv[1])))) + "\n")
