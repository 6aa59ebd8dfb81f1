"""
Reading an upstream's body: whole and bounded (reliability R4, H7, contract E8, R2).

Identity is asked for. An answer that is compressed all the same is opened within a bound on what comes out of
it; a coding that we cannot open is a malformed answer, never relayed under a label that is no longer true.
"""

import asyncio
import zlib
from typing import Final

from app.domain.errors import UpstreamMalformed
from app.protocol.headers import named
from app.upstreams.client import UpstreamResponse

_GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS
_FOREVER: Final = 3600.0  # the caller bounds the wait; a silent hour is just asked again


class Opener:
    """Opens one body piece by piece, whatever it was packed with, within *limit* bytes in all.

    *is_packed* False: each piece is already what it holds.
    """

    __slots__ = ("_left", "_limit", "_name", "_unpack", "is_packed")

    def __init__(self, coding: bytes, *, limit: int, name: str) -> None:
        """*coding*: the answer's content-encoding as it came, b"" where it has none."""
        coding = coding.strip().lower()
        if coding not in (b"", b"identity", b"gzip", b"x-gzip", b"deflate"):
            raise UpstreamMalformed(
                f"Upstream '{name}' compressed its answer with '{coding[:40].decode('latin-1')}' "
                "although none was asked for."
            )
        self._left = self._limit = limit
        self._name = name
        self.is_packed = coding not in (b"", b"identity")
        self._unpack = zlib.decompressobj(_GZIP_OR_ZLIB) if self.is_packed else None

    def open(self, piece: bytes) -> bytes:
        """What *piece* holds. Raises UpstreamMalformed above the limit and for a broken packing."""
        if self._unpack is not None:
            try:
                piece = self._unpack.decompress(piece, self._left + 1)
            except zlib.error:
                raise UpstreamMalformed(
                    f"Upstream '{self._name}' sent a compressed answer that cannot be opened."
                ) from None
        self._left -= len(piece)
        if self._left < 0:
            raise too_large(self._name, self._limit)
        return piece


def too_large(name: str, limit: int) -> UpstreamMalformed:
    """The error for an answer of the upstream *name* above *limit* bytes (reliability R4)."""
    return UpstreamMalformed(
        f"Upstream '{name}' sent an answer larger than {limit // 1024 // 1024} MB."
    )


async def read_whole(response: UpstreamResponse, *, limit: int, name: str) -> bytes:
    """All of the body. Raises what `read` raises, and UpstreamMalformed for a body above *limit* bytes. The caller
    bounds the wait."""
    coding = named(response.headers).get(b"content-encoding", b"")
    opener = Opener(coding, limit=limit, name=name)
    pieces: list[bytes] = []
    while True:
        piece = await response.read(_FOREVER)
        if piece is None:
            await asyncio.sleep(0)
            continue
        if not piece:
            return b"".join(pieces)
        pieces.append(opener.open(piece))
