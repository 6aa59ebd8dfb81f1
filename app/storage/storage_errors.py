"""
SQLAlchemy's errors become the gateway's, each of them (style 4.7).

What a person reads never holds the database's own words: they repeat values and may name hosts. They stay with the
cause, for the log.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from app.domain.errors import InvalidRequest, LedgerUnavailable

_UNIQUE_VIOLATION = "23505"  # Postgres, SQLSTATE
_DATA_CLASS = "22"  # Postgres: what begins so is about a value; SQLAlchemy has no class of its own for asyncpg's
_UNIQUE_NAMES = {"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"}


class Duplicate(Exception):
    """There is a row with this id or name already. Nothing of the transaction was kept."""


class Unstorable(InvalidRequest):
    """A text or number that the database has no way to keep: half a surrogate pair, NUL in Postgres, more than 64 bits.

    Whoever takes input refuses these before; this is the net below.
    """


def _unavailable(_error: Exception) -> Exception:
    return LedgerUnavailable("The ledger's database cannot be used at the moment. Try again later.")


def _unstorable(_error: Exception) -> Exception:
    return Unstorable("A value holds a character or a number that cannot be stored.")


def _failed(error: Exception) -> Exception:
    state = getattr(getattr(error, "orig", None), "sqlstate", None) or ""
    return (_unstorable if state.startswith(_DATA_CLASS) else _unavailable)(error)


def _refused_row(error: Exception) -> Exception:
    cause = getattr(error, "orig", error)
    if (
        getattr(cause, "sqlstate", None) == _UNIQUE_VIOLATION
        or getattr(cause, "sqlite_errorname", None) in _UNIQUE_NAMES
    ):
        return Duplicate("such a row exists already")
    return _unavailable(error)


ERRORS: dict[type[Exception], Callable[[Exception], Exception]] = {  # the first row that fits
    exc.IntegrityError: _refused_row,
    exc.DataError: _unstorable,
    exc.DBAPIError: _failed,
    exc.DisconnectionError: _unavailable,
    exc.TimeoutError: _unavailable,  # no connection of the pool became free
    sqlite3.IntegrityError: _refused_row,  # its own where a statement went past SQLAlchemy
    sqlite3.DataError: _unstorable,
    sqlite3.Error: _unavailable,
    UnicodeEncodeError: _unstorable,  # the drivers let these two through
    OverflowError: _unstorable,
    OSError: _unavailable,  # asyncpg's, while it connects
}

# Raised by wrong use of SQLAlchemy alone: they pass as they are, to be logged as our own defect (contract F49).
DEFECTS: tuple[type[Exception], ...] = (
    exc.ArgumentError,
    exc.AwaitRequired,
    exc.CircularDependencyError,
    exc.CompileError,
    exc.IdentifierError,
    exc.IllegalStateChangeError,
    exc.InvalidRequestError,
    exc.MissingGreenlet,
    exc.NoSuchModuleError,
    exc.StatementError,  # below DBAPIError: a parameter is missing or of a wrong type
    exc.UnboundExecutionError,
)


@contextmanager
def typed_errors() -> Iterator[None]:
    """A database's error becomes LedgerUnavailable, Duplicate or Unstorable."""
    try:
        yield
    except tuple(ERRORS) as error:
        for kind, make in ERRORS.items():
            if isinstance(error, kind):
                raise make(error) from error
        raise
    except Exception as error:
        # asyncpg is an extra, so it cannot be named; what it raises while it connects, SQLAlchemy lets through
        if type(error).__module__.startswith("asyncpg."):
            raise _unavailable(error) from error
        raise
