"""One connection: when it serves again, when it is closed, and that nothing crosses between exchanges."""

import asyncio

import pytest

from app.wire.connection import NEVER, Connection
from app.wire.errors import (
    CutBeforeHead,
    CutBody,
    HeadLate,
    Malformed,
    TotalLate,
    WriteStuck,
)
from app.wire.responses import Response
from tests.wire.parts import WRITE_SECONDS, connected

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n"


def begun(connection: Connection, head_at: float = NEVER, total_at: float = NEVER) -> Response:
    response = connection.begin("POST", head_at, total_at)
    connection.request_is_whole = True
    return response


async def test_after_a_clean_answer_it_is_free_before_anybody_read_it():
    connection, _, notes = connected()
    response = begun(connection)

    connection.data_received(ANSWER)

    assert ["free"] == notes.told
    assert await response.read(0) == b"{}"
    assert await response.read(0) == b""


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(
            lambda connection, transport: setattr(connection, "request_is_whole", False),
            id="the request was not sent whole",
        ),
        pytest.param(
            lambda connection, transport: setattr(transport, "unsent_bytes", 1),
            id="the request waits in the buffer",
        ),
    ],
)
async def test_an_early_answer_is_whole_and_its_connection_closed(spoil):
    connection, transport, notes = connected()
    response = begun(connection)
    spoil(connection, transport)

    connection.data_received(ANSWER)

    assert ["closed"] == notes.told
    assert transport.is_aborted
    assert await response.read(0) == b"{}"
    assert response.failure is None


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(ANSWER + b"x", id="surplus"),
        pytest.param(ANSWER.replace(b"OK\r\n", b"OK\r\nconnection: close\r\n"), id="told to close"),
    ],
)
async def test_it_is_closed_behind_an_answer_that_spoils_it(answer):
    connection, _, notes = connected()
    response = begun(connection)

    connection.data_received(answer)

    assert ["closed"] == notes.told
    assert (None, 200) == (response.failure, response.status)


async def test_a_byte_nobody_asked_for_closes_it():
    connection, transport, notes = connected()
    begun(connection)
    connection.data_received(ANSWER)

    connection.data_received(b"\r\n")

    assert transport.is_aborted
    assert ["free", "closed"] == notes.told


async def test_an_upstream_that_speaks_first_is_malformed():
    connection, _, _ = connected()

    connection.data_received(b"220 smtp.example ready\r\n")

    assert not connection.is_open
    assert type(connection.failure) is Malformed


@pytest.mark.parametrize(
    ("served", "came", "is_stale"),
    [
        pytest.param(True, b"", True, id="a kept connection without a byte was stale"),
        pytest.param(True, b"HTTP/1.1", False, id="with a byte it was not"),
        pytest.param(False, b"", False, id="a new connection never is"),
    ],
)
@pytest.mark.parametrize("end", ["eof", "reset"])
async def test_r6_what_is_known_of_a_cut_before_the_head(served, came, is_stale, end):
    connection, _, _ = connected()
    if served:
        begun(connection)
        connection.data_received(ANSWER)
    response = begun(connection)
    if came:
        connection.data_received(came)

    if end == "eof":
        connection.eof_received()
    else:
        connection.connection_lost(ConnectionResetError())

    assert isinstance(response.failure, CutBeforeHead)
    assert is_stale == response.failure.is_stale
    assert response.head_came.done()


@pytest.mark.parametrize(
    ("data", "end", "failure"),
    [
        pytest.param(HEAD, "eof", CutBody, id="a length is not reached"),
        pytest.param(HEAD, "reset", CutBody, id="a reset in the body"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\nx", "eof", None, id="the end of a body without length"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\nx", "reset", CutBody, id="its reset is no end"),
    ],
)  # fmt: skip
async def test_how_a_body_ends_with_its_connection(data, end, failure):
    connection, _, notes = connected()
    response = begun(connection)
    connection.data_received(data)

    if end == "eof":
        connection.eof_received()
    connection.connection_lost(None if end == "eof" else ConnectionResetError())

    assert failure is (None if response.failure is None else type(response.failure))
    assert ["closed", "lost"] == notes.told


# --- deadlines (reliability R5) -------------------------------------------------------------------------------------


async def test_before_the_head_the_first_deadline_counts_and_after_it_the_total():
    connection, _, _ = connected()
    begun(connection, head_at=10.0, total_at=30.0)
    assert connection.due == 10.0

    connection.data_received(HEAD)

    assert connection.due == 30.0


@pytest.mark.parametrize(
    ("head_at", "total_at", "came", "failure"),
    [
        pytest.param(10.0, 30.0, b"", HeadLate, id="no head"),
        pytest.param(10.0, 30.0, b"HTTP/1.1 200 OK\r\nx: dripp", HeadLate, id="half a head"),
        pytest.param(
            10.0, 30.0, b"HTTP/1.1 100 Continue\r\n\r\n", HeadLate, id="an interim answer"
        ),
        pytest.param(NEVER, 10.0, b"", TotalLate, id="no head, and no deadline for it"),
        pytest.param(5.0, 10.0, HEAD + b"half", TotalLate, id="half a body"),
    ],
)
async def test_what_a_passed_deadline_is_called(head_at, total_at, came, failure):
    connection, transport, _ = connected()
    response = begun(connection, head_at, total_at)
    if came:
        connection.data_received(came)

    connection.expire(10.0)

    assert type(response.failure) is failure
    assert transport.is_aborted


async def test_a_peer_that_reads_nothing_is_stuck_until_it_reads():
    connection, _, notes = connected()
    response = begun(connection)
    now = asyncio.get_running_loop().time()

    connection.pause_writing()
    assert now + WRITE_SECONDS <= connection.due < now + WRITE_SECONDS + 5
    assert [connection.due] == notes.dues
    connection.resume_writing()
    assert connection.due == NEVER
    connection.pause_writing()
    connection.expire(connection.due)

    assert type(response.failure) is WriteStuck


async def test_once_the_answer_comes_nobody_waits_for_the_request_to_be_read():
    connection, _, _ = connected()
    begun(connection)
    connection.pause_writing()

    connection.data_received(HEAD)
    connection.resume_writing()
    connection.pause_writing()

    assert connection.due == NEVER


async def test_who_waits_to_write_is_told_when_it_is_over():
    connection, _, _ = connected()
    begun(connection)
    connection.pause_writing()
    waiting = asyncio.ensure_future(connection.writable())
    await asyncio.sleep(0)

    connection.close()

    await waiting


# --- an answer nobody reads on (reliability R14) --------------------------------------------------------------------


async def test_a_released_answer_that_ends_leaves_its_connection_free():
    connection, transport, notes = connected()
    response = begun(connection)
    connection.data_received(HEAD)

    response.release()
    connection.data_received(b"x" * 99)

    assert ["free"] == notes.told
    assert not transport.is_aborted
    assert await response.read(0) == b""


@pytest.mark.parametrize(
    ("head", "rest"),
    [
        pytest.param(b"content-length: 99999", b"x" * 65_537, id="more than 64 KiB follow"),
        pytest.param(b"x: y", b"", id="its end is that of the connection"),
        pytest.param(b"connection: close\r\ncontent-length: 9", b"", id="it was to close anyway"),
        pytest.param(b"transfer-encoding: chunked", b"zz\r\n", id="it breaks"),
    ],
)
async def test_a_released_answer_that_is_not_worth_it_closes_its_connection(head, rest):
    connection, transport, notes = connected()
    response = begun(connection)
    connection.data_received(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n")

    response.release()
    if rest:
        connection.data_received(rest)

    assert transport.is_aborted
    assert ["closed"] == notes.told


async def test_a_released_answer_has_a_second_whatever_its_deadline_was():
    connection, transport, _ = connected()
    response = begun(connection)
    connection.data_received(HEAD)
    response.pause()
    now = asyncio.get_running_loop().time()

    response.release()

    assert now + 0.9 <= connection.due <= now + 5
    assert not transport.has_paused
    connection.expire(connection.due)
    assert transport.is_aborted


async def test_an_answer_given_up_closes_its_connection_and_one_read_to_its_end_does_not():
    connection, transport, notes = connected()
    begun(connection)
    connection.data_received(ANSWER)
    assert ["free"] == notes.told
    response = begun(connection)
    connection.data_received(HEAD)

    response.close()
    response.close()
    response.release()

    assert transport.is_aborted
    assert ["free", "closed"] == notes.told


async def test_an_answer_that_ended_has_no_hold_on_its_connection():
    connection, transport, _ = connected()
    first = begun(connection)
    connection.data_received(ANSWER)
    second = begun(connection)

    first.pause()
    first.close()
    connection.data_received(ANSWER)

    assert not transport.is_aborted
    assert (200, None) == (second.status, second.failure)


async def test_a_paused_answer_that_ends_leaves_a_connection_that_is_read():
    connection, transport, notes = connected()
    response = begun(connection)
    connection.data_received(HEAD)
    response.pause()

    connection.data_received(b"x" * 99)

    assert ["free"] == notes.told
    assert not transport.has_paused
