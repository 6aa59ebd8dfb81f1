"""
The database that keys, teams, ledger and audit log are kept in: SQLite in a file, or Postgres.

Nothing on the way of a request waits for it. Every error of it becomes LedgerUnavailable while the gateway runs, and
ConfigurationError at start.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Self

from pydantic import SecretStr
from sqlalchemy import exc

from app.domain.errors import ConfigurationError, LedgerUnavailable
from app.storage.engine import Connection, Engine
from app.storage.migrating import migrate, require_head
from app.storage.postgres import open_postgres
from app.storage.sqlite import damaged, open_readers, open_writer
from app.storage.storage_errors import typed_errors

_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql://", "postgres://")
_LONGEST_SECONDS = (
    60.0  # a transaction: a network that swallows packets answers no statement timeout
)
_FORMS = "sqlite:///FILE, sqlite:////ABSOLUTE/FILE or postgresql://USER:PASSWORD@HOST/NAME"


class Database:
    """Open, with our schema. `open` makes one; *writer* None only reads."""

    def __init__(self, writer: Engine | None, reader: Engine, closing: AsyncExitStack) -> None:
        self._writer = writer
        self._reader = reader
        self._closing = closing

    @classmethod
    async def open(cls, url: SecretStr, *, read_only: bool = False) -> Self:
        """Ready for use: locked (SQLite), checked if the last one was killed, migrated.

        *url*: `sqlite:///FILE` or `postgresql://…`; a bare `sqlite:///` path is relative to the working directory.
        *read_only*: without a lock, beside a gateway that runs; nothing is migrated. Raises ConfigurationError, one
        line without the password, when it cannot be used.
        """
        secret = url.get_secret_value()
        async with AsyncExitStack() as closing:
            if secret.startswith(_POSTGRES):
                writer, reader = await _postgres(secret, closing, read_only=read_only)
            elif secret.startswith(_SQLITE):
                writer, reader = await _sqlite(_file(secret), closing, read_only=read_only)
            else:
                raise ConfigurationError(f"storage.url: must be {_FORMS}.")
            return cls(writer, reader, closing.pop_all())

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Connection]:
        """A transaction: committed at the end, rolled back on any exception, cancellation included.

        On SQLite one at a time; others wait their turn. It may take a minute. Raises LedgerUnavailable, Duplicate or
        Unstorable, with nothing kept; only a commit that a cut connection left unanswered may have been kept.
        """
        if self._writer is None:
            raise LedgerUnavailable("The ledger's database was opened for reading only.")
        with typed_errors():
            async with asyncio.timeout(_LONGEST_SECONDS), self._writer.begin() as connection:
                yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        """One state of the database, whatever is written meanwhile (Postgres: one a statement).

        A statement may take 10 s (reliability S17), the block a minute. Raises LedgerUnavailable.
        """
        with typed_errors():
            async with asyncio.timeout(_LONGEST_SECONDS), self._reader.begin() as connection:
                yield connection

    async def aclose(self) -> None:
        """Every connection is closed and the lock is free. Once is enough; the second time does nothing."""
        await self._closing.aclose()


def _file(url: str) -> Path:
    name = url.removeprefix(_SQLITE)
    if not name or name.startswith(":") or "?" in name or name.endswith("/"):
        raise ConfigurationError(f"storage.url: must be {_FORMS}.")
    return Path(name)


async def _sqlite(
    path: Path, closing: AsyncExitStack, *, read_only: bool
) -> tuple[Engine | None, Engine]:
    try:
        if read_only:
            reader = open_readers(path, closing)
            await require_head(reader)
            return None, reader
        writer = await open_writer(path, closing)
        await migrate(writer)
    except exc.DatabaseError as error:
        raise _unusable(path, error) from error
    return writer, open_readers(path, closing)


def _unusable(path: Path, error: exc.DatabaseError) -> ConfigurationError:
    if getattr(error.orig, "sqlite_errorname", "") in ("SQLITE_NOTADB", "SQLITE_CORRUPT"):
        return damaged(path)
    return ConfigurationError(f"storage.url: the database {path} cannot be used: {error.orig}.")


async def _postgres(
    url: str, closing: AsyncExitStack, *, read_only: bool
) -> tuple[Engine | None, Engine]:
    engine = open_postgres(url, closing)
    reader = engine.execution_options(postgresql_readonly=True)
    try:
        with typed_errors():
            await (require_head(reader) if read_only else migrate(engine))
    except (LedgerUnavailable, ValueError) as error:
        raise ConfigurationError(
            f"storage.url: the Postgres server cannot be used ({_reason(error)}): check that it runs, and the URL's "
            "host, database, user and password."
        ) from error
    return (None if read_only else engine), reader


def _reason(error: Exception) -> str:
    """What kind of failure it was. The words of the server or of a URL's parser may hold the password."""
    cause = error.__cause__ or error
    return type(getattr(cause, "orig", None) or cause).__name__
