"""Reading a chat request: a decision table over contract F23 to F25, D6, D10 to D13 and reliability S6."""

import pytest

from app.domain.errors import InvalidRequest
from app.protocol.requests import read_chat_request, read_closely

OK = b'{"model":"m","messages":[]}'


def nested(levels: int) -> bytes:
    """A body that nests *levels* deep, the body itself counted."""
    return b'{"model":"m","a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


def refused(body: bytes) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        read_chat_request(body)
    return caught.value


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "named"),
    [
        pytest.param(b"", "empty", id="F23: an empty body"),
        pytest.param(b" \r\n", "empty", id="F23: blanks alone"),
        pytest.param(b"\xef\xbb\xbf", "empty", id="D11: a byte order mark alone"),
        pytest.param(b"{", "", id="F23: cut at once"),
        pytest.param(b'{"model":"m"', "", id="F23: cut at the end"),
        pytest.param(b'{"model":"m', "", id="F23: cut in a string"),
        pytest.param(b'{"model":"m",}', "column 14", id="F23: a trailing comma, its place told"),
        pytest.param(b'{\n"model":\n"m",\n}', "line 4", id="F23: the line is told"),
        pytest.param(b"{'model':'m'}", "column 2", id="F23: single quotes"),
        pytest.param(b"{model:1}", "column 2", id="F23: a bare name"),
        pytest.param(b'{"model":"m"} x', "line 1", id="F23: something behind it"),
        pytest.param(b'{"model":"m"}{"model":"n"}', "", id="F23: two bodies"),
        pytest.param(b"model=m&stream=true", "", id="B11: a form"),
        pytest.param(b'{"model":"m","t":NaN}', "", id="D11: NaN"),
        pytest.param(b'{"model":"m","t":Infinity}', "", id="D11: Infinity"),
        pytest.param(b'{"model":"m","t":-Infinity}', "", id="D11: minus Infinity"),
        pytest.param(b'{"model":"m","t":01}', "", id="F23: a leading zero"),
        pytest.param(b'{"model":"m","t":+1}', "", id="F23: a plus"),
        pytest.param(b'{"model":"m","t":.5}', "", id="F23: no digit before the point"),
        pytest.param(b'{"model":"m","t":"\x01"}', "", id="F23: a control character in a string"),
        pytest.param(b'{"model":"m","t":"a\nb"}', "", id="F23: a line end in a string"),
        pytest.param(rb'{"model":"m","t":"\x"}', "", id="F23: an unknown escape"),
        pytest.param(rb'{"model":"m","t":"\u12"}', "", id="F23: half an escape"),
        pytest.param(b'{"model":"m","t":"\xff"}', "UTF-8", id="D11: invalid UTF-8"),
        pytest.param(b'{"model":"m","t":"\xed\xa0\xbd"}', "UTF-8", id="D11: a surrogate in UTF-8"),
        pytest.param(b'{"model":"m","t":"\xc0\xaf"}', "UTF-8", id="D11: an overlong spelling"),
        pytest.param('{"model":"m"}'.encode("utf-16"), "UTF-8", id="D11: UTF-16"),
        pytest.param(b"\xef\xbb\xbf\xef\xbb\xbf" + OK, "", id="D11: two byte order marks"),
        pytest.param(nested(65), "64", id="S6: 65 levels"),
        pytest.param(nested(5000), "", id="S6: 5,000 levels"),
        pytest.param(b'{"a":' * 100_000, "", id="S6: 100,000 levels and cut"),
    ],
)  # fmt: skip
def test_what_cannot_be_parsed_is_400_invalid_json(body, named):
    error = refused(body)

    assert (400, "invalid_request_error", "invalid_json") == (error.status, error.type, error.code)
    assert named in error.message
    assert len(error.message) < 400


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"[]", id="an array"),
        pytest.param(b'[{"model":"m"}]', id="an array of bodies"),
        pytest.param(b'"model"', id="a string"),
        pytest.param(b"7", id="a number"),
        pytest.param(b"null", id="null"),
        pytest.param(b"true", id="a boolean"),
    ],
)
def test_a_body_that_is_no_object_is_400_invalid_type(body):
    assert refused(body).code == "invalid_type"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"{}", id="F25: an empty object"),
        pytest.param(b'{"messages":[]}', id="F25: no model"),
        pytest.param(b'{"model":null}', id="F25: a null model"),
        pytest.param(b'{"model":""}', id="F25: an empty model"),
        pytest.param(b'{"a":{"model":"m"}}', id="F25: a model further down"),
        pytest.param(b'{"Model":"m"}', id="F25: another spelling"),
    ],
)
def test_without_a_model_it_is_400_naming_model(body):
    error = refused(body)

    assert ("missing_required_parameter", "model") == (error.code, error.param)
    assert error.message == "you must provide a model parameter"


@pytest.mark.parametrize(
    ("member", "param", "words"),
    [
        (b'"stream":"true"', "stream", "expected a boolean, but got a string instead"),
        (b'"stream":1', "stream", "expected a boolean, but got an integer instead"),
        (b'"stream":0', "stream", "expected a boolean, but got an integer instead"),
        (b'"stream":1e400', "stream", "expected a boolean, but got a number instead"),
        (b'"stream":[]', "stream", "expected a boolean, but got an array instead"),
        (b'"stream":{}', "stream", "expected a boolean, but got an object instead"),
        (b'"stream_options":"x"', "stream_options", "expected an object, but got a string"),
        (b'"stream_options":[]', "stream_options", "expected an object, but got an array"),
        (b'"stream_options":true', "stream_options", "expected an object, but got a boolean"),
        (b'"n":"2"', "n", "expected an integer, but got a string"),
        (b'"n":true', "n", "expected an integer, but got a boolean"),
        (b'"n":1.5', "n", "expected an integer, but got a number"),
        (b'"n":1e400', "n", "expected an integer, but got a number"),
        (b'"n":' + b"9" * 5000, "n", "expected an integer, but got a number"),
    ],
)
def test_a_member_of_the_wrong_type_is_400_naming_it(member, param, words):
    error = refused(b'{"model":"m",' + member + b"}")

    assert ("invalid_type", param) == (error.code, error.param)
    assert f"Invalid type for '{param}': {words}" in error.message


@pytest.mark.parametrize("model", [b"7", b"true", b"[]", b"{}", b'["m"]', b"1e400", b"1.5"])
def test_a_model_that_is_no_string_is_400_naming_it(model):
    error = refused(b'{"model":' + model + b"}")

    assert ("invalid_type", "model") == (error.code, error.param)


@pytest.mark.parametrize(
    "name",
    ["model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "n"],
)
def test_a_member_we_act_on_given_twice_is_400(name):
    """Contract D6, also where one of the two is spelt with an escape."""
    plain = name.encode()
    escaped = b"\\u00%02x" % plain[0] + plain[1:]
    for second in (plain, escaped):
        error = refused(b'{"%s":null,"x":1,"%s":null,"model":"m"}' % (plain, second))

        assert ("invalid_json", name) == (error.code, error.param)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(rb'{"model":"a","m\u006fdel":"b"}', id="the second"),
        pytest.param(rb'{"\u006d\u006f\u0064\u0065\u006c":"a","model":"b"}', id="the first, whole"),
    ],
)
def test_an_escaped_second_model_does_not_get_past(body):
    assert refused(body).param == "model"


# --- what is read ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "stream"),
    [
        pytest.param(b'{"model":"m","stream":true}', True, id="true"),
        pytest.param(b'{"model":"m","stream":false}', False, id="false"),
        pytest.param(b'{"model":"m","stream":null}', False, id="null"),
        pytest.param(b'{"model":"m"}', False, id="absent"),
        pytest.param(rb'{"model":"m","str\u0065am":true}', True, id="under an escaped name"),
        pytest.param(b'{"model":"m","a":{"stream":true}}', False, id="further down: not ours"),
    ],
)
def test_d13_stream_is_true_false_null_or_absent(body, stream):
    assert stream is read_chat_request(body).stream


@pytest.mark.parametrize(
    ("options", "included"),
    [
        (b"null", False),
        (b"{}", False),
        (b'{"include_usage":true}', True),
        (b'{"include_usage":false}', False),
        (b'{"include_usage":null}', False),
        (b'{"include_usage":1}', False),
        (b'{"include_usage":true,"x":1e400}', True),
        (rb'{"include_usage":true,"x":"\ud83d"}', True),
    ],
)
def test_the_client_wants_usage_only_if_it_says_true(options, included):
    chat = read_chat_request(b'{"model":"m","stream_options":' + options + b"}")

    assert included is chat.include_usage


@pytest.mark.parametrize(("n", "choices"), [(b"1", 1), (b"3", 3), (b"null", 1), (b"0", 1)])
def test_how_many_choices_are_asked_for(n, choices):
    assert choices == read_chat_request(b'{"model":"m","n":' + n + b"}").choices


@pytest.mark.parametrize(
    ("written", "model"),
    [
        (b'"gpt-4o"', "gpt-4o"),
        (rb'"gpt\u002d4o"', "gpt-4o"),
        (rb'"openmind\/gpt-4o"', "openmind/gpt-4o"),
        ('"modèle 模型"'.encode(), "modèle 模型"),
        (rb'"\ud83d\ude00"', "😀"),
        (rb'"a\\ud83d"', r"a\ud83d"),
    ],
)
def test_the_model_is_what_every_parser_reads(written, model):
    assert model == read_chat_request(b'{"model":' + written + b"}").model


@pytest.mark.parametrize(
    "model", [pytest.param(rb"a\ud83d", id="high"), pytest.param(rb"a\ude00b", id="low")]
)
def test_half_a_character_in_the_model_is_no_defect_of_ours(model):
    read = read_chat_request(b'{"model":"' + model + b'"}').model

    assert read.startswith("a")
    assert read.encode()  # it will stand in a header, a log line and an error


@pytest.mark.parametrize(
    "member",
    [
        pytest.param(b'"messages":[]', id="D12: no messages"),
        pytest.param(b'"messages":null', id="D12: null messages"),
        pytest.param(b'"messages":[{"role":"user","content":null}]', id="D12: null content"),
        pytest.param(b'"tools":[],"stop":null', id="D12: empty tools"),
        pytest.param(b'"max_tokens":"many"', id="D12: the upstream judges what we do not act on"),
        pytest.param(b'"seed":18446744073709551617', id="D4: an integer above 2**64"),
        pytest.param(b'"seed":' + b"9" * 5000, id="D4: an integer of 5,000 digits"),
        pytest.param(b'"t":1e400', id="D4: a number no double holds"),
        pytest.param(b'"t":-0', id="D4: minus nought"),
        pytest.param(rb'"t":"\ud83d"', id="D4: a lone surrogate"),
        pytest.param(rb'"\ud83d":1', id="D4: a lone surrogate in a name"),
        pytest.param('"t":"\u2028"'.encode(), id="D4: a raw U+2028"),
        pytest.param(b'"t":"\x7f"', id="a raw DEL is legal"),
        pytest.param(b'"user":"a","user":"b"', id="D6: other repetitions pass"),
        pytest.param(b'"api_base":"http://evil"', id="D18: it steers nothing, it passes"),
    ],
)
def test_what_is_legal_is_read_and_left_as_it_came(member):
    body = b'{"model":"m",' + member + b"}"

    chat = read_chat_request(body)

    assert chat.body == body
    assert chat.model == "m"


def test_64_levels_are_read():
    assert read_chat_request(nested(64)).model == "m"


def test_a_byte_order_mark_is_not_forwarded():
    assert read_chat_request(b"\xef\xbb\xbf" + OK).body == OK


def test_without_a_mark_the_body_is_the_very_same_object():
    assert read_chat_request(OK).body is OK


def test_the_model_may_come_last():
    """Contract D7."""
    body = b'{"messages":[{"content":"' + b"x" * 1_000_000 + b'"}],"model":"m"}'

    assert read_chat_request(body).model == "m"


@pytest.mark.parametrize(
    ("members", "most"),
    [
        pytest.param('"max_tokens":5', 5, id="the old name"),
        pytest.param('"max_completion_tokens":7', 7, id="the new name"),
        pytest.param('"max_tokens":5,"max_completion_tokens":7', 7, id="both: the greater one"),
        pytest.param('"max_tokens":null', None, id="null is none"),
        pytest.param('"temperature":1', None, id="none"),
        pytest.param('"max_tokens":5.2', 6, id="a fraction, rounded up"),
        pytest.param('"max_tokens":12345678901', 12345678901, id="a long one"),
        pytest.param('"max_tokens":"5"', -1, id="D12: the upstream judges a text"),
        pytest.param('"max_tokens":{"a":1}', -1, id="D12: and an object"),
        pytest.param('"max_tokens":true', -1, id="D12: and a boolean"),
    ],
)
def test_j11_how_much_output_a_body_asks_for(members, most):
    chat = read_chat_request(f'{{"model":"m",{members}}}'.encode())

    assert most == chat.max_tokens


@pytest.mark.parametrize(
    ("member", "stores"),
    [
        pytest.param(b'"store": true', True, id="yes"),
        pytest.param(b'"store":false', False, id="no"),
        pytest.param(b'"store":null', False, id="null"),
        pytest.param(b'"store":"true"', False, id="a text"),
        pytest.param(b'"user":"x"', False, id="not said"),
    ],
)
@pytest.mark.parametrize("read", [read_chat_request, read_closely])
def test_whether_the_upstream_is_to_keep_it(read, member, stores):
    assert stores is read(b'{"model":"m","messages":[],%b}' % member).stores
