"""What is kept of a key is HMAC-SHA-256 (reliability S9), as the standard library computes it."""

import hmac
import random
from hashlib import sha256

import pytest

from app.access.key_digest import KeyDigest


@pytest.mark.parametrize("pepper_bytes", [0, 1, 32, 63, 64, 65, 200])
def test_the_digest_is_hmac_sha_256(pepper_bytes):
    chance = random.Random(pepper_bytes)
    pepper = chance.randbytes(pepper_bytes)
    digest = KeyDigest(pepper)
    for length in (0, 1, 55, 56, 63, 64, 65, 1000):
        key = "".join(chance.choices("abcdefghé\u20ac", k=length))

        assert hmac.digest(pepper, key.encode(), sha256) == digest.of(key)


def test_a_key_leaves_no_trace_in_the_next_one():
    digest = KeyDigest(b"p" * 32)
    first = digest.of("one")

    digest.of("two")

    assert first == digest.of("one")
    assert KeyDigest(b"q" * 32).of("one") != first
