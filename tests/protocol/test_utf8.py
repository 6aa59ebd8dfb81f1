"""Whether bytes are UTF-8 (contract D11), in one piece and in several."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.protocol.utf8 import is_utf8
from tests.protocol.documents import patient

PIECE = 256 * 1024  # a larger text is gone over in pieces of this size


@patient
@given(st.one_of(st.binary(max_size=12), st.text(max_size=6).map(str.encode)))
def test_it_is_told_as_decoding_tells_it(text):
    try:
        text.decode()
    except UnicodeDecodeError:
        assert not is_utf8(text)
    else:
        assert is_utf8(text)


@pytest.mark.parametrize("shift", range(5))
def test_a_character_may_stand_where_one_piece_ends(shift):
    text = b"x" * (PIECE - shift) + "😀".encode() + b"x" * 10

    assert is_utf8(text)
    assert not is_utf8(text.replace(b"\x80", b"x"))


@pytest.mark.parametrize("length", [0, 2 * PIECE])
def test_half_a_character_at_the_end_is_none(length):
    assert not is_utf8(b"x" * length + "😀".encode()[:-1])
