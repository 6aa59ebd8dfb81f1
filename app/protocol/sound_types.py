"""
What a sound is, by its first bytes: an upstream's word for it may be untrue (contract O2, O4; upstreams A6).
"""

from typing import Literal

Container = Literal["wav", "mp3", "ogg", "flac", "aac", "raw"]

HEAD_BYTES = 4  # enough to tell

CONTENT_TYPES: dict[Container, bytes] = {
    "wav": b"audio/wav",
    "mp3": b"audio/mpeg",
    "ogg": b"audio/ogg",
    "flac": b"audio/flac",
    "aac": b"audio/aac",
    "raw": b"audio/pcm",
}

_MAGIC: tuple[tuple[bytes, Container], ...] = (
    (b"RIFF", "wav"),
    (b"ID3", "mp3"),
    (b"OggS", "ogg"),
    (b"fLaC", "flac"),
)
_SYNC = 0xFF
_NO_LAYER = 0xF0  # of an ADTS frame, where an MPEG frame has its layer


def container_of(head: bytes, *, samples_are_due: bool) -> Container:
    """What a sound that begins with *head*, of HEAD_BYTES at least, is in; `raw` for bare samples.

    *samples_are_due*: bare samples were asked for. Those may begin with any two bytes, 0xFF 0xFF for the sample -1, so
    that the sync word of a frame tells nothing.
    """
    for magic, container in _MAGIC:
        if head.startswith(magic):
            return container
    if samples_are_due or len(head) < 2 or head[0] != _SYNC or head[1] < 0xE0:
        return "raw"
    return "aac" if head[1] & 0xF6 == _NO_LAYER else "mp3"
