"""
Reading an upstream's body: whole and bounded (reliability R4, H7, contract E8, R2).

Identity is asked for. An answer that is compressed all the same is opened within a bound on what comes out of
it; a coding that we cannot open is a malformed answer, never relayed under a label that is no longer true.
"""

import asyncio
import zlib

from app.domain.errors import UpstreamMalformed
from app.protocol.headers import header
from app.upstreams.client import UpstreamResponse

_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_FOREVER = 3600.0  # the caller bounds the wait; a silent hour is just asked again


class BodyTooLarge(ValueError):
    """A body went past its bound."""


class Opener:
    """Opens one body piece by piece, whatever it was packed with."""

    def __init__(self, response: UpstreamResponse, *, limit: int, name: str) -> None:
        coding = (header(response.headers, b"content-encoding") or "identity").strip().lower()
        if coding not in ("identity", "", "gzip", "x-gzip", "deflate"):
            raise UpstreamMalformed(
                f"Upstream '{name}' compressed its answer with '{coding[:40]}' although none was asked for."
            )
        self._left = limit
        self._name = name
        self._unpack = None if coding in ("identity", "") else zlib.decompressobj(_GZIP_OR_ZLIB)

    def open(self, piece: bytes) -> bytes:
        """What *piece* holds. Raises BodyTooLarge, and UpstreamMalformed for a broken packing."""
        if self._unpack is None:
            return self._counted(piece)
        try:
            opened = self._unpack.decompress(piece, self._left + 1)
        except zlib.error:
            raise UpstreamMalformed(
                f"Upstream '{self._name}' sent a compressed answer that cannot be opened."
            ) from None
        return self._counted(opened)

    def _counted(self, piece: bytes) -> bytes:
        self._left -= len(piece)
        if self._left < 0:
            raise BodyTooLarge
        return piece


def too_large(name: str, limit: int) -> UpstreamMalformed:
    """The error for an answer of the upstream *name* above *limit* bytes (reliability R4)."""
    return UpstreamMalformed(
        f"Upstream '{name}' sent an answer larger than {limit // 1024 // 1024} MB."
    )


async def read_whole(response: UpstreamResponse, *, limit: int, name: str) -> bytes:
    """All of the body. Raises what `read` raises, and UpstreamMalformed for a body above *limit* bytes. The caller
    bounds the wait."""
    opener = Opener(response, limit=limit, name=name)
    pieces: list[bytes] = []
    while True:
        piece = await response.read(_FOREVER)
        if piece is None:
            await asyncio.sleep(0)
            continue
        if not piece:
            return b"".join(pieces)
        try:
            pieces.append(opener.open(piece))
        except BodyTooLarge:
            raise too_large(name, limit) from None
