"""
Where speech begins and ends in samples (X16): judged on the sound, never on the clock.

A final is due after 0.5 s of silence behind sound, or at 5 s of sound. Silence is a hundredth of a
second in which no sample is louder than LOUD.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

WINDOW_MS = 10
LOUD = 300
SILENCE_MS = 500
LONGEST_MS = 5000
PARTIAL_MS = 1000  # a partial at the first tenth of a second, at the second, then at each second
EARLY_PARTIALS_MS = (100, 200)


class Heard(NamedTuple):
    """Something happened. *ms*: of the utterance, from its first sound to its last."""

    what: Literal["start", "partial", "final"]
    ms: int


@dataclass(slots=True)
class Hearing:
    """One ear. *total_ms* is all that was heard, silence too."""

    rate: int
    total_ms: int = 0
    _samples: array[int] = field(default_factory=lambda: array("h"))
    _rest: bytes = b""
    _sound_ms: int = 0  # of the utterance, with the pauses in it
    _quiet_ms: int = 0  # behind it

    def hear(self, pcm: bytes) -> Iterator[Heard]:
        """What happens while these bytes of s16le are heard."""
        whole = self._rest + pcm
        even = len(whole) // 2 * 2
        self._rest = whole[even:]
        self._samples.frombytes(whole[:even])
        done = 0
        while True:
            # windows of a rate that 100 does not divide differ by a sample
            tick = self.total_ms // WINDOW_MS
            size = (tick + 1) * self.rate // 100 - tick * self.rate // 100
            if len(self._samples) - done < size:
                break
            window = self._samples[done : done + size]
            done += size
            self.total_ms += WINDOW_MS
            yield from self._take(max(window) > LOUD or min(window) < -LOUD)
        del self._samples[:done]

    def last(self) -> Iterator[Heard]:
        """What is left when nothing more comes."""
        if self._sound_ms:
            yield self._final()

    def _take(self, is_loud: bool) -> Iterator[Heard]:
        if is_loud:
            yield from self._take_sound()
        elif self._sound_ms:
            self._quiet_ms += WINDOW_MS
            if self._quiet_ms >= SILENCE_MS:
                yield self._final()

    def _take_sound(self) -> Iterator[Heard]:
        if not self._sound_ms:
            yield Heard("start", 0)
        before = self._sound_ms
        self._sound_ms = before + self._quiet_ms + WINDOW_MS
        self._quiet_ms = 0
        if self._sound_ms >= LONGEST_MS:
            yield self._final()
        elif _is_partial_due(before, self._sound_ms):
            yield Heard("partial", self._sound_ms)

    def _final(self) -> Heard:
        heard = Heard("final", self._sound_ms)
        self._sound_ms = self._quiet_ms = 0
        return heard


def _is_partial_due(before: int, now: int) -> bool:
    early = any(before < mark <= now for mark in EARLY_PARTIALS_MS)
    return early or before // PARTIAL_MS < now // PARTIAL_MS
