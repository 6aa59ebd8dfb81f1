"""Sounds without a codec: a sine tone as long as a text, in the containers that TTS answers."""

from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Iterator
from functools import lru_cache

TONE_HERTZ = 440
AMPLITUDE = 8000
MS_PER_LETTER = 60
PIECE_MS = 100
# MPEG-1 layer III, 128 kbit/s, 44.1 kHz, mono: a frame of silence
MP3_FRAME = b"\xff\xfb\x90\xc4" + bytes(413)
MP3_FRAME_MS = 1152 / 44.1
OGG_HEAD = (
    b"OggS\x00\x02" + bytes(20) + b"\x01\x13OpusHead\x01\x01\x00\x00\x80\xbb\x00\x00\x00\x00\x00"
)
OGG_PIECE = b"OggS" + bytes(796)  # a tenth of a second at 64 kbit/s; the head alone is real


def length_ms(text: str, speed: float = 1.0) -> int:
    """How long the tone for *text* lasts."""
    return round(len(text) * MS_PER_LETTER / speed)


def tone(ms: int, rate: int) -> Iterator[bytes]:
    """s16le mono, a tenth of a second a piece."""
    second, size = _one_second(rate), rate * ms // 1000 * 2
    step = rate * PIECE_MS // 1000 * 2
    doubled = second + second
    for place in range(0, size, step):
        start = place % len(second)
        yield doubled[start : start + min(step, size - place)]


def wav(ms: int, rate: int) -> Iterator[bytes]:
    """The tone behind a RIFF head."""
    size = rate * ms // 1000 * 2
    form = struct.pack("<HHIIHH", 1, 1, rate, rate * 2, 2, 16)
    yield b"RIFF" + struct.pack("<I", size + 36) + b"WAVEfmt " + struct.pack("<I", 16) + form
    yield b"data" + struct.pack("<I", size)
    yield from tone(ms, rate)


def mp3(ms: int) -> Iterator[bytes]:
    """Frames of silence, a frame a piece: what an mp3 looks like from outside."""
    for _ in range(math.ceil(ms / MP3_FRAME_MS)):
        yield MP3_FRAME


def opus(ms: int) -> Iterator[bytes]:
    """Pages of nothing behind an Opus head."""
    yield OGG_HEAD
    for _ in range(math.ceil(ms / PIECE_MS)):
        yield OGG_PIECE


@lru_cache(maxsize=8)
def _one_second(rate: int) -> bytes:
    turn = 2 * math.pi * TONE_HERTZ / rate  # a whole number of waves: it goes on without a crack
    samples = array("h", (round(AMPLITUDE * math.sin(turn * n)) for n in range(rate)))
    return samples.tobytes()
