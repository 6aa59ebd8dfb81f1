"""The id of each exchange, which every reply carries as `x-request-id` (contract C1)."""

import os
from collections.abc import Callable

_ID_DIGITS = 32  # 16 random bytes, in hexadecimal
_BLOCK_BYTES = 4096


class IdSource:
    """Call it for an id that no other exchange has and nobody can guess: `req_` and 32 hexadecimal digits.

    The system's randomness is asked for 256 ids at once: 0.2 µs each, where one at a time takes 2. One process has one
    source: two that share a block, as after a fork, would give the same ids. Nothing here forks: `main` makes the
    source in the process that serves.
    """

    def __init__(self, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self._random_bytes = random_bytes
        self._digits = ""
        self._at = 0

    def __call__(self) -> str:
        at = self._at
        if at == len(self._digits):
            self._digits = self._random_bytes(_BLOCK_BYTES).hex()
            at = 0
        self._at = at + _ID_DIGITS
        return "req_" + self._digits[at : at + _ID_DIGITS]


def new_request_id() -> str:
    """The id of a reply that no exchange stands behind: the parser refused the request."""
    return "req_" + os.urandom(_ID_DIGITS // 2).hex()
