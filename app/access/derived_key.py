"""
The key of a gateway that nobody gave one: made from the upstream keys, so it survives a restart without being stored.

One way: it tells nothing about them, and whoever has them needs no gateway key.
"""

import hmac
from collections.abc import Iterable
from hashlib import sha256

from pydantic import SecretStr

from app.access.key_format import key_of

MADE_KEY_NAME = "local"
_PURPOSE = b"mindgate: the key of a loopback gateway"


def derived_key(secrets: Iterable[SecretStr]) -> SecretStr:
    """The same key for the same *secrets*, in whatever order; of the form of every key of ours (reliability S8)."""
    material = b"\0".join(sorted(secret.get_secret_value().encode() for secret in secrets))
    return SecretStr(key_of(int.from_bytes(hmac.digest(material, _PURPOSE, sha256))))
