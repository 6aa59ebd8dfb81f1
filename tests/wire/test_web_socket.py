"""One websocket, frame by frame: what RFC 6455 asks, and what bounds it (upstreams N13; reliability R3, R4)."""

import asyncio
import gc
import random
import weakref

import pytest

from app.wire.messages import Message, SocketClosed
from app.wire.outbox import Outbox, Outgoing
from app.wire.web_socket import MOST_MESSAGE_BYTES, WebSocket
from tests.wire.socket_parts import Far, SocketTransport

HELLO = Message(b"hello", True)
AUDIO = Message(b"\x00\xff", False)


async def closed(socket: WebSocket) -> SocketClosed:
    with pytest.raises(SocketClosed) as caught:
        await socket.receive()
    return caught.value


@pytest.fixture(params=[False, True], ids=["the server's end", "the client's end"])
async def far(request) -> Far:
    return Far(is_client=request.param)


# --- messages ---------------------------------------------------------------------------------------------------------


async def test_texts_and_binaries_come_out_in_order(far):
    far.says(far.text(b"hello"), far.binary(b"\x00\xff"), far.text(b""))

    assert [HELLO, AUDIO, Message(b"", True)] == await far.waiting()


async def test_texts_and_binaries_go_out_in_order(far):
    await far.socket.send(HELLO)
    await far.socket.send(AUDIO)

    assert [("TEXT", b"hello"), ("BINARY", b"\x00\xff")] == await far.seen()


async def test_what_is_sent_in_one_turn_is_one_write(far):
    for _ in range(3):
        await far.socket.send(HELLO)
    await far.seen()

    assert 1 == len(far.transport.written)


async def test_fragments_are_joined_around_a_ping_that_is_answered(far):
    far.says(
        far.text(b"he", fin=False),
        far.ping(b"there?"),
        far.more(b"", fin=False),
        far.more(b"llo"),
        far.binary(b"", fin=False),
        far.more(b"\x00\xff"),
    )

    assert [HELLO, AUDIO] == await far.waiting()
    assert [("PONG", b"there?")] == await far.seen()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
async def test_the_size_of_the_reads_makes_no_difference(far, size):
    stream = (
        far.text("né".encode()[:2], fin=False)
        + far.ping()
        + far.more("né".encode()[2:])
        + far.binary(b"x" * 70_000)
        + far.pong()
        + far.close(4001, b"enough")
    )
    for at in range(0, len(stream), size):
        far.says(stream[at : at + size])
        if len(await far.waiting()) == 2:
            raise AssertionError("two at a time")

    assert 4001 == (await closed(far.socket)).code


async def test_a_message_of_the_most_bytes_passes(far):
    far.says(far.binary(bytes(MOST_MESSAGE_BYTES)))

    assert [MOST_MESSAGE_BYTES] == [len(message.payload) for message in await far.waiting()]


async def test_bytes_may_be_cut_anywhere():
    chance = random.Random(5)
    for _ in range(200):
        far = Far()
        sent = [
            Message(chance.randbytes(chance.choice([0, 1, 125, 126, 9_000])), False)
            for _ in range(6)
        ]
        stream = b"".join(far.binary(one.payload) + far.ping() for one in sent)
        cuts = sorted(chance.randrange(len(stream)) for _ in range(chance.randrange(9)))
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            far.says(stream[start:end])

        assert sent == await far.waiting()


# --- what is refused --------------------------------------------------------------------------------------------------


BROKEN = {
    "an invalid byte of UTF-8": (lambda far: far.text(b"a\xff"), 1007),
    "a character cut off by the end": (lambda far: far.text("é".encode()[:1]), 1007),
    "a surrogate": (lambda far: far.text(b"\xed\xa0\x80"), 1007),
    "invalid in its second fragment": (
        lambda far: far.text(b"a", fin=False) + far.more(b"\xff"),
        1007,
    ),
    "a message in the midst of another": (
        lambda far: far.text(b"a", fin=False) + far.text(b"b"),
        1002,
    ),
    "a fragment of nothing": (lambda far: far.more(b"a"), 1002),
    "a reserved bit": (lambda far: bytes([0xC1]) + far.text(b"")[1:], 1002),
    "a reserved opcode": (lambda far: bytes([0x83]) + far.text(b"")[1:], 1002),
    "a ping in fragments": (lambda far: bytes([0x09]) + far.ping()[1:], 1002),
    "a close with half a code": (lambda far: bytes([0x88]) + far.text(b"x")[1:], 1002),
    "a close with a code that none may send": (lambda far: far.close(1006), 1002),
    "a close whose reason is no UTF-8": (lambda far: far.close(1000, b"\xff"), 1007),
    "a wrong mask": (lambda far: Far(is_client=far.masks).text(b"x"), 1002),
}


@pytest.mark.parametrize(("broken", "code"), BROKEN.values(), ids=BROKEN)
async def test_what_is_no_websocket_is_closed_with_its_code(far, broken, code):
    far.says(far.text(b"hello"), broken(far), far.text(b"late"))

    assert HELLO == await far.socket.receive()
    assert code == (await closed(far.socket)).code
    name, payload = (await far.seen())[-1]
    assert ("CLOSE", code.to_bytes(2, "big")) == (name, payload[:2])


@pytest.mark.parametrize("fragments", [1, 2])
async def test_a_message_that_is_too_large_is_not_collected(far, fragments):
    """Told by its head, before its bytes come."""
    half = far.binary(bytes(MOST_MESSAGE_BYTES // 2), fin=False) if fragments == 2 else b""
    size = MOST_MESSAGE_BYTES + 1 - (MOST_MESSAGE_BYTES // 2 if half else 0)
    mask = 0x80 if far.masks else 0
    head = bytes([0x80 if half else 0x82, mask | 127]) + size.to_bytes(8, "big")
    far.says(half, head)

    assert 1009 == (await closed(far.socket)).code


async def test_a_flood_of_empty_fragments_keeps_nothing(far):
    far.says(far.text(b"", fin=False))
    for _ in range(50):
        far.says(far.more(b"", fin=False) * 500)
        await asyncio.sleep(0)
    for _ in range(400):
        await asyncio.sleep(0)
    far.says(far.more(b"hello"))

    assert [HELLO] == await far.waiting()


# --- closing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "reason", "told"),
    [(1000, b"", 1000), (4001, "né".encode(), 4001), (None, b"", 1005), (1013, b"later", 1013)],
)
async def test_a_close_is_answered_and_told_behind_what_came_before(far, code, reason, told):
    far.says(far.text(b"hello"), far.close(code, reason), far.text(b"late"))

    assert HELLO == await far.socket.receive()
    failure = await closed(far.socket)
    assert (told, reason.decode()) == (failure.code, failure.reason)
    assert [("CLOSE", _payload(code, reason))] == await far.seen()
    with pytest.raises(SocketClosed):
        await far.socket.send(HELLO)


def _payload(code: int | None, reason: bytes) -> bytes:
    return b"" if code is None else code.to_bytes(2, "big") + reason


async def test_a_server_ends_the_connection_after_a_close():
    far = Far()
    far.says(far.close())

    assert far.transport.has_ended


@pytest.mark.parametrize(
    ("code", "reason", "sent"),
    [
        (1000, "bye", b"\x03\xe8bye"),
        (4999, "", b"\x13\x87"),
        (1005, "", b""),
        (1006, "", b"\x03\xf3"),
        (1015, "", b"\x03\xf3"),
        (999, "", b"\x03\xf3"),
        (1000, "é" * 100, b"\x03\xe8" + "é".encode() * 61),
    ],
    ids=[
        "with its reason",
        "with the highest code",
        "without a code",
        "a cut as a fault of ours",
        "a fault of TLS as one of ours",
        "a code that is none as a fault of ours",
        "with as much of its reason as fits",
    ],
)
async def test_a_close_goes_out_as_a_frame_may_carry_it(far, code, reason, sent):
    closing = asyncio.ensure_future(far.socket.close(code, reason))
    await asyncio.sleep(0)

    assert [("CLOSE", sent)] == await far.seen()
    far.says(far.close())
    far.socket.eof_received()
    far.socket.connection_lost(None)
    await closing


async def test_a_close_is_done_when_the_connection_is_gone_and_wakes_who_receives(far):
    receiving = asyncio.ensure_future(far.socket.receive())
    await asyncio.sleep(0)
    closing = [asyncio.ensure_future(far.socket.close(4002, "why")) for _ in range(2)]
    await asyncio.sleep(0)

    assert not closing[0].done()
    with pytest.raises(SocketClosed) as caught:
        await receiving
    assert (4002, "why") == (caught.value.code, caught.value.reason)
    far.socket.connection_lost(None)
    await asyncio.gather(*closing)
    assert 1 == len(await far.seen())


async def test_a_close_that_nobody_answers_is_cut_short(far, monkeypatch):
    monkeypatch.setattr("app.wire.web_socket.CLOSE_SECONDS", 0.01)

    await far.socket.close()

    assert far.transport.is_aborted


async def test_what_still_comes_behind_a_close_of_ours_is_dropped_and_no_longer_held_back(far):
    far.says(*[far.binary(bytes(4000))] * 40)
    assert far.transport.has_paused

    far.socket.begin_close(1000)
    await asyncio.sleep(0)
    far.says(*[far.binary(bytes(4000))] * 40)

    assert not far.transport.has_paused
    assert [] == await far.waiting()


@pytest.mark.parametrize("is_cut", [False, True])
async def test_a_cut_is_told_behind_what_came_before(far, is_cut):
    far.says(far.text(b"hello"), far.text(b"half")[:-2])
    if not is_cut:
        far.socket.eof_received()
    far.socket.connection_lost(ConnectionResetError() if is_cut else None)

    assert HELLO == await far.socket.receive()
    assert (1006, "") == (await closed(far.socket)).args


async def test_messages_that_were_held_when_the_connection_ended_are_not_lost(far):
    far.says(*[far.text(b"hello")] * 3000)
    far.socket.connection_lost(None)

    assert 3000 == len(await far.waiting())


async def test_an_abort_ends_it_at_once_and_for_both(far):
    sending = asyncio.ensure_future(far.socket.send(HELLO))
    far.transport.fill()
    waiting = asyncio.ensure_future(far.socket.send(HELLO))
    await asyncio.sleep(0)
    far.socket.abort()
    await asyncio.wait((sending, waiting))

    assert far.transport.is_aborted
    assert isinstance(waiting.exception(), SocketClosed)
    assert 1006 == (await closed(far.socket)).code


async def test_a_transport_that_is_gone_raises_into_nothing(far):
    def write(_):
        raise RuntimeError("the handler is closed")

    far.transport.write = write
    await far.socket.send(Message(bytes(100_000), False))
    far.says(far.ping())
    far.says(far.close())
    await asyncio.sleep(0)

    assert 1000 == (await closed(far.socket)).code


async def test_its_end_is_told_once():
    ends = []
    far = Far(on_lost=lambda: ends.append(1))
    far.socket.connection_lost(None)
    far.socket.connection_lost(None)

    assert [1] == ends


async def test_a_socket_that_ended_needs_no_garbage_collector():
    gc.disable()
    try:
        far = Far()
        far.says(far.text(b"hello"), far.close())
        far.socket.connection_lost(None)
        far.transport.socket = None
        watched = weakref.ref(far.socket._protocol)
        del far
        for _ in range(3):
            await asyncio.sleep(0)
        assert watched() is None
    finally:
        gc.enable()


# --- what waits -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 10, 4000])
async def test_reading_stops_while_nobody_takes_and_goes_on_when_somebody_does(far, size):
    """However small the messages are, few of them are made of what one read brought."""
    frame = far.binary(bytes(size))
    count = 200_000 // len(frame)
    far.says(frame * count)

    assert far.transport.has_paused
    assert len(far.socket._waiting) < 5000
    assert far.socket._waiting_bytes <= 64 * 1024 + 8 * 1024
    taken = 0
    while taken < count:
        taken += len(await far.waiting())
        await asyncio.sleep(0)
    assert not far.transport.has_paused
    assert count == taken


async def test_one_large_message_waits_whole_and_no_other_beside_it(far):
    far.says(far.binary(bytes(300_000)), far.binary(bytes(9_000)) * 30)

    assert far.transport.has_paused
    assert 1 == len(far.socket._waiting)


async def test_a_flood_of_pings_leaves_other_turns_to_others(far):
    far.says(far.ping() * 20_000)
    await asyncio.sleep(0)

    assert far.transport.has_paused
    for _ in range(300):
        await asyncio.sleep(0)
    assert not far.transport.has_paused
    assert 20_000 == len(await far.seen())


async def test_pings_of_one_who_reads_nothing_are_answered_once_and_collect_nothing(far):
    far.transport.fill()
    for number in range(100):
        far.says(far.ping(b"%d" % number))

    assert [] == await far.seen()
    far.transport.drain()
    assert [("PONG", b"99")] == await far.seen()


async def test_sending_waits_while_the_other_side_is_slow(far):
    far.transport.fill()
    sending = [asyncio.ensure_future(far.socket.send(HELLO)) for _ in range(2)]
    await asyncio.sleep(0)

    assert [] == await far.seen()
    far.transport.drain()
    await asyncio.gather(*sending)
    assert 2 == len(await far.seen())


async def test_sending_that_was_cancelled_while_it_waited_sends_nothing(far):
    far.transport.fill()
    sending = asyncio.ensure_future(far.socket.send(HELLO))
    await asyncio.sleep(0)
    sending.cancel()
    await asyncio.wait((sending,))
    far.transport.drain()

    assert [] == await far.seen()
    assert [] == far.socket._senders


@pytest.mark.parametrize(("left", "is_cut"), [(100_000, True), (60_000, True), (40_000, False)])
async def test_one_who_takes_too_little_of_what_it_is_sent_is_cut(far, monkeypatch, left, is_cut):
    """Reliability R3."""
    monkeypatch.setattr("app.wire.web_socket.WRITE_STALL_SECONDS", 0)
    far.transport.fill(100_000)
    monkeypatch.undo()
    far.transport.unsent_bytes = left
    for _ in range(3):
        await asyncio.sleep(0)

    assert is_cut == far.transport.is_aborted
    far.socket.abort()
    await asyncio.sleep(0)


async def test_no_timer_runs_while_it_is_open_and_nobody_is_slow(far):
    far.transport.fill()
    far.transport.drain()

    assert far.socket._timer is None


# --- signs of life ----------------------------------------------------------------------------------------------------


async def test_one_that_answers_is_asked_again_and_again():
    far = Far()
    for _ in range(3):
        far.socket.keep_alive()
        far.says(far.pong())

    assert [("PING", b"")] * 3 == await far.seen()
    assert not far.transport.is_aborted


async def test_one_that_says_nothing_between_two_looks_is_given_up():
    far = Far()
    far.socket.keep_alive()
    far.socket.keep_alive()

    assert 1006 == (await closed(far.socket)).code
    assert far.transport.is_aborted


async def test_one_that_we_do_not_read_is_not_given_up():
    far = Far()
    far.says(*[far.binary(bytes(4000))] * 40)
    for _ in range(3):
        far.socket.keep_alive()

    assert not far.transport.is_aborted


# --- together ---------------------------------------------------------------------------------------------------------


async def test_a_thousand_cancels_leave_nothing_behind():
    chance = random.Random(7)
    for _ in range(1000):
        far = Far()
        if chance.random() < 0.5:
            far.transport.fill()
        users = [
            asyncio.ensure_future(far.socket.receive()),
            asyncio.ensure_future(far.socket.send(HELLO)),
        ]
        if chance.random() < 0.3:
            users.append(asyncio.ensure_future(far.socket.close()))
        for _ in range(chance.randrange(3)):
            await asyncio.sleep(0)
        for user in users:
            user.cancel()
        await asyncio.wait(users)
        far.socket.abort()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

        assert far.socket._receiver is None
        assert far.socket._senders == []
        assert far.socket._timer is None
        assert far.transport.is_aborted


async def test_two_of_ours_understand_each_other():
    ends = SocketTransport(), SocketTransport()
    near = WebSocket(Outgoing(ends[0], Outbox()), is_client=True)
    other = WebSocket(Outgoing(ends[1], Outbox()), is_client=False)
    await near.send(HELLO)
    await asyncio.sleep(0)
    other.data_received(b"".join(ends[0].written))
    await other.send(await other.receive())
    await asyncio.sleep(0)
    near.data_received(b"".join(ends[1].written))

    assert HELLO == await near.receive()
    near.abort()
    other.abort()
    near.connection_lost(None)
    other.connection_lost(None)


# --- our end (upstreams A12) ------------------------------------------------------------------------------------------


async def test_a12_behind_our_end_the_other_side_is_still_heard(far):
    far.socket.end()
    far.socket.end()
    far.says(far.text(b"hello"))
    assert HELLO == await far.socket.receive()
    far.says(far.ping(b"there?"), far.text(b"hello"), far.close(1000, b""))
    assert HELLO == await far.socket.receive()

    assert 1000 == (await closed(far.socket)).code
    assert "CLOSE" == (await far.seen())[0][0]
