"""Bounds what may come before the head of an HTTP/1.1 answer, which httpx2's pool passes over (reliability R15)."""

import httpcore2

_MOST = 10
_START = b"HTTP/"
_CLASS_AT = len(b"HTTP/1.1 ")  # where the status' first digit stands


class InterimHeads:
    """Is fed what comes, until the head itself begins."""

    __slots__ = ("_count", "_is_over", "_tail")

    def __init__(self) -> None:
        self._count = 0
        self._is_over = False
        self._tail = (
            b""  # the part of a head that has come; the pool's parser bounds how long it may be
        )

    def feed(self, data: bytes) -> None:
        """Raises RemoteProtocolError for an eleventh interim answer, and at once for what is no HTTP."""
        if self._is_over:
            return
        self._tail = (self._tail + data).replace(b"\r\n", b"\n")
        while self._next_head():
            self._count += 1
            if self._count > _MOST:
                raise httpcore2.RemoteProtocolError("too many interim answers")

    def _next_head(self) -> bool:
        """True when a whole interim head was taken from the front."""
        tail = self._tail
        if not tail.startswith(_START) and not _START.startswith(tail):
            raise httpcore2.RemoteProtocolError("no HTTP answer")
        if len(tail) <= _CLASS_AT:
            return False
        if tail[_CLASS_AT : _CLASS_AT + 1] != b"1":
            self._is_over, self._tail = True, b""
            return False
        end = tail.find(b"\n\n")
        if end < 0:
            return False
        self._tail = tail[end + 2 :]
        return True
