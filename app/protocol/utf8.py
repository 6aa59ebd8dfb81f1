"""Whether bytes are UTF-8, told without a second copy of a large text."""

import codecs
from typing import Final

# What one call goes over: other threads have their turn in between.
_PIECE_BYTES: Final = 256 * 1024


def is_utf8(text: bytes) -> bool:
    """Whether *text* is UTF-8 from its first byte to its last."""
    if text.isascii():
        return True
    try:
        if len(text) <= _PIECE_BYTES:
            text.decode()
        else:
            _decode_in_pieces(text)
    except UnicodeDecodeError:
        return False
    return True


def _decode_in_pieces(text: bytes) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(text), _PIECE_BYTES):
        decoder.decode(text[start : start + _PIECE_BYTES])
    decoder.decode(b"", final=True)
