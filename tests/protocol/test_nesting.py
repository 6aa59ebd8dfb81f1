"""How deep a text may nest (reliability S6), against a count by the standard library."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.protocol.nesting import MAX_DEPTH, is_shallow
from tests.protocol.documents import patient

BLOCK = 64 * 1024  # the text is gone over in blocks of this size


def depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


def shallow(text: bytes) -> bool:
    return is_shallow(text, msgspec.json.decode(text, type=dict[str, msgspec.Raw]))


_TEXTS = st.text(st.sampled_from('{}[]"\\,:n\n é'), max_size=12)
_WIDE: st.SearchStrategy[Any] = st.lists(st.one_of(_TEXTS, st.just([]), st.just({})), max_size=3)


@st.composite
def nested(draw: st.DrawFn) -> Any:
    """A value around the bound, with brackets and quotes in its texts and enough beside it to be counted."""
    value: Any = draw(_TEXTS)
    for _ in range(draw(st.integers(MAX_DEPTH - 6, MAX_DEPTH + 3))):
        beside = draw(_WIDE) if draw(st.integers(0, 9)) == 0 else []
        value = (
            [*beside, value] if draw(st.booleans()) else {"}" + draw(_TEXTS): value, "b": beside}
        )
    return value


@patient
@given(st.lists(nested(), min_size=1, max_size=2), st.booleans())
def test_a_text_is_shallow_up_to_the_bound(values, in_array):
    document = {"x": values if in_array else values[0], "y": [[]] * MAX_DEPTH}
    text = json.dumps(document, ensure_ascii=False).encode()

    assert (depth(document) <= MAX_DEPTH) == shallow(text)


@pytest.mark.parametrize("escapes", [r"\\", r"\"", r"\\\"", r"\n"])
@pytest.mark.parametrize("shift", range(5))
@pytest.mark.parametrize(("levels", "is_within"), [(MAX_DEPTH - 2, True), (MAX_DEPTH, False)])
def test_escapes_and_brackets_may_stand_where_one_block_ends(escapes, shift, levels, is_within):
    filler = "x" * (BLOCK - 40 + shift) + escapes * 40 + "]" * 200
    deep = "[" * levels + f'"{filler}"' + "]" * levels
    text = f'{{"x":{{"y":{deep}}},"z":{json.dumps([[]] * MAX_DEPTH)}}}'

    assert is_within is shallow(text.encode())


def test_closing_brackets_in_texts_close_nothing():
    text = b'{"x":{"y":%b1%b}}' % (b'["]",' * MAX_DEPTH, b"]" * MAX_DEPTH)

    assert not shallow(text)
