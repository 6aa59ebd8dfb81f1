"""The key of a gateway that nobody gave one (architecture 5, reliability S8)."""

import pytest
from pydantic import SecretStr

from app.access.derived_key import derived_key
from app.access.key_format import is_mistyped, is_ours


def derived(*secrets: str) -> str:
    return derived_key(SecretStr(secret) for secret in secrets).get_secret_value()


def test_it_is_the_same_from_start_to_start_in_whatever_order():
    assert derived("a-key", "b-key") == derived("b-key", "a-key")


@pytest.mark.parametrize(
    "others", [("a-key",), ("a-key", "b-kez"), ("a-key", "b-key", "c-key"), ("a-keyb-key",), ()]
)
def test_other_upstream_keys_make_another(others):
    assert derived("a-key", "b-key") != derived(*others)


def test_it_looks_like_a_key_and_tells_nothing():
    key = derived("upstream-secret")

    assert is_ours(key)
    assert not is_mistyped(key)
    assert "upstream" not in key


def test_it_hides_itself():
    key = derived_key([SecretStr("a")])

    assert key.get_secret_value() not in f"{key!r} {key}"
