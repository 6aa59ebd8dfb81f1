"""The steps lead to the schema that the code knows (app/storage/schema.py)."""

import asyncio
import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import select

from app.storage.database import Database
from app.storage.migrating import HEAD, REVISIONS
from app.storage.migrations.runner import scripts
from app.storage.schema import changes, metadata


async def test_the_newest_migration_leaves_the_schema_as_the_code_knows_it(database):
    def differences(connection):
        return compare_metadata(
            MigrationContext.configure(connection, opts={"compare_type": True}), metadata
        )

    async with database.reading() as connection:
        assert await connection.run_sync(differences) == []


def test_the_revisions_that_the_code_knows_are_the_files():
    steps = [step.revision for step in scripts().walk_revisions()][::-1]

    assert list(REVISIONS) == steps
    assert scripts().get_heads() == [HEAD]


OPEN = (
    "import asyncio, sys; from pydantic import SecretStr; from app.storage.database import Database\n"
    "async def main(): await (await Database.open(SecretStr(sys.argv[1]))).aclose()\n"
    "asyncio.run(main())"
)


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_processes_that_start_at_once_migrate_once(database_url):
    command = [sys.executable, "-c", OPEN, database_url.get_secret_value()]
    starts = [asyncio.to_thread(subprocess.run, command, timeout=25, check=True) for _ in range(4)]

    await asyncio.gather(*starts)

    database = await Database.open(database_url)
    async with database.reading() as connection:
        assert [(1, 0, "", "")] == (await connection.execute(select(changes))).all()
    await database.aclose()
