"""A JSON body of which a few members count (contract D4, D6, F23, F24; law 6)."""

import pytest

from app.domain.errors import InvalidRequest
from app.protocol.json_bodies import read_json_body

ACTED_ON = ("model", "file")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b'{"model":"a","file":"f","n":1E5}', id="plain"),
        pytest.param(b' {\n "file" : "f" , "model":"a"}\n', id="with blanks"),
        pytest.param(b'{"x":1,"x":2,"model":"a","file":"f"}', id="another member twice"),
        pytest.param(b'{"mod\\u0065l":"a","file":"f"}', id="D6: an escaped name"),
        pytest.param(b'{"t":"\\ud83d","model":"a","file":"f"}', id="D4: half a character"),
        pytest.param(b'\xef\xbb\xbf{"model":"a","file":"f"}', id="a byte order mark"),
    ],
)
def test_its_members_are_found_and_its_text_stays(text: bytes):
    body = read_json_body(text, ACTED_ON)

    assert ("a", "f", None) == tuple(body.text_member(name) for name in (*ACTED_ON, "none"))
    assert body.text == text.removeprefix(b"\xef\xbb\xbf")


def test_one_value_is_replaced_and_no_other_byte():
    body = read_json_body(b'{"n": 1.10, "model" : "4minds/x" }', ACTED_ON)

    assert body.with_value("model", b'"x"') == b'{"n": 1.10, "model" : "x" }'


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param(b"", "invalid_json", id="empty"),
        pytest.param(b"  ", "invalid_json", id="blank"),
        pytest.param(b"{", "invalid_json", id="cut"),
        pytest.param(b'{"a":1} x', "invalid_json", id="more behind it"),
        pytest.param(b'{"a":"\xff"}', "invalid_json", id="no UTF-8"),
        pytest.param(b'{"a":' + b"[" * 70 + b"]" * 70 + b"}", "invalid_json", id="too deep"),
        pytest.param(b'{"a":' * 100_000, "invalid_json", id="far too deep"),
        pytest.param(b'{"model":"a","model":"b"}', "invalid_json", id="D6: twice"),
        pytest.param(b'{"model":"a","mod\\u0065l":"b"}', "invalid_json", id="D6: twice, escaped"),
        pytest.param(b"[]", "invalid_type", id="an array"),
        pytest.param(b"null", "invalid_type", id="null"),
    ],
)
def test_f23_what_is_no_object_is_refused(text: bytes, code: str):
    with pytest.raises(InvalidRequest) as raised:
        read_json_body(text, ACTED_ON)

    assert code == raised.value.code
    assert "(byte" not in raised.value.message


@pytest.mark.parametrize("value", [b"7", b"[]", b"{}", b"true"])
def test_f24_a_member_that_is_no_text_is_refused(value: bytes):
    body = read_json_body(b'{"model":%b}' % value, ACTED_ON)

    with pytest.raises(InvalidRequest) as raised:
        body.text_member("model")

    assert ("invalid_type", "model") == (raised.value.code, raised.value.param)


def test_null_says_nothing():
    assert read_json_body(b'{"model":null}', ACTED_ON).text_member("model") is None


@pytest.mark.parametrize(
    ("value", "expected"), [(b"1234", "1234"), (b'"1234"', "1234"), (b"null", None)]
)
def test_an_id_may_be_a_number(value: bytes, expected: str | None):
    assert expected == read_json_body(b'{"file":%b}' % value, ACTED_ON).id_member("file")


@pytest.mark.parametrize("value", [b"1.0", b"1e3", b"[]", b"true"])
def test_an_id_is_an_integer_or_a_text(value: bytes):
    with pytest.raises(InvalidRequest):
        read_json_body(b'{"file":%b}' % value, ACTED_ON).id_member("file")
