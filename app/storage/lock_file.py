"""
The lock that makes one process the only writer of a SQLite file (reliability Q3, Q4).

It lies beside the database and is held for as long as the process lives, so a kill frees it. What stands in it tells
whether the last holder closed in order: a word while the database is open, nothing afterwards (Q5).
"""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

_OPEN = b"open\n"


class Held(Exception):
    """Another process, or another part of this one, holds the lock."""


class LockFile:
    """*was_open*: the holder before did not let go in order."""

    def __init__(self, descriptor: int, *, was_open: bool) -> None:
        self.was_open = was_open
        self._descriptor: int | None = descriptor

    @classmethod
    def take(cls, path: Path) -> Self:
        """Held at once, or Held is raised; OSError where the file cannot be made or locked at all."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            was_open = os.pread(descriptor, len(_OPEN), 0) != b""
            os.pwrite(descriptor, _OPEN, 0)
            os.fsync(descriptor)
        except BlockingIOError as error:
            os.close(descriptor)
            raise Held from error
        except OSError:
            os.close(descriptor)
            raise
        return cls(descriptor, was_open=was_open)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release(in_order=kind is None)

    def release(self, *, in_order: bool) -> None:
        """Free for others. *in_order* False leaves the word in it, so that the next one looks twice. Once is enough.

        The file stays: whoever removes a lock file may remove one that another has just taken.
        """
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        try:
            if in_order:
                os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)
