"""What passes over a websocket, and how it ends."""

from typing import NamedTuple


class Message(NamedTuple):
    """A whole message. The payload of a text is valid UTF-8."""

    payload: bytes
    is_text: bool


class SocketClosed(Exception):
    """The socket is closed, by whichever side. *code* 1005: without a code; 1006: it was cut, without a word."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason
