"""Files on their way to a client: cut, slow, left, asked for in part (contract L9, L10, J5; reliability R4)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.fakes.gateways import KEY, RunningGateway
from tests.fakes.raw_client import RawClient, Reply, connected, eventually
from tests.fakes.scripted_upstream import (
    End,
    ScriptedUpstream,
    Step,
    chunked,
    entry_of,
    gateway_over,
    head,
    scripted,
)

PIECE = bytes(range(256)) * 256
LONG = {"content-type": "application/octet-stream", "content-length": str(200 * len(PIECE))}
CHUNKED = {"content-type": "application/octet-stream", "transfer-encoding": "chunked"}


def asking(method: str = "GET", version: str = "1.1", more: bytes = b"") -> bytes:
    return (
        b"%b /v1/files/file-1/content HTTP/%b\r\nhost: x\r\nauthorization: Bearer %b\r\n%b\r\n"
        % (
            method.encode(),
            version.encode(),
            KEY.encode(),
            more,
        )
    )


@asynccontextmanager
async def place(*script: Step) -> AsyncIterator[tuple[RunningGateway, ScriptedUpstream]]:
    async with scripted() as upstream:
        upstream.tell(*script)
        async with gateway_over(entry_of(upstream)) as gateway:
            yield gateway, upstream


@pytest.mark.parametrize("end", [End.CLOSE, End.RESET])
@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize(
    "script",
    [
        pytest.param((head(200, LONG), PIECE * 3), id="with a length"),
        pytest.param((head(200, CHUNKED), chunked(PIECE)), id="in chunks"),
    ],
)
async def test_l10_what_is_cut_upstream_never_looks_whole(script, version, end):
    async with place(*script, end) as (gateway, _), connected(gateway) as client:
        await client.send(asking(version=version))
        reply = await client.begin()
        with pytest.raises((EOFError, ConnectionResetError)):
            await read_out(client, reply)

        assert await eventually(lambda: bool(gateway.lines()))
        assert "upstream_cut" == gateway.lines()[0]["outcome"]


async def read_out(client: RawClient, reply: Reply) -> None:
    """All of the body. Raises EOFError, ConnectionResetError where that is not whole."""
    if reply.header("transfer-encoding"):
        while await client.chunk():
            pass
    elif reply.header("content-length"):
        await client._exactly(int(reply.header("content-length") or 0))
    else:
        while await client.more():  # whatever ends in order is whole
            pass


async def test_r4_a_slow_client_holds_the_upstream_up_and_j5_leaving_ends_it():
    async with place(head(200, LONG), *[PIECE] * 200, End.HOLD) as (gateway, upstream):
        async with connected(gateway) as client:
            await client.send(asking())
            await client.begin()
            assert await eventually(lambda: bool(upstream.waiting_bytes))
            seen = await upstream.request()
            left_at = asyncio.get_running_loop().time()
        await eventually(seen.gone.is_set)

        assert 0.25 > (seen.gone_at or 0) - left_at
        assert await eventually(lambda: bool(gateway.lines()))
        assert "client_gone" == gateway.lines()[0]["outcome"]


async def test_a11_to_head_no_byte_is_read_and_the_connection_serves_on():
    async with (
        place(head(200, LONG), PIECE, End.HOLD) as (gateway, _),
        connected(gateway) as client,
    ):
        await client.send(asking("HEAD") * 2)
        replies = [await client.reply(is_head=True) for _ in range(2)]

        assert [LONG["content-length"]] * 2 == [one.header("content-length") for one in replies]


async def test_l9_a_part_is_a_part_and_more_than_there_is_says_how_much_there_is():
    part = head(206, {"content-range": "bytes 0-1/9", "content-length": "2"}) + b"ab"
    none = head(416, {"content-range": "bytes */9", "content-length": "0"})
    for script, expected in ((part, (206, "bytes 0-1/9")), (none, (416, "bytes */9"))):
        async with place(script) as (gateway, upstream), connected(gateway) as client:
            await client.send(asking(more=b"range: bytes=0-1\r\n"))
            reply = await client.reply()

            assert expected == (reply.status, reply.header("content-range"))
            assert "bytes=0-1" == upstream.seen[0].header("range")
