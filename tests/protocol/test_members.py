"""Where the members of a JSON object stand, checked against the standard library's reading (contract D2, D4, D6)."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.protocol.members import Member, PlainMembers, TooDeep, elements, members, plain_values
from app.protocol.nesting import MAX_DEPTH
from tests.protocol.documents import arrays, objects, pairs_of, patient


def raw(text: bytes, member: Member) -> bytes:
    return text[member.value.start : member.value.end]


@patient
@given(objects())
def test_every_member_is_found_in_order_and_its_span_is_its_value(text):
    found = list(members(text, 0))

    assert pairs_of(text) == [(member.name, pairs_of(raw(text, member))) for member in found]


@patient
@given(objects())
def test_a_span_holds_the_value_and_no_blank_around_it(text):
    values = [raw(text, member) for member in members(text, 0)]

    assert values == [value.strip(b" \t\r\n") for value in values]


@patient
@given(objects())
def test_a_member_begins_at_the_quote_of_its_name(text):
    for member in members(text, 0):
        head = text[member.start : member.value.start].rstrip(b" \t\r\n:")

        assert member.name == json.loads(head)


@patient
@given(arrays())
def test_every_element_is_found_in_order(text):
    found = list(elements(text, 0))

    assert json.loads(text) == [json.loads(text[span.start : span.end]) for span in found]


@patient
@given(st.binary(max_size=8).map(lambda _: b'{"outer": '), objects())
def test_an_object_inside_another_is_read_from_where_it_stands(before, text):
    inner = list(members(before + text + b"}", len(before)))

    assert [member.name for member in inner] == [name for name, _ in pairs_of(text)]


@patient
@given(objects(("a", "b", "a:", "é")))
def test_places_worked_out_from_lengths_are_where_a_scan_finds_them(text):
    values = plain_values(text)

    if values is not None:
        assert list(members(text, 0)) == list(PlainMembers(text, values))


@pytest.mark.parametrize(
    ("text", "is_plain"),
    [
        pytest.param(b'{"a":1,"b":[2, 3]}', True, id="compact"),
        pytest.param(b' { "a" : 1 ,\n"b":\t[2]}\r\n', True, id="with blanks"),
        pytest.param(b'{"a:b":1, "c":":\\""}', True, id="colons in names and values"),
        pytest.param(b'{"a":1,"a":1}', False, id="a name twice"),
        pytest.param(b'{"a":1, "a":1 }', False, id="twice, with blanks"),
        pytest.param(rb'{"\u0061":1}', False, id="an escaped name"),
        pytest.param('{"é:":1}'.encode(), False, id="a name beyond ASCII"),
        pytest.param(b"{}", False, id="none at all"),
        pytest.param(b"[1]", False, id="no object"),
    ],
)
def test_members_are_plain_where_each_stands_once_under_a_plain_name(text, is_plain):
    assert is_plain is (plain_values(text) is not None)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param(rb'{"mod\u0065l":1}', "model", id="an escaped letter (contract D6)"),
        pytest.param(rb'{"mod\u0065\u006c":1}', "model", id="two of them"),
        pytest.param(rb'{"a\"b":1}', 'a"b', id="an escaped quote ends no name"),
        pytest.param(rb'{"a\\":1}', "a\\", id="an escaped backslash before the quote"),
        pytest.param(rb'{"a\\\"":1}', 'a\\"', id="three backslashes"),
        pytest.param(rb'{"a\/b":1}', "a/b", id="an escaped slash"),
        pytest.param('{"é":1}'.encode(), "é", id="a raw letter"),
        pytest.param(rb'{"\u00e9":1}', "é", id="an escaped letter outside ASCII"),
        pytest.param(rb'{"\ud83d\ude00":1}', "😀", id="a pair of surrogates"),
        pytest.param(rb'{"\ud83d":1}', "\ud83d", id="a lone surrogate is legal JSON (D4)"),
        pytest.param(b'{"":1}', "", id="an empty name"),
        pytest.param(b'{"{":"}"}', "{", id="a brace in a name"),
    ],
)
def test_a_name_is_what_every_parser_behind_us_reads(text, name):
    assert [name] == [member.name for member in members(text, 0)]


def test_a_repeated_member_is_there_twice():
    assert ["a", "b", "a"] == [member.name for member in members(b'{"a":1,"b":2,"a":3}', 0)]


@pytest.mark.parametrize("text", [b"{}", b" { } ", b"\r\n{\t}\n"])
def test_an_empty_object_has_no_members(text):
    assert list(members(text, 0)) == []


@pytest.mark.parametrize("text", [b"[]", b"[ ]", b"[\n]"])
def test_an_empty_array_has_no_elements(text):
    assert list(elements(text, 0)) == []


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_what_nests_deeper_than_the_bound_is_refused(opening, closing):
    def nested(levels: int) -> Any:
        """An object that nests *levels* deep in all, itself counted (reliability S6)."""
        inner = levels - 1
        return b'{"a":' + opening * inner + b"1" + closing * inner + b"}"

    assert len(list(members(nested(MAX_DEPTH), 0))) == 1
    with pytest.raises(TooDeep):
        list(members(nested(MAX_DEPTH + 1), 0))


def test_many_shallow_containers_are_not_deep():
    text = b'{"a":[' + b"[[]]," * 1000 + b"{}]}"

    assert len(list(members(text, 0))) == 1


def test_brackets_in_strings_do_not_nest():
    text: dict[str, Any] = {"a": ["[" * 500, {"}" * 500: "{" * 500}], "b": 1}

    assert ["a", "b"] == [member.name for member in members(json.dumps(text).encode(), 0)]
