"""Postgres: outages, time limits, and a server shared through PgBouncer."""

import asyncio
import sys

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from app.domain.errors import ConfigurationError, LedgerUnavailable
from app.storage import postgres as postgres_room
from app.storage.database import Database
from app.storage.record_store import RecordStore
from tests.fakes.postgres import running_postgres
from tests.storage.records import a_record

SECRET = "hunter2-hunter2"


@pytest.mark.postgres
async def test_a_server_that_comes_back_is_used_again():
    with running_postgres() as server:
        database = await Database.open(SecretStr(server.new_database()))
        store = RecordStore(database)
        await store.add([a_record()])

        await asyncio.to_thread(server.stop)
        for _ in range(2):
            with pytest.raises(LedgerUnavailable):
                await store.add([a_record()])
            with pytest.raises(LedgerUnavailable):
                await store.records(limit=1)
        await asyncio.to_thread(server.start)

        assert await store.add([a_record()]) == 1
        assert len(await store.records(limit=9)) == 2
        await database.aclose()


@pytest.mark.postgres
async def test_a_connection_that_the_server_cut_is_replaced(postgres):
    database = await Database.open(SecretStr(postgres.new_database()))
    store = RecordStore(database)
    await store.add([a_record()])

    postgres.run_sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'test_%'"
    )

    assert await store.add([a_record()]) == 1
    await database.aclose()


@pytest.mark.postgres
@pytest.mark.parametrize("way", ["reading", "writing"])
async def test_a_statement_that_takes_too_long_is_ended(postgres, monkeypatch, way):
    monkeypatch.setattr(postgres_room, "_LONGEST_STATEMENT_SECONDS", 1)
    database = await Database.open(SecretStr(postgres.new_database()))

    with pytest.raises(LedgerUnavailable):
        async with getattr(database, way)() as connection:
            await connection.execute(text("SELECT pg_sleep(20)"))

    await database.aclose()


@pytest.mark.postgres
async def test_nothing_is_left_behind_on_a_server_connection(postgres):
    """Behind PgBouncer it is somebody else's next: no setting, no prepared statement, no lock stays."""
    database = await Database.open(SecretStr(postgres.new_database()))
    await RecordStore(database).add([a_record()])
    await RecordStore(database).records(limit=1)

    async with database.reading() as connection:
        assert (
            await connection.scalar(
                text("SELECT count(*) FROM pg_prepared_statements WHERE name <> ''")
            )
            == 0
        )
        assert (
            await connection.scalar(
                text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
            )
            == 0
        )
    async with database.reading() as connection:
        driver = await connection.driver()
    assert driver is not None
    assert await driver.fetchval("SHOW statement_timeout") == "0"

    await database.aclose()


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("gate@/test", "gate@/missing", id="a database that is not there"),
        pytest.param("gate@/test", "nobody@/test", id="a user that is not there"),
    ],
)
async def test_a_server_that_refuses_us_is_named_without_the_password(postgres, before, after):
    url = postgres.new_database().replace(before, after).replace("@", f":{SECRET}@")

    with pytest.raises(ConfigurationError, match="Postgres server cannot be used") as caught:
        await Database.open(SecretStr(url))

    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "rest",
    [
        "127.0.0.1:1/x",
        "127.0.0.1:port/x",
        "127.0.0.1:1/x?sslmode=strange",
        "/x?host=/missing",
        "[::1/x",
    ],
)
async def test_a_server_that_cannot_be_reached_is_named_without_the_password(rest):
    with pytest.raises(ConfigurationError, match="Postgres server cannot be used") as caught:
        await Database.open(SecretStr(f"postgresql://gate:{SECRET}@{rest}"))

    assert SECRET not in str(caught.value)


async def test_postgres_without_its_driver_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "asyncpg", None)

    with pytest.raises(ConfigurationError, match=r"mindgate\[postgres\]"):
        await Database.open(SecretStr(f"postgresql://gate:{SECRET}@127.0.0.1:1/x"))
