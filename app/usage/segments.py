"""
The journal's folder: which files belong together, and to whom.

Each process writes a series of files of its own, numbered from 1, and holds a lock as long as it lives, which the
kernel takes from it however it dies. So a series whose lock can be had is over (reliability J7, J8).
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Self

from app.domain.errors import ConfigurationError

_SEGMENT = ".journal"
_LOCK = ".lock"
_MODE = 0o600
_FOLDER_MODE = 0o700


class Series:
    """The files of one process, locked by us. They stand in *folder* as NAME.lock and NAME.000001.journal."""

    def __init__(self, folder: Path, name: str, lock: int) -> None:
        self._folder = folder
        self._name = name
        self._lock = lock

    @classmethod
    def begin(cls, folder: Path, name: str) -> Self:
        """A new series; *name* begins with the time, so that names tell their order, and is nobody else's. *folder* is
        made where there is none. Raises ConfigurationError when that is not possible."""
        try:
            folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            series = cls.seize(folder, name)
            while series is None:  # who recovers seized it before we could lock it
                series = cls.seize(folder, f"{name}-{token_hex(4)}")
        except OSError as error:
            raise ConfigurationError(
                f"usage.journal: {folder} cannot be written to: {error.strerror}"
            ) from None
        return series

    @classmethod
    def seize(cls, folder: Path, name: str) -> Self | None:
        """The series, if its process is no more; None while it lives, or when another has seized it. Raises OSError."""
        path = folder / f"{name}{_LOCK}"
        number = os.open(path, os.O_RDWR | os.O_CREAT, _MODE)
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Who had it before may have removed it between our two calls, and somebody may have made it anew.
            is_ours = os.path.samestat(os.fstat(number), path.stat())
        except (BlockingIOError, FileNotFoundError):
            is_ours = False
        except OSError:
            os.close(number)
            raise
        if is_ours:
            return cls(folder, name, number)
        os.close(number)
        return None

    def path(self, number: int) -> Path:
        """Where segment *number* stands."""
        return self._folder / f"{self._name}.{number:06}{_SEGMENT}"

    def create(self, number: int) -> int:
        """The descriptor of a new segment, to be appended to. Raises OSError."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
        return os.open(self.path(number), flags, _MODE)

    def numbers(self) -> list[int]:
        """Of the segments that there are, the oldest first."""
        start = f"{self._name}."
        ends = (
            entry[len(start) : -len(_SEGMENT)]
            for entry in os.listdir(self._folder)
            if entry.startswith(start) and entry.endswith(_SEGMENT)
        )
        return sorted(int(end) for end in ends if end.isdecimal())

    def remove(self, number: int) -> None:
        """Segment *number* is gone, or the disk does not let it go: then it is read again, which changes nothing."""
        with suppress(OSError):
            self.path(number).unlink()

    def sync_folder(self) -> None:
        """The names of the files stand on the disk. Raises OSError."""
        number = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)

    def release(self) -> None:
        """Others may have it. Without segments nothing stays of it."""
        if self._lock < 0:
            return
        with suppress(OSError):
            if not self.numbers():
                (self._folder / f"{self._name}{_LOCK}").unlink()
        os.close(self._lock)
        self._lock = -1


def names_in(folder: Path) -> list[str]:
    """The series in *folder*, the oldest first as far as names tell; none where there is no folder. Raises
    ConfigurationError for one that cannot be read."""
    try:
        entries = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):  # `Series.begin` makes it, or says why not
        return []
    except OSError as error:
        raise ConfigurationError(
            f"usage.journal: {folder} cannot be read: {error.strerror}"
        ) from None
    names = set()
    for entry in entries:
        if entry.endswith(_LOCK):
            names.add(entry.removesuffix(_LOCK))
        elif entry.endswith(_SEGMENT):
            names.add(entry.removesuffix(_SEGMENT).rpartition(".")[0])
    return sorted(names - {""})
