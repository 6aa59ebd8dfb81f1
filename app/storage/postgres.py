"""
Postgres: a pool that survives a restart of the server, and that works behind PgBouncer.

asyncpg reads the URL itself, so libpq's parameters mean what they mean everywhere (`sslmode`, several hosts). Its
statements are not prepared ahead, and every setting is local to a transaction: behind PgBouncer the next transaction
may run on another server connection.
"""

from contextlib import AsyncExitStack
from importlib import import_module
from typing import Any

from sqlalchemy import Connection, event

from app.domain.errors import ConfigurationError
from app.storage.engine import Engine

_POOL = 5
_SPARE = 5
_LONGEST_STATEMENT_SECONDS = 10
_LONGEST_WAIT_SECONDS = 30.0
_CONNECT_SECONDS = 5.0
_OLDEST_CONNECTION_SECONDS = 1800  # a new one follows a fail-over by DNS


def open_postgres(url: str, closing: AsyncExitStack) -> Engine:
    """Nothing is connected yet. Raises ConfigurationError where asyncpg is not installed."""
    try:
        asyncpg = import_module("asyncpg")
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "storage.url: postgresql:// needs the extra: pip install 'mindgate[postgres]'."
        ) from error

    async def connected(**options: Any) -> Any:
        return await asyncpg.connect(
            url, timeout=_CONNECT_SECONDS, command_timeout=None, statement_cache_size=0
        )

    engine = Engine.made(
        "postgresql+asyncpg://",  # names the dialect; the creator knows the rest
        connected,
        connect_args={
            "prepared_statement_cache_size": 0,
            "prepared_statement_name_func": str,  # "": the unnamed statement, good for one transaction
        },
        pool_size=_POOL,
        max_overflow=_SPARE,
        pool_timeout=_LONGEST_WAIT_SECONDS,
        pool_pre_ping=True,
        pool_recycle=_OLDEST_CONNECTION_SECONDS,
    )
    event.listen(engine.sync_engine, "begin", _bound)
    closing.push_async_callback(engine.dispose)
    return engine


def _bound(connection: Connection) -> None:
    """Reliability S17."""
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{_LONGEST_STATEMENT_SECONDS}s'")
