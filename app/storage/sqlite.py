"""
SQLite, by its facts (reliability Q1 to Q5): one connection writes and checkpoints, all others only read.

A writing gateway holds the lock beside the file for as long as it is open.
"""

import os
import sqlite3
from contextlib import AsyncExitStack
from pathlib import Path
from typing import cast
from urllib.parse import quote

from sqlalchemy import AdaptedConnection, AsyncAdaptedQueuePool, Connection, event, exc
from typing_extensions import override

from app.domain.errors import ConfigurationError
from app.storage.engine import Engine
from app.storage.lock_file import Held, LockFile
from app.storage.steady_connection import SteadyConnection

_BUSY_SECONDS = 5.0
_READERS = 4
_LONGEST_READ_SECONDS = 10.0
_LONGEST_WAIT_SECONDS = 30.0  # for the writer, or for a reader
_LARGEST_IDLE_LOG_BYTES = 64 * 1024 * 1024

_WRITER = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=NORMAL",
    f"PRAGMA journal_size_limit={_LARGEST_IDLE_LOG_BYTES}",
    "PRAGMA mmap_size=0",
)
_READER = ("PRAGMA wal_autocheckpoint=0", "PRAGMA query_only=1", "PRAGMA mmap_size=0")


class UndoingConnection(sqlite3.Connection):
    """Ends its transaction when it is closed. Python's own would keep the lock until the last cursor is collected."""

    @override
    def close(self) -> None:
        try:
            if self.in_transaction:
                self.rollback()
        finally:
            super().close()


async def open_writer(path: Path, closing: AsyncExitStack) -> Engine:
    """The one writer of *path*, which is made, with its folder, if it is missing. *closing* ends it in order.

    Raises ConfigurationError when another process writes it, or when it is damaged.
    """
    try:
        lock = _lock(path)
    except Held as error:
        raise ConfigurationError(
            f"storage.url: the database {path} is in use by another process, and a SQLite file takes one writer. "
            "For several processes use postgresql://…; for a command while the gateway runs, give it --url."
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"storage.url: the database {path} cannot be made or locked: {error.strerror}."
        ) from error
    closing.push(lock)
    engine = _engine(path, "rw", _WRITER, size=1, longest_seconds=None)
    closing.push_async_callback(engine.dispose)
    event.listen(engine.sync_engine, "begin", _begin_immediately)
    if lock.was_open:
        await _check(engine, path)
    return engine


def open_readers(path: Path, closing: AsyncExitStack) -> Engine:
    """Connections that can only read. Raises ConfigurationError when there is no such file."""
    if not path.is_file():
        raise ConfigurationError(f"storage.url: there is no database {path} to read.")
    engine = _engine(path, "ro", _READER, size=_READERS, longest_seconds=_LONGEST_READ_SECONDS)
    closing.push_async_callback(engine.dispose)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def damaged(path: Path) -> ConfigurationError:
    """What a person reads when the file is not what SQLite left."""
    return ConfigurationError(
        f"storage.url: the database {path} is damaged. Put a backup in its place, or move it away, with its "
        "-wal and -shm files, to begin with an empty one."
    )


def _lock(path: Path) -> LockFile:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = LockFile.take(path.with_name(path.name + ".lock"))
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError:
        lock.release(in_order=not lock.was_open)
        raise
    return lock


def _engine(
    path: Path, mode: str, pragmas: tuple[str, ...], *, size: int, longest_seconds: float | None
) -> Engine:
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}"

    def connect() -> sqlite3.Connection:
        # isolation_level None: transactions begin where we say so, not where the driver guesses.
        connection = sqlite3.connect(
            uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, factory=UndoingConnection
        )
        try:
            for pragma in pragmas:
                connection.execute(pragma).close()
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    async def connected() -> SteadyConnection:
        return await SteadyConnection.opened(connect, longest_seconds)

    return Engine.made(
        "sqlite+aiosqlite:///file",  # names the dialect; the creator knows the file
        connected,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=size,
        max_overflow=0,
        pool_timeout=_LONGEST_WAIT_SECONDS,
    )


def _begin_immediately(connection: Connection) -> None:
    _at_once(connection, "BEGIN IMMEDIATE")


def _begin(connection: Connection) -> None:
    _at_once(connection, "BEGIN")


def _at_once(connection: Connection, statement: str) -> None:
    """One way to the connection's thread and back, where SQLAlchemy's own cursor takes three."""

    def execute(opened: sqlite3.Connection) -> None:
        opened.execute(statement).close()

    adapted = cast(AdaptedConnection, connection.connection.dbapi_connection)
    try:
        adapted.run_async(lambda driver: driver.run(execute))
    except sqlite3.Error as error:
        raise exc.DBAPIError.instance(statement, None, error, sqlite3.Error) from error


async def _check(engine: Engine, path: Path) -> None:
    """Reliability Q5: the last holder was killed."""
    async with engine.connect() as connection:
        found = (await connection.exec_driver_sql("PRAGMA integrity_check(1)")).scalar_one()
    if found != "ok":
        raise damaged(path)
