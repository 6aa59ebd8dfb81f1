"""Brings a database to the newest schema. It alone imports alembic, and only a start that has to migrate imports it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

FOLDER = Path(__file__).parent


def scripts() -> ScriptDirectory:
    """The steps, in order."""
    return ScriptDirectory(str(FOLDER))


def upgrade(connection: Connection, revision: str) -> None:
    """The schema is that of *revision*, in *connection*'s transaction, which the caller commits."""
    folder = scripts()

    def steps(current: Any, _context: Any) -> Iterable[Any]:
        return folder._upgrade_revs(revision, current)  # what `alembic upgrade` itself calls

    with EnvironmentContext(Config(), folder, fn=steps, destination_rev=revision) as environment:
        environment.configure(connection=connection, transactional_ddl=False)
        environment.run_migrations()
