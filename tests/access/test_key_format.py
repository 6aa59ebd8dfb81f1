"""How our keys look (reliability S8)."""

import re
import string
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.access.key_format import display_prefix, is_mistyped, is_ours, key_of, new_key

numbers = st.integers(0, 2**256 - 1)


def test_a_key_has_the_form_that_secret_scanners_look_for():
    assert all(re.fullmatch(r"sk-mg-[0-9A-Za-z]{49}", new_key()) for _ in range(200))


def test_a_key_carries_256_bits_and_every_letter_in_every_place():
    keys = [new_key() for _ in range(4000)]

    assert 4000 == len(set(keys))
    assert key_of(0) != key_of(2**256 - 1)
    assert 62**43 > 2**256 > 62**42
    for place in range(7, 7 + 42):  # the first letter has a part of the range alone
        assert 62 == len(Counter(key[place] for key in keys))


@given(numbers, numbers)
def test_two_numbers_never_make_one_key(one, other):
    assert (one == other) is (key_of(one) == key_of(other))


@given(numbers, st.integers(6, 54), st.sampled_from(string.ascii_letters + string.digits))
def test_one_wrong_letter_is_always_told(number, place, letter):
    key = key_of(number)
    typed = key[:place] + letter + key[place + 1 :]

    assert (typed != key) is is_mistyped(typed)


@given(numbers, st.integers(6, 53))
def test_two_letters_swapped_are_always_told(number, place):
    key = key_of(number)
    typed = key[:place] + key[place + 1] + key[place] + key[place + 2 :]

    assert (typed != key) is is_mistyped(typed)


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("", id="nothing"),
        pytest.param("sk-mg-ci-0123456789abcdef", id="one that a person made up"),
        pytest.param(key_of(1)[:-1], id="a letter too few"),
        pytest.param(key_of(1) + "0", id="a letter too many"),
        pytest.param("sk-xx-" + key_of(1)[6:], id="another prefix"),
        pytest.param(key_of(1)[:-1] + "é", id="a letter that is none of ours"),
        pytest.param("x" * 10_000, id="10 kB"),
    ],
)
def test_a_key_of_another_form_is_not_ours_and_so_not_mistyped(key):
    assert (False, False) == (is_ours(key), is_mistyped(key))


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        (key_of(0), f"sk-mg-0000…{key_of(0)[-4:]}"),
        ("my-own-key-of-24-letters", "my-o…ters"),
        ("only-twenty-three-chars", "…"),
        ("", "…"),
    ],
)
def test_what_is_shown_of_a_key(key, shown):
    assert shown == display_prefix(key)


@given(st.text())
def test_what_is_shown_is_short_and_paints_no_terminal(key):
    shown = display_prefix(key)

    assert len(shown) <= 32
    assert shown.isprintable()
