"""What a close frame may say (RFC 6455, 5.5.1 and 7.4), and what a text may hold (8.1)."""

from websockets.exceptions import ProtocolError
from websockets.frames import Close, CloseCode

_MOST_REASON_BYTES = 123


def is_utf8(payload: bytes) -> bool:
    """True for the payload of a text."""
    if payload.isascii():
        return True
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


def sendable(code: int) -> int:
    """*code* as a close frame may carry it (RFC 6455, 7.4)."""
    try:
        Close(code, "").check()
    except ProtocolError:
        return CloseCode.INTERNAL_ERROR
    return code


def fitting(reason: str) -> str:
    """As much of *reason* as a close frame holds, no character halved."""
    return reason.encode()[:_MOST_REASON_BYTES].decode(errors="ignore")
