"""
The id of each exchange, which every reply carries as `x-request-id` (contract C1).

`req_` and 32 hexadecimal digits: 12 of the time in milliseconds, so that the ledger keeps what came together together,
and 20 that nobody can guess.
"""

import os
from collections.abc import Callable
from typing import Final

_TIME_DIGITS: Final = 12
_RANDOM_DIGITS: Final = 20
_BLOCK_BYTES: Final = 4100  # of randomness: 410 ids


class IdSource:
    """Call it for an id that no other exchange has and nobody can guess. *wall_seconds*: the time since 1970.

    The system's randomness is asked for many ids at once: 0.3 µs each, where one at a time takes 2. One process has one
    source: two that share a block, as after a fork, would give the same ids. Nothing here forks: `main` makes the
    source in the process that serves.
    """

    def __init__(
        self,
        wall_seconds: Callable[[], float],
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._wall_seconds = wall_seconds
        self._random_bytes = random_bytes
        self._digits = ""
        self._at = 0
        self._millisecond = -1
        self._start = ""

    def __call__(self) -> str:
        at = self._at
        if at == len(self._digits):
            self._digits = self._random_bytes(_BLOCK_BYTES).hex()
            at = 0
        self._at = end = at + _RANDOM_DIGITS
        millisecond = int(self._wall_seconds() * 1000)
        if millisecond != self._millisecond:
            self._millisecond = millisecond
            self._start = f"req_{millisecond:012x}"
        return self._start + self._digits[at:end]


def new_request_id() -> str:
    """The id of a reply that no exchange stands behind: the parser refused the request."""
    return "req_" + os.urandom((_TIME_DIGITS + _RANDOM_DIGITS) // 2).hex()
