"""
How the bytes of a fuzz input are read: what a peer sent, then how it arrived.

    what was sent · the size of each read, a byte each · how many sizes · options

What was sent stands first, so that a file of the corpus can be read by a person. The engine's own reader of inputs is
not used: an input must mean the same where the engine has no wheel.
"""

from collections.abc import Sequence
from dataclasses import dataclass

MOST_SIZES = 15


@dataclass(frozen=True, slots=True)
class Sent:
    """*data* as it came in reads of *sizes*, from the first again when they are used up; 0 is an empty read.

    *options*: eight bits that each property reads as it likes.
    """

    data: bytes
    sizes: tuple[int, ...] = ()
    options: int = 0

    @property
    def reads(self) -> list[bytes]:
        """The data in its reads; in one when there are no sizes, or none above 0."""
        if not any(self.sizes):
            return [self.data]
        reads: list[bytes] = []
        start = 0
        while start < len(self.data):
            size = self.sizes[len(reads) % len(self.sizes)]
            reads.append(self.data[start : start + size])
            start += size
        return reads

    def has(self, bit: int) -> bool:
        """Whether the option at that place is on."""
        return bool(self.options >> bit & 1)


def read_input(raw: bytes) -> Sent:
    """Any bytes mean something; too few mean one read without options."""
    if len(raw) < 2:
        return Sent(raw)
    count = min(raw[-2] % (MOST_SIZES + 1), len(raw) - 2)
    end = len(raw) - 2 - count
    return Sent(raw[:end], tuple(raw[end:-2]), raw[-1])


def write_input(data: bytes, sizes: Sequence[int] = (), options: int = 0) -> bytes:
    """The input that `read_input` reads so. At most MOST_SIZES sizes, each below 256."""
    return data + bytes(sizes) + bytes((len(sizes), options))
