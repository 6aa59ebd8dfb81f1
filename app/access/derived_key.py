"""
The key of a gateway that nobody gave one: made from the upstream keys, so it survives a restart without being stored.

One way: it tells nothing about them, and whoever has them needs no gateway key.
"""

import hmac
from collections.abc import Iterable
from hashlib import sha256

from pydantic import SecretStr

PREFIX = "sk-mg-"  # reliability S8: secret scanners match it
_PURPOSE = b"mindgate: the key of a loopback gateway"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def derived_key(secrets: Iterable[SecretStr]) -> SecretStr:
    """The same key for the same *secrets*, in whatever order."""
    material = b"\0".join(sorted(secret.get_secret_value().encode() for secret in secrets))
    number = int.from_bytes(hmac.digest(material, _PURPOSE, sha256))
    letters = []
    while number:
        number, digit = divmod(number, len(_DIGITS))
        letters.append(_DIGITS[digit])
    return SecretStr(PREFIX + "".join(letters))
