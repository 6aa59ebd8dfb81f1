"""SQLite's facts (reliability Q1 to Q5)."""

import asyncio
import os
import stat
import subprocess
import sys
import time

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from typing_extensions import override

from app.domain.errors import ConfigurationError, LedgerUnavailable
from app.storage import sqlite as sqlite_room
from app.storage.database import Database
from app.storage.record_store import RecordStore
from app.storage.spans import spans
from app.storage.steady_connection import SteadyConnection
from tests.storage.records import NOON_MS, a_record

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "kept" / "ledger.db"


@pytest.fixture
def url(path):
    return SecretStr(f"sqlite:///{path}")


async def pragma(connection, name):
    return (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar()


async def test_the_folder_is_made_and_its_files_are_the_owners_alone(url, path):
    database = await Database.open(url)
    await RecordStore(database).add([a_record()])

    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}

    assert modes == dict.fromkeys(
        ["ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.db.lock"], 0o600
    )
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    await database.aclose()


async def test_a_relative_name_is_of_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    database = await Database.open(SecretStr("sqlite:///some ledger?.db".replace("?", "#%20")))
    await database.aclose()

    assert (tmp_path / "some ledger#%20.db").is_file()


async def test_the_writer_keeps_a_write_ahead_log_and_alone_checkpoints(url):
    database = await Database.open(url)
    async with database.writing() as connection:
        assert await pragma(connection, "journal_mode") == "wal"
        assert await pragma(connection, "synchronous") == 1
        assert await pragma(connection, "busy_timeout") == 5000
        assert await pragma(connection, "mmap_size") in (0, None)
        assert await pragma(connection, "wal_autocheckpoint") == 1000
    async with database.reading() as connection:
        assert await pragma(connection, "wal_autocheckpoint") == 0
        assert await pragma(connection, "query_only") == 1
        assert await pragma(connection, "busy_timeout") == 5000
    await database.aclose()


async def test_a_second_writer_is_refused_until_the_first_one_closes(url):
    first = await Database.open(url)

    with pytest.raises(ConfigurationError, match=r"postgresql://.*--url"):
        await Database.open(url)

    await first.aclose()
    second = await Database.open(url)
    await second.aclose()


async def test_a_second_process_is_refused(url):
    first = await Database.open(url)
    program = (
        "import asyncio, sys; from pydantic import SecretStr; from app.storage.database import Database\n"
        "asyncio.run(Database.open(SecretStr(sys.argv[1])))"
    )
    second = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", program, url.get_secret_value()],
        capture_output=True, text=True, timeout=25, check=False,
    )  # fmt: skip

    assert "in use by another process" in second.stderr.splitlines()[-1]
    await first.aclose()


async def test_a_refused_second_writer_leaves_no_trace_of_a_kill(url, path):
    first = await Database.open(url)
    with pytest.raises(ConfigurationError):
        await Database.open(url)
    await first.aclose()

    assert path.with_name("ledger.db.lock").read_bytes() == b""


def overwrite(path, at=0, size=4096):
    with path.open("r+b") as file:
        file.seek(at)
        file.write(os.urandom(size))


async def filled(url):
    database = await Database.open(url)
    await RecordStore(database).add([a_record() for _ in range(2000)])
    await database.aclose()


async def test_a_damaged_file_is_found_after_a_kill(url, path):
    await filled(url)
    overwrite(path, at=path.stat().st_size // 2 // 4096 * 4096, size=8192)
    path.with_name("ledger.db.lock").write_bytes(b"open\n")

    with pytest.raises(ConfigurationError, match=r"damaged.*backup"):
        await Database.open(url)
    assert path.with_name("ledger.db.lock").read_bytes() == b"open\n"


async def test_a_sound_file_is_looked_through_after_a_kill_and_opened(url, path):
    await filled(url)
    path.with_name("ledger.db.lock").write_bytes(b"open\n")

    database = await Database.open(url)
    await database.aclose()

    assert path.with_name("ledger.db.lock").read_bytes() == b""


@pytest.mark.parametrize("read_only", [False, True])
async def test_a_file_that_is_no_database_is_damaged(url, path, read_only):
    path.parent.mkdir()
    path.write_bytes(b"not a database " * 1000)

    with pytest.raises(ConfigurationError, match="damaged"):
        await Database.open(url, read_only=read_only)


async def test_reading_a_missing_file_is_refused_and_makes_none(url, path):
    with pytest.raises(ConfigurationError, match="no database"):
        await Database.open(url, read_only=True)

    assert not path.parent.exists()


async def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigurationError, match="cannot be made or locked"):
        await Database.open(SecretStr(f"sqlite:///{tmp_path}/file/ledger.db"))


async def test_reading_works_with_what_a_kill_left_behind(url, path, tmp_path):
    database = await Database.open(url)
    await RecordStore(database).add([a_record()])
    copied = tmp_path / "copy"
    copied.mkdir()
    for name in ("ledger.db", "ledger.db-wal"):
        (copied / name).write_bytes(path.with_name(name).read_bytes())
    await database.aclose()

    beside = await Database.open(SecretStr(f"sqlite:///{copied}/ledger.db"), read_only=True)

    assert len(await RecordStore(beside).records(limit=9)) == 1
    await beside.aclose()


async def test_a_full_disk_refuses_and_works_again_when_there_is_room(url):
    database = await Database.open(url)
    store = RecordStore(database)
    kept = await store.add([a_record() for _ in range(100)])
    async with database.writing() as connection:
        pages = await pragma(connection, "page_count")
        await pragma(connection, f"max_page_count={pages}")

    with pytest.raises(LedgerUnavailable):
        await store.add([a_record(trail="x" * 10_000) for _ in range(100)])
    assert len(await store.records(limit=999)) == kept

    async with database.writing() as connection:
        await pragma(connection, "max_page_count=1000000")
    kept += await store.add([a_record(trail="x" * 10_000) for _ in range(100)])
    [total] = await store.sums(spans(0, NOON_MS + 86_400_000))
    assert total.requests == kept == len(await store.records(limit=999))
    await database.aclose()


async def test_a_read_that_takes_too_long_is_ended(url, monkeypatch):
    monkeypatch.setattr(sqlite_room, "_LONGEST_READ_SECONDS", 0.2)
    database = await Database.open(url)

    with pytest.raises(LedgerUnavailable):
        async with database.reading() as connection:
            await connection.execute(text(ENDLESS))
    async with database.reading() as connection:
        assert (await connection.execute(text("SELECT 1"))).scalar() == 1

    await database.aclose()


@pytest.mark.parametrize("way", ["reading", "writing"])
async def test_a_cancelled_statement_stops_at_once(url, way):
    database = await Database.open(url)

    async def endless():
        async with getattr(database, way)() as connection:
            await connection.execute(text(ENDLESS))

    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(endless(), 0.2)

    assert time.monotonic() - begun < 5
    await RecordStore(database).add([a_record()])
    await database.aclose()


async def test_no_second_writing_connection_opens_beside_a_cancelled_one(url, path, monkeypatch):
    """Reliability Q2: the one before is closed, however often its caller was cancelled."""
    open_now, most = 0, 0

    class Counted(sqlite_room.UndoingConnection):
        def __init__(self, target, *args, **kwargs):
            nonlocal open_now, most
            super().__init__(target, *args, **kwargs)
            self.counts = "mode=rw" in target
            open_now += self.counts
            most = max(most, open_now)

        @override
        def close(self):
            nonlocal open_now
            super().close()
            open_now -= self.counts
            self.counts = False

    monkeypatch.setattr(sqlite_room, "UndoingConnection", Counted)
    database = await Database.open(url)

    async def slow():
        async with database.writing() as connection:
            await connection.execute(text(ENDLESS))

    for _ in range(5):
        writer = asyncio.ensure_future(slow())
        await asyncio.sleep(0.02)
        writer.cancel()
        await asyncio.sleep(0)
        writer.cancel()
        added = asyncio.ensure_future(RecordStore(database).add([a_record()]))
        await asyncio.wait([writer, added])
        assert writer.cancelled()
        assert added.result() == 1

    assert most == 1
    await database.aclose()
    assert open_now == 0


async def test_importing_storage_imports_neither_alembic_nor_asyncpg_nor_the_orm():
    program = (
        "import sys, app.storage.record_store\n"
        "unused = ('alembic', 'asyncpg', 'mako', 'sqlalchemy.orm')\n"
        "print([name for name in unused if name in sys.modules])"
    )
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"


async def test_only_a_database_that_is_behind_costs_the_import_of_alembic(url):
    await filled(url)
    program = (
        "import asyncio, sys; from pydantic import SecretStr; from app.storage.database import Database\n"
        "async def main():\n"
        "    await (await Database.open(SecretStr(sys.argv[1]))).aclose()\n"
        "    print('alembic' in sys.modules)\n"
        "asyncio.run(main())"
    )
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", program, url.get_secret_value()],
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout == "False\n"


async def test_a_batch_takes_three_ways_to_the_connections_thread(tmp_path, monkeypatch):
    database = await Database.open(SecretStr(f"sqlite:///{tmp_path}/ledger.db"))
    asked = []
    execute = SteadyConnection._execute

    async def counted(self, fn, *args, **kwargs):
        asked.append(fn)
        return await execute(self, fn, *args, **kwargs)

    monkeypatch.setattr(SteadyConnection, "_execute", counted)

    await RecordStore(database).add([a_record()])

    assert len(asked) == 3  # begin, all of the batch, commit: each way costs as much as ten records
    await database.aclose()
