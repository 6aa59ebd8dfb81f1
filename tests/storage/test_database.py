"""Opening, writing and reading, on SQLite and Postgres alike."""

import asyncio
import subprocess
import sys

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select, text, update

from app.domain.errors import ConfigurationError, LedgerUnavailable
from app.storage import database as database_room
from app.storage.database import Database
from app.storage.schema import changes, teams
from app.storage.storage_errors import Duplicate


def a_team(name: str, team_id: str = "team_1"):
    return teams.insert().values(
        id=team_id, name=name, models="[]", budget_period="total", labels="{}", created_at_ms=1, version=1
    )  # fmt: skip


async def version(database: Database) -> int:
    async with database.reading() as connection:
        return int((await connection.execute(select(changes.c.version))).scalar_one())


async def raise_version(database: Database, pause: float = 0) -> None:
    async with database.writing() as connection:
        await connection.execute(update(changes).values(version=changes.c.version + 1))
        await asyncio.sleep(pause)


async def test_a_fresh_database_has_the_one_row_of_changes(database):
    async with database.reading() as connection:
        assert [(1, 0, "", "")] == (await connection.execute(select(changes))).all()


async def test_what_was_committed_is_there_after_the_next_open(database_url):
    for expected in range(3):
        database = await Database.open(database_url)
        assert expected == await version(database)
        await raise_version(database)
        await database.aclose()


async def test_closing_twice_does_nothing(database_url):
    database = await Database.open(database_url)

    await database.aclose()
    await database.aclose()


async def test_an_exception_rolls_everything_back(database):
    async def fail():
        async with database.writing() as connection:
            await connection.execute(update(changes).values(version=7))
            raise KeyError

    with pytest.raises(KeyError):
        await fail()

    assert await version(database) == 0


async def test_a_taken_name_is_a_duplicate_and_keeps_nothing(database):
    async with database.writing() as connection:
        await connection.execute(a_team("red"))

    async def add(team):
        async with database.writing() as connection:
            await connection.execute(update(changes).values(version=7))
            await connection.execute(team)

    for team in (a_team("red", "team_2"), a_team("blue", "team_1")):
        with pytest.raises(Duplicate):
            await add(team)

    assert await version(database) == 0


async def test_writers_that_come_at_once_lose_no_update(database):
    await asyncio.gather(*(raise_version(database) for _ in range(50)))

    assert await version(database) == 50


@pytest.mark.parametrize("turns", range(0, 40, 2))
async def test_a_cancelled_writer_rolls_back_and_the_next_one_works(database, turns):
    writer = asyncio.ensure_future(raise_version(database, pause=30))
    for _ in range(turns):
        await asyncio.sleep(0.001)
    writer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writer

    await raise_version(database)

    assert await version(database) == 1


@pytest.mark.parametrize("way", ["reading", "writing"])
async def test_a_transaction_that_takes_too_long_is_given_up(database, monkeypatch, way):
    monkeypatch.setattr(database_room, "_LONGEST_SECONDS", 0.2)

    async def stay():
        async with getattr(database, way)():
            await asyncio.sleep(30)

    with pytest.raises(LedgerUnavailable):
        await stay()

    monkeypatch.undo()
    await raise_version(database)
    assert await version(database) == 1


async def test_readers_do_not_wait_for_a_writer(database):
    async with database.writing() as connection:
        await connection.execute(update(changes).values(version=7))
        assert await asyncio.gather(*(version(database) for _ in range(20))) == [0] * 20

    assert await version(database) == 7


async def test_nothing_can_be_written_through_a_reader(database):
    with pytest.raises(LedgerUnavailable):
        async with database.reading() as connection:
            await connection.execute(update(changes).values(version=7))

    assert await version(database) == 0


async def test_reading_alone_needs_no_lock_and_sees_what_is_committed(database, database_url):
    beside = await Database.open(database_url, read_only=True)
    await raise_version(database)

    assert await version(beside) == 1
    with pytest.raises(LedgerUnavailable):
        async with beside.writing():
            pass

    await beside.aclose()
    await raise_version(database)
    assert await version(database) == 2


async def test_a_newer_schema_than_ours_is_refused_without_a_change(database, database_url):
    async with database.writing() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await database.aclose()

    for read_only in (True, False):
        with pytest.raises(ConfigurationError, match="newer"):
            await Database.open(database_url, read_only=read_only)


async def test_reading_alone_migrates_nothing(database, database_url):
    async with database.writing() as connection:
        await connection.execute(text("DROP TABLE alembic_version"))
    await database.aclose()

    with pytest.raises(ConfigurationError, match="older"):
        await Database.open(database_url, read_only=True)


CRASH = """
import asyncio, os, signal, sys
from pydantic import SecretStr
from app.storage.database import Database
from app.storage.record_store import RecordStore
from tests.storage.records import a_record
async def main():
    database = await Database.open(SecretStr(sys.argv[1]))
    store = RecordStore(database)
    for _ in range(5):
        await store.add([a_record() for _ in range(100)])
    async with database.writing() as connection:
        await connection.exec_driver_sql("UPDATE changes SET version = 99")
        os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""


async def test_a_kill_loses_nothing_that_was_committed_and_keeps_nothing_else(database_url):
    command = [sys.executable, "-c", CRASH, database_url.get_secret_value()]
    killed = await asyncio.to_thread(subprocess.run, command, timeout=25, check=False)
    assert killed.returncode == -9

    database = await Database.open(database_url)

    assert await version(database) == 0
    async with database.reading() as connection:
        assert (await connection.scalar(text("SELECT count(*) FROM records"))) == 500
        assert (
            await connection.scalar(
                select(func.sum(text("requests"))).select_from(text("usage_sums"))
            )
        ) == 1500
    await database.aclose()


@pytest.mark.parametrize(
    "url",
    ["", "mysql://h/x", "sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///a.db?mode=ro",
     "sqlite:///folder/", "ledger.db", "postgresql+psycopg://h/x"],
)  # fmt: skip
async def test_a_url_of_another_form_is_refused(url):
    with pytest.raises(ConfigurationError, match=r"^storage\.url: must be "):
        await Database.open(SecretStr(url))
