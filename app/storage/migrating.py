"""
Which schema a database has, and how it gets ours.

Ours is known without alembic, whose import takes longer than the rest of a start: only a database that is behind
pays for it.
"""

from sqlalchemy import Connection as SyncConnection
from sqlalchemy import inspect

from app.domain.errors import ConfigurationError
from app.storage.engine import Connection, Engine

REVISIONS = ("0001", "0002")  # oldest first; the files in `migrations/versions` (a test compares)
HEAD = REVISIONS[-1]
_LOCK = 0x6D696E6467617465  # "mindgate"; Postgres's advisory locks are numbers


async def migrate(engine: Engine) -> None:
    """The schema is ours. One process at a time does it: the others wait, and then find it done.

    All of it is one transaction, so a kill leaves the schema as it was. Raises ConfigurationError where it is newer.
    """
    async with engine.connect() as connection:
        if await _revision(connection) == HEAD:
            return
    async with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            await connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        if await _revision(connection) == HEAD:
            return
        await connection.run_sync(_upgrade)


async def require_head(engine: Engine) -> None:
    """Raises ConfigurationError unless the schema is ours already: who only reads migrates nothing."""
    async with engine.connect() as connection:
        if await _revision(connection) != HEAD:
            raise ConfigurationError(
                "storage.url: the database has the schema of an older version: start the gateway once to migrate it."
            )


async def _revision(connection: Connection) -> str | None:
    """None: an empty database."""
    found = await connection.run_sync(_read_revision)
    if found is not None and found not in REVISIONS:
        raise ConfigurationError(
            f"storage.url: the database's schema {found!r} is newer than this version's {HEAD!r}: "
            "install the version that made it, or a later one."
        )
    return found


def _read_revision(connection: SyncConnection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def _upgrade(connection: SyncConnection) -> None:
    from app.storage.migrations.runner import upgrade  # noqa: PLC0415 alembic: 0.3 s that most starts need not pay

    upgrade(connection, HEAD)
