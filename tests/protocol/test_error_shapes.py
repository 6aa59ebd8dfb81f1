"""The shapes in which upstreams say that something went wrong (upstreams E-S1 to E-S7; contract F2 to F4, J4)."""

import json
import random
from typing import Any

import pytest

from app.protocol.error_shapes import MAX_MESSAGE_BYTES, ErrorText, error_in, read_error

HTML = b"<!DOCTYPE html><html><body><h1>403 Forbidden</h1></body></html>"


def read(body: bytes, content_type: str = "application/json", **more: Any) -> ErrorText:
    facts: dict[str, Any] = {"upstream": "minds", "status": 400} | more
    return read_error(body, content_type, **facts)


@pytest.mark.parametrize(
    ("body", "shape", "message", "code", "param"),
    [
        pytest.param(
            b'{"error":{"message":"no","type":"t","param":"p","code":"c"}}',
            "E-S1", "no", "c", "p", id="E-S1: OpenAI's envelope",
        ),
        pytest.param(
            b'{"error":{"message":"no","type":"t","code":429}}',
            "E-S1", "no", None, None, id="E-S1, F2: a numeric code is null",
        ),
        pytest.param(
            b'{"error":{"code":"model_access_denied"}}',
            "E-S1", "minds returned HTTP 400", "model_access_denied", None, id="E-S1: a code and no words",
        ),
        pytest.param(b'{"error":"text"}', "E-S2", "text", None, None, id="E-S2: a text"),
        pytest.param(
            b'{"error":"text","details":"more"}', "E-S2", "text: more", None, None, id="E-S2: with details",
        ),
        pytest.param(
            b'{"error":"text","details":{"a":1}}', "E-S2", "text", None, None, id="E-S2: details that are no text",
        ),
        pytest.param(
            b'{"detail":"Unauthorized"}', "E-S3", "Unauthorized", None, None, id="E-S3: a detail",
        ),
        pytest.param(
            b'{"detail":{"message":"m","code":"c"}}', "E-S3", "m", "c", None, id="E-S3: a detail that is an object",
        ),
        pytest.param(
            b'{"detail":[{"type":"missing","loc":["body","model"],"msg":"Field required","input":{}}]}',
            "E-S4", "body.model: Field required", None, "model", id="E-S4: a list of faults",
        ),
        pytest.param(
            b'{"detail":[{"loc":["body","messages",0],"msg":"a"},{"loc":["body","n"],"msg":"b"}]}',
            "E-S4", "body.messages.0: a; body.n: b", None, "messages", id="E-S4: the last text of the first place",
        ),
        pytest.param(
            b'{"detail":[{"msg":"a"},7,{"loc":null}]}', "E-S4", "a", None, None, id="E-S4: rows without a place",
        ),
        pytest.param(
            b'{"detail":[]}', "E-S4", "minds returned HTTP 400", None, None, id="E-S4: an empty list",
        ),
        pytest.param(
            b'[{"error":{"code":404,"message":"gone","status":"NOT_FOUND"}}]',
            "E-S5", "gone", None, None, id="E-S5: Gemini's array",
        ),
        pytest.param(
            b'{"status":"error","message":"text"}', "E-S6", "text", None, None, id="E-S6: 4minds' native error",
        ),
        pytest.param(b'{"message":"text"}', "E-S6", "text", None, None, id="E-S6: a message alone"),
        pytest.param(
            b'{"choices":[{"finish_reason":"error","delta":{}}]}',
            "J4", "minds returned HTTP 400", None, None, id="J4: a choice that ended with an error",
        ),
        pytest.param(HTML, "E-S7", "minds returned HTTP 400", None, None, id="E-S7: HTML"),
        pytest.param(b"", "E-S7", "minds returned HTTP 400", None, None, id="E-S7: nothing"),
        pytest.param(b"upstream connect error", "E-S7", "minds returned HTTP 400", None, None, id="E-S7: a text"),
        pytest.param(b"[]", "E-S7", "minds returned HTTP 400", None, None, id="E-S7: an empty array"),
        pytest.param(b'{"error":null}', "E-S7", "minds returned HTTP 400", None, None, id="E-S7: a null error"),
        pytest.param(b'{"ok":true}', "E-S7", "minds returned HTTP 400", None, None, id="E-S7: other JSON"),
    ],
)  # fmt: skip
def test_a_shape_gives_message_code_and_param(body, shape, message, code, param):
    found = read(body)

    assert found.message == message
    assert (found.code, found.param) == (code, param)
    assert found.shape == shape


def test_e_s7_the_status_is_named():
    assert read(HTML, "text/html", status=403).message == "minds returned HTTP 403"


def test_what_has_the_shape_of_none_is_no_error():
    assert error_in(b'{"choices":[]}', status=502, unsaid="x") is None


# --- byte for byte --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"error":{"message":"no","type":"t","param":null,"code":null}}', id="nulls"),
        pytest.param(
            b'{"error":{"message":"no","type":"t","param":null,"code":null}}\r\n',
            id="a line break behind it",
        ),
        pytest.param(
            b'{ "error" : {"code":"c","param":"p","type":"t","message":"no"} }',
            id="other order and blanks",
        ),
        pytest.param(
            '{"error":{"message":"nö\\n\\u00e9","type":"t","param":null,"code":"c","more":[1.50]},"id":1e2}'.encode(),
            id="members and numbers we do not know",
        ),
    ],
)
def test_f3_a_complete_envelope_is_relayed_byte_for_byte(body):
    assert read(body).verbatim == body


@pytest.mark.parametrize(
    ("status", "body", "relayed"),
    [
        pytest.param(
            400,
            b'{"error":{"message":"Error description","type":"invalid_request_error","code":"error_code"}}',
            b'{"error":{"message":"Error description","type":"invalid_request_error","code":"error_code",'
            b'"param":null}}',
            id="the seed's error has no param",
        ),
        pytest.param(
            429,
            b'{"error":{"message":"no"}}',
            b'{"error":{"message":"no","type":"rate_limit_error","param":null,"code":null}}',
            id="a message alone on 429",
        ),
        pytest.param(
            500,
            b'{"error":{"message":"no","type":null}}',
            b'{"error":{"message":"no","type":"server_error","param":null,"code":null}}',
            id="a null type on 500",
        ),
        pytest.param(
            402,
            b'{"error":{"message":"no","code":402,"metadata":{"a":1.50}},"user_id":"u"}',
            b'{"error":{"message":"no","code":null,"metadata":{"a":1.50},"type":"invalid_request_error",'
            b'"param":null},"user_id":"u"}',
            id="F2: a numeric code; the rest stays as it was",
        ),
    ],
)
def test_e_s1_what_is_missing_is_added_and_the_rest_stays(status, body, relayed):
    assert read(body, status=status).verbatim == relayed


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            b'{"error":{"message":"see https://a.b/c","type":"t","param":null,"code":"c"}}',
            id="a URL",
        ),
        pytest.param(
            rb'{"error":{"message":"https:\/\/a.b","type":"t","param":null,"code":"c"}}',
            id="escaped",
        ),
        pytest.param(
            b'{"error":{"message":"no","type":"t","param":null,"code":"c","at":"10.0.0.1"}}',
            id="a host",
        ),
        pytest.param(
            b'{"error":{"message":"the canary","type":"t","param":null,"code":"c"}}', id="the key"
        ),
        pytest.param(
            rb'{"error":{"message":"c\u0061nary","type":"t","param":null,"code":"c"}}',
            id="the key, escaped",
        ),
        pytest.param(
            b'{"error":{"message":"canary","message":"no","type":"t","param":null,"code":"c"}}',
            id="a member twice",
        ),
        pytest.param(
            b'{"error":{"message":"no","type":"t","param":null,"code":"c"},"canary":1}',
            id="a member's name",
        ),
    ],
)
def test_f11_an_envelope_with_a_url_a_host_or_a_key_is_not_relayed(body):
    found = read(body, secrets=("canary",))

    assert found.verbatim is None
    assert found.is_envelope
    assert (found.code, found.type) == ("c", "t")
    assert "canary" not in found.message


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            b'{"error":{"message":"' + b"a" * 70_000 + b'","type":"t","param":null,"code":"c"}}',
            id="huge",
        ),
        pytest.param(
            b'{"error":{"message":"half \\ud83d","type":"t","param":null,"code":"c"}}',
            id="half a character",
        ),
        pytest.param(
            b'{"error":{"message":"\xff","type":"t","param":null,"code":"c"}}', id="not UTF-8"
        ),
        pytest.param(
            b'{"error":{"message":"","type":"t","param":null,"code":"c"}}', id="an empty message"
        ),
        pytest.param(
            b'{"error":{"message":7,"type":"t","param":null,"code":"c"}}',
            id="a message that is no text",
        ),
    ],
)
def test_f1_what_is_no_good_envelope_is_written_anew(body):
    found = read(body)

    assert found.verbatim is None
    assert found.message
    assert len(found.message.encode()) <= MAX_MESSAGE_BYTES
    assert found.code == "c"


# --- texts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("letter", ["a", "ß", "模", "🙂"])
def test_f4_a_message_has_two_kib_at_most(letter):
    message = read(json.dumps({"detail": letter * 5000}).encode()).message

    assert MAX_MESSAGE_BYTES - 8 < len(message.encode()) <= MAX_MESSAGE_BYTES
    assert message.endswith("…")


def test_f4_a_secret_at_the_cut_leaves_no_piece():
    text = "a " * 1020 + "canary-7f3a" * 3

    assert (
        "can" not in read(json.dumps({"detail": text}).encode(), secrets=("canary-7f3a",)).message
    )


@pytest.mark.parametrize(
    "code", ["", "c" * 300, "see https://a.b", "two\nlines", 7, True, None, ["c"], {"c": 1}]
)
def test_f2_a_code_is_a_short_clean_text_or_null(code):
    assert read(json.dumps({"error": "no", "code": code}).encode()).code is None


@pytest.mark.parametrize(
    ("code", "number"), [(429, 429), (True, None), ("429", None), (4.29, None), (None, None)]
)
def test_a_numeric_code_is_kept_for_those_who_decide(code, number):
    assert read(json.dumps({"error": {"message": "no", "code": code}}).encode()).number == number


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param(b'\xef\xbb\xbf{"detail":"no"}', "application/json", id="a byte order mark"),
        pytest.param(b'\r\n {"detail":"no"}\n', "application/json", id="blanks around"),
        pytest.param(b'{"detail":"no"}', "text/html; charset=utf-8", id="JSON that is called HTML"),
        pytest.param(b'{"detail":"no"}', "text/event-stream", id="JSON that is called a stream"),
        pytest.param(
            b': hi\n\ndata: {"detail":"no"}\n\n', "text/event-stream", id="an event stream"
        ),
        pytest.param(
            b'event: error\r\ndata:{"detail":"no"}\r\n\r\n', "", id="an event without a type"
        ),
    ],
)
def test_the_error_is_found_however_it_is_wrapped(body, content_type):
    assert read(body, content_type).message == "no"


# --- fuzz -----------------------------------------------------------------------------------------------------------

PIECES = [
    b'{"error":', b'{"detail":', b'"message"', b"{", b"}", b"[", b"]", b":", b",", b'"', b"null", b"1e999", b"-",
    b'"code"', b'"loc"', b'"msg"', b"\\u", b"\\ud800", b"\xff", b"\xef\xbb\xbf", b"\x00", b"data:", b"\r\n", b"<html>",
    b"NaN", b"9" * 50, b"true", b'"https://a.b"', b'"choices":[{"finish_reason":"error"}]', b"[" * 2000,
]  # fmt: skip


@pytest.mark.parametrize("seed", range(50))
def test_read_error_never_raises_and_always_says_something(seed):
    chance = random.Random(seed)
    for _ in range(100):
        if chance.random() < 0.3:
            body = chance.randbytes(chance.randrange(200))
        else:
            body = b"".join(chance.choices(PIECES, k=chance.randrange(14)))
        found = read(body, chance.choice(["", "application/json", "text/event-stream"]))

        assert found.message, (seed, body)
        assert found.code is None or isinstance(found.code, str), (seed, body)
        assert found.verbatim is None or json.loads(found.verbatim)["error"]["message"], (
            seed,
            body,
        )


@pytest.mark.parametrize("seed", range(50))
def test_a_broken_envelope_never_raises(seed):
    chance = random.Random(seed)
    whole = b'{"error":{"message":"no \\u00e9","type":"t","param":null,"code":"c","more":[1,{"a":"b"}]}}'
    for _ in range(200):
        broken = bytearray(whole)
        for _ in range(chance.randrange(1, 4)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        found = read(bytes(broken[: chance.randrange(1, len(broken) + 1)]))

        assert found.message, (seed, bytes(broken))
