"""
What httpx2's pool leaves undone for HTTP/2. It shows none of this to anybody, so its private parts are read here only.
"""

from time import monotonic
from typing import Any

import httpcore2

_CANCEL = 8  # the error code of RFC 9113, section 7


async def reset_unfinished(
    pool: httpcore2.AsyncConnectionPool, request: httpcore2.Request, stream_id: int
) -> None:
    """The upstream is told that nobody waits for *request* any more, unless its answer is complete (law 5).

    What had come of it is acknowledged: it would stay taken off the window that all answers share.
    """
    [outer] = [one.connection for one in pool._requests if one.request is request]
    connection = outer._connection  # type: ignore[union-attr]
    if not _is_usable(connection):
        return
    state = connection._h2_state
    unread = sum(
        getattr(event, "flow_controlled_length", 0)
        for event in connection._events.get(stream_id, ())
    )
    if unread:
        state.acknowledge_received_data(unread, stream_id)
    stream = state.streams.get(stream_id)
    if stream is not None and not stream.closed:
        state.reset_stream(stream_id, _CANCEL)
    await connection._write_outgoing_data(request)


async def retire(pool: httpcore2.AsyncConnectionPool) -> None:
    """No request goes out on a connection past its age; it closes with the last it has (reliability R14).

    Nor on an idle one on which something came: that is mostly a goodbye, and a large request would meet a closed door.
    """
    now = monotonic()
    for outer in pool.connections:
        connection = getattr(outer, "_connection", None)
        stream = getattr(connection, "_network_stream", None)
        if connection is None or stream is None or not stream.is_http2:
            continue
        if now >= stream.expires_at:
            connection._used_all_stream_ids = True
        if connection.is_idle() and stream.get_extra_info("is_readable"):
            await outer.aclose()


def _is_usable(connection: Any) -> bool:
    is_broken = connection._connection_error or connection._connection_terminated
    return not (is_broken or connection.is_closed())
