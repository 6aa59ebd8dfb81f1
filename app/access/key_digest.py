"""A key → what is kept of it: HMAC-SHA-256 under a pepper, from which nobody gets the key back (reliability S9)."""

from hashlib import sha256
from typing import Final

_BLOCK_BYTES: Final = 64  # of SHA-256
_INNER: Final = 0x36
_OUTER: Final = 0x5C  # RFC 2104


class KeyDigest:
    """Knows the digest of a key, 32 bytes.

    The pepper's own part of the hash is done once, not for each key: 0.7 µs a key, where `hmac.digest` takes 1.8.
    """

    def __init__(self, pepper: bytes) -> None:
        short = pepper if len(pepper) <= _BLOCK_BYTES else sha256(pepper).digest()
        block = short.ljust(_BLOCK_BYTES, b"\0")
        self._inner = sha256(bytes(byte ^ _INNER for byte in block))
        self._outer = sha256(bytes(byte ^ _OUTER for byte in block))

    def of(self, key: str) -> bytes:
        """What is kept of *key*."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(key.encode("utf-8", "surrogateescape"))
        outer.update(inner.digest())
        return outer.digest()
