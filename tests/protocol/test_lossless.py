import json

import pytest

from app.protocol import lossless

HARD = [
    pytest.param(rb"123456789012345678901234567890", id="an integer above 2**64 (D4)"),
    pytest.param(rb"1.10", id="a trailing zero (D4)"),
    pytest.param(rb"1E5", id="an exponent (D4)"),
    pytest.param(rb"-0", id="minus zero (D4)"),
    pytest.param(rb"1e400", id="beyond a double (D4)"),
    pytest.param(rb'"a\/b\u00e9"', id="escapes as they were chosen (D4)"),
    pytest.param(rb'"\ud83d"', id="a lone high surrogate (D5)"),
    pytest.param(rb'"x\uDC00y"', id="a lone low surrogate, upper case (D5)"),
    pytest.param(rb'"\ude00\ud83d\ud83d\ude00"', id="lone ones beside a pair (D5)"),
    pytest.param(rb'"\\ud83d \\\ud83d"', id="an escaped backslash before it (D5)"),
    pytest.param(rb'{"deep":["\ud83d",{"\udead":1}]}', id="deep inside, as a name too (D5)"),
    pytest.param('"\u2028\ue000 \\ud83d"'.encode(), id="raw U+2028, and a private-use character of its own"),
    pytest.param(rb'"\ue000\uE001\ud83d"', id="private-use escapes of its own"),
    pytest.param(rb"[ 1 , 2 ]", id="blanks inside a value"),
]  # fmt: skip


@pytest.mark.parametrize("value", HARD)
def test_d4_a_value_comes_out_as_it_went_in(value):
    data = b'{"b":%b,"a":[%b,null]}' % (value, value)
    found = lossless.members(data)

    assert {"b": value, "a": b"[%b,null]" % value} == found
    assert ["b", "a"] == list(found)
    assert [value, b"null"] == lossless.elements(found["a"])
    assert data == lossless.object_of(found)


def test_a_name_with_a_lone_surrogate_keeps_it():
    found = lossless.members(rb'{"\ud83d":1}')

    assert ["\ud83d"] == list(found)
    assert rb'{"\ud83d":1}' == lossless.object_of(found)


def test_a_pair_beside_a_lone_surrogate_stays_one_character():
    assert ["😀"] == list(lossless.members(rb'{"\ud83d\ude00":"\ud83d"}'))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"a":',
        b'{"a":NaN}',
        b"{} x",
        b'"\\ud83d"',
        b'{"a":"\\ud83d"',
        b"<html>",
        b'{"a":' * 100_000,
    ],
)
def test_what_is_no_object_is_refused(data):
    with pytest.raises(lossless.NotJson):
        lossless.members(data)


def test_halves_of_a_pair_find_each_other():
    assert "😀" == json.loads(lossless.joined([rb'"\ud83d"', rb'"\ude00"']))


def test_more_distinct_surrogates_than_stand_ins_are_refused_not_mangled():
    many = b"".join(
        b"\\u" + b"%c%c%02x" % (d, second, low) + b"x"
        for d in b"dD"
        for second in b"89aAbBcCdDeEfF"
        for low in range(256)
    )

    with pytest.raises(lossless.NotJson):
        lossless.members(b'{"a":"%b"}' % many)


@pytest.mark.parametrize(
    ("value", "text"),
    [(b'"a"', "a"), (rb'"\ud83d"', "\ud83d"), (b"1", None), (b"null", None), (None, None)],
)
def test_the_text_of_a_value(value, text):
    assert text == lossless.text_of(value)


def test_an_object_as_text_is_compact_and_keeps_its_spelling():
    value = rb'{ "a" : 1.10, "b": "\ud83d\/" }'

    assert rb'{"a":1.10,"b":"\ud83d\/"}' == json.loads(lossless.as_text(value)).encode()


def test_whether_something_is_json():
    assert lossless.is_json(rb'["\ud83d"]')
    assert not lossless.is_json(b"planning")
