"""
RIFF files with samples in them, read and written (upstreams A4, A8, A9).

Nothing is converted before it is needed: a `Sound` keeps the file's own bytes and gives any stretch of it as one
channel of 16 bit, at its own rate or at another. So a file of any length costs its bytes, and a tenth of a second at a
time. Mixing goes by arithmetic on all samples at once: sample by sample it would take fifty times as long.
"""

import struct
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_UNKNOWN_SIZE = 0xFFFFFFFF
_LEAST_FORMAT_BYTES, _EXTENSIBLE_BYTES = 16, 26
_RATES = range(4_000, 192_001)
_MOST_CHANNELS = 8
_LOUDEST = 32767.0
_OTHER_SIGN = bytes(one ^ 0x80 for one in range(256))  # of a sample, in the byte that weighs more


class NotWav(ValueError):
    """The bytes are no RIFF file that can be read here; the message says why, in half a sentence."""


class _Encoding(NamedTuple):
    """How samples stand in a file. *width*: the bytes of one; *read*: any number of them as s16le."""

    width: int
    read: Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Sound:
    """Samples as they stand in a file. *frames*: how many moments of it there are, each a sample of all channels."""

    samples: memoryview
    rate: int
    channels: int
    encoding: _Encoding

    @property
    def frames(self) -> int:
        """How many moments there are."""
        return len(self.samples) // (self.encoding.width * self.channels)

    @property
    def duration_ms(self) -> int:
        """How long it lasts, rounded up."""
        return -(-self.frames * 1000 // self.rate)

    @property
    def bytes_per_second(self) -> int:
        """How much there is to do for a second of it."""
        return self.rate * self.channels * self.encoding.width

    def at_rate(self, rate: int, start: int, stop: int) -> bytes:
        """The frames from *start* to before *stop* of the same sound at *rate*, mixed into one channel: s16le. Fewer
        where there are no more."""
        stop = min(stop, self.frames * rate // self.rate)
        if stop <= start:
            return b""
        each, rest = divmod(self.rate, rate)
        if not rest:  # what is mixed may as well lie one behind the other as side by side
            return _mixed(self._s16(start * each, stop * each), self.channels * each)
        first, last = start * self.rate // rate, -(-stop * self.rate // rate) + 1
        found = _numbers(_mixed(self._s16(first, min(last, self.frames)), self.channels))
        between = _upwards if rate > self.rate else _downwards
        return _written(between(found, first, range(start, stop), (self.rate, rate)))

    def _s16(self, start: int, stop: int) -> bytes:
        width = self.encoding.width * self.channels
        return self.encoding.read(bytes(self.samples[start * width : stop * width]))


def read_wav(file: bytes) -> Sound:
    """The sound in *file*. Sizes that are unknown, or beyond its end, mean all there is. Raises NotWav."""
    if file[:4] != b"RIFF" or file[8:12] != b"WAVE":
        raise NotWav("it is no RIFF file")
    view, at, form = memoryview(file), 12, None
    while at + 8 <= len(file):
        name, size = file[at : at + 4], int.from_bytes(file[at + 4 : at + 8], "little")
        body = view[at + 8 : at + 8 + size]
        if name == b"fmt ":
            form = _format(bytes(body[:_EXTENSIBLE_BYTES]))
        elif name == b"data":
            if form is None:
                raise NotWav("its samples stand before their format")
            return Sound(body, *form)
        at += 8 + size + size % 2
    raise NotWav("it holds no samples")


def raw_sound(samples: bytes, rate: int) -> Sound:
    """Bare samples: s16le, one channel. Raises NotWav for a *rate* that no sound has."""
    if rate not in _RATES:
        raise NotWav(f"its rate is {rate} Hz")
    return Sound(memoryview(samples), rate, 1, _ENCODINGS[_PCM, 16])


def wav_header(rate: int, sample_bytes: int | None = None) -> bytes:
    """What stands before samples of s16le, one channel. *sample_bytes* None: nobody knows yet how many will follow."""
    if sample_bytes is None:
        whole = size = _UNKNOWN_SIZE
    else:
        whole, size = sample_bytes + 36, sample_bytes
    riff = struct.pack("<4sI4s4s", b"RIFF", whole, b"WAVE", b"fmt ")
    about = struct.pack("<IHHIIHH", 16, _PCM, 1, rate, rate * 2, 2, 16)
    return riff + about + struct.pack("<4sI", b"data", size)


def _format(body: bytes) -> tuple[int, int, _Encoding]:
    """Rate, channels and encoding. Raises NotWav."""
    if len(body) < _LEAST_FORMAT_BYTES:
        raise NotWav("its format is cut short")
    code, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if code == _EXTENSIBLE and len(body) == _EXTENSIBLE_BYTES:
        code = int.from_bytes(body[24:26], "little")
    encoding = _ENCODINGS.get((code, bits))
    if encoding is None:
        raise NotWav(f"its encoding is number {code} with {bits} bit")
    if rate not in _RATES:
        raise NotWav(f"its rate is {rate} Hz")
    if not 1 <= channels <= _MOST_CHANNELS:
        raise NotWav(f"it has {channels} channels")
    return rate, channels, encoding


# --- samples --------------------------------------------------------------------------------------------------------


def _mixed(raw: bytes, voices: int) -> bytes:
    """Of each *voices* samples of *raw* their mean, rounded down."""
    if voices == 1:
        return raw
    count = len(raw) // (2 * voices)
    total = 0
    for voice in range(
        voices
    ):  # one number with a lane of 64 bit for each mean, and no carry between them
        lanes = bytearray(8 * count)
        lanes[0::8] = raw[2 * voice :: 2 * voices]
        lanes[1::8] = raw[2 * voice + 1 :: 2 * voices].translate(_OTHER_SIGN)
        total += int.from_bytes(lanes, "little")
    # Exact, since a sum has 23 bit at most: it is divided by the 32 bit that are left out below.
    means = (total * -(-(1 << 32) // voices)).to_bytes(8 * count, "little")
    mixed = bytearray(2 * count)
    mixed[0::2], mixed[1::2] = means[4::8], means[5::8].translate(_OTHER_SIGN)
    return bytes(mixed)


def _upwards(found: "array[int]", first: int, span: range, rates: tuple[int, int]) -> Iterator[int]:
    """The samples *span* at the second of *rates*, each on the line between two of *found*, which begins with sample
    *first* at the first."""
    old, new = rates
    last = len(found) - 1
    for n in span:
        whole, part = divmod(n * old, new)
        left = found[min(whole - first, last)]
        right = found[min(whole - first + 1, last)]
        yield left + (right - left) * part // new


def _downwards(
    found: "array[int]", first: int, span: range, rates: tuple[int, int]
) -> Iterator[int]:
    """The same, each the mean of those it stands for: what is too high for it does not fold back as noise."""
    old, new = rates
    for n in span:
        begin = n * old // new - first
        stretch = found[begin : max((n + 1) * old // new - first, begin + 1)]
        yield sum(stretch) // len(stretch)


def _numbers(raw: bytes) -> "array[int]":
    found = array("h", raw)
    if sys.byteorder == "big":
        found.byteswap()
    return found


def _written(samples: Iterable[int]) -> bytes:
    found = array("h", samples)
    if sys.byteorder == "big":
        found.byteswap()
    return found.tobytes()


def _of_8_bit(raw: bytes) -> bytes:
    found = bytearray(2 * len(raw))
    found[1::2] = raw.translate(_OTHER_SIGN)  # they have none: silence is 128
    return bytes(found)


def _upper_two(width: int) -> Callable[[bytes], bytes]:
    """Of wider samples the two bytes that weigh most."""

    def read(raw: bytes) -> bytes:
        found = bytearray(len(raw) // width * 2)
        found[0::2], found[1::2] = raw[width - 2 :: width], raw[width - 1 :: width]
        return bytes(found)

    return read


def _of_float(letter: str) -> Callable[[bytes], bytes]:
    width = struct.calcsize(letter)

    def read(raw: bytes) -> bytes:
        floats = struct.unpack(f"<{len(raw) // width}{letter}", raw)
        try:
            return _written(map(round, map(_LOUDEST.__mul__, floats)))
        except (ValueError, OverflowError):  # beyond what there is, or no number
            return _written(map(_clipped, floats))

    return read


def _clipped(sample: float) -> int:
    if sample != sample:  # not a number: silence
        return 0
    return round(min(max(sample, -1.0), 1.0) * _LOUDEST)


_ENCODINGS = {
    (_PCM, 8): _Encoding(1, _of_8_bit),
    (_PCM, 16): _Encoding(2, bytes),
    (_PCM, 24): _Encoding(3, _upper_two(3)),
    (_PCM, 32): _Encoding(4, _upper_two(4)),
    (_FLOAT, 32): _Encoding(4, _of_float("f")),
    (_FLOAT, 64): _Encoding(8, _of_float("d")),
}
