"""Random JSON documents as a client might write them: odd blanks, every escape, numbers that decoding would destroy."""

import json
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

patient = settings(deadline=None, max_examples=60)  # a busy machine is no failure

_BLANKS = st.sampled_from(["", "", "", " ", "\n", "\t ", "\r\n"])
_PIECES = st.sampled_from(
    [
        *("a", "model", " ", "é", "😀", "\u2028", "{", "}", "[", "]", ",", ":", "'", "/", "\x7f"),
        *(r"\n", r"\"", r"\\", r"\/", r"\t", r"\u0041", r"\u00e9", r"\u2028", r"\u0000"),
        *(r"\ud83d\ude00", r"\ud83d", r"\uDE00", r"\\u0041"),
    ]
)
_STRINGS = st.lists(_PIECES, max_size=5).map(lambda pieces: f'"{"".join(pieces)}"')
_NUMBERS = st.sampled_from(
    [
        "0",
        "-0",
        "7",
        "1.10",
        "1E5",
        "1e-7",
        "-2.50",
        "18446744073709551617",
        "1e400",
        "0.12345678901234567",
    ]
)
_SCALARS = st.one_of(_STRINGS, _NUMBERS, st.sampled_from(["true", "false", "null"]))


@st.composite
def _spaced(draw: st.DrawFn, text: st.SearchStrategy[str]) -> str:
    return f"{draw(_BLANKS)}{draw(text)}{draw(_BLANKS)}"


def _array(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    rows = st.lists(_spaced(values), max_size=4).map(",".join)
    return st.tuples(_BLANKS, rows).map(lambda parts: f"[{parts[0]}{parts[1]}]")


def _object(
    values: st.SearchStrategy[str], names: st.SearchStrategy[str], least: int = 0
) -> st.SearchStrategy[str]:
    row = st.tuples(_spaced(names), _spaced(values)).map(":".join)
    rows = st.lists(row, min_size=least, max_size=5).map(",".join)
    return st.tuples(_BLANKS, rows).map(lambda parts: f"{{{parts[0]}{parts[1]}}}")


_VALUES = st.recursive(
    _SCALARS, lambda inner: st.one_of(_array(inner), _object(inner, _STRINGS)), max_leaves=6
)


def objects(names: tuple[str, ...] = (), least: int = 0) -> st.SearchStrategy[bytes]:
    """Objects with blanks around them; *names* are more likely than others, and may stand twice."""
    chosen = st.sampled_from([f'"{name}"' for name in names]) if names else st.nothing()
    return _spaced(_object(_VALUES, st.one_of(chosen, _STRINGS), least)).map(str.encode)


def arrays() -> st.SearchStrategy[bytes]:
    """Arrays, the first byte being the bracket."""
    return _array(_VALUES).map(str.encode)


def pairs_of(text: bytes) -> Any:
    """What *text* says, every object as its pairs in order, repeated ones too."""
    return json.loads(text, object_pairs_hook=list)
