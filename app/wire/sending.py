"""
Sends the bodies that do not go out in one write: large ones and uploads.

Piece by piece, as fast as the peer reads; and no further once the answer has come, which may be before the end.
"""

import asyncio
from collections.abc import AsyncIterator

from app.wire.connection import Connection
from app.wire.requests import Upload
from app.wire.responses import Response

SMALL_BYTES = 64 * 1024  # up to here a body goes out in one write with its head
_LARGE_BYTES = 16 * 1024  # from here on three writes in one cost less than a copy
_PIECE_BYTES = 256 * 1024  # between two of these the loop takes other turns


async def deliver(
    connection: Connection, response: Response, opening: bytes, body: bytes | Upload
) -> None:
    """The response's head has come, or its failure; *opening* and *body* were sent until then, if not to their end.

    Raises what an upload's iterator raises, and ValueError when it is not as long as it said. The iterator is closed.
    """
    pump = asyncio.get_running_loop().create_task(_pump(connection, opening, body))
    try:
        await asyncio.wait((pump, response.head_came), return_when=asyncio.FIRST_COMPLETED)
        if not response.head_came.done():
            pump.result()
            await response.head_came
    finally:
        pump.cancel()
        await asyncio.wait((pump,))
        if not pump.cancelled():
            pump.exception()  # retrieved: an answer counts more than what became of the rest


async def _pump(connection: Connection, opening: bytes, body: bytes | Upload) -> None:
    connection.transport.write(opening)
    if isinstance(body, bytes):
        await _send_bytes(connection, body)
    else:
        await _send_upload(connection, body)
    connection.request_is_whole = True


async def _send_bytes(connection: Connection, body: bytes) -> None:
    view = memoryview(body)
    for start in range(0, len(body), _PIECE_BYTES):
        await _send(connection, view[start : start + _PIECE_BYTES])


async def _send_upload(connection: Connection, upload: Upload) -> None:
    sent_bytes = 0
    try:
        async for piece in upload.pieces:
            if not piece:
                continue  # as a chunk, it would be the last one
            sent_bytes += len(piece)
            if upload.length is None:
                await _send_chunk(connection, piece)
            elif sent_bytes <= upload.length:
                await _send(connection, piece)
    finally:
        await _close(upload.pieces)
    if upload.length is None:
        await _send(connection, b"0\r\n\r\n")
    elif sent_bytes != upload.length:
        raise ValueError("an upload is not as long as it said")


async def _send_chunk(connection: Connection, piece: bytes) -> None:
    if len(piece) < _LARGE_BYTES or not connection.is_open:
        await _send(connection, b"%x\r\n%b\r\n" % (len(piece), piece))
        return
    connection.transport.writelines((b"%x\r\n" % len(piece), piece, b"\r\n"))
    await asyncio.sleep(0)
    await connection.writable()


async def _send(connection: Connection, piece: bytes | memoryview) -> None:
    if not connection.is_open:
        await asyncio.Event().wait()  # over, as `deliver` is about to learn
    connection.transport.write(piece)
    await asyncio.sleep(0)
    await connection.writable()


async def _close(pieces: AsyncIterator[bytes]) -> None:
    aclose = getattr(pieces, "aclose", None)  # a generator has it, other iterators need not
    if aclose is not None:
        await aclose()
