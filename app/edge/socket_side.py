"""A client's connection becomes a websocket, and ends as one."""

from collections.abc import Callable

from app.wire.outbox import Outgoing
from app.wire.web_socket import WebSocket

_GOING_AWAY, _OUR_FAULT = 1001, 1011


def open_socket(
    out: Outgoing, subprotocol: str, on_lost: Callable[[], None] | None, is_full: bool
) -> WebSocket:
    """The websocket that *out*'s transport calls from now on. *is_full*: the transport has said that it is.

    *on_lost* is called when the transport is gone; None: it is already, and the websocket is closed.
    """
    made = WebSocket(out, is_client=False, subprotocol=subprotocol, on_lost=on_lost)
    if on_lost is None:
        made.connection_lost(None)
    else:
        out.transport.set_protocol(made)
        if is_full:
            made.pause_writing()
    return made


def end_socket(socket: WebSocket, is_leaving: bool) -> None:
    """Nobody serves *socket* any more: it ends by itself, and nothing happens where it was closed. *is_leaving*: the
    gateway stops."""
    socket.begin_close(_GOING_AWAY if is_leaving else _OUR_FAULT)
