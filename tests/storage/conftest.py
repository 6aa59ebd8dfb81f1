"""Databases: every test that asks for one runs on SQLite and on a real Postgres."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from pydantic import SecretStr

from app.storage.database import Database
from tests.fakes.postgres import Postgres, running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for all tests of the session; each makes its own database in it."""
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> SecretStr:
    """Of a database without any table."""
    if request.param == "sqlite":
        return SecretStr(f"sqlite:///{tmp_path}/ledger.db")
    server: Postgres = request.getfixturevalue("postgres")
    return SecretStr(server.new_database())


@pytest_asyncio.fixture
async def database(database_url: SecretStr) -> AsyncIterator[Database]:
    """Open, with our schema."""
    opened = await Database.open(database_url)
    yield opened
    await opened.aclose()
