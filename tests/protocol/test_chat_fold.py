import json

import pytest
from openai.types.chat import ChatCompletion

from app.domain.usage import Usage
from app.protocol.answer_rules import OPENAI_RULES, AnswerUnusable, FaultReason
from app.protocol.answer_stream import stream_of_answer
from app.protocol.chat_answer import Answer
from app.protocol.chat_fold import ChatFold, added
from tests.protocol.streams import (
    CALL,
    CALL_MORE,
    DONE,
    FIRST,
    HELLO,
    MADE_UP,
    STOP,
    chunk,
    seeded,
    sse,
    usage_chunk,
)  # fmt: skip


def fold(received: str | bytes, *, clean: bool = True, seed: int | None = None) -> Answer:
    data = received.encode() if isinstance(received, str) else received
    folding = ChatFold(rules=OPENAI_RULES, identity=MADE_UP, max_event_bytes=1 << 20)
    for piece in [data] if seed is None else seeded(data, seed):
        folding.feed(piece)
    return folding.finish(clean=clean)


CALLS = (
    '[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{\\"a\\":1}"}},'
    '{"id":"call_2","type":"function","extra_content":{"google":{"s":"\\/"}},"function":{"name":"g","arguments":"{}"}}]'
)
USAGE = '"usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13}'
ANSWERS = [
    pytest.param('{"role":"assistant","content":"héllo 😀 \\ud83d"}', "stop", id="text"),
    pytest.param(f'{{"role":"assistant","content":null,"tool_calls":{CALLS}}}', "tool_calls", id="tools"),
    pytest.param('{"role":"assistant","content":"a","reasoning_content":"t","refusal":"r","x":{"y":1.10}}', "length",
                 id="all members"),
    pytest.param('{"role":"assistant","content":"%s"}' % ("long é\\n" * 40_000), "stop", id="in many pieces"),
]  # fmt: skip


@pytest.mark.parametrize(("message", "finish"), ANSWERS)
def test_h14_folding_the_stream_of_an_answer_gives_the_answer(message, finish):
    logprobs = (
        '"logprobs":{"content":[{"token":"a","logprob":-0.10,"bytes":null,"top_logprobs":[]}]}'
    )
    whole = (
        '{"id":"a","object":"chat.completion","created":1,"model":"m",'
        f'"choices":[{{"index":0,"message":{message},"finish_reason":"{finish}",{logprobs}}}],'
        f'{USAGE},"system_fingerprint":"fp","big":12345678901234567890123}}'
    )
    frames = b"".join(stream_of_answer(whole.encode(), include_usage=True, identity=MADE_UP))
    folded = fold(frames)

    assert json.loads(whole) == json.loads(folded.body)
    assert Usage(9, 4) == folded.usage
    assert b'"logprob":-0.10' in folded.body
    if b"\\ud83d" not in folded.body:
        ChatCompletion.model_validate_json(folded.body, strict=True)


def test_s9_deltas_are_added_up():
    folded = fold(sse(FIRST, HELLO, chunk(r'{"content":"\ud83d"}'), chunk(r'{"content":"\ude00"}'), STOP,
                      usage_chunk()) + DONE)  # fmt: skip
    found = json.loads(folded.body)

    assert "Héllo \u2028 \x85 wörld😀" == found["choices"][0]["message"]["content"]
    assert "c1" == found["id"]
    assert "chat.completion" == found["object"]
    assert 13 == found["usage"]["total_tokens"]


def test_tool_fragments_are_added_up_by_index():
    second = CALL.replace('"index":0,"id":"call_1"', '"index":1,"id":"call_2"').replace(
        '"role":"assistant",', ""
    )
    more = CALL_MORE.replace('"index":0,"function"', '"index":1,"function"')
    message = json.loads(fold(sse(CALL, second, more, CALL_MORE, STOP) + DONE).body)["choices"][0][
        "message"
    ]

    assert message["content"] is None
    assert [("call_1", '{"a":1}'), ("call_2", '{"a":1}')] == [
        (call["id"], call["function"]["arguments"]) for call in message["tool_calls"]
    ]


def test_choices_and_log_probabilities_are_kept_apart_and_joined():
    def part(index: int, token: str) -> str:
        return chunk(f'{{"role":"assistant","content":"{token}"}}', index=index).replace(
            '"finish_reason"', f'"logprobs":{{"content":["{token}"]}},"finish_reason"'
        )

    folded = fold(sse(part(1, "b"), part(0, "a"), part(0, "A")) + DONE)
    choices = json.loads(folded.body)["choices"]

    assert [0, 1] == [choice["index"] for choice in choices]
    assert ["aA", "b"] == [choice["message"]["content"] for choice in choices]
    assert [["a", "A"], ["b"]] == [choice["logprobs"]["content"] for choice in choices]


@pytest.mark.parametrize(
    ("received", "clean", "reason"),
    [
        pytest.param(sse(FIRST, HELLO), False, FaultReason.DISCONNECTED, id="cut"),
        pytest.param(
            sse(FIRST, '{"error":"no"}'), True, FaultReason.ERROR_EVENT, id="an error event"
        ),
        pytest.param("<html>", True, FaultReason.MALFORMED, id="HTML"),
    ],
)
def test_a_failed_stream_is_no_answer(received, clean, reason):
    with pytest.raises(AnswerUnusable) as raised:
        fold(received, clean=clean)

    assert reason == raised.value.reason


def test_any_cut_folds_to_the_same_answer():
    received = (sse(FIRST, HELLO, STOP) + DONE).encode()

    assert {fold(received).body} == {fold(received, seed=seed).body for seed in range(50)}


@pytest.mark.parametrize(
    ("known", "value", "sum_"),
    [
        (b'"a"', b'"b"', b'"ab"'),
        (b"[1]", b"[2]", b"[1,2]"),
        (b'{"a":"x","id":"1"}', b'{"a":"y","id":"2"}', b'{"a":"xy","id":"2"}'),
        (b"1", b"2", b"2"),
        (b"null", b"2", b"2"),
        (b"1", b"null", b"1"),
    ],
)
def test_values_are_added(known, value, sum_):
    assert sum_ == added(known, value)
