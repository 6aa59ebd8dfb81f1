"""What is written in one turn of the loop leaves at its end, in one write for each connection."""

import asyncio
from typing import Any

from typing_extensions import override

from app.wire.outbox import Outbox, Outgoing
from tests.wire.parts import FakeTransport

MUCH = bytes(64 * 1024 + 1)


def ways_out(number: int) -> list[tuple[Outgoing, FakeTransport]]:
    """Connections of one outbox."""
    outbox = Outbox()
    transports = [FakeTransport() for _ in range(number)]
    return [(Outgoing(transport, outbox), transport) for transport in transports]


async def test_what_is_written_in_a_turn_leaves_at_its_end():
    [(one, first), (other, second)] = ways_out(2)
    one.write(b"a")
    other.write(b"b")
    one.write(b"c")

    assert [] == first.written + second.written
    await asyncio.sleep(0)

    assert [b"ac"] == first.written
    assert [b"b"] == second.written


async def test_each_turn_has_its_own_write():
    [(out, transport)] = ways_out(1)
    for piece in (b"a", b"b"):
        out.write(piece)
        await asyncio.sleep(0)

    assert [b"a", b"b"] == transport.written


async def test_much_does_not_wait_and_what_follows_it_does():
    [(out, transport)] = ways_out(1)
    out.write(b"a")
    out.write(MUCH)
    assert [b"a" + MUCH] == transport.written

    out.write(b"b")
    assert [b"a" + MUCH] == transport.written
    await asyncio.sleep(0)

    assert [b"a" + MUCH, b"b"] == transport.written


async def test_what_is_flushed_leaves_once():
    [(out, transport)] = ways_out(1)
    out.write(b"a")
    out.flush()
    await asyncio.sleep(0)

    assert [b"a"] == transport.written


async def test_what_is_dropped_does_not_leave_but_what_is_written_then_does():
    [(out, transport)] = ways_out(1)
    out.write(MUCH[1:])
    out.drop()
    out.write(b"b")
    await asyncio.sleep(0)

    assert [b"b"] == transport.written


async def test_large_pieces_leave_behind_what_was_written_before():
    [(out, transport)] = ways_out(1)
    out.write(b"a")
    out.write_large([b"b", b"c"])

    assert b"abc" == b"".join(transport.written)


class GoneTransport(FakeTransport):
    """Its socket is gone: uvloop's transport raises then."""

    @override
    def write(self, data: Any) -> None:
        raise RuntimeError("the handler is closed")


async def test_law_1_one_whose_socket_is_gone_keeps_nobody_elses_bytes_back():
    outbox, other = Outbox(), FakeTransport()
    gone, out = Outgoing(GoneTransport(), outbox), Outgoing(other, outbox)
    for round_ in (b"1", b"2"):
        gone.write(b"a")
        gone.write(b"b")
        out.write(round_)
        await asyncio.sleep(0)

    assert [b"1", b"2"] == other.written
