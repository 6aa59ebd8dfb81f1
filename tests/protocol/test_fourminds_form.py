import json

import pytest

from app.domain.errors import InvalidRequest
from app.protocol.fourminds_form import FlatField, is_flattened, named_dataset
from app.protocol.multipart import PartHead

HEAD = PartHead("4minds")


def merged(*fields: tuple[str, str | bytes]) -> bytes:
    flat = FlatField()
    for name, value in fields:
        flat.put(PartHead(name), value.encode() if isinstance(value, str) else value)
    return flat.text()


@pytest.mark.parametrize(("fields", "text"), [
    pytest.param([("4minds[dataset_name]", "My")], '{"dataset_name":"My"}', id="a string"),
    pytest.param([("4minds[dataset_name]", "1"), ("4minds[training_type]", "true")],
                 '{"dataset_name":"1","training_type":"true"}', id="a string that looks like something else"),
    pytest.param([("4minds[dataset_id]", "1234")], '{"dataset_id":1234}', id="dataset_id is an integer"),
    pytest.param([("4minds[dataset_id]", "-007")], '{"dataset_id":-7}', id="an integer as JSON writes it"),
    pytest.param([("4minds[x][]", "1")], '{"x":["1"]}', id="a list of one"),
    pytest.param([("4minds[x][]", "a"), ("4minds[x][]", "b")], '{"x":["a","b"]}', id="a list"),
    pytest.param([("4minds[x][][a]", "1"), ("4minds[x][][b]", "2"), ("4minds[x][][a]", "3")],
                 '{"x":[{"a":"1","b":"2"},{"a":"3"}]}', id="a list of objects"),
    pytest.param([("4minds[x][][]", "1"), ("4minds[x][][]", "2")], '{"x":[["1"],["2"]]}', id="a list of lists"),
    pytest.param([("4minds[model_params][learning_rate]", "0.001")], '{"model_params":{"learning_rate":0.001}}',
                 id="a number of model_params, as it was written"),
    pytest.param([(f"4minds[model_params][{n}]", n) for n in ("1e-05", "-0", "12", "1.50", "2E3")],
                 '{"model_params":{"1e-05":1e-05,"-0":-0,"12":12,"1.50":1.50,"2E3":2E3}}',
                 id="numbers as JSON has them"),
    pytest.param([("4minds[model_params][a]", "true"), ("4minds[model_params][b]", "false")],
                 '{"model_params":{"a":true,"b":false}}', id="booleans"),
    pytest.param([(f"4minds[model_params][{n}]", n) for n in ("null", "True", "NaN", "01", "1.", "+1", " ")],
                 '{"model_params":{"null":"null","True":"True","NaN":"NaN","01":"01","1.":"1.","+1":"+1"," ":" "}}',
                 id="what is neither stays a string"),
    pytest.param([("4minds[model_params][layers][]", "8")], '{"model_params":{"layers":[8]}}',
                 id="deep in model_params"),
    pytest.param([("4minds[größe]", 'a"\n\u2028')], '{"größe":"a\\"\\n\u2028"}', id="any text"),
    pytest.param([("4minds[b]", "1"), ("4minds[a][c]", "2"), ("4minds[b2]", "3")],
                 '{"b":"1","a":{"c":"2"},"b2":"3"}', id="in the order in which they came"),
])  # fmt: skip
def test_f_m3_flattened_parts_become_json_text(fields, text):
    assert merged(*fields).decode() == text
    json.loads(text)


@pytest.mark.parametrize("fields", [
    pytest.param([("4minds[dataset_id]", "12x")], id="dataset_id is no integer"),
    pytest.param([("4minds[dataset_id]", "1.0")], id="dataset_id is a decimal"),
    pytest.param([("4minds[dataset_id]", "")], id="dataset_id is empty"),
    pytest.param([("4minds[dataset_id]", "٣")], id="digits that are no ASCII"),
    pytest.param([("4minds[dataset_id]", 20 * "9")], id="an integer that no database has"),
    pytest.param([("4minds[dataset_id][]", "1")], id="dataset_id is a list"),
    pytest.param([("4minds[]", "1")], id="a list in place of the object"),
    pytest.param([("4minds[a", "1")], id="a bracket that stays open"),
    pytest.param([("4minds[a]b", "1")], id="words behind a bracket"),
    pytest.param([("4minds[a[b]]", "1")], id="brackets in brackets"),
    pytest.param([("4minds" + 17 * "[a]", "1")], id="deeper than anybody goes"),
    pytest.param([("4minds[\udcff]", "1")], id="a name that is no UTF-8"),
    pytest.param([("4minds[a]", b"\xff")], id="a value that is no UTF-8"),
    pytest.param([("4minds[a]", "1"), ("4minds[a]", "2")], id="a member twice"),
    pytest.param([("4minds[a]", "1"), ("4minds[a][b]", "2")], id="a value and an object"),
    pytest.param([("4minds[a][b]", "1"), ("4minds[a]", "2")], id="an object and a value"),
    pytest.param([("4minds[a][]", "1"), ("4minds[a][b]", "2")], id="a list and an object"),
    pytest.param([("4minds[a][b]", "1"), ("4minds[a][]", "2")], id="an object and a list"),
])  # fmt: skip
def test_what_cannot_be_merged_in_one_way_is_refused_by_the_field_s_name(fields):
    with pytest.raises(InvalidRequest) as refusal:
        merged(*fields)

    assert refusal.value.param == "4minds"


def test_the_merged_field_tells_its_data_set():
    flat = FlatField()
    assert (bool(flat), flat.dataset_id) == (False, None)

    flat.put(PartHead("4minds[dataset_id]"), b"0042")

    assert (bool(flat), flat.dataset_id) == (True, "42")


@pytest.mark.parametrize(("name", "expected"), [
    ("4minds[a]", True), ("4minds[", True), ("4minds", False), ("4Minds[a]", False), ("x4minds[a]", False),
])  # fmt: skip
def test_which_parts_are_pieces_of_the_field(name, expected):
    assert is_flattened(name) is expected


@pytest.mark.parametrize(("text", "dataset"), [
    pytest.param(b'{"dataset_id":1234}', "1234", id="an id"),
    pytest.param(b' {"dataset_name":"a","dataset_id" : 7 }\r\n', "7", id="blanks"),
    pytest.param(b'{"dataset\\u005fid":7}', "7", id="an escaped name is that name to every reader"),
    pytest.param(b"{}", None, id="nothing"),
    pytest.param(b'{"dataset_name":"dataset_id"}', None, id="a name alone"),
    pytest.param(b'{"dataset_id":null}', None, id="null"),
    pytest.param(b'{"model_params":{"dataset_id":9}}', None, id="an id somewhere else"),
    pytest.param(b'{"dataset_name":"\\ud83d","dataset_id":1}', "1", id="half a character (D5)"),
    pytest.param(b'{"training_type":"unheard of"}', None, id="what we do not rely on"),
])  # fmt: skip
def test_f_m1_a_real_field_tells_its_data_set(text, dataset):
    assert named_dataset(text, HEAD) == dataset


@pytest.mark.parametrize("text", [
    pytest.param(b"", id="nothing"),
    pytest.param(b"[1]", id="a list"),
    pytest.param(b'"x"', id="a string"),
    pytest.param(b"dataset_name=My", id="no JSON"),
    pytest.param(b"{'dataset_id': 1}", id="Python in place of JSON"),
    pytest.param(b'{"dataset_id":1', id="cut"),
    pytest.param(b'{"dataset_id":1} x', id="words behind it"),
    pytest.param(b"\xef\xbb\xbf{}", id="a mark before it"),
    pytest.param(b'{"a":"\xff"}', id="no UTF-8"),
    pytest.param(b'{"dataset_id":"1"}', id="a string in place of the id"),
    pytest.param(b'{"dataset_id":1.0}', id="a decimal"),
    pytest.param(b'{"dataset_id":true}', id="a boolean"),
    pytest.param(b'{"dataset_id":99999999999999999999}', id="an integer that no database has"),
    pytest.param(b'{"dataset_id":1,"dataset_id":2}', id="two ids, of which each reader takes one"),
    pytest.param(b'{"dataset_id":1,"dataset\\u005fid":2}', id="two ids, one escaped"),
    pytest.param(b'{"a":' + 5000 * b"[" + 5000 * b"]" + b"}", id="too deep"),
])  # fmt: skip
def test_a_real_field_that_cannot_be_read_in_one_way_is_refused(text):
    with pytest.raises(InvalidRequest) as refusal:
        named_dataset(text, HEAD)

    assert refusal.value.param == "4minds"


@pytest.mark.parametrize("head", [
    pytest.param(PartHead("4minds", None, b"", b"base64"), id="base64, which some decode"),
    pytest.param(PartHead("4minds", None, b"", b"Quoted-Printable"), id="quoted-printable"),
    pytest.param(PartHead("4minds", None, b"text/plain; charset=utf-7"), id="another charset"),
    pytest.param(PartHead("4minds", None, b'text/plain; CHARSET = "utf-16"'), id="another charset, quoted"),
])  # fmt: skip
def test_a_field_that_some_would_decode_first_is_refused(head):
    with pytest.raises(InvalidRequest):
        named_dataset(b"{}", head)
    with pytest.raises(InvalidRequest):
        FlatField().put(head._replace(name="4minds[a]"), b"1")


def test_a_field_in_plain_utf_8_may_say_so():
    head = PartHead("4minds", None, b"application/json; charset=UTF-8", b"8bit")

    assert named_dataset(b'{"dataset_id":5}', head) == "5"
