"""
The secret that keys are kept under, outside the database: without it a dump of the database opens nothing (S9).

The newest pepper digests new keys; those before it stay in the list for as long as keys kept under them are to open.
The audit log is sealed under a key made from it, so whoever can only write to the database cannot mend the chain (S26).
"""

import hmac
import os
import secrets
import stat
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

from pydantic import SecretStr

from app.access.key_digest import KeyDigest
from app.domain.errors import ConfigurationError
from app.storage.key_store import KeyStore

_FEWEST_BYTES = 32
_CHECK = b"mindgate: which pepper a database was opened with"
_SEAL = b"mindgate: the seal of the audit log"
_REMEDY = "set auth.pepper to the one it was made under, or put the pepper file back from a copy"


class Peppers:
    """All peppers in use, the newest first. Never printed."""

    def __init__(self, peppers: Sequence[bytes]) -> None:
        """Raises ConfigurationError where there is none, or one is shorter than 32 bytes."""
        if not peppers or any(len(pepper) < _FEWEST_BYTES for pepper in peppers):
            raise ConfigurationError(f"auth.pepper: a pepper has at least {_FEWEST_BYTES} bytes")
        self.digests = tuple(KeyDigest(pepper) for pepper in peppers)
        self.checks = tuple(_sealed(pepper, _CHECK) for pepper in peppers)
        self.seals: tuple[Callable[[bytes], str], ...] = tuple(
            _seal_under(hmac.digest(pepper, _SEAL, sha256)) for pepper in peppers
        )

    def digest(self, key: str) -> bytes:
        """What is kept of a new key."""
        return self.digests[0].of(key)

    def seal(self, text: bytes) -> str:
        """The hash of a new audit row."""
        return self.seals[0](text)


def passing_peppers() -> Peppers:
    """One pepper that ends with the process, for a gateway that keeps nothing."""
    return Peppers((secrets.token_bytes(_FEWEST_BYTES),))


def open_peppers(configured: Sequence[SecretStr], pepper_file: Path, *, may_make: bool) -> Peppers:
    """Those of the configuration; else the one in *pepper_file*, made there for its owner alone where it is missing.

    *may_make* False: the database was opened with one before, so a new one would open nothing in it. Raises
    ConfigurationError when the file is missing then, cannot be used, or others may read it.
    """
    if configured:
        return Peppers(
            [pepper.get_secret_value().encode("utf-8", "surrogateescape") for pepper in configured]
        )
    if not may_make and not pepper_file.exists():
        raise ConfigurationError(f"{pepper_file}: the pepper is not there; {_REMEDY}")
    try:
        made = _made(pepper_file) if may_make else None
        return Peppers((made or _read(pepper_file),))
    except OSError as error:
        raise ConfigurationError(
            f"{pepper_file}: the pepper cannot be kept there: {error.strerror}; set auth.pepper"
        ) from error


async def match_peppers(store: KeyStore, peppers: Peppers) -> None:
    """From now on the database belongs to the newest of *peppers*.

    Raises ConfigurationError when it was last opened with a pepper that is not among them: no key would open.
    """
    check = await store.pepper_check()
    if check != peppers.checks[0] and (not check or check in peppers.checks):
        await store.set_pepper_check(peppers.checks[0], instead_of=check)
        check = await store.pepper_check()  # another process may have been first
    if check not in peppers.checks:
        raise ConfigurationError(f"the database was opened with another pepper: {_REMEDY}")


def _made(path: Path) -> bytes | None:
    """A new pepper, written to *path*; None when there is a file already."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return None
    pepper = secrets.token_hex(_FEWEST_BYTES).encode()
    with os.fdopen(descriptor, "wb") as file:
        file.write(pepper + b"\n")
        file.flush()
        os.fsync(descriptor)
    return pepper


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise ConfigurationError(f"{path}: others may read the pepper; run chmod 600 on it")
        pepper = file.read().strip()
    if len(pepper) < _FEWEST_BYTES:
        raise ConfigurationError(f"{path}: the pepper is cut short; {_REMEDY}")
    return pepper


def _seal_under(key: bytes) -> Callable[[bytes], str]:
    """Not a `partial`: that shows its arguments wherever it is printed."""

    def seal(text: bytes) -> str:
        return _sealed(key, text)

    return seal


def _sealed(key: bytes, text: bytes) -> str:
    return hmac.digest(key, text, sha256).hex()
