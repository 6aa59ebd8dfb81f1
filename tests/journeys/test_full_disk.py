"""
A disk that is full under a gateway that serves (reliability R19, J3).

The process may not make a file larger than the journal is: the kernel refuses what goes beyond, after a part of a line.
"""

import asyncio
import re
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import pytest
from pydantic import SecretStr

from app.storage.database import Database
from app.storage.record_store import RecordStore
from tests.fakes.raw_client import chat, request
from tests.fakes.scripted_upstream import ANSWER, ScriptedUpstream, scripted, whole
from tests.prove.books import Books
from tests.prove.serving import Served, settings, sqlite_in

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="Linux alone sets others' limits"),
]

_SECONDS = 20.0
_PART_OF_A_LINE = 40
_FREE = resource.RLIM_INFINITY


@asynccontextmanager
async def serving(
    folder: Path, upstream: ScriptedUpstream, on_journal_failure: str
) -> AsyncIterator[Served]:
    served = Served(folder)
    usage = {"on_journal_failure": on_journal_failure}
    served.configure(settings(upstream.url, sqlite_in(folder), usage=usage))
    upstream.tell(whole(ANSWER))
    await served.start()
    try:
        await served.ready()
        yield served
    finally:
        await served.kill()


def fill_the_disk(served: Served) -> None:
    [journal] = (served.folder / "mindgate.journal").glob("*.journal")
    limit_files(served, journal.stat().st_size + _PART_OF_A_LINE)


def limit_files(served: Served, size: int) -> None:
    assert served.process is not None
    resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, (size, _FREE))


async def readiness(served: Served) -> tuple[int, str]:
    reply = await served.ask(request("GET", "/readyz", key=None))
    return reply.status, reply.json()["status"]


async def becomes_ready(served: Served) -> bool:
    began = monotonic()
    while monotonic() - began < _SECONDS:
        if await readiness(served) == (200, "ok"):
            return True
        await asyncio.sleep(0.05)
    return False


async def metric(served: Served, name: str) -> float:
    page = (await served.ask(request("GET", "/metrics", key=None))).body.decode()
    found = re.search(rf"^mindgate_{name} (\S+)$", page, re.MULTILINE)
    assert found is not None
    return float(found[1])


async def books_of(served: Served) -> Books:
    database = await Database.open(SecretStr(sqlite_in(served.folder)))
    try:
        return await Books.read(RecordStore(database))
    finally:
        await database.aclose()


async def test_accept_serves_on_counts_in_memory_and_writes_all_of_it_later(tmp_path: Path):
    async with scripted() as upstream, serving(tmp_path, upstream, "accept") as served:
        ids = [(await served.ask(chat())).header("x-request-id")]
        fill_the_disk(served)

        replies = [await served.ask(chat()) for _ in range(5)]
        while_full = await readiness(served), await metric(served, "journal_pending")
        limit_files(served, _FREE)

        assert [200] * 5 == [reply.status for reply in replies]
        assert ((200, "degraded"), True) == (while_full[0], while_full[1] >= 5)
        assert await becomes_ready(served)
        assert await metric(served, "journal_dropped_total") == 0
        assert await served.stop() == 0
        books = await books_of(served)

    ids += [reply.header("x-request-id") for reply in replies]
    assert set(ids) == set(books.records)
    assert (6, 6) == (books.rows, books.summed_requests)
    assert [] == list((tmp_path / "mindgate.journal").iterdir())


async def test_refuse_answers_503_and_has_consumed_nothing(tmp_path: Path):
    """Law 4: neither an upstream's answer, nor a place, nor money."""
    me = request("GET", "/v1/me")
    async with scripted() as upstream, serving(tmp_path, upstream, "refuse") as served:
        first = await served.ask(chat())
        before = (await served.ask(me)).json()["scopes"]
        fill_the_disk(served)

        refused = [await served.ask(chat(stream=is_stream)) for is_stream in (False, True)]
        after, while_full = (await served.ask(me)).json()["scopes"], await readiness(served)
        asked = len(upstream.seen)
        limit_files(served, _FREE)

        assert [503, 503] == [reply.status for reply in refused]
        assert {"ledger_unavailable"} == {reply.error["code"] for reply in refused}
        assert (1, before) == (asked, after)
        assert (503, "unavailable") == while_full
        assert await becomes_ready(served)
        last = await served.ask(chat())
        assert await served.stop() == 0
        books = await books_of(served)

    assert {first.header("x-request-id"), last.header("x-request-id")} == set(books.records)
    assert 2 == books.summed_requests
