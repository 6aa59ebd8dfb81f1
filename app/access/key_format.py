"""
How our keys look: `sk-mg-`, 256 bits in base62, and a checksum of six letters (reliability S8).

The checksum tells a typo from a key that is gone without asking anybody; it proves nothing else.
"""

import secrets
from binascii import crc32

from app.domain.texts import shown

PREFIX = "sk-mg-"  # secret scanners match it

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LETTERS = frozenset(_DIGITS)
_SECRET_BITS, _SECRET_LETTERS, _CHECK_LETTERS = 256, 43, 6
_BYTES = len(PREFIX) + _SECRET_LETTERS + _CHECK_LETTERS
_SHOWN_FIRST, _SHOWN_LAST = len(PREFIX) + 4, 4
_SHOWN_FROM = 24  # of a key of another form, chosen by a person, less is shown, or nothing


def new_key() -> str:
    """A key that nobody has, from the system's own randomness."""
    return key_of(secrets.randbits(_SECRET_BITS))


def key_of(number: int) -> str:
    """The key that carries *number*, which has 256 bits at most."""
    body = PREFIX + _base62(number, _SECRET_LETTERS)
    return body + _checksum(body)


def is_ours(key: str) -> bool:
    """True for a key of our form, its checksum right or wrong."""
    return len(key) == _BYTES and key.startswith(PREFIX) and _LETTERS.issuperset(key[len(PREFIX) :])


def is_mistyped(key: str) -> bool:
    """True for a key of our form that we cannot have issued: its checksum is wrong."""
    return is_ours(key) and _checksum(key[:-_CHECK_LETTERS]) != key[-_CHECK_LETTERS:]


def display_prefix(key: str) -> str:
    """What a person knows the key by: its first letters and the last four; 32 characters at most."""
    if is_ours(key):
        return f"{key[:_SHOWN_FIRST]}…{key[-_SHOWN_LAST:]}"
    if len(key) < _SHOWN_FROM:
        return "…"
    return f"{shown(key[:_SHOWN_LAST])}…{shown(key[-_SHOWN_LAST:])}"


def _checksum(body: str) -> str:
    return _base62(crc32(body.encode("ascii")), _CHECK_LETTERS)


def _base62(number: int, letters: int) -> str:
    found = []
    for _ in range(letters):
        number, digit = divmod(number, len(_DIGITS))
        found.append(_DIGITS[digit])
    return "".join(reversed(found))
