"""Uploads whose upstream, client or gateway does not do as it should (contract L, G3, J5; reliability R4, R12, R14)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from app.domain.configuration import ServerOptions, Timeouts
from app.storage.database import Database
from app.storage.record_store import RecordStore
from tests.fakes.gateways import KEY, RunningGateway
from tests.fakes.raw_client import RawClient, Reply, connected, eventually
from tests.fakes.scripted_upstream import (
    End,
    ScriptedUpstream,
    Step,
    entry_of,
    gateway_over,
    head,
    scripted,
    whole,
)
from tests.prove.books import Books
from tests.prove.serving import Served, settings, sqlite_in

OPENING = (
    b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nassistants\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
)
END = b"\r\n--b--\r\n"
PIECE = bytes(range(256)) * 256  # 64 KiB
MADE = whole(b'{"id":"file-1","object":"file"}')
TOO_LARGE = whole(b'{"error":{"message":"That is too much."}}', 413, connection="close")
PATIENT = Timeouts(first_byte_seconds=30, idle_seconds=30)


@dataclass
class Place:
    """A gateway over one upstream."""

    gateway: RunningGateway
    upstream: ScriptedUpstream

    @property
    def line(self) -> dict[str, object]:
        """The one line that was logged."""
        (line,) = self.gateway.lines()
        return line

    async def settled(self) -> bool:
        return await eventually(lambda: not len(self.gateway.gateway.in_flight))


@asynccontextmanager
async def place(
    *script: Step, timeouts: Timeouts = PATIENT, transfer: str = "chunked", drain: float = 0
) -> AsyncIterator[Place]:
    async with scripted() as upstream:
        upstream.tell(*script)
        entry = entry_of(upstream, upload_transfer=transfer)
        server = ServerOptions(drain_seconds=drain)
        async with gateway_over(entry, timeouts=timeouts, server=server) as gateway:
            yield Place(gateway, upstream)


def asking(length: int | None, more: bytes = b"") -> bytes:
    framing = b"transfer-encoding: chunked" if length is None else b"content-length: %d" % length
    return (
        b"POST /v1/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %b\r\n"
        b"content-type: multipart/form-data; boundary=b\r\n%b\r\n%b\r\n"
        % (KEY.encode(), framing, more)
    )


def framed(pieces: Sequence[bytes], *, is_chunked: bool) -> list[bytes]:
    if not is_chunked:
        return list(pieces)
    return [*(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces), b"0\r\n\r\n"]


async def upload(client: RawClient, count: int, *, is_chunked: bool = False) -> None:
    """A form with *count* pieces of a file leaves, as fast as it is taken."""
    pieces = [OPENING, *[PIECE] * count, END]
    await client.send(asking(None if is_chunked else sum(map(len, pieces))))
    for piece in framed(pieces, is_chunked=is_chunked):
        await client.send(piece)


async def answered(client: RawClient, count: int, *, is_chunked: bool = False) -> Reply:
    """The reply, which may come while the form is still on its way."""
    sending = asyncio.ensure_future(upload(client, count, is_chunked=is_chunked))
    try:
        return await client.reply()
    finally:
        sending.cancel()
        await asyncio.wait([sending])


# --- upstreams ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_a_refusal_that_comes_early_and_hangs_up_is_told_as_it_is(is_chunked):
    """What was sent to it and not read makes the kernel reset the connection right behind the answer."""
    statuses = []
    async with place(TOO_LARGE, End.CLOSE) as at:
        at.upstream.answers_heads, at.upstream.reads_on = True, False
        for _ in range(10):
            async with connected(at.gateway) as client:
                reply = await answered(client, 100, is_chunked=is_chunked)
            statuses.append((reply.status, reply.header("x-should-retry")))

        assert [(413, "false")] * 10 == statuses
        assert 10 == len(at.upstream.seen)


async def test_a_refusal_that_comes_early_and_never_ends_is_not_waited_for_as_long_as_any_answer():
    timeouts = Timeouts(first_byte_seconds=0.3, idle_seconds=30, total_seconds=30)
    script = (head(413, {"content-length": "100"}), b"{", End.HOLD)
    async with place(*script, timeouts=timeouts) as at, connected(at.gateway) as client:
        at.upstream.answers_heads = True
        reply = await answered(client, 100)

        assert (504, "false") == (reply.status, reply.header("x-should-retry"))
        assert ("first_byte", 1) == (at.line["phase"], len(at.upstream.seen))


async def test_an_upload_that_takes_longer_than_any_may_says_so():
    timeouts = Timeouts(first_byte_seconds=30, idle_seconds=30, total_seconds=0.3)
    async with place(End.HOLD, timeouts=timeouts) as at, connected(at.gateway) as client:
        await client.send(asking(10_000_000) + OPENING + PIECE * 2)
        reply = await client.reply()

        assert (504, "false") == (reply.status, reply.header("x-should-retry"))
        assert "total" == at.line["phase"]


async def test_a_client_may_be_slower_than_the_first_byte_deadline():
    timeouts = Timeouts(first_byte_seconds=0.1, idle_seconds=30)
    async with place(MADE, timeouts=timeouts) as at, connected(at.gateway) as client:
        await client.send(asking(len(OPENING + PIECE * 2 + END)) + OPENING + PIECE)
        await asyncio.sleep(0.3)
        await client.send(PIECE + END)

        assert 200 == (await client.reply()).status


@pytest.mark.parametrize("end", [End.CLOSE, End.RESET])
async def test_an_upstream_that_leaves_midway_is_asked_once(end):
    async with place(end) as at, connected(at.gateway) as client:
        at.upstream.answers_heads, at.upstream.reads_on = True, False
        reply = await answered(client, 100)

        assert (502, "false") == (reply.status, reply.header("x-should-retry"))
        assert ("upstream_cut", 1) == (at.line["outcome"], len(at.upstream.seen))


# --- clients --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transfer", ["chunked", "length"])
@pytest.mark.parametrize("is_chunked", [False, True])
async def test_j5_a_client_that_resets_is_noticed_while_an_upstream_reads_nothing(
    is_chunked, transfer
):
    """Nothing is read of the client then, so that no read can tell; and the upstream hears of it at once, whatever
    the kernel still holds for it."""
    async with place(End.HOLD, transfer=transfer) as at, connected(at.gateway) as client:
        at.upstream.answers_heads, at.upstream.reads_on = True, False
        sending = asyncio.ensure_future(upload(client, 500, is_chunked=is_chunked))
        seen = await at.upstream.request()
        stuck = await asyncio.wait([sending], timeout=0.2)
        client.reset()
        left_at = asyncio.get_running_loop().time()
        await asyncio.wait([sending])
        sending.exception()
        at.upstream.read_on()
        async with asyncio.timeout(1):
            await seen.gone.wait()

        assert sending in stuck[1] or transfer == "length"
        assert 0.25 > (seen.gone_at or 0) - left_at
        assert await at.settled()
        assert "client_gone" == at.line["outcome"]


async def test_expect_is_answered_by_the_refusal_alone():
    async with place(MADE) as at, connected(at.gateway) as client:
        await client.send(asking(1 << 40, b"expect: 100-continue\r\n"))
        reply = await client.reply()

        assert (413, b"") == (reply.status, client.buffer)
        assert [] == at.upstream.seen


@pytest.mark.parametrize("lie", [-1, 1 - len(END)])
async def test_a_length_that_is_too_short_makes_nothing(lie):
    """L6: the upstream never has the closing boundary."""
    body = OPENING + PIECE * 3 + END
    async with place(MADE) as at, connected(at.gateway) as client:
        await client.send(asking(len(body) + lie) + body)
        reply = await client.reply()

        assert 400 == reply.status
        assert [] == at.upstream.seen


async def test_single_byte_chunks_pass():
    body = OPENING + PIECE + END
    async with place(MADE) as at, connected(at.gateway) as client:
        await client.send(asking(None) + b"".join(b"1\r\n%c\r\n" % one for one in body))
        await client.send(b"0\r\n\r\n")

        assert 200 == (await client.reply()).status
        assert body == at.upstream.seen[0].body


# --- the gateway ----------------------------------------------------------------------------------------------------


async def test_g3_a_drain_in_the_midst_of_an_upload_asks_nobody_to_send_it_again():
    async with place(End.HOLD, drain=0.1) as at, connected(at.gateway) as client:
        await client.send(asking(10_000_000) + OPENING + PIECE * 2)
        assert await eventually(lambda: any(one.buffer for one in at.upstream.open))
        at.gateway.server.should_exit = True
        reply = await client.reply()

        assert (503, "false") == (reply.status, reply.header("x-should-retry"))
        assert "shutdown" == at.line["outcome"]


@pytest.mark.timeout(60)
async def test_j2_each_upload_that_a_kill_ends_has_one_record(tmp_path: Path):
    async with scripted() as upstream:
        upstream.tell(End.HOLD)
        served = Served(tmp_path)
        served.configure(settings(upstream.url, sqlite_in(tmp_path)))
        await served.start()
        await served.ready()
        async with served.connected() as client, served.connected() as other:
            for one in (client, other):
                await one.send(asking(10_000_000) + OPENING + PIECE * 2)
            assert await eventually(lambda: 2 == sum(bool(one.buffer) for one in upstream.open))
            await served.kill()
        await served.start()
        try:
            await served.ready()
        finally:
            await served.stop()
    database = await Database.open(SecretStr(sqlite_in(tmp_path)))
    try:
        books = await Books.read(RecordStore(database))
    finally:
        await database.aclose()

    assert ["shutdown"] * 2 == [record.outcome for record in books.records.values()]
    assert (2, 2) == (books.rows, books.summed_requests)
