import json

import pytest
from openai.types.chat import ChatCompletion

from app.domain.usage import Usage
from app.protocol.answer_rules import OPENAI_RULES
from app.protocol.chat_answer import AnswerUnusable, read_answer
from app.protocol.chat_stream import FaultReason
from tests.protocol.streams import MADE_UP

HEAD = '"id":"a","object":"chat.completion","created":1,"model":"m"'
MESSAGE = '{"role":"assistant","content":"hi"}'
USAGE = '"usage":{"prompt_tokens":9,"completion_tokens":9,"total_tokens":18}'


def answer(message: str = MESSAGE, finish: str = ',"finish_reason":"stop"', rest: str = "") -> str:
    return f'{{{HEAD},"choices":[{{"index":0,"message":{message}{finish}}}]{rest}}}'


def read(body: str | bytes) -> str:
    data = body.encode() if isinstance(body, str) else body
    return read_answer(data, rules=OPENAI_RULES, identity=MADE_UP).body.decode()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(answer(rest=f",{USAGE}"), id="plain"),
        pytest.param(f" {answer()}\n", id="blanks around it"),
        pytest.param("\ufeff" + answer(), id="a BOM"),
        pytest.param(answer().replace(",", " ,\n  "), id="pretty-printed"),
        pytest.param(
            answer(
                r'{"role":"assistant","content":"\ud83d\/","x":1.10,"y":123456789012345678901}',
                rest=',"z":1E5',
            ),
            id="numbers, escapes, lone surrogates (D4, D5)",
        ),
        pytest.param(
            answer('{"content":null,"role":"assistant","refusal":"no"}'), id="null content (E3)"
        ),
        pytest.param(
            answer(rest=',"detail":"x","status":"error","message":"m"'), id="unknown members"
        ),
    ],
)
def test_e12_an_answer_in_order_leaves_byte_for_byte(body):
    assert body == read(body)
    ChatCompletion.model_validate_json(
        read(body).removeprefix("\ufeff").replace(r"\ud83d", ""), strict=True
    )


CALL = '"function":{"name":"f","arguments":"{}"}'


@pytest.mark.parametrize(
    ("body", "repaired"),
    [
        pytest.param(answer(finish=""), answer(), id="a missing finish is stop (E2)"),
        pytest.param(answer(finish=',"finish_reason":null'), answer(), id="so is null"),
        pytest.param(
            answer(f'{{"role":"assistant","content":null,"tool_calls":[{{"id":"c","type":"function",{CALL}}}]}}', ""),
            answer(f'{{"role":"assistant","content":null,"tool_calls":[{{"id":"c","type":"function",{CALL}}}]}}',
                   ',"finish_reason":"tool_calls"'),
            id="tool_calls if there are any (E2)",
        ),
        pytest.param(
            answer('{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":{"a": 1.10}}}]}'),
            answer(r'{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{\"a\":1.10}"},'
                   r'"id":"call_made0up_0_0","type":"function"}],"content":null}'),
            id="arguments a string, id, type and content present (E3)",
        ),
        pytest.param(answer('{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}'),
                     answer('{"role":"assistant","content":"ab"}'), id="content parts are joined, the role added"),
        pytest.param(answer(rest=',"usage":null,"x":1.10'), answer(rest=',"x":1.10'), id="usage null is removed (E4)"),
        pytest.param(answer(rest=',"usage":{"prompt_tokens":1}'), answer(), id="a partial one too (E4)"),
        pytest.param(answer(rest=',"error":null'), answer(), id="error null is removed (I14)"),
        pytest.param(f'{{"choices":[{{"message":{MESSAGE}}}]}}',
                     '{"id":"chatcmpl-made0up","object":"chat.completion","created":1700000000,"model":"asked-model",'
                     f'"choices":[{{"index":0,"message":{MESSAGE},"finish_reason":"stop"}}]}}',
                     id="what is missing is made up (E1, E7)"),
        pytest.param(answer().replace('"created":1', '"created":1.5')
                     .replace('"object":"chat.completion"', '"object":"x"'),
                     answer(), id="object and created set right (E1)"),
    ],
)  # fmt: skip
def test_answers_are_repaired(body, repaired):
    assert repaired == read(body)
    ChatCompletion.model_validate_json(read(body), strict=True)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param('{"error":{"message":"no"}}', FaultReason.ERROR_EVENT, id="error under 200 (E5, E-C9)"),
        pytest.param(answer(rest=',"error":"no"'), FaultReason.ERROR_EVENT, id="beside an answer"),
        pytest.param('{"detail":"no"}', FaultReason.ERROR_EVENT, id="detail"),
        pytest.param('[{"error":{"message":"no"}}]', FaultReason.ERROR_EVENT, id="in a list (E-S5)"),
        pytest.param(answer(finish=',"finish_reason":"error"'), FaultReason.ERROR_EVENT, id="finish_reason error"),
        pytest.param(f'{{{HEAD},"choices":null}}', FaultReason.MALFORMED, id="choices null (E6)"),
        pytest.param(f'{{{HEAD}}}', FaultReason.MALFORMED, id="choices missing (E6)"),
        pytest.param(f'{{{HEAD},"choices":[]}}', FaultReason.MALFORMED, id="choices empty (E6)"),
        pytest.param(f'{{{HEAD},"choices":[{{"index":0}}]}}', FaultReason.MALFORMED, id="a choice without message"),
        pytest.param(answer('{"tool_calls":[{"id":"c","type":"function"}]}'), FaultReason.MALFORMED,
                     id="a call without function (E3)"),
        pytest.param(answer()[:-5], FaultReason.MALFORMED, id="truncated (E-C10)"),
        pytest.param("", FaultReason.MALFORMED, id="empty"),
        pytest.param("[]", FaultReason.MALFORMED, id="a list"),
        pytest.param("<html>", FaultReason.MALFORMED, id="HTML"),
        pytest.param(answer().encode().replace(b"hi", b"\xff"), FaultReason.MALFORMED, id="invalid UTF-8"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_refused_with_its_bytes(body, reason):
    data = body if isinstance(body, bytes) else body.encode()

    with pytest.raises(AnswerUnusable) as raised:
        read(data)

    assert (reason, data) == (raised.value.reason, raised.value.data)


@pytest.mark.parametrize(
    ("rest", "usage"),
    [(f",{USAGE}", Usage(9, 9)), (',"usage":null', None), ("", None),
     (',"usage":{"prompt_tokens":1,"completion_tokens":2}', Usage(1, 2))],
)  # fmt: skip
def test_usage_is_read(rest, usage):
    found = read_answer(answer(rest=rest).encode(), rules=OPENAI_RULES, identity=MADE_UP)

    assert usage == found.usage
    assert ("usage" in json.loads(found.body)) == ("total" in rest)
