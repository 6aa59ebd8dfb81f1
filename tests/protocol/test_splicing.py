"""A change is a replacement of spans: what is not named stays byte for byte (law 6, contract D2, D4)."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.protocol.members import Member, members
from app.protocol.splicing import Splice, removal, spliced
from tests.protocol.documents import objects, pairs_of, patient

NAMES = ("model", "store", "user", "stream_options")


def without(text: bytes, *names: str) -> bytes:
    found = list(members(text, 0))
    return spliced(text, removal(found, frozenset(names)))


def raw(text: bytes, member: Member) -> bytes:
    """The member as it was written: name, colon, value."""
    return text[member.start : member.value.end]


@patient
@given(objects(NAMES))
def test_without_a_splice_the_very_same_object_comes_back(text):
    assert spliced(text, []) is text


@patient
@given(objects(NAMES, least=1), st.data())
def test_a_replaced_value_changes_nothing_else(text, data):
    member = data.draw(st.sampled_from(list(members(text, 0))))
    start, end = member.value.start, member.value.end

    result = spliced(text, [Splice(start, end, b'"new"')])

    assert result == text[:start] + b'"new"' + text[end:]
    position = [one.start for one in members(text, 0)].index(member.start)
    expected = pairs_of(text)
    expected[position] = (member.name, "new")
    assert expected == pairs_of(result)


@patient
@given(objects(NAMES), st.sets(st.sampled_from(NAMES)))
def test_what_is_removed_is_gone_and_the_rest_is_as_it_was(text, names):
    result = without(text, *names)

    assert [pair for pair in pairs_of(text) if pair[0] not in names] == pairs_of(result)
    kept = [raw(text, one) for one in members(text, 0) if one.name not in names]
    assert kept == [raw(result, one) for one in members(result, 0)]


@patient
@given(objects(NAMES, least=1), st.sets(st.sampled_from(NAMES)))
def test_blanks_before_the_first_and_behind_the_last_member_stay(text, names):
    found = list(members(text, 0))

    result = without(text, *names)

    assert result.startswith(text[: found[0].start])
    assert result.endswith(text[found[-1].value.end :])


@patient
@given(objects(NAMES), st.sets(st.sampled_from(NAMES)))
def test_what_stands_between_two_neighbours_that_stay_stays(text, names):
    found = list(members(text, 0))
    result = without(text, *names)

    for left, right in pairwise(found):
        if left.name not in names and right.name not in names:
            assert text[left.start : right.value.end] in result


@patient
@given(objects(NAMES, least=1), st.sets(st.sampled_from(NAMES[1:])))
def test_removals_and_replacements_go_together(text, names):
    found = list(members(text, 0))
    models = [one.value for one in found if one.name == "model"]
    splices = [Splice(span.start, span.end, b'"m2"') for span in models]

    result = spliced(text, [*splices, *removal(found, frozenset(names))])

    expected = [(name, "m2" if name == "model" else value) for name, value in pairs_of(text)]
    assert [pair for pair in expected if pair[0] not in names] == pairs_of(result)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        pytest.param(b'{"x":1,"a":2,"b":3}', b'{"a":2,"b":3}', id="the first"),
        pytest.param(b'{"a":2,"x":1,"b":3}', b'{"a":2,"b":3}', id="one in the middle"),
        pytest.param(b'{"a":2,"b":3,"x":1}', b'{"a":2,"b":3}', id="the last"),
        pytest.param(b'{"x":1}', b"{}", id="the only one"),
        pytest.param(b'{ "x" : 1 }', b"{  }", id="the only one, blanks stay"),
        pytest.param(b'{"a":2 , "x":1 }', b'{"a":2 }', id="the last, with its comma"),
        pytest.param(b'{ "x":1 , "a":2}', b'{ "a":2}', id="the first, with its comma"),
        pytest.param(b'{"x":1,"x":2,"a":3}', b'{"a":3}', id="twice at the beginning"),
        pytest.param(b'{"a":3,"x":1,"x":2}', b'{"a":3}', id="twice at the end"),
        pytest.param(b'{"x":1,"a":3,"x":2}', b'{"a":3}', id="on both sides"),
        pytest.param(b'{"x":1,"x":2}', b"{}", id="all there are"),
        pytest.param(b'{"a":"x","b":{"x":1}}', b'{"a":"x","b":{"x":1}}', id="below the top: none"),
        pytest.param(rb'{"a":1,"\u0078":2}', b'{"a":1}', id="under an escaped name"),
    ],
)
def test_a_member_goes_with_one_comma(text, result):
    assert result == without(text, "x")


def test_equal_positions_insert_before_what_is_replaced():
    splices = [Splice(1, 4, b"B"), Splice(1, 1, b"A")]

    assert spliced(b"0xyz9", splices) == b"0AB9"


@patient
@given(st.binary(max_size=20), st.data())
def test_splices_may_come_in_any_order(text, data):
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=6)))
    spans = list(zip(cuts[::2], cuts[1::2], strict=False))
    splices = [Splice(start, end, b"<%d>" % n) for n, (start, end) in enumerate(spans)]

    shuffled = data.draw(st.permutations(splices))

    assert spliced(text, splices) == spliced(text, shuffled)


def test_numbers_that_decoding_would_destroy_survive():
    text = (
        b'{"model":"a","seed":18446744073709551617,"t":1.10,"u":1E5,"v":-0,"w":1e400,"store":true}'
    )

    result = without(text, "store")

    assert result == text.replace(b',"store":true', b"")
    assert json.loads(result)["seed"] == 18446744073709551617
