"""Ids of keys and teams: they begin with the time, so the order of ids is that of making."""

import secrets
from typing import Literal

_LONGEST_ID = 64
_CHANCE_BYTES = 8


def new_id(kind: Literal["key", "team"], now_seconds: float) -> str:
    """One that nobody has, such as `key_0196f3a2c4d11f0e9b7a3c5d2e4f`."""
    return f"{kind}_{int(now_seconds * 1000):012x}{secrets.token_hex(_CHANCE_BYTES)}"


def may_be_id(text: str) -> bool:
    """False for what no id can be; it is not asked of a database, which may choke on it."""
    return 0 < len(text) <= _LONGEST_ID and text.isascii() and text.isprintable()
